//! `crumple watch`: sends every file that is dropped into a folder to a running service and has tests reviewed. Films of
//! pictures that are still being written are played in live (see `watch_film`).

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::Context as _;
use tokio::task::JoinSet;

use super::arguments::WatchArguments;
use super::remote::Remote;
use super::review::print;
use super::watch_film::{self, Order};
use crate::ingest::GrowingFilm;

/// How often the folder is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// A file as it was when it was last looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Seen {
    length: u64,
    modified: SystemTime,
}

pub(super) fn run(words: &WatchArguments) -> anyhow::Result<()> {
    // Two, so that a film goes on while a large file is read.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        tokio::select! {
            ended = watch(words) => ended,
            _ = tokio::signal::ctrl_c() => Ok(()),
        }
    })
}

async fn watch(words: &WatchArguments) -> anyhow::Result<()> {
    let remote = Remote::new(&words.url)?;
    let campaign = remote.campaign(&words.campaign).await?;
    print(&format!("watching {} for campaign {}\n", words.folder.display(), words.campaign))?;
    let (mut growing, mut done): (HashMap<PathBuf, (Seen, u32)>, HashMap<PathBuf, Seen>) = Default::default();
    let mut simulation = words.simulation.clone();
    let (mut films, mut begun, mut waits) = (JoinSet::new(), HashSet::new(), false);
    loop {
        for (path, seen) in files(&words.folder)? {
            if done.get(&path) == Some(&seen) {
                continue;
            }
            // A film that is still being written keeps growing: it is taken when it has been still for a while.
            let still = match growing.get(&path) {
                Some((before, still)) if *before == seen => still + 1,
                _ => 0,
            };
            growing.insert(path.clone(), (seen, still));
            if f64::from(still) * LOOK_EVERY.as_secs_f64() < words.still_s {
                continue;
            }
            growing.remove(&path);
            done.insert(path.clone(), seen);
            if let Err(e) = take(&remote, &campaign, &path, &mut simulation, words.tolerance_mm).await {
                // One bad file must not end the watch.
                print(&format!("{}: {e:#}\n", path.display()))?;
            }
        }
        if let Some(simulation) = &simulation {
            for folder in film_folders(&words.folder)? {
                if begun.insert(folder.clone()) {
                    films.spawn(play(remote.clone(), order(words, folder, &campaign, simulation)));
                }
            }
        }
        if simulation.is_none() && !waits && !film_folders(&words.folder)?.is_empty() {
            waits = true;
            print("a film is here, but no simulation to compare it with: drop one, or name one with --simulation\n")?;
        }
        while films.try_join_next().is_some() {}
        if words.once && growing.is_empty() && films.is_empty() {
            return Ok(());
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Folders in the folder that hold films of pictures.
fn film_folders(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))? {
        let path = entry.context("cannot list the folder")?.path();
        if path.is_dir() && GrowingFilm::is_one(&path) {
            found.push(path);
        }
    }
    Ok(found)
}

fn order(words: &WatchArguments, folder: PathBuf, campaign: &str, simulation: &str) -> Order {
    Order {
        folder,
        campaign_id: campaign.to_owned(),
        simulation_id: simulation.to_owned(),
        tolerance_mm: words.tolerance_mm,
        still: Duration::from_secs_f64(words.film_still_s),
    }
}

/// Plays one film; one that cannot be played must not end the watch.
async fn play(remote: Remote, order: Order) {
    if let Err(e) = watch_film::play(&remote, &order).await {
        let _ = print(&format!("{}: {e:#}\n", order.folder.display()));
    }
}

/// The files of the folder that the service can use, side-cars and simulations first.
fn files(folder: &Path) -> anyhow::Result<Vec<(PathBuf, Seen)>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))? {
        let path = entry.context("cannot list the folder")?.path();
        let Some(rank) = rank(&path) else { continue };
        // It may be gone again.
        let Ok(meta) = std::fs::metadata(&path) else { continue };
        if meta.is_file() {
            let modified = meta.modified().unwrap_or(SystemTime::UNIX_EPOCH);
            found.push((rank, path, Seen { length: meta.len(), modified }));
        }
    }
    found.sort_by(|a, b| (a.0, &a.1).cmp(&(b.0, &b.1)));
    Ok(found.into_iter().map(|(_, path, seen)| (path, seen)).collect())
}

fn rank(path: &Path) -> Option<u8> {
    match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
        "json" => Some(0),
        "vtkhdf" => Some(1),
        "h5" | "hdf5" => Some(2),
        _ => None,
    }
}

async fn take(
    remote: &Remote,
    campaign: &str,
    path: &Path,
    simulation: &mut Option<String>,
    tolerance_mm: f64,
) -> anyhow::Result<()> {
    let upload = remote.upload(path, campaign).await?;
    let name = path.display();
    if let Some(refusal) = upload.refusal {
        return print(&format!("{name}: refused: {refusal}\n"));
    }
    match &upload.simulation_id {
        // A side-car that is mended later does not choose what tests are compared with.
        Some(id) if upload.kind == "sidecar" => print(&format!("{name}: side-car of simulation {id}\n"))?,
        Some(id) => {
            let sidecar = upload.sidecar_name.map_or_else(|| "no side-car".to_owned(), |s| format!("side-car {s}"));
            print(&format!("{name}: simulation {id}, {sidecar}\n"))?;
            *simulation = Some(id.clone());
        }
        None => {}
    }
    let Some(test) = upload.test_id else { return Ok(()) };
    let Some(simulation) = simulation else {
        return print(&format!("{name}: test {test}; no simulation to compare it with was dropped or named\n"));
    };
    let order = serde_json::json!({
        "pairs": [{ "simulation_id": simulation, "test_id": test }], "tolerance_mm": tolerance_mm,
    });
    // A watch that is started again finds the same files.
    let key = format!("watch {simulation} {test} {tolerance_mm}");
    let batch: serde_json::Value = remote.post_once("reviews", &order, &key).await?;
    print(&format!("{name}: test {test}, review {}\n", batch["reviews"][0]["id"].as_str().unwrap_or("ordered")))
}
