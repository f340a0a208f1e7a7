//! The only way into an HDF5 file: groups and datasets that know their place, for messages, and refuse what
//! leaves the file.
//!
//! A file must not make the program read other files, so external links, external storage and virtual datasets are
//! refused; the library's own traversal of external links is switched off for the whole process.

mod set;
mod text;

use std::collections::BTreeMap;
use std::fs::TryLockError;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::Path;
use std::sync::{Arc, Once};

use hdf5::LinkType;

pub(crate) use set::{Kind, Set};

use super::error::{IngestError, cannot};
use super::{filters, limits};

/// Chunks of one dataset that stay unpacked between reads, bytes: enough for a film whose chunks hold a few frames.
const CHUNK_CACHE_BYTES: usize = 32 << 20;
/// Slots of the chunk cache: a prime well above the chunks that fit, as the library's manual advises.
const CHUNK_CACHE_SLOTS: usize = 1009;

/// A group of an open file.
#[derive(Debug, Clone)]
pub(crate) struct Dir {
    file: Arc<Path>,
    place: String,
    group: hdf5::Group,
    links: BTreeMap<String, LinkType>,
}

/// Opens the root group of `path`.
///
/// # Errors
/// [`IngestError::File`] when it cannot be opened, [`IngestError::Refused`] when it is no HDF5 file or still being
/// written, [`IngestError::Hdf5`] when it is a damaged one.
pub(crate) fn open_root(path: &Path) -> Result<Dir, IngestError> {
    let bytes = std::fs::metadata(path).map_err(cannot(path, "open the file"))?;
    if !bytes.is_file() {
        return Err(IngestError::refused(
            path,
            "file",
            "something that is not a regular file",
            "an HDF5 file",
            "give the path of a file",
        ));
    }
    std::fs::File::open(path).map_err(cannot(path, "open the file"))?;
    set_up_library();
    let mut builder = hdf5::File::with_options();
    builder.with_fapl(|fapl| fapl.chunk_cache(CHUNK_CACHE_SLOTS, CHUNK_CACHE_BYTES, 1.0));
    let file = builder.open(path).map_err(|source| why_not_opened(path, bytes.len(), source))?;
    let group = file.as_group().map_err(|source| IngestError::Hdf5 {
        file: path.to_owned(),
        place: "/".to_owned(),
        doing: "open the root group",
        source,
    })?;
    Dir::from_group(Arc::from(path), "/".to_owned(), group)
}

/// Why the library did not open a file that is there.
fn why_not_opened(path: &Path, size: u64, source: hdf5::Error) -> IngestError {
    let being_written = |found: &str, advice: &str| {
        IngestError::refused(path, "file", found, "a finished file that nobody has open for writing", advice)
    };
    let Some(offset) = signature_offset(path) else {
        return IngestError::refused(
            path,
            "file",
            format_args!("{} without an HDF5 signature", limits::bytes(size)),
            "an HDF5 file",
            "check the path; a download that was cut off or a Git LFS pointer looks like this",
        );
    };
    if is_locked(path) {
        return being_written(
            "a lock that another program holds on it (flock)",
            "wait until the solver, recorder or viewer that writes it has closed it, or review a copy; where the lock \
             is left over from a file server, set HDF5_USE_FILE_LOCKING=FALSE",
        );
    }
    if is_marked_as_open(path, offset) {
        return being_written(
            "the mark of a file that is open for writing (file consistency flags)",
            "wait until its writer has closed it; where the writer crashed, h5clear -s FILE takes the mark away",
        );
    }
    IngestError::Hdf5 { file: path.to_owned(), place: "file".to_owned(), doing: "open it", source }
}

/// True when another program holds the lock with which the HDF5 library keeps readers out.
fn is_locked(path: &Path) -> bool {
    // The lock goes with the handle.
    std::fs::File::open(path).is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
}

/// True when a superblock of version 3 says that a writer has the file open (format spec. II.A, bits 0 and 2).
fn is_marked_as_open(path: &Path, signature: u64) -> bool {
    let mut head = [0; 12];
    let read = std::fs::File::open(path)
        .and_then(|mut file| file.seek(SeekFrom::Start(signature)).and_then(|_| file.read_exact(&mut head)));
    read.is_ok() && head[8] == 3 && head[11] & 0b101 != 0
}

/// True when the file has HDF5's signature.
pub(crate) fn has_signature(path: &Path) -> bool {
    signature_offset(path).is_some()
}

/// Where HDF5's signature stands: at 0 or behind a user block (512, 1024, … bytes; format spec. II.A).
fn signature_offset(path: &Path) -> Option<u64> {
    let mut file = std::fs::File::open(path).ok()?;
    let mut offset = 0_u64;
    while offset <= 1 << 24 {
        let mut head = [0; 8];
        file.seek(SeekFrom::Start(offset)).ok()?;
        file.read_exact(&mut head).ok()?;
        if head == *b"\x89HDF\r\n\x1a\n" {
            return Some(offset);
        }
        offset = if offset == 0 { 512 } else { offset * 2 };
    }
    None
}

/// Registers the decoders and takes external links away from the library, once a process.
pub(crate) fn set_up_library() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // The library prints its error stack to stderr unless told otherwise; the errors carry it already.
        hdf5::silence_errors(true);
        filters::register();
        unregister_external_links();
    });
}

#[expect(unsafe_code, reason = "the safe binding has no call for it")]
fn unregister_external_links() {
    hdf5::sync::sync(|| {
        // SAFETY: a plain call with a valid link class; `sync` holds the library's lock.
        let status = unsafe { hdf5_sys::h5l::H5Lunregister(hdf5_sys::h5l::H5L_type_t::H5L_TYPE_EXTERNAL) };
        if status < 0 {
            // Links are still checked one by one in `Dir::link`; this was the second net.
            tracing::debug!("the HDF5 library keeps its external links");
        }
    });
}

impl Dir {
    fn from_group(file: Arc<Path>, place: String, group: hdf5::Group) -> Result<Self, IngestError> {
        let mut links = BTreeMap::new();
        let mut too_many = false;
        group
            .iter_visit_default(|name, link| {
                if links.len() < limits::MAX_LIST {
                    links.insert(name.to_owned(), link.link_type);
                } else {
                    too_many = true;
                }
                Ok(())
            })
            .map_err(|source| IngestError::Hdf5 {
                file: file.to_path_buf(),
                place: place.clone(),
                doing: "list the group",
                source,
            })?;
        if too_many {
            return Err(IngestError::refused(
                &file,
                &place,
                format_args!("more than {} links", limits::MAX_LIST),
                "fewer",
                "the file is no simulation and no test record",
            ));
        }
        Ok(Self { file, place, group, links })
    }

    /// The file that the group belongs to.
    pub(crate) fn file(&self) -> &Arc<Path> {
        &self.file
    }

    /// Where the group is, from the root.
    pub(crate) fn place(&self) -> &str {
        &self.place
    }

    /// The names of the members, sorted.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.links.keys().map(String::as_str)
    }

    /// The names of the members in the order in which they were made, when the file keeps it; else sorted.
    pub(crate) fn names_as_made(&self) -> Vec<String> {
        let made = self.group.member_names_by(hdf5::IndexType::CreationOrder, hdf5::IterationOrder::Increasing);
        match made {
            Ok(names) if names.len() == self.links.len() => names,
            _ => self.links.keys().cloned().collect(),
        }
    }

    /// Where member `name` is.
    pub(crate) fn place_of(&self, name: &str) -> String {
        if self.place == "/" { format!("/{name}") } else { format!("{}/{name}", self.place) }
    }

    /// Checks that `name` stays in this file; `false` when there is no such member.
    fn link(&self, name: &str) -> Result<bool, IngestError> {
        match self.links.get(name) {
            None => Ok(false),
            Some(LinkType::Hard | LinkType::Soft) => Ok(true),
            Some(LinkType::External) => Err(IngestError::refused(
                &self.file,
                self.place_of(name),
                "a link into another file",
                "everything in this one file",
                "copy the linked object into the file, for example with h5repack or h5copy",
            )),
        }
    }

    /// The group `name`; `None` when there is none of this name, or it is no group.
    ///
    /// # Errors
    /// External links and damaged objects.
    pub(crate) fn dir(&self, name: &str) -> Result<Option<Self>, IngestError> {
        if !self.link(name)? || self.loc_type(name)? != hdf5::LocationType::Group {
            return Ok(None);
        }
        let place = self.place_of(name);
        let group = self.group.group(name).map_err(|source| IngestError::Hdf5 {
            file: self.file.to_path_buf(),
            place: place.clone(),
            doing: "open the group",
            source,
        })?;
        Self::from_group(Arc::clone(&self.file), place, group).map(Some)
    }

    /// The dataset `name`; `None` when there is none of this name, or it is no dataset.
    ///
    /// # Errors
    /// External links, external or virtual storage, missing decoders, claims that nothing backs, damaged objects.
    pub(crate) fn set(&self, name: &str) -> Result<Option<Set>, IngestError> {
        if !self.link(name)? || self.loc_type(name)? != hdf5::LocationType::Dataset {
            return Ok(None);
        }
        let place = self.place_of(name);
        let dataset = self.group.dataset(name).map_err(|source| IngestError::Hdf5 {
            file: self.file.to_path_buf(),
            place: place.clone(),
            doing: "open the dataset",
            source,
        })?;
        Set::from_dataset(Arc::clone(&self.file), place, dataset).map(Some)
    }

    fn loc_type(&self, name: &str) -> Result<hdf5::LocationType, IngestError> {
        self.group.loc_type_by_name(name).map_err(|source| IngestError::Hdf5 {
            file: self.file.to_path_buf(),
            place: self.place_of(name),
            doing: "find the object",
            source,
        })
    }

    /// The dataset `name`, which must be there.
    ///
    /// # Errors
    /// [`IngestError::Refused`] naming what the group holds instead.
    pub(crate) fn need_set(&self, name: &str) -> Result<Set, IngestError> {
        self.set(name)?.ok_or_else(|| self.missing(name, "a dataset"))
    }

    /// The error for a member that should be there.
    pub(crate) fn missing(&self, name: &str, what: &str) -> IngestError {
        let names: Vec<&str> = self.names().take(20).collect();
        let found = if names.is_empty() { "an empty group".to_owned() } else { format!("only {}", names.join(", ")) };
        IngestError::refused(
            &self.file,
            &self.place,
            found,
            format_args!("{what} named {name}"),
            "write the file as docs/formats.md says",
        )
    }

    /// The text attribute `name`; `None` when there is none. Numbers are given as text.
    ///
    /// # Errors
    /// Damaged attributes.
    pub(crate) fn attr_text(&self, name: &str) -> Result<Option<String>, IngestError> {
        text::attr_text(&self.group, &self.file, &self.place, name)
    }

    /// The numbers of attribute `name`; `None` when there is none or it is not numeric.
    ///
    /// # Errors
    /// Damaged attributes.
    pub(crate) fn attr_numbers(&self, name: &str) -> Result<Option<Vec<f64>>, IngestError> {
        text::attr_numbers(&self.group, &self.file, &self.place, name)
    }

    /// The names of the attributes.
    pub(crate) fn attr_names(&self) -> Vec<String> {
        self.group.attr_names().unwrap_or_default()
    }
}
