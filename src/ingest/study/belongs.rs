//! Which runs belong together: same topology, same parameters, same units, computed to the end.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::listing::{ListedBounds, ListedRun};
use super::table::ParameterTable;
use super::{StudyRequest, TryFile};
use crate::domain::{Mesh, Parameter, RefusedRun, RunImpactor, Study, StudyParameter, StudyRun};
use crate::ingest::digest::digest_sha256;
use crate::ingest::error::IngestError;
use crate::ingest::vtkhdf::{SimulationFile, SimulationOptions};

/// A run that ends before this share of the usual end was stopped early.
const SHORTEST: f64 = 0.9;
/// Slack of a parameter beyond its bounds, as a share of the range: rounding, not another study.
const BEYOND: f64 = 0.02;

/// Open meshes are kept for the reading that follows up to so many nodes in all; further runs are opened again.
const KEPT_NODES: usize = 4_000_000;

/// A run that could be opened.
#[derive(Debug)]
pub(super) struct Candidate {
    name: String,
    path: PathBuf,
    parameters: Vec<Parameter>,
    times_s: Vec<f64>,
    nodes: usize,
    elements: usize,
    /// Digest of elements and parts.
    topology: [u8; 32],
    impactor: Option<RunImpactor>,
    kept: Option<SimulationFile>,
}

impl Candidate {
    /// Opens a run and collects its parameters: the table wins over the list, the list over the run's record.
    ///
    /// # Errors
    /// Everything that makes this run alone unusable.
    pub(super) fn open(
        run: &ListedRun,
        request: &StudyRequest,
        table: Option<&ParameterTable>,
        try_file: &TryFile<'_>,
        kept_nodes: &mut usize,
    ) -> Result<Self, IngestError> {
        try_file(&run.path)?;
        let file = SimulationFile::open(&run.path, &request.options)?;
        check_ended(run, &file)?;
        let mut parameters = file.record().parameters.clone();
        let mut given: BTreeMap<&String, f64> = run.values.iter().map(|(k, v)| (k, *v)).collect();
        if let Some(table) = table {
            let row = table.get(&run.name).ok_or_else(|| {
                let place = format!("run {}", run.name);
                let expected = "a line for each run that is to belong";
                IngestError::refused(&run.path, place, "no line in the table of parameters", expected, "add it")
            })?;
            given.extend(row.iter().map(|(k, v)| (k, *v)));
        }
        for (name, value) in given {
            match parameters.iter_mut().find(|p| p.name == *name) {
                Some(p) => p.value = value,
                None => parameters.push(bare(name, value)),
            }
        }
        if parameters.is_empty() {
            return Err(IngestError::refused(
                &run.path,
                "parameters",
                "none",
                "at least one named parameter",
                "write them into the side-car JSON, or name a CSV table with --parameters",
            ));
        }
        let mesh = file.mesh();
        *kept_nodes += mesh.node_count;
        Ok(Self {
            name: run.name.clone(),
            path: run.path.clone(),
            parameters,
            times_s: file.times_s().to_vec(),
            nodes: mesh.node_count,
            elements: mesh.element_count(),
            topology: topology_of(mesh),
            impactor: impactor_of(&file),
            kept: (*kept_nodes <= KEPT_NODES).then_some(file),
        })
    }

    /// The simulation, opened again where it was not kept.
    ///
    /// # Errors
    /// When the file cannot be opened any more.
    pub(super) fn take_file(&mut self, options: &SimulationOptions) -> Result<SimulationFile, IngestError> {
        self.kept.take().map_or_else(|| SimulationFile::open(&self.path, options), Ok)
    }

    /// The mesh.
    ///
    /// # Errors
    /// When the file cannot be opened any more.
    pub(super) fn mesh(&self, options: &SimulationOptions) -> Result<Mesh, IngestError> {
        match &self.kept {
            Some(file) => Ok(file.mesh().clone()),
            None => Ok(SimulationFile::open(&self.path, options)?.mesh().clone()),
        }
    }

    fn value_of(&self, name: &str) -> Option<f64> {
        self.parameters.iter().find(|p| p.name == name).map(|p| p.value)
    }

    /// The run as the study keeps it.
    ///
    /// # Errors
    /// When the file cannot be read for its digest.
    pub(super) fn study_run(&self) -> Result<StudyRun, IngestError> {
        Ok(StudyRun {
            name: self.name.clone(),
            file: self.path.display().to_string(),
            sha256: digest_sha256(&self.path)?,
            values: self.parameters.iter().map(|p| p.value).collect(),
            impactor: self.impactor.clone(),
        })
    }
}

fn impactor_of(file: &SimulationFile) -> Option<RunImpactor> {
    let told = |times_s: &Vec<f64>, travel_mm: &Vec<f64>, centre_mm, face| {
        Some(RunImpactor { times_s: times_s.clone(), travel_mm: travel_mm.clone(), centre_mm, face })
    };
    match (file.impactor(), file.wall()) {
        (Some(i), _) => told(&i.times_s, &i.travel_mm, Some(i.centre_mm), None),
        (None, Some(wall)) => told(&wall.times_s, &wall.travel_mm, None, Some(wall.normal)),
        (None, None) => None,
    }
}

fn topology_of(mesh: &Mesh) -> [u8; 32] {
    let mut hasher = Sha256::new();
    for n in &mesh.connectivity {
        hasher.update(n.to_le_bytes());
    }
    for n in &mesh.offsets {
        hasher.update(n.to_le_bytes());
    }
    for part in &mesh.part_of {
        hasher.update(part.0.to_le_bytes());
    }
    hasher.finalize().into()
}

fn bare(name: &str, value: f64) -> Parameter {
    Parameter { name: name.to_owned(), value, unit: String::new(), nominal: None, lower: None, upper: None, kind: None }
}

/// The record may say that the solver did not come to its end (`"normal_termination": false`).
fn check_ended(run: &ListedRun, file: &SimulationFile) -> Result<(), IngestError> {
    let refuse = |place: &str, found: String, expected: &str| {
        Err(IngestError::refused(&run.path, place, found, expected, "compute the run again"))
    };
    let record = run.path.with_extension("json");
    let said = std::fs::read(&record).ok().and_then(|t| serde_json::from_slice::<serde_json::Value>(&t).ok());
    if said.and_then(|v| v.get("normal_termination").and_then(serde_json::Value::as_bool)) == Some(false) {
        return refuse(
            "record",
            "a run that failed (normal_termination is false)".to_owned(),
            "a run that ended normally",
        );
    }
    if file.times_s().len() < 2 {
        return refuse("/VTKHDF/Steps", format!("{} state", file.times_s().len()), "at least two states");
    }
    Ok(())
}

/// The runs that belong, and what they vary.
pub(super) struct Chosen {
    pub(super) runs: Vec<Candidate>,
    parameters: Vec<StudyParameter>,
    warnings: Vec<String>,
}

/// A study that is ready to be written, with the opened runs.
pub(super) struct Ready {
    pub(super) study: Study,
    pub(super) candidates: Vec<Candidate>,
}

/// Sorts out what does not belong; the first run sets parameters, the majority sets the topology.
///
/// # Errors
/// When nothing varies.
pub(super) fn choose(
    source: &Path,
    candidates: Vec<Candidate>,
    bounds: &[ListedBounds],
    refused: &mut Vec<RefusedRun>,
) -> Result<Chosen, IngestError> {
    let candidates = same_topology(candidates, refused);
    let candidates = same_end(candidates, refused);
    let Some(names) = parameter_names(&candidates) else {
        return Ok(Chosen { runs: Vec::new(), parameters: Vec::new(), warnings: Vec::new() });
    };
    let mut runs = same_parameters(candidates, &names, refused);
    let mut warnings = Vec::new();
    let mut parameters = Vec::new();
    for name in &names {
        match study_parameter(name, &runs, bounds, &mut warnings) {
            Some(p) => parameters.push(p),
            None => warnings.push(format!("parameter {name} is the same in all runs and is left out")),
        }
    }
    if parameters.is_empty() && !runs.is_empty() {
        let found = "runs whose parameters are all the same";
        let expected = "at least one parameter that differs from run to run";
        return Err(IngestError::refused(source, "parameters", found, expected, "give a study that varies something"));
    }
    runs = inside_bounds(runs, &parameters, refused);
    for run in &mut runs {
        run.parameters = parameters.iter().map(|p| bare(&p.name, run.value_of(&p.name).unwrap_or(f64::NAN))).collect();
    }
    Ok(Chosen { runs, parameters, warnings })
}

impl Chosen {
    /// The study of these runs, with the times that all of them have.
    pub(super) fn into_study(self, mesh: &Mesh, runs: Vec<StudyRun>, refused: Vec<RefusedRun>) -> Ready {
        let end = self.runs.iter().filter_map(|r| r.times_s.last().copied()).fold(f64::INFINITY, f64::min);
        let begin = self.runs.iter().map(|r| r.times_s[0]).fold(f64::NEG_INFINITY, f64::max);
        // Writers end a state a step earlier or later: the last common time stands for both.
        let mut times_s: Vec<f64> = self.runs[0].times_s.iter().map(|t| t.clamp(begin, end)).collect::<Vec<_>>();
        times_s.dedup();
        let study = Study {
            parameters: self.parameters,
            runs,
            refused,
            times_s,
            node_count: mesh.node_count,
            parts: mesh.parts.clone(),
            part_of_node: part_of_node(mesh),
            rest_differs: false,
            warnings: self.warnings,
        };
        Ready { study, candidates: self.runs }
    }
}

/// The part of each node; nodes of no element go to the first part.
fn part_of_node(mesh: &Mesh) -> Vec<u16> {
    let index_of: BTreeMap<_, _> = mesh.parts.iter().enumerate().map(|(i, p)| (p.id, i as u16)).collect();
    let mut of = vec![u16::MAX; mesh.node_count];
    for element in 0..mesh.element_count() {
        let part = index_of.get(&mesh.part_of[element]).copied().unwrap_or(0);
        for node in mesh.nodes_of(element) {
            let slot = &mut of[*node as usize];
            *slot = (*slot).min(part);
        }
    }
    of.into_iter().map(|p| if p == u16::MAX { 0 } else { p }).collect()
}

fn keep(
    candidates: Vec<Candidate>,
    refused: &mut Vec<RefusedRun>,
    why_not: impl Fn(&Candidate) -> Option<String>,
) -> Vec<Candidate> {
    let mut kept = Vec::new();
    for candidate in candidates {
        match why_not(&candidate) {
            None => kept.push(candidate),
            Some(reason) => refused.push(RefusedRun { name: candidate.name, reason }),
        }
    }
    kept
}

fn same_topology(candidates: Vec<Candidate>, refused: &mut Vec<RefusedRun>) -> Vec<Candidate> {
    let votes = |c: &Candidate| candidates.iter().filter(|o| o.topology == c.topology).count();
    // On a tie the earlier run wins: max_by_key takes the last, so go backwards.
    let model = candidates.iter().rev().max_by_key(|c| votes(c)).map(|c| (c.topology, c.nodes, c.elements));
    let Some((topology, nodes, elements)) = model else { return candidates };
    keep(candidates, refused, |c| {
        let same_size = (c.nodes, c.elements) == (nodes, elements);
        let how = if same_size { ", connected or divided into parts differently" } else { "" };
        (c.topology != topology).then(|| {
            format!(
                "another topology: found {} nodes and {} elements{how}, expected the {nodes} nodes and {elements} elements \
                 of the other runs",
                c.nodes, c.elements
            )
        })
    })
}

fn same_end(candidates: Vec<Candidate>, refused: &mut Vec<RefusedRun>) -> Vec<Candidate> {
    let mut ends: Vec<f64> = candidates.iter().filter_map(|c| c.times_s.last().copied()).collect();
    ends.sort_by(f64::total_cmp);
    let Some(usual) = ends.get(ends.len() / 2).copied() else { return candidates };
    keep(candidates, refused, |c| {
        let end = c.times_s.last().copied().unwrap_or(0.0);
        // A run in other units is a thousand times too long or too short.
        if end < SHORTEST * usual {
            let (end, usual) = (end * 1e3, usual * 1e3);
            Some(format!(
                "a run that ended early or has other units: its last state is at {end:.4} ms, the other runs go to \
                 {usual:.4} ms"
            ))
        } else if end > 10.0 * usual {
            let (end, usual) = (end * 1e3, usual * 1e3);
            Some(format!("other units of time: its last state is at {end:.4} ms, the other runs end at {usual:.4} ms"))
        } else {
            None
        }
    })
}

/// The parameters that more than half of the runs have, in the order of the first of these runs.
fn parameter_names(candidates: &[Candidate]) -> Option<Vec<String>> {
    let mut names: Vec<String> = Vec::new();
    for p in candidates.iter().flat_map(|c| &c.parameters) {
        if !names.contains(&p.name) {
            names.push(p.name.clone());
        }
    }
    names.retain(|n| 2 * candidates.iter().filter(|c| c.value_of(n).is_some()).count() > candidates.len());
    (!names.is_empty()).then_some(names)
}

fn same_parameters(candidates: Vec<Candidate>, names: &[String], refused: &mut Vec<RefusedRun>) -> Vec<Candidate> {
    let unit_of = |c: &Candidate, n: &str| c.parameters.iter().find(|p| p.name == n).map(|p| p.unit.clone());
    let usual: BTreeMap<&String, String> = names
        .iter()
        .map(|n| {
            let all: Vec<String> = candidates.iter().filter_map(|c| unit_of(c, n)).collect();
            let count = |u: &String| all.iter().filter(|o| *o == u).count();
            (n, all.iter().rev().max_by_key(|u| count(u)).cloned().unwrap_or_default())
        })
        .collect();
    keep(candidates, refused, |c| {
        if let Some(missing) = names.iter().find(|n| c.value_of(n).is_none()) {
            return Some(format!("no value for the parameter {missing}, which the other runs have"));
        }
        let other = names.iter().find(|n| unit_of(c, n).is_some_and(|u| !u.is_empty() && u != usual[*n]))?;
        let unit = unit_of(c, other).unwrap_or_default();
        Some(format!("parameter {other} in {unit:?}, expected {:?} as in the other runs", usual[other]))
    })
}

fn study_parameter(
    name: &str,
    runs: &[Candidate],
    bounds: &[ListedBounds],
    warnings: &mut Vec<String>,
) -> Option<StudyParameter> {
    let told: Vec<&Parameter> = runs.iter().filter_map(|r| r.parameters.iter().find(|p| p.name == name)).collect();
    let (low, high) =
        told.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), p| (a.min(p.value), b.max(p.value)));
    // Values are finite; without any run nothing varies either.
    if high <= low {
        return None;
    }
    let listed = bounds.iter().find(|b| b.name == name);
    let first = |of: fn(&Parameter) -> Option<f64>| told.iter().find_map(|p| of(p));
    let lower = listed.map(|b| b.lower).or_else(|| first(|p| p.lower));
    let upper = listed.map(|b| b.upper).or_else(|| first(|p| p.upper));
    let (lower, upper) = match (lower, upper) {
        (Some(l), Some(u)) if l < u => (l, u),
        _ => {
            warnings
                .push(format!("parameter {name} has no bounds: the smallest and largest value of the runs are taken"));
            (low, high)
        }
    };
    let unit =
        listed.and_then(|b| b.unit.clone()).or_else(|| told.iter().map(|p| p.unit.clone()).find(|u| !u.is_empty()));
    Some(StudyParameter {
        name: name.to_owned(),
        unit: unit.unwrap_or_default(),
        lower,
        upper,
        nominal: first(|p| p.nominal),
        kind: told.iter().find_map(|p| p.kind.clone()),
    })
}

fn inside_bounds(runs: Vec<Candidate>, parameters: &[StudyParameter], refused: &mut Vec<RefusedRun>) -> Vec<Candidate> {
    keep(runs, refused, |run| {
        let outside = parameters.iter().find(|p| {
            let share = run.value_of(&p.name).map_or(f64::NAN, |v| p.share_of(v));
            !(-BEYOND..=1.0 + BEYOND).contains(&share)
        })?;
        Some(format!(
            "parameter {} is {}, outside its bounds {} to {} {}: other units, or another study",
            outside.name,
            run.value_of(&outside.name).unwrap_or(f64::NAN),
            outside.lower,
            outside.upper,
            outside.unit
        ))
    })
}
