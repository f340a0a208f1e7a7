//! The record beside a simulation: `<name>.json`, or the same content as attributes of the file's root group.

mod impactor;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use crate::domain::{Impactor, Parameter, Part, PartId, RigidWall, SimulationRecord};

use super::error::{IngestError, cannot};
use super::hdf5_read::Dir;
use super::limits::{self, MAX_SIDECAR_BYTES};
use super::units;

/// The keys that the record knows; others are for other programs.
const KEYS: [&str; 7] = ["family", "units", "parameters", "parts", "solver", "curves", "impactor"];

/// Keys by which a review's own answer is told from a record.
const REVIEW_KEYS: [&str; 3] = ["test_id", "alignment", "flags"];

/// The curves that tell how the impactor went; the others are for people.
const WAY_CURVES: [&str; 2] = ["time", "impactor_displacement"];

/// A record with the place it came from.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sidecar {
    /// The content.
    pub(crate) record: SimulationRecord,
    /// The JSON file, or the mesh file when its attributes held the record.
    pub(crate) source: PathBuf,
    /// Whether any record was found.
    pub(crate) found: bool,
    /// The impactor as the record has it; see [`Sidecar::impactor`].
    impactor: Option<Value>,
}

impl Sidecar {
    fn new(map: &Map<String, Value>, source: PathBuf, found: bool) -> Result<Self, IngestError> {
        Ok(Self { record: record_from_json(&source, map)?, source, found, impactor: map.get("impactor").cloned() })
    }

    /// The impactor, with the factors from the file's lengths to mm and from its times to s; `None` when there is
    /// none, when it is no cylinder, or when its travel is not recorded.
    ///
    /// # Errors
    /// [`IngestError::Refused`] for a cylinder whose numbers are missing or senseless.
    pub(crate) fn impactor(&self, length_to_mm: f64, time_to_s: f64) -> Result<Option<Impactor>, IngestError> {
        impactor::impactor_from_json(self, self.impactor.as_ref(), length_to_mm, time_to_s)
    }

    /// The moving wall that hits the structure, as [`Sidecar::impactor`] for a cylinder; `None` when there is none or
    /// when the record does not say all of it: it is only drawn, nothing is measured with it.
    pub(crate) fn wall(&self, length_to_mm: f64, time_to_s: f64) -> Option<RigidWall> {
        impactor::wall_from_json(self, self.impactor.as_ref(), length_to_mm, time_to_s)
    }

    /// The kind of the impactor that the record tells of, whether it is known or not.
    pub(crate) fn impactor_kind(&self) -> Option<String> {
        let kind = self.impactor.as_ref()?.as_object()?.get("kind");
        Some(kind.and_then(Value::as_str).unwrap_or("none").to_owned())
    }

    /// Factor from the file's lengths to mm; mm when nothing is said.
    ///
    /// # Errors
    /// [`IngestError::Refused`] for a label that nobody knows.
    pub(crate) fn length_to_mm(&self) -> Result<f64, IngestError> {
        self.factor("length", units::mm_from_length, units::LENGTH_LABELS)
    }

    /// Factor from the file's times to s; s when nothing is said.
    ///
    /// # Errors
    /// [`IngestError::Refused`] for a label that nobody knows.
    pub(crate) fn time_to_s(&self) -> Result<f64, IngestError> {
        self.factor("time", units::s_from_time, units::TIME_LABELS)
    }

    fn factor(&self, quantity: &str, of: fn(&str) -> Option<f64>, labels: &str) -> Result<f64, IngestError> {
        let Some(label) = self.record.units.get(quantity) else {
            let assumed = if quantity == "length" { "mm" } else { "s" };
            tracing::warn!(file = %self.source.display(), quantity, assumed, "no unit is given, one is assumed");
            return Ok(1.0);
        };
        of(label).ok_or_else(|| {
            IngestError::refused(
                &self.source,
                format_args!("units.{quantity}"),
                format_args!("{label:?}"),
                labels,
                "name the unit that the solver used",
            )
        })
    }
}

/// Reads the record of the simulation `path`, whose root group is `root`.
///
/// # Errors
/// Unreadable or malformed records; a missing one is none.
pub(crate) fn read_sidecar(path: &Path, root: &Dir) -> Result<Sidecar, IngestError> {
    let json = path.with_extension("json");
    if json.try_exists().map_err(cannot(&json, "look for the side-car"))? {
        let about = std::fs::metadata(&json).map_err(cannot(&json, "open the side-car"))?;
        if !about.is_file() {
            return Err(IngestError::refused(
                &json,
                "side-car",
                "something that is not a regular file",
                "the simulation's record in JSON, or nothing of this name",
                "move it away, or put the record there",
            ));
        }
        let size = about.len();
        if size > MAX_SIDECAR_BYTES {
            return Err(IngestError::refused(
                &json,
                "file",
                limits::bytes(size),
                format_args!("at most {}", limits::bytes(MAX_SIDECAR_BYTES)),
                "keep results in the mesh file",
            ));
        }
        let text = std::fs::read(&json).map_err(cannot(&json, "read the side-car"))?;
        let value: Value = serde_json::from_slice(&text).map_err(|e| {
            IngestError::refused(
                &json,
                format_args!("line {}, column {}", e.line(), e.column()),
                e,
                "JSON",
                "mend the side-car or take it away",
            )
        })?;
        let Value::Object(map) = value else {
            return Err(wrong(&json, "top level", &value, "an object"));
        };
        // The field of a review (review.vtkhdf) has the review itself beside it, which is no record of a solver.
        if !REVIEW_KEYS.iter().all(|key| map.contains_key(*key)) {
            return Sidecar::new(&map, json, true);
        }
    }
    let map = map_from_attributes(path, root)?;
    let found = !map.is_empty();
    Sidecar::new(&map, path.to_owned(), found)
}

/// The known keys among the root group's attributes; texts that begin like JSON are parsed as JSON.
fn map_from_attributes(path: &Path, root: &Dir) -> Result<Map<String, Value>, IngestError> {
    let mut map = Map::new();
    for name in root.attr_names() {
        if !KEYS.contains(&name.as_str()) {
            continue;
        }
        let Some(text) = root.attr_text(&name)? else { continue };
        let value = if text.trim_start().starts_with(['{', '[']) {
            serde_json::from_str(&text).map_err(|e| {
                IngestError::refused(
                    path,
                    format_args!("/, attribute {name}"),
                    e,
                    "JSON text",
                    "write the attribute with a JSON library",
                )
            })?
        } else {
            Value::String(text)
        };
        map.insert(name, value);
    }
    Ok(map)
}

fn wrong(file: &Path, place: impl std::fmt::Display, found: &Value, expected: &str) -> IngestError {
    let kind = match found {
        Value::Null => "null".to_owned(),
        Value::Bool(b) => b.to_string(),
        Value::Number(n) => n.to_string(),
        Value::String(s) => format!("the text {s:?}"),
        Value::Array(a) => format!("a list of {}", a.len()),
        Value::Object(_) => "an object".to_owned(),
    };
    IngestError::refused(file, place, kind, expected, "mend the simulation's record")
}

fn record_from_json(file: &Path, map: &Map<String, Value>) -> Result<SimulationRecord, IngestError> {
    let text = |key: &str| match map.get(key) {
        None | Some(Value::Null) => None,
        Some(Value::String(s)) => Some(s.clone()),
        Some(other) => Some(other.to_string()),
    };
    Ok(SimulationRecord {
        family: text("family"),
        units: units_from_json(file, map.get("units"))?,
        parameters: list(file, map, "parameters")?
            .iter()
            .enumerate()
            .map(|(i, v)| parameter_from_json(file, i, v))
            .collect::<Result<_, _>>()?,
        parts: list(file, map, "parts")?
            .iter()
            .enumerate()
            .map(|(i, v)| part_from_json(file, i, v))
            .collect::<Result<_, _>>()?,
        solver: text("solver"),
        curves: curves_from_json(file, map.get("curves"))?,
    })
}

fn list<'a>(file: &Path, map: &'a Map<String, Value>, key: &str) -> Result<&'a [Value], IngestError> {
    match map.get(key) {
        None | Some(Value::Null) => Ok(&[]),
        Some(Value::Array(list)) => Ok(list),
        Some(other) => Err(wrong(file, key, other, "a list")),
    }
}

fn units_from_json(file: &Path, value: Option<&Value>) -> Result<BTreeMap<String, String>, IngestError> {
    match value {
        None | Some(Value::Null) => Ok(BTreeMap::new()),
        Some(Value::Object(map)) => map
            .iter()
            .map(|(key, v)| match v {
                Value::String(label) => Ok((key.clone(), label.clone())),
                other => Err(wrong(file, format_args!("units.{key}"), other, "a unit's name")),
            })
            .collect(),
        Some(other) => Err(wrong(file, "units", other, "an object of unit names")),
    }
}

fn number(file: &Path, place: &str, map: &Map<String, Value>, key: &str) -> Result<Option<f64>, IngestError> {
    match map.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => match value.as_f64() {
            Some(v) if v.is_finite() => Ok(Some(v)),
            _ => Err(wrong(file, format_args!("{place}.{key}"), value, "a finite number")),
        },
    }
}

fn label(map: &Map<String, Value>, key: &str) -> Option<String> {
    map.get(key).and_then(Value::as_str).map(str::to_owned)
}

fn parameter_from_json(file: &Path, index: usize, value: &Value) -> Result<Parameter, IngestError> {
    let place = format!("parameters[{index}]");
    let Value::Object(map) = value else { return Err(wrong(file, place, value, "an object")) };
    let need = |key: &str| wrong(file, format_args!("{place}.{key}"), map.get(key).unwrap_or(&Value::Null), "a value");
    Ok(Parameter {
        name: label(map, "name").ok_or_else(|| need("name"))?,
        value: number(file, &place, map, "value")?.ok_or_else(|| need("value"))?,
        unit: label(map, "unit").unwrap_or_default(),
        nominal: number(file, &place, map, "nominal")?,
        lower: number(file, &place, map, "lower")?,
        upper: number(file, &place, map, "upper")?,
        kind: label(map, "kind"),
    })
}

fn part_from_json(file: &Path, index: usize, value: &Value) -> Result<Part, IngestError> {
    let place = format!("parts[{index}]");
    let Value::Object(map) = value else { return Err(wrong(file, place, value, "an object")) };
    let id = map.get("id").and_then(Value::as_i64).and_then(|id| i32::try_from(id).ok());
    let id = id.ok_or_else(|| {
        let found = map.get("id").unwrap_or(&Value::Null);
        wrong(file, format_args!("{place}.id"), found, "a whole number of 32 bits")
    })?;
    Ok(Part {
        id: PartId(id),
        name: label(map, "name").filter(|name| !name.is_empty()).unwrap_or_else(|| format!("part {id}")),
        material: label(map, "material"),
        thickness_mm: number(file, &place, map, "thickness_mm")?,
    })
}

/// Keeps the lists of numbers; notes and vectors beside them are for people. `null` is a missing value: NaN.
fn curves_from_json(file: &Path, value: Option<&Value>) -> Result<BTreeMap<String, Vec<f64>>, IngestError> {
    let map = match value {
        None | Some(Value::Null) => return Ok(BTreeMap::new()),
        Some(Value::Object(map)) => map,
        Some(other) => return Err(wrong(file, "curves", other, "an object of lists")),
    };
    for name in WAY_CURVES {
        let is_list = |v: &Value| matches!(v, Value::Array(l) if l.iter().all(|v| v.is_null() || v.is_number()));
        if let Some(other) = map.get(name).filter(|v| !v.is_null() && !is_list(v)) {
            return Err(wrong(file, format_args!("curves.{name}"), other, "a list of numbers"));
        }
    }
    let curve = |list: &[Value]| {
        list.iter().map(|v| if v.is_null() { Some(f64::NAN) } else { v.as_f64() }).collect::<Option<Vec<f64>>>()
    };
    Ok(map.iter().filter_map(|(name, v)| Some((name.clone(), curve(v.as_array()?)?))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<SimulationRecord, IngestError> {
        let Ok(Value::Object(map)) = serde_json::from_str(text) else { panic!("the test's own JSON is wrong") };
        record_from_json(Path::new("run.json"), &map)
    }

    #[test]
    fn notes_and_vectors_among_the_curves_are_left_out() {
        let record = parse(r#"{"curves":{"note":"x","time":[0,1.5,null],"vector":[[1,2],[3,4]]}}"#).expect("a record");
        assert_eq!(record.curves.keys().collect::<Vec<_>>(), ["time"]);
        assert!(record.curves["time"][2].is_nan());
    }

    #[test]
    fn a_way_of_the_impactor_that_is_no_list_of_numbers_is_refused() {
        for value in [r#""1 2 3""#, r#"[0, "a"]"#, "[[0, 1], [1, 2]]"] {
            let error = parse(&format!(r#"{{"curves":{{"time":{value}}}}}"#)).expect_err(value);
            assert!(error.to_string().contains("curves.time") && error.to_string().contains("numbers"), "{error}");
        }
    }

    #[test]
    fn a_part_without_a_name_is_named_by_its_number() {
        let record = parse(r#"{"parts":[{"id":7,"material":"DP600"}]}"#).expect("a record");
        assert_eq!(record.parts[0].name, "part 7");
        assert_eq!(record.parts[0].material.as_deref(), Some("DP600"));
    }

    #[test]
    fn a_malformed_record_says_which_entry() {
        let error = parse(r#"{"parameters":[{"name":"a","value":1},{"name":"b"}]}"#).expect_err("no value");
        assert!(error.to_string().contains("parameters[1].value"), "{error}");
        let error = parse(r#"{"parts":[{"id":99999999999}]}"#).expect_err("too large");
        assert!(error.to_string().contains("parts[0].id"), "{error}");
        assert!(error.is_input_error());
    }

    #[test]
    fn an_unknown_unit_is_refused_with_the_known_ones() {
        let record = parse(r#"{"units":{"length":"furlong"}}"#).expect("a record");
        let sidecar = Sidecar { record, source: "run.json".into(), found: true, impactor: None };
        assert!(sidecar.length_to_mm().expect_err("unknown").to_string().contains("mm, cm, m"));
        assert!((sidecar.time_to_s().expect("assumed") - 1.0).abs() < f64::EPSILON);
    }
}
