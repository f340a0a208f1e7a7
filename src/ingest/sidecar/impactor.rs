//! The rigid impactor of the record: `impactor` {kind, diam, x, v, n} and its travel among the `curves`.

use serde_json::{Map, Value};

use super::super::error::IngestError;
use super::{Sidecar, number, wrong};
use crate::domain::{Impactor, RigidWall};

/// See [`Sidecar::impactor`]; `mm` and `s` are the factors of the file's lengths and times.
pub(super) fn impactor_from_json(
    sidecar: &Sidecar,
    value: Option<&Value>,
    mm: f64,
    s: f64,
) -> Result<Option<Impactor>, IngestError> {
    let map = match value {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::Object(map)) => map,
        Some(other) => return Err(wrong(&sidecar.source, "impactor", other, "an object")),
    };
    let kind = map.get("kind").and_then(Value::as_str).unwrap_or_default().to_ascii_uppercase();
    let curve = |name: &str| sidecar.record.curves.get(name);
    let (true, Some(times), Some(travel)) = (kind.starts_with("CYL"), curve("time"), curve("impactor_displacement"))
    else {
        return Ok(None);
    };
    let refused = |key: &str, expected: &str| {
        wrong(&sidecar.source, format_args!("impactor.{key}"), map.get(key).unwrap_or(&Value::Null), expected)
    };
    let diameter = number(&sidecar.source, "impactor", map, "diam")?.filter(|d| *d > 0.0);
    let radius_mm = 0.5 * mm * diameter.ok_or_else(|| refused("diam", "a positive length"))?;
    let centre = vector(map, "x").ok_or_else(|| refused("x", "three finite numbers"))?;
    let axis = vector(map, "n").and_then(unit).ok_or_else(|| refused("n", "a direction"))?;
    let direction = vector(map, "v").and_then(unit).ok_or_else(|| refused("v", "a velocity that is not zero"))?;
    let along: f64 = (0..3).map(|i| axis[i] * direction[i]).sum();
    let rising = times.windows(2).all(|t| t[0] < t[1]);
    if along.abs() > 0.9 || times.len() != travel.len() || times.is_empty() || !rising || !finite(times, travel) {
        return Ok(None);
    }
    Ok(Some(Impactor {
        centre_mm: centre.map(|v| v * mm),
        axis,
        radius_mm,
        direction,
        times_s: times.iter().map(|t| t * s).collect(),
        travel_mm: travel.iter().map(|d| d * mm).collect(),
    }))
}

/// See [`Sidecar::wall`]: an `impactor` of kind PLANE with point `x`, normal `n` and velocity `v`. What is no moving plane
/// with all its numbers is none.
pub(super) fn wall_from_json(sidecar: &Sidecar, value: Option<&Value>, mm: f64, s: f64) -> Option<RigidWall> {
    let map = value?.as_object()?;
    let kind = map.get("kind").and_then(Value::as_str).unwrap_or_default().to_ascii_uppercase();
    let curve = |name: &str| sidecar.record.curves.get(name);
    let (times, travel) = (curve("time")?, curve("impactor_displacement")?);
    let (point, normal) = (vector(map, "x")?, unit(vector(map, "n")?)?);
    let direction = unit(vector(map, "v")?)?;
    let rising = times.windows(2).all(|t| t[0] < t[1]);
    if !kind.starts_with("PLANE") || times.len() != travel.len() || times.len() < 2 || !rising || !finite(times, travel)
    {
        return None;
    }
    let along: f64 = (0..3).map(|i| normal[i] * direction[i]).sum();
    Some(RigidWall {
        point_mm: point.map(|v| v * mm),
        normal: if along < 0.0 { normal.map(|n| -n) } else { normal },
        direction,
        times_s: times.iter().map(|t| t * s).collect(),
        travel_mm: travel.iter().map(|d| d * mm).collect(),
    })
}

fn finite(a: &[f64], b: &[f64]) -> bool {
    a.iter().chain(b).all(|v| v.is_finite())
}

fn vector(map: &Map<String, Value>, key: &str) -> Option<[f64; 3]> {
    let list: Vec<f64> = map.get(key)?.as_array()?.iter().map(Value::as_f64).collect::<Option<_>>()?;
    list.try_into().ok().filter(|v: &[f64; 3]| v.iter().all(|c| c.is_finite()))
}

fn unit(v: [f64; 3]) -> Option<[f64; 3]> {
    let length = v.iter().map(|c| c * c).sum::<f64>().sqrt();
    (length > 1e-12).then(|| v.map(|c| c / length))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn impactor(text: &str) -> Result<Option<Impactor>, IngestError> {
        let Value::Object(map) = serde_json::from_str(text).expect("JSON of the test") else { panic!("an object") };
        Sidecar::new(&map, "run.json".into(), true)?.impactor(1000.0, 0.001)
    }

    const CURVES: &str = r#""curves": {"time": [0.0, 1.0], "impactor_displacement": [0.0, 0.005]}"#;

    #[test]
    fn a_pole_is_read_in_mm_and_s() {
        let text = format!(
            r#"{{{CURVES}, "impactor": {{"kind": "CYL", "diam": 0.25, "x": [0.1, 0, 0], "v": [-5, 0, 0], "n": [0, 0, 1]}}}}"#
        );
        let impactor = impactor(&text).expect("a good record").expect("a cylinder");
        assert_eq!((impactor.radius_mm, impactor.centre_mm), (125.0, [100.0, 0.0, 0.0]));
        assert_eq!((impactor.direction, impactor.axis), ([-1.0, 0.0, 0.0], [0.0, 0.0, 1.0]));
        assert_eq!((impactor.times_s, impactor.travel_mm), (vec![0.0, 0.001], vec![0.0, 5.0]));
    }

    #[test]
    fn a_wall_is_read_in_mm_and_s_with_its_normal_along_the_way() {
        let text = format!(
            r#"{{{CURVES}, "impactor": {{"kind": "PLANE", "x": [0, 0, 0.2], "v": [0, 0, -7], "n": [0, 0, 1]}}}}"#
        );
        let Value::Object(map) = serde_json::from_str(&text).expect("JSON of the test") else { panic!("an object") };
        let sidecar = Sidecar::new(&map, "run.json".into(), true).expect("a good record");
        let wall = sidecar.wall(1000.0, 0.001).expect("a wall");
        assert_eq!(
            (wall.point_mm, wall.normal, wall.direction),
            ([0.0, 0.0, 200.0], [0.0, 0.0, -1.0], [0.0, 0.0, -1.0])
        );
        assert_eq!((wall.times_s, wall.travel_mm), (vec![0.0, 0.001], vec![0.0, 5.0]));
    }

    #[test]
    fn a_wall_is_no_cylinder_and_no_error() {
        let text = format!(r#"{{{CURVES}, "impactor": {{"kind": "PLANE", "x": [0, 0, 0]}}}}"#);
        assert!(impactor(&text).expect("a good record").is_none());
    }

    #[test]
    fn a_cylinder_without_a_diameter_is_refused_by_name() {
        let text =
            format!(r#"{{{CURVES}, "impactor": {{"kind": "CYL", "x": [0, 0, 0], "v": [1, 0, 0], "n": [0, 0, 1]}}}}"#);
        let message = impactor(&text).expect_err("no diameter").to_string();
        assert!(message.contains("impactor.diam"), "{message}");
    }
}
