//! One dataset: its extents are known and believed before a single value is read.

use std::path::Path;
use std::sync::Arc;

use hdf5::types::TypeDescriptor;
use hdf5::{Hyperslab, Selection, SliceOrIndex};

use crate::ingest::error::IngestError;
use crate::ingest::filters;
use crate::ingest::limits::{self, Extent};

/// Values of one read are converted in blocks of about this size, bytes.
const BLOCK_BYTES: usize = 32 << 20;

/// What a dataset is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Whole numbers of this many bytes, signed or not.
    Integer {
        /// Bytes of one value.
        bytes: usize,
        /// Whether the values may be negative.
        signed: bool,
    },
    /// Floating point.
    Float,
    /// Anything else, as the library describes it.
    Other(String),
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Integer { bytes, signed } => write!(f, "{}int{}", if *signed { "" } else { "u" }, bytes * 8),
            Self::Float => f.write_str("floating point"),
            Self::Other(name) => f.write_str(name),
        }
    }
}

/// A dataset of an open file; rows run along the first axis.
#[derive(Debug, Clone)]
pub(crate) struct Set {
    file: Arc<Path>,
    place: String,
    dataset: hdf5::Dataset,
    shape: Vec<usize>,
    chunk_rows: usize,
    kind: Kind,
}

impl Set {
    pub(super) fn from_dataset(file: Arc<Path>, place: String, dataset: hdf5::Dataset) -> Result<Self, IngestError> {
        let broken = |source| IngestError::Hdf5 {
            file: file.to_path_buf(),
            place: place.clone(),
            doing: "read the dataset's description",
            source,
        };
        let space = dataset.space().map_err(broken)?;
        let shape = if space.is_null() { vec![0] } else { space.shape() };
        let dtype = dataset.dtype().map_err(broken)?;
        let kind = match dtype.to_descriptor() {
            Ok(TypeDescriptor::Integer(size)) => Kind::Integer { bytes: size as usize, signed: true },
            Ok(TypeDescriptor::Unsigned(size)) => Kind::Integer { bytes: size as usize, signed: false },
            Ok(TypeDescriptor::Float(_)) => Kind::Float,
            Ok(other) => Kind::Other(other.to_string()),
            Err(_) => Kind::Other("a type of its own".to_owned()),
        };
        let plist = dataset.dcpl().map_err(broken)?;
        check_storage(&file, &place, &plist)?;
        filters::check_available(&file, &place, &plist)?;
        let chunk = plist.get_chunk().map_err(broken)?.unwrap_or_default();
        let size = |dims: &[usize]| dims.iter().fold(dtype.size() as u64, |a, b| a.saturating_mul(*b as u64));
        limits::check_extent(&Extent {
            file: &file,
            place: &place,
            declared_bytes: size(&shape),
            stored_bytes: dataset.storage_size(),
            chunk_bytes: if chunk.is_empty() { 0 } else { size(&chunk) },
        })?;
        let chunk_rows = chunk.first().copied().unwrap_or(1);
        Ok(Self { file, place, dataset, shape, chunk_rows, kind })
    }

    /// Where the dataset is, from the root.
    pub(crate) fn place(&self) -> &str {
        &self.place
    }

    /// Extents, slowest axis first; empty for a scalar.
    pub(crate) fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// What it is made of.
    pub(crate) fn kind(&self) -> &Kind {
        &self.kind
    }

    /// Number of rows (first axis); 1 for a scalar.
    pub(crate) fn rows(&self) -> usize {
        self.shape.first().copied().unwrap_or(1)
    }

    /// Values in one row.
    pub(crate) fn columns(&self) -> usize {
        self.shape.iter().skip(1).fold(1_usize, |a, b| a.saturating_mul(*b))
    }

    /// A refusal that names this dataset.
    pub(crate) fn refuse(
        &self,
        found: impl std::fmt::Display,
        expected: impl std::fmt::Display,
        advice: impl std::fmt::Display,
    ) -> IngestError {
        IngestError::refused(&self.file, &self.place, found, expected, advice)
    }

    /// Shape and kind for a message: `[16, 480, 640] uint8`.
    pub(crate) fn describe(&self) -> String {
        format!("{:?} {}", self.shape, self.kind)
    }

    /// Refuses a dataset whose rows have another width or whose values are no numbers.
    ///
    /// # Errors
    /// [`IngestError::Refused`] with the shape.
    pub(crate) fn expect_numbers(&self, columns: usize) -> Result<(), IngestError> {
        let numbers = !matches!(self.kind, Kind::Other(_));
        if numbers && self.columns() == columns && self.shape.len() <= 2 {
            return Ok(());
        }
        let wanted = if columns == 1 { "[N] numbers".to_owned() } else { format!("[N, {columns}] numbers") };
        Err(self.refuse(self.describe(), wanted, "write the dataset as README.md, Your own data, says"))
    }

    /// Refuses a dataset that is not a list of whole numbers, `columns` a row.
    ///
    /// # Errors
    /// [`IngestError::Refused`] with shape and kind.
    pub(crate) fn expect_integers(&self, columns: usize) -> Result<(), IngestError> {
        self.expect_numbers(columns)?;
        if matches!(self.kind, Kind::Integer { .. }) {
            return Ok(());
        }
        Err(self.refuse(self.describe(), "whole numbers", "write the dataset as README.md, Your own data, says"))
    }

    /// Refuses a window that does not lie in the dataset.
    ///
    /// # Errors
    /// [`IngestError::Refused`] with both extents; `why` says who wants the rows.
    pub(crate) fn expect_rows(&self, start: usize, count: usize, why: &str) -> Result<(), IngestError> {
        match start.checked_add(count) {
            Some(end) if end <= self.rows() => Ok(()),
            _ => Err(self.refuse(
                format_args!("{} rows", self.rows()),
                format_args!("rows {start} to {} for {why}", start.saturating_add(count)),
                "the counts and offsets do not fit the data; the file is incomplete, write it anew",
            )),
        }
    }

    /// Reads `count` rows from row `start`, row after row.
    ///
    /// # Errors
    /// Rows outside the dataset, windows beyond [`limits::MAX_WINDOW_BYTES`], damaged chunks.
    pub(crate) fn read_rows<T: hdf5::H5Type + Copy>(&self, start: usize, count: usize) -> Result<Vec<T>, IngestError> {
        let mut values = Vec::new();
        self.read_blocks(start, count, |block: &[T]| {
            values.extend_from_slice(block);
            Ok(())
        })?;
        Ok(values)
    }

    /// Reads `count` rows from row `start` in blocks of whole rows, so that a conversion never doubles the memory.
    ///
    /// # Errors
    /// As [`Self::read_rows`], and what `take` returns.
    pub(crate) fn read_blocks<T: hdf5::H5Type + Copy>(
        &self,
        start: usize,
        count: usize,
        mut take: impl FnMut(&[T]) -> Result<(), IngestError>,
    ) -> Result<(), IngestError> {
        self.expect_rows(start, count, "one window")?;
        let row_bytes = self.columns().saturating_mul(size_of::<T>()).max(1);
        limits::check_window(&self.file, &self.place, count.saturating_mul(self.columns()), size_of::<T>())?;
        // Whole chunks where they are larger than a block: no chunk is unpacked twice.
        let block_rows = (BLOCK_BYTES / row_bytes).max(self.chunk_rows).max(1);
        let mut at = start;
        let end = start + count;
        while at < end {
            // Blocks end on chunk borders.
            let stop = ((at / block_rows + 1) * block_rows).min(end);
            take(&self.read_window::<T>(at, stop - at)?)?;
            at = stop;
        }
        Ok(())
    }

    fn read_window<T: hdf5::H5Type + Copy>(&self, start: usize, count: usize) -> Result<Vec<T>, IngestError> {
        let broken = |source| IngestError::Hdf5 {
            file: self.file.to_path_buf(),
            place: format!("{}, rows {start} to {}", self.place, start + count),
            doing: "read the values",
            source,
        };
        if self.columns() == 0 {
            return Ok(Vec::new());
        }
        if self.shape.is_empty() {
            return self.dataset.read_raw::<T>().map_err(broken);
        }
        let mut slab = vec![SliceOrIndex::SliceCount { start, step: 1, count, block: 1 }];
        slab.extend(self.shape[1..].iter().map(|n| SliceOrIndex::SliceCount {
            start: 0,
            step: 1,
            count: *n,
            block: 1,
        }));
        let selection = Selection::from(Hyperslab::from(slab));
        let window: ndarray::ArrayD<T> = self.dataset.read_slice(selection).map_err(broken)?;
        Ok(window.into_raw_vec_and_offset().0)
    }

    /// Reads the whole of a small dataset of whole numbers (a list of counts or offsets).
    ///
    /// # Errors
    /// As [`Self::read_rows`]; lists beyond [`limits::MAX_LIST`]; negative numbers.
    pub(crate) fn read_counts(&self) -> Result<Vec<usize>, IngestError> {
        self.expect_integers(self.columns())?;
        let count = self.rows().saturating_mul(self.columns());
        if count > limits::MAX_LIST {
            return Err(self.refuse(
                format_args!("{count} entries"),
                format_args!("at most {}", limits::MAX_LIST),
                "a run with so many states or pieces cannot be reviewed",
            ));
        }
        let values = self.read_rows::<i64>(0, self.rows())?;
        values
            .iter()
            .enumerate()
            .map(|(i, v)| {
                usize::try_from(*v).map_err(|_| {
                    self.refuse(format_args!("{v} at index {i}"), "0 or more", "the file is damaged, write it anew")
                })
            })
            .collect()
    }

    /// Reads the whole of a small dataset of numbers.
    ///
    /// # Errors
    /// As [`Self::read_rows`]; kinds that are no numbers; lists beyond [`limits::MAX_LIST`].
    pub(crate) fn read_numbers(&self) -> Result<Vec<f64>, IngestError> {
        let count = self.rows().saturating_mul(self.columns());
        let refused = |expected: &dyn std::fmt::Display| {
            self.refuse(self.describe(), expected, "write the dataset as README.md, Your own data, says")
        };
        if matches!(self.kind, Kind::Other(_)) {
            return Err(refused(&"numbers"));
        }
        if count > limits::MAX_LIST {
            return Err(refused(&format_args!("at most {} numbers", limits::MAX_LIST)));
        }
        self.read_rows::<f64>(0, self.rows())
    }

    /// The text attribute `name` of the dataset.
    ///
    /// # Errors
    /// Damaged attributes.
    pub(crate) fn attr_text(&self, name: &str) -> Result<Option<String>, IngestError> {
        super::text::attr_text(&self.dataset, &self.file, &self.place, name)
    }
}

/// Refuses data that lies in other files.
fn check_storage(file: &Path, place: &str, plist: &hdf5::plist::DatasetCreate) -> Result<(), IngestError> {
    let outside = |what: &str| {
        IngestError::refused(
            file,
            place,
            what,
            "the values in this one file",
            "repack the file, for example with h5repack",
        )
    };
    let broken = |source| IngestError::Hdf5 {
        file: file.to_owned(),
        place: place.to_owned(),
        doing: "read the dataset's layout",
        source,
    };
    if !plist.get_external().map_err(broken)?.is_empty() {
        return Err(outside("values that lie in other files (external storage)"));
    }
    if plist.get_layout().map_err(broken)? == hdf5::plist::dataset_create::Layout::Virtual {
        return Err(outside("values that lie in other datasets (a virtual dataset)"));
    }
    Ok(())
}
