//! The study that a review belongs to: the simulations of its design that tell their parameters, laid out as files.
//!
//! A study is named by what is in it, so the folder of a suggestion never changes under it: when a run comes in, the
//! next suggestion has another folder. Folders that no suggestion names go with the sweep.

use std::collections::HashSet;
use std::path::Path;

use sha2::{Digest as _, Sha256};

use super::read_upload::{SimulationSummary, stem_of};
use super::service_error::ServiceError;
use super::workshop::{Folders, Workshop, safe_name, simulation_options};
use crate::ingest::{StudyFile, StudyRequest};
use crate::store::{Page, Simulation};

/// Simulations that are looked at for a study.
const MOST_SIMULATIONS: i64 = 10_000;
/// Written last: a folder with it is whole.
const WHOLE: &str = "whole";

/// Lays the study of a simulation out, where it is not yet; returns its name.
///
/// # Errors
/// When too few simulations of the design tell their parameters, or a file is missing.
pub(super) async fn lay_out_study(shop: &Workshop, simulation_id: &str) -> Result<String, ServiceError> {
    let reviewed = shop.store.simulation(simulation_id).await?;
    let all = shop.store.simulations(&Page { limit: MOST_SIMULATIONS, cursor: None }).await?;
    let mut runs = runs_of(&reviewed, all)?;
    runs.sort_by(|a, b| (&a.name, &a.sha256).cmp(&(&b.name, &b.sha256)));
    let name = name_of(&runs);
    let folder = shop.folders.study(&name);
    if !folder.join(WHOLE).exists() {
        lay_out(shop, &runs, &folder)?;
    }
    Ok(name)
}

/// What to load from the folder of a study.
pub(super) fn study_request(folders: &Folders, name: &str) -> StudyRequest {
    let folder = folders.study(name);
    StudyRequest {
        source: folder.join("runs"),
        options: simulation_options(),
        table: None,
        cache: folder.join("study.cache"),
    }
}

/// The simulations of the same family; where none is told, those with as many nodes and elements.
fn runs_of(reviewed: &Simulation, all: Vec<Simulation>) -> Result<Vec<Simulation>, ServiceError> {
    let design = summary(reviewed)?;
    let mut runs = Vec::new();
    for simulation in all {
        let Ok(other) = summary(&simulation) else { continue };
        let same = match &design.family {
            Some(family) => other.family.as_ref() == Some(family),
            None => other.family.is_none() && (other.nodes, other.elements) == (design.nodes, design.elements),
        };
        // A run with the reviewed one's parameters says the same once more; the reviewed one must be in the study.
        let twin = simulation.id != reviewed.id && values(&other) == values(&design);
        if same && !twin && !other.parameters.is_empty() {
            runs.push(simulation);
        }
    }
    if runs.len() >= StudyFile::FEWEST_RUNS {
        return Ok(runs);
    }
    let of = design.family.map_or_else(|| "this mesh".to_owned(), |f| format!("the family {f:?}"));
    Err(ServiceError::Refused {
        what: format!(
            "there is no study: found {} of {of} with parameters in the side-car, expected at least {}: upload the runs \
             of the design, each with its side-car (.json)",
            if runs.len() == 1 { "1 simulation".to_owned() } else { format!("{} simulations", runs.len()) },
            StudyFile::FEWEST_RUNS
        ),
    })
}

fn values(summary: &SimulationSummary) -> Vec<(&str, f64)> {
    summary.parameters.iter().map(|p| (p.name.as_str(), p.value)).collect()
}

fn summary(simulation: &Simulation) -> Result<SimulationSummary, ServiceError> {
    serde_json::from_str(&simulation.summary)
        .map_err(|source| ServiceError::Damaged { what: format!("summary of simulation {}", simulation.id), source })
}

fn name_of(runs: &[Simulation]) -> String {
    let mut hasher = Sha256::new();
    for run in runs {
        let sidecar = run.sidecar_sha256.as_deref().unwrap_or_default();
        hasher.update(format!("{} {} {sidecar}\n", run.name, run.sha256));
    }
    hasher.finalize().iter().take(16).map(|b| format!("{b:02x}")).collect()
}

fn lay_out(shop: &Workshop, runs: &[Simulation], folder: &Path) -> Result<(), ServiceError> {
    let files = folder.join("runs");
    std::fs::create_dir_all(&files).map_err(ServiceError::file("make the folder", &files))?;
    let mut taken = HashSet::new();
    for run in runs {
        let stem = stem_of(&safe_name(&run.name));
        // Two runs may have one name: the later one is told from it by its digest.
        let short = run.sha256.get(..8).unwrap_or(&run.sha256);
        let stem = if taken.insert(stem.clone()) { stem } else { format!("{stem}-{short}") };
        shop.blobs.lay_out(&run.sha256, &files.join(format!("{stem}.vtkhdf")))?;
        if let Some(sidecar) = &run.sidecar_sha256 {
            shop.blobs.lay_out(sidecar, &files.join(format!("{stem}.json")))?;
        }
    }
    let whole = folder.join(WHOLE);
    std::fs::write(&whole, "").map_err(ServiceError::file("write", &whole))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn simulation(id: &str, family: Option<&str>, nodes: usize, parameters: usize) -> Simulation {
        // Each run has a value of its own.
        let value: u32 = id.bytes().map(u32::from).sum();
        let parameter = serde_json::json!({ "name": "t", "value": value, "unit": "mm" });
        let summary = serde_json::json!({
            "family": family, "solver": null, "nodes": nodes, "elements": 1, "times_s": [], "parts": [],
            "parameters": vec![parameter; parameters],
        });
        Simulation {
            id: id.to_owned(),
            name: format!("{id}.vtkhdf"),
            stem: id.to_owned(),
            sha256: id.to_owned(),
            bytes: 1,
            sidecar_sha256: None,
            sidecar_name: None,
            sidecar_campaign_id: None,
            summary: summary.to_string(),
            version: 1,
            created_at: String::new(),
        }
    }

    #[test]
    fn a_study_is_of_one_family_and_of_runs_that_tell_their_parameters() {
        let of = |family| (0..4).map(move |i| simulation(&format!("{family}{i}"), Some(family), 9, 1));
        let all: Vec<_> = of("box").chain(of("beam")).chain([simulation("bare", Some("box"), 9, 0)]).collect();
        let runs = runs_of(&all[0], all.clone()).expect("a study");
        assert_eq!(runs.iter().map(|r| r.id.as_str()).collect::<Vec<_>>(), ["box0", "box1", "box2", "box3"]);
        let twin = Simulation { id: "twin".into(), ..all[0].clone() };
        let with_twin: Vec<_> = all.iter().cloned().chain([twin]).collect();
        assert_eq!(runs_of(&all[0], with_twin).expect("a study").len(), 4, "the reviewed run stands for its twin");
        let error = runs_of(&simulation("x", None, 9, 1), all).expect_err("no family, no other of its size");
        assert!(error.is_input_error() && error.to_string().contains("found 0 simulations of this mesh"), "{error}");
    }

    #[test]
    fn another_run_is_another_folder() {
        let runs: Vec<_> = (0..4).map(|i| simulation(&format!("r{i}"), None, 9, 1)).collect();
        assert_eq!(name_of(&runs), name_of(&runs.clone()));
        assert_ne!(name_of(&runs), name_of(&runs[1..]));
    }
}
