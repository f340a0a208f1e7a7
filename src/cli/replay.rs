//! `crumple replay`: plays a stored film into a running service, as a camera would send it.

use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use serde::Deserialize;

use super::arguments::ReplayArguments;
use super::remote::{Remote, Things};
use super::review::print;
use crate::ingest::TestFile;
use crate::jobs::LiveCamera;

/// What the service says of a live test.
#[derive(Debug, Deserialize)]
struct Live {
    id: String,
    review_id: String,
    received: i64,
    reviewed: i64,
    flagged: usize,
    behind: usize,
    rate_note: Option<String>,
    p50_ms: Option<f64>,
    p99_ms: Option<f64>,
}

pub(super) fn run(words: &ReplayArguments) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot start")?;
    runtime.block_on(play(words))
}

async fn play(words: &ReplayArguments) -> anyhow::Result<()> {
    let test = TestFile::open(&words.test)?;
    let remote = Remote::new(&words.url)?;
    let simulation = simulation(&remote, words.simulation.as_deref()).await?;
    let campaign = remote.campaign(&words.campaign).await?;
    let record = test.record();
    let cameras: Vec<LiveCamera> = record.cameras.iter().map(LiveCamera::of_record).collect();
    let begin = serde_json::json!({
        "simulation_id": simulation, "campaign_id": campaign, "name": words.name.as_ref().unwrap_or(&record.test_id),
        "cameras": cameras, "tolerance_mm": words.tolerance_mm,
    });
    let live: Live = remote.post("live", &begin).await?;
    print(&format!("live test {}, review {}\n", live.id, live.review_id))?;
    let mut frames: Vec<(f64, usize, usize)> = Vec::new();
    for (c, camera) in record.cameras.iter().enumerate() {
        frames.extend(camera.times_s.iter().enumerate().map(|(f, t)| (*t, c, f)));
    }
    frames.sort_by(|a, b| a.0.total_cmp(&b.0));
    let Some(first) = frames.first().map(|f| f.0) else { bail!("the film has no frame") };
    let begun = Instant::now();
    let mut late: f64 = 0.0;
    for (time_s, camera, index) in frames {
        let frame = test.read_frame(camera, index)?;
        let due = Duration::try_from_secs_f64((time_s - first) / words.speed).unwrap_or_default();
        tokio::time::sleep(due.saturating_sub(begun.elapsed())).await;
        late = late.max(begun.elapsed().saturating_sub(due).as_secs_f64());
        let grey: Vec<u8> = frame.luma.iter().map(|v| (v.clamp(0.0, 1.0) * 255.0).round() as u8).collect();
        remote.frame(&live.id, &record.cameras[camera].name, time_s, grey).await?;
    }
    let sent_s = begun.elapsed().as_secs_f64();
    // The last frame's flags come a moment later; whoever ends at once would never see them live.
    let before = loop {
        let now: Live = remote.get(&format!("live/{}", live.id)).await?;
        let caught_up = now.reviewed + now.behind as i64 >= now.received;
        if caught_up || begun.elapsed().as_secs_f64() > sent_s + words.patience_s {
            break now;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    };
    let _: serde_json::Value = remote.post(&format!("live/{}/end", live.id), &serde_json::json!({})).await?;
    let ms = |v: Option<f64>| v.map_or_else(|| "-".to_owned(), |v| format!("{v:.0}"));
    let mut text = format!(
        "sent {} frames in {sent_s:.1} s (at most {late:.2} s late); {} reviewed as they arrived, {} left for afterwards\n\
         mismatches so far: {}; from arrival to flag: median {} ms, 99 % {} ms\n",
        before.received,
        before.reviewed,
        before.behind,
        before.flagged,
        ms(before.p50_ms),
        ms(before.p99_ms),
    );
    if let Some(note) = before.rate_note {
        text.push_str(&format!("{note}\n"));
    }
    text.push_str("the whole film is reviewed now\n");
    print(&text)
}

/// The simulation of this id or name; the newest without one.
async fn simulation(remote: &Remote, wanted: Option<&str>) -> anyhow::Result<String> {
    #[derive(Deserialize)]
    struct Simulation {
        id: String,
        name: String,
    }
    let known: Things<Simulation> = remote.get("simulations?limit=1000").await?;
    let found = known
        .items
        .iter()
        .find(|s| wanted.is_none_or(|w| s.id == w || s.name == w || s.name.strip_suffix(".vtkhdf") == Some(w)));
    let Some(found) = found else {
        let names: Vec<&str> = known.items.iter().map(|s| s.name.as_str()).collect();
        bail!("found no simulation {}, the service has: {}", wanted.unwrap_or("at all"), names.join(", "));
    };
    Ok(found.id.clone())
}
