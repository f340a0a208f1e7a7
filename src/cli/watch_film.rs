//! A film that a camera still writes, picture by picture: it is played into the service as it grows.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::Deserialize;

use super::live::{Live, NewLive};
use super::remote::{Named, Remote, Things};
use super::review::print;
use crate::ingest::GrowingFilm;
use crate::jobs::LiveCamera;

/// How often the folder is looked at while it grows.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// Pictures are expected so long after the simulation's end, s: the trigger may have been late.
const AFTER_THE_END_S: f64 = 0.01;

/// What is played where.
pub(super) struct Order {
    pub(super) folder: PathBuf,
    pub(super) campaign_id: String,
    pub(super) simulation_id: String,
    pub(super) tolerance_mm: f64,
    /// A folder that got no picture for so long has all of them.
    pub(super) still: Duration,
}

/// Plays the film until its last picture, or until none came for a while.
pub(super) async fn play(remote: &Remote, order: &Order) -> anyhow::Result<()> {
    #[derive(Deserialize)]
    struct Simulation {
        times_s: Vec<f64>,
    }
    let simulation: Simulation = remote.get(&format!("simulations/{}", order.simulation_id)).await?;
    let last_s = simulation.times_s.last().copied().unwrap_or_default() + AFTER_THE_END_S;
    let film = loop {
        if let Some(film) = GrowingFilm::open(&order.folder, last_s)? {
            break film;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    };
    let cameras: Vec<LiveCamera> = film.cameras().iter().map(LiveCamera::of_record).collect();
    let new = NewLive {
        simulation_id: &order.simulation_id,
        campaign_id: &order.campaign_id,
        name: film.test_id(),
        cameras: &cameras,
        tolerance_mm: order.tolerance_mm,
    };
    let name = order.folder.display();
    // A watch that is started again goes on where it was: a frame that is there already is no error.
    let live = match Live::receiving(remote, &order.campaign_id, film.test_id()).await? {
        Some(live) => live,
        None if is_known(remote, order, film.test_id()).await? => {
            return print(&format!("{name}: {:?} is in this campaign already\n", film.test_id()));
        }
        None => Live::begin(remote, &new).await?,
    };
    print(&format!("{name}: live test {}, review {}\n", live.id, live.review_id))?;
    let (sent, left_out) = follow(remote, order, &film, &live).await?;
    live.end(remote).await?;
    let note = if left_out > 0 { format!(", {left_out} could not be read") } else { String::new() };
    print(&format!("{name}: ended after {sent} pictures{note}; the whole film is reviewed now\n"))
}

/// True when the campaign has a test of this name.
async fn is_known(remote: &Remote, order: &Order, name: &str) -> anyhow::Result<bool> {
    let tests: Things<Named> = remote.get(&format!("tests?campaign_id={}&limit=1000", order.campaign_id)).await?;
    Ok(tests.items.iter().any(|t| t.name == name))
}

/// Sends pictures as they come; returns how many were sent and how many could not be read.
async fn follow(remote: &Remote, order: &Order, film: &GrowingFilm, live: &Live) -> anyhow::Result<(usize, usize)> {
    let expected: usize = film.cameras().iter().map(|c| c.times_s.len()).sum();
    let (mut next, mut sizes) = (vec![0; film.cameras().len()], HashMap::new());
    let (mut sent, mut left_out, mut last_news) = (0, 0, Instant::now());
    while sent + left_out < expected && last_news.elapsed() < order.still {
        let mut coming: Vec<(f64, usize, usize, PathBuf)> = Vec::new();
        for (camera, record) in film.cameras().iter().enumerate() {
            let here = film.pictures(camera)?.into_iter().enumerate().skip(next[camera]);
            coming.extend(here.map(|(i, path)| (record.times_s[i], camera, i, path)));
        }
        coming.sort_by(|a, b| a.0.total_cmp(&b.0));
        for (time_s, camera, index, path) in coming {
            // One after the other: a camera whose picture is not whole yet waits with those after it.
            if index != next[camera] {
                continue;
            }
            let whole = is_still(&mut sizes, &path).then(|| film.picture_bytes(camera, &path));
            match whole {
                Some(Ok(bytes)) => {
                    remote.frame(&live.id, &film.cameras()[camera].name, time_s, bytes).await?;
                    sent += 1;
                }
                Some(Err(e)) if last_news.elapsed() * 2 > order.still => {
                    print(&format!("{}: left out: {e}\n", path.display()))?;
                    left_out += 1;
                }
                // It is still being written.
                _ => continue,
            }
            next[camera] += 1;
            last_news = Instant::now();
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    Ok((sent, left_out))
}

/// True when the file is as long as it was at the look before.
fn is_still(sizes: &mut HashMap<PathBuf, u64>, path: &Path) -> bool {
    let Ok(size) = std::fs::metadata(path).map(|m| m.len()) else { return false };
    size > 0 && sizes.insert(path.to_owned(), size) == Some(size)
}
