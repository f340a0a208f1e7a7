//! The few HDF5 verbs that the VTKHDF writer needs, each naming its dataset when it fails.

use std::path::{Path, PathBuf};

use hdf5::types::FixedAscii;
use hdf5::{Dataset, File, Group, H5Type};
use ndarray::{ArrayView1, ArrayView2};

use super::ExportError;

/// Rows in a chunk at most: large enough to pay for the compression, small enough to read a piece alone.
const CHUNK_ROWS: usize = 65_536;
/// Deflate's usual trade: level 4 with byte shuffling loses a few per cent of size to level 9 at a third of the time.
const DEFLATE_LEVEL: u8 = 4;

/// An HDF5 file under construction.
pub(super) struct Writer {
    pub(super) file: File,
    path: PathBuf,
}

/// A dataset that grows by one block of rows a step.
pub(super) struct Growing {
    dataset: Dataset,
    name: String,
    path: PathBuf,
    components: usize,
    rows: usize,
}

impl Writer {
    pub(super) fn create(path: &Path) -> Result<Self, ExportError> {
        let file = File::create(path).map_err(|source| ExportError::Hdf5 {
            path: path.to_owned(),
            dataset: "/".to_owned(),
            source,
        })?;
        Ok(Self { file, path: path.to_owned() })
    }

    pub(super) fn failed(&self, dataset: &str) -> impl FnOnce(hdf5::Error) -> ExportError {
        let (path, dataset) = (self.path.clone(), dataset.to_owned());
        move |source| ExportError::Hdf5 { path, dataset, source }
    }

    pub(super) fn group(&self, name: &str) -> Result<Group, ExportError> {
        self.file.create_group(name).map_err(self.failed(name))
    }

    /// VTK compares the type with a fixed-length ASCII string; one of variable length is refused.
    pub(super) fn kind_and_version(&self, group: &Group) -> Result<(), ExportError> {
        let write = || -> hdf5::Result<()> {
            let kind =
                FixedAscii::<16>::from_ascii("UnstructuredGrid").map_err(|e| hdf5::Error::from(e.to_string()))?;
            group.new_attr::<FixedAscii<16>>().create("Type")?.write_scalar(&kind)?;
            group.new_attr::<i64>().shape(2).create("Version")?.write_raw(&[2_i64, 0])
        };
        write().map_err(self.failed("VTKHDF attributes"))
    }

    /// A whole column, compressed where that pays.
    pub(super) fn column<T: H5Type>(&self, name: &str, values: &[T]) -> Result<(), ExportError> {
        let builder = self.file.new_dataset_builder();
        let made = if values.len() < 256 {
            builder.with_data(ArrayView1::from(values)).create(name)
        } else {
            let chunk = values.len().min(CHUNK_ROWS);
            builder.chunk(chunk).shuffle().deflate(DEFLATE_LEVEL).with_data(ArrayView1::from(values)).create(name)
        };
        made.map(|_| ()).map_err(self.failed(name))
    }

    /// A column with one entry a step and piece, as VTK wants for cells and connectivity: `[steps, 1]`.
    pub(super) fn offsets_2d(&self, name: &str, values: &[i64]) -> Result<(), ExportError> {
        let view = ArrayView2::from_shape((values.len(), 1), values).expect("a column that is no column is a bug");
        self.file.new_dataset_builder().with_data(view).create(name).map(|_| ()).map_err(self.failed(name))
    }

    /// An empty dataset `[0, components]` (`[0]` for one component) that grows by about `rows` rows a step.
    pub(super) fn growing<T: H5Type>(
        &self,
        name: &str,
        components: usize,
        rows: usize,
    ) -> Result<Growing, ExportError> {
        let chunk = rows.clamp(1, CHUNK_ROWS);
        let builder = self.file.new_dataset_builder().shuffle().deflate(DEFLATE_LEVEL);
        let made = if components == 1 {
            builder.chunk(chunk).empty::<T>().shape(0..).create(name)
        } else {
            builder.chunk((chunk, components)).empty::<T>().shape((0.., components)).create(name)
        };
        let dataset = made.map_err(self.failed(name))?;
        Ok(Growing { dataset, name: name.to_owned(), path: self.path.clone(), components, rows: 0 })
    }
}

impl Growing {
    /// Appends rows (`rows × components` values, row by row) and returns the row at which they start.
    pub(super) fn append<T: H5Type>(&mut self, values: &[T]) -> Result<i64, ExportError> {
        let (start, end) = (self.rows, self.rows + values.len() / self.components);
        let write = || -> hdf5::Result<()> {
            if self.components == 1 {
                self.dataset.resize(end)?;
                self.dataset.write_slice(ArrayView1::from(values), start..end)
            } else {
                self.dataset.resize((end, self.components))?;
                let rows = ArrayView2::from_shape((end - start, self.components), values)
                    .map_err(|e| hdf5::Error::from(e.to_string()))?;
                self.dataset.write_slice(rows, (start..end, ..))
            }
        };
        write().map_err(|source| ExportError::Hdf5 { path: self.path.clone(), dataset: self.name.clone(), source })?;
        self.rows = end;
        Ok(start as i64)
    }
}
