//! The only way into an HDF5 file: groups and datasets that know their place, for messages, and refuse what
//! leaves the file.
//!
//! A file must not make the program read other files, so external links, external storage and virtual datasets are
//! refused; the library's own traversal of external links is switched off for the whole process.

mod opening;
mod set;
mod text;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Once};

use hdf5::LinkType;

pub(crate) use opening::has_signature;
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
    if path.to_str().is_none() {
        return Err(IngestError::refused(
            path,
            "file",
            format_args!("the name {path:?}, which is no UTF-8"),
            "a name that the HDF5 library can be given",
            "rename the file",
        ));
    }
    std::fs::File::open(path).map_err(cannot(path, "open the file"))?;
    set_up_library();
    let mut builder = hdf5::File::with_options();
    builder.with_fapl(|fapl| fapl.chunk_cache(CHUNK_CACHE_SLOTS, CHUNK_CACHE_BYTES, 1.0));
    let file = builder.open(path).map_err(|source| opening::why_not_opened(path, bytes.len(), source))?;
    let group = file.as_group().map_err(|source| IngestError::Hdf5 {
        file: path.to_owned(),
        place: "/".to_owned(),
        doing: "open the root group",
        source,
    })?;
    Dir::from_group(Arc::from(path), "/".to_owned(), group)
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

    /// The group `name`; `None` when there is none of this name.
    ///
    /// # Errors
    /// Something else than a group; external links and damaged objects.
    pub(crate) fn dir(&self, name: &str) -> Result<Option<Self>, IngestError> {
        if !self.has(name, hdf5::LocationType::Group)? {
            return Ok(None);
        }
        self.open_dir(name).map(Some)
    }

    /// The group `name`; `None` also when it is something else, which a list of groups may have beside them.
    ///
    /// # Errors
    /// External links and damaged objects.
    pub(crate) fn dir_in_list(&self, name: &str) -> Result<Option<Self>, IngestError> {
        if !self.link(name)? || self.loc_type(name)? != hdf5::LocationType::Group {
            return Ok(None);
        }
        self.open_dir(name).map(Some)
    }

    fn open_dir(&self, name: &str) -> Result<Self, IngestError> {
        let place = self.place_of(name);
        let group = self.group.group(name).map_err(|source| IngestError::Hdf5 {
            file: self.file.to_path_buf(),
            place: place.clone(),
            doing: "open the group",
            source,
        })?;
        Self::from_group(Arc::clone(&self.file), place, group)
    }

    /// The dataset `name`; `None` when there is none of this name.
    ///
    /// # Errors
    /// Something else than a dataset; external links, external or virtual storage, missing decoders, claims that nothing
    /// backs, damaged objects.
    pub(crate) fn set(&self, name: &str) -> Result<Option<Set>, IngestError> {
        if !self.has(name, hdf5::LocationType::Dataset)? {
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

    /// Whether there is a member `name`, which must be a `wanted` then.
    fn has(&self, name: &str, wanted: hdf5::LocationType) -> Result<bool, IngestError> {
        if !self.link(name)? {
            return Ok(false);
        }
        let found = self.loc_type(name)?;
        if found == wanted {
            return Ok(true);
        }
        Err(IngestError::refused(
            &self.file,
            self.place_of(name),
            words(found),
            words(wanted),
            "write the file as README.md, Your own data, says",
        ))
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
            "write the file as README.md, Your own data, says",
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

fn words(kind: hdf5::LocationType) -> &'static str {
    match kind {
        hdf5::LocationType::Group => "a group",
        hdf5::LocationType::Dataset => "a dataset",
        _ => "something that is neither a group nor a dataset",
    }
}
