//! Attributes: short texts and a few numbers, in the dozen ways in which writers store them.

use std::path::Path;

use hdf5::types::{FixedAscii, FixedUnicode, TypeDescriptor, VarLenAscii, VarLenUnicode};

use crate::ingest::error::IngestError;

/// Longest fixed-length text that is read, bytes; the library keeps attributes of the old format below 64 KiB.
const MAX_TEXT: usize = 65_536;
/// Most values of an attribute.
const MAX_VALUES: usize = 4096;

/// The numeric kinds have their own path, so the descriptor is asked once.
fn descriptor(
    attr: &hdf5::Attribute,
    file: &Path,
    place: &str,
    name: &str,
) -> Result<Option<TypeDescriptor>, IngestError> {
    let count = attr.shape().iter().try_fold(1_usize, |a, b| a.checked_mul(*b)).unwrap_or(usize::MAX);
    if attr.space().is_ok_and(|space| space.is_null()) || count == 0 {
        return Ok(None);
    }
    if count > MAX_VALUES {
        return Err(IngestError::refused(
            file,
            format_args!("{place}, attribute {name}"),
            format_args!("{count} values"),
            format_args!("at most {MAX_VALUES}"),
            "keep long lists in datasets",
        ));
    }
    let kind = attr.dtype().and_then(|dtype| dtype.to_descriptor());
    // A type that the binding does not know (compound of bit fields, …) cannot be text or a number.
    Ok(kind.ok())
}

fn broken(file: &Path, place: &str, name: &str) -> impl FnOnce(hdf5::Error) -> IngestError + use<> {
    let (file, place) = (file.to_owned(), format!("{place}, attribute {name}"));
    move |source| IngestError::Hdf5 { file, place, doing: "read the attribute", source }
}

fn open(group: &hdf5::Location, file: &Path, place: &str, name: &str) -> Result<Option<hdf5::Attribute>, IngestError> {
    let names = group.attr_names().map_err(broken(file, place, name))?;
    if !names.iter().any(|n| n == name) {
        return Ok(None);
    }
    group.attr(name).map(Some).map_err(broken(file, place, name))
}

/// The attribute as text: the first string of it, or its number.
pub(super) fn attr_text(
    group: &hdf5::Location,
    file: &Path,
    place: &str,
    name: &str,
) -> Result<Option<String>, IngestError> {
    let Some(attr) = open(group, file, place, name)? else { return Ok(None) };
    let Some(kind) = descriptor(&attr, file, place, name)? else { return Ok(None) };
    let bytes: Option<Vec<u8>> = match kind {
        TypeDescriptor::FixedAscii(n) if n <= 1024 => {
            first(attr.read_raw::<FixedAscii<1024>>(), file, place, name)?.map(|s| s.as_bytes().to_vec())
        }
        TypeDescriptor::FixedUnicode(n) if n <= 1024 => {
            first(attr.read_raw::<FixedUnicode<1024>>(), file, place, name)?.map(|s| s.as_bytes().to_vec())
        }
        TypeDescriptor::FixedAscii(n) if n <= MAX_TEXT => {
            first(attr.read_raw::<FixedAscii<MAX_TEXT>>(), file, place, name)?.map(|s| s.as_bytes().to_vec())
        }
        TypeDescriptor::FixedUnicode(n) if n <= MAX_TEXT => {
            first(attr.read_raw::<FixedUnicode<MAX_TEXT>>(), file, place, name)?.map(|s| s.as_bytes().to_vec())
        }
        TypeDescriptor::VarLenAscii => {
            first(attr.read_raw::<VarLenAscii>(), file, place, name)?.map(|s| s.as_bytes().to_vec())
        }
        TypeDescriptor::VarLenUnicode => {
            first(attr.read_raw::<VarLenUnicode>(), file, place, name)?.map(|s| s.as_bytes().to_vec())
        }
        TypeDescriptor::Integer(_) | TypeDescriptor::Unsigned(_) | TypeDescriptor::Float(_) => {
            return Ok(attr_numbers(group, file, place, name)?.and_then(|v| v.first().map(f64::to_string)));
        }
        _ => None,
    };
    Ok(bytes.map(|b| String::from_utf8_lossy(&b).trim_end_matches(['\0', ' ']).to_owned()))
}

fn first<T>(values: hdf5::Result<Vec<T>>, file: &Path, place: &str, name: &str) -> Result<Option<T>, IngestError> {
    Ok(values.map_err(broken(file, place, name))?.into_iter().next())
}

/// The attribute as numbers.
pub(super) fn attr_numbers(
    group: &hdf5::Location,
    file: &Path,
    place: &str,
    name: &str,
) -> Result<Option<Vec<f64>>, IngestError> {
    let Some(attr) = open(group, file, place, name)? else { return Ok(None) };
    match descriptor(&attr, file, place, name)? {
        Some(TypeDescriptor::Integer(_) | TypeDescriptor::Unsigned(_) | TypeDescriptor::Float(_)) => {
            attr.read_raw::<f64>().map(Some).map_err(broken(file, place, name))
        }
        _ => Ok(None),
    }
}
