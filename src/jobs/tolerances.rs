//! How far off is too far, part by part: what the caller wrote, and what it means for the parts of a mesh.
//!
//! ```toml
//! # mm; parts by name or by the solver's number
//! default = 5.0
//! [parts]
//! box_half_left = 3.0
//! "2" = 8.0
//! ```

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::domain::{Mesh, PartId, Tolerances};

/// Tolerances that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ToleranceError {
    /// The file cannot be read.
    #[error("{}: cannot be read; name a TOML file with a table [parts]", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is not what it should be.
    #[error("{}: expected `default = MM` and a table [parts] with lines NAME = MM or \"NUMBER\" = MM", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Where and why.
        source: Box<toml::de::Error>,
    },
    /// A value of the file that is no tolerance.
    #[error("{}: {source}", path.display())]
    InFile {
        /// The file.
        path: PathBuf,
        /// Which and why.
        source: Box<Self>,
    },
    /// A tolerance that is no length.
    #[error("the tolerance of {of} is {found} mm, expected a finite number above 0")]
    Value {
        /// Of which part, or "the default".
        of: String,
        /// What was given.
        found: f64,
    },
    /// A part that the simulation does not have.
    #[error("a tolerance is given for part {part:?}, but the simulation has only the parts {known}: correct the file")]
    UnknownPart {
        /// What was named.
        part: String,
        /// What there is.
        known: String,
    },
    /// One part, two tolerances.
    #[error("part {part} has two tolerances, {first} mm and {second} mm: keep one")]
    Twice {
        /// The part.
        part: String,
        /// The one.
        first: f64,
        /// The other.
        second: f64,
    },
}

/// Tolerances as the caller wrote them, not yet tied to a mesh.
#[derive(Debug, Clone, PartialEq)]
pub struct ToleranceRequest {
    /// For parts that are not named, mm.
    pub default_mm: f64,
    /// By the part's name or the solver's number, mm.
    pub per_part_mm: BTreeMap<String, f64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ToleranceFile {
    default: Option<f64>,
    #[serde(default)]
    parts: BTreeMap<String, f64>,
}

impl ToleranceRequest {
    /// The same tolerance for every part.
    #[must_use]
    pub fn uniform(default_mm: f64) -> Self {
        Self { default_mm, per_part_mm: BTreeMap::new() }
    }

    /// Reads a tolerance file; `default_mm` counts where the file has no `default`.
    ///
    /// # Errors
    /// When the file cannot be read, is no tolerance file, or has a tolerance that is not above 0.
    pub fn load(path: &Path, default_mm: f64) -> Result<Self, ToleranceError> {
        let text =
            std::fs::read_to_string(path).map_err(|source| ToleranceError::File { path: path.to_owned(), source })?;
        let file: ToleranceFile = toml::from_str(&text)
            .map_err(|source| ToleranceError::Syntax { path: path.to_owned(), source: Box::new(source) })?;
        let request = Self { default_mm: file.default.unwrap_or(default_mm), per_part_mm: file.parts };
        request
            .check_values()
            .map_err(|source| ToleranceError::InFile { path: path.to_owned(), source: Box::new(source) })?;
        Ok(request)
    }

    fn check_values(&self) -> Result<(), ToleranceError> {
        check("the default".to_owned(), self.default_mm)?;
        self.per_part_mm.iter().try_for_each(|(key, mm)| check(format!("part {key:?}"), *mm))
    }

    /// What it means for `mesh`. A key is a part's name; where no part is called so, it is the solver's number.
    ///
    /// # Errors
    /// For a part that the mesh does not have, one that is named twice, and a tolerance that is not above 0.
    pub fn resolve(&self, mesh: &Mesh) -> Result<Tolerances, ToleranceError> {
        self.check_values()?;
        let mut per_part_mm: BTreeMap<PartId, f64> = BTreeMap::new();
        for (key, mm) in &self.per_part_mm {
            for id in parts_called(mesh, key)? {
                if let Some(first) = per_part_mm.insert(id, *mm) {
                    let part = format!("{id} ({})", mesh.part_name(id));
                    return Err(ToleranceError::Twice { part, first, second: *mm });
                }
            }
        }
        Ok(Tolerances { default_mm: self.default_mm, per_part_mm })
    }
}

fn check(of: String, mm: f64) -> Result<(), ToleranceError> {
    if mm.is_finite() && mm > 0.0 { Ok(()) } else { Err(ToleranceError::Value { of, found: mm }) }
}

fn parts_called(mesh: &Mesh, key: &str) -> Result<Vec<PartId>, ToleranceError> {
    let mut found: Vec<PartId> = mesh.parts.iter().filter(|p| p.name == key).map(|p| p.id).collect();
    if found.is_empty() {
        let number = key.trim().parse().ok().map(PartId);
        found.extend(mesh.parts.iter().map(|p| p.id).filter(|id| Some(*id) == number));
    }
    if found.is_empty() {
        let known: Vec<String> = mesh.parts.iter().map(|p| format!("{} ({})", p.id, p.name)).collect();
        return Err(ToleranceError::UnknownPart { part: key.to_owned(), known: known.join(", ") });
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Part;

    fn mesh() -> Mesh {
        let part = |id, name: &str| Part { id: PartId(id), name: name.into(), material: None, thickness_mm: None };
        Mesh { parts: vec![part(1, "left"), part(2, "right"), part(7, "2")], ..Mesh::default() }
    }

    fn request(pairs: &[(&str, f64)]) -> ToleranceRequest {
        let per_part_mm = pairs.iter().map(|(k, v)| ((*k).to_owned(), *v)).collect();
        ToleranceRequest { default_mm: 5.0, per_part_mm }
    }

    #[test]
    fn a_name_wins_over_a_number() {
        let resolved = request(&[("left", 3.0), ("2", 8.0)]).resolve(&mesh()).expect("both are there");
        assert_eq!([1, 2, 7].map(|id| resolved.of_mm(PartId(id))), [3.0, 5.0, 8.0]);
    }

    #[test]
    fn what_cannot_be_meant_is_refused_with_what_there_is() {
        let refused = |pairs: &[(&str, f64)]| request(pairs).resolve(&mesh()).expect_err("refused").to_string();
        assert!(refused(&[("bumper", 3.0)]).contains("1 (left), 2 (right), 7 (2)"));
        assert!(refused(&[("left", -3.0)]).contains("-3 mm, expected a finite number above 0"));
        assert!(refused(&[("left", f64::NAN)]).contains("NaN"));
        assert!(refused(&[("left", 3.0), ("1", 4.0)]).contains("two tolerances, 4 mm and 3 mm"));
        assert!(ToleranceRequest::uniform(0.0).resolve(&mesh()).is_err());
    }

    #[test]
    fn a_file_with_an_unknown_key_is_told_what_is_expected() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("t.toml");
        std::fs::write(&path, "default = 4.0\n[parts]\nleft = 2\n").expect("written");
        let read = ToleranceRequest::load(&path, 5.0).expect("a tolerance file");
        assert_eq!((read.default_mm, read.per_part_mm["left"]), (4.0, 2.0));
        std::fs::write(&path, "left = 2.0\n").expect("written");
        let error = ToleranceRequest::load(&path, 5.0).expect_err("no table");
        assert!(error.to_string().contains("[parts]"), "{error}");
    }
}
