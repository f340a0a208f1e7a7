//! `crumple replay`: plays a stored film into a running service, as cameras would send it, and measures how soon its
//! flags come back.

use std::time::{Duration, Instant};

use anyhow::bail;
use serde::Deserialize;

use super::arguments::ReplayArguments;
use super::live::{Latencies, Live, NewLive, Told, repeated};
use super::remote::{Remote, Things};
use super::review::print;
use crate::ingest::TestFile;
use crate::jobs::LiveCamera;
use crate::review::moments;

pub(super) fn run(words: &ReplayArguments) -> anyhow::Result<()> {
    // One thread more than the one that reads the film: what is heard is timed while it reads.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(play(words))
}

async fn play(words: &ReplayArguments) -> anyhow::Result<()> {
    let test = TestFile::open(&words.test)?;
    let remote = Remote::new(&words.url)?;
    let record = test.record();
    let simulation = simulation(&remote, words.simulation.as_deref(), &record.test_id).await?;
    let campaign = remote.campaign(&words.campaign).await?;
    let filmed: Vec<LiveCamera> = record.cameras.iter().map(LiveCamera::of_record).collect();
    let cameras = repeated(&filmed, words.cameras.map_or(filmed.len(), usize::from))?;
    let new = NewLive {
        simulation_id: &simulation,
        campaign_id: &campaign,
        name: words.name.as_ref().unwrap_or(&record.test_id),
        cameras: &cameras,
        tolerance_mm: words.tolerance_mm,
    };
    let live = Live::begin(&remote, &new).await?;
    print(&format!("live test {}, review {}\n", live.id, live.review_id))?;
    let told = Told::listen(&remote, &campaign, &live.id).await?;
    let begun = Instant::now();
    let (sent, late_s) = send(words, &remote, &test, &live, &cameras, begun).await?;
    let sent_s = begun.elapsed().as_secs_f64();
    // The last frame's flags come a moment later; whoever ends at once would never see them live.
    let before = loop {
        let now = live.now(&remote).await?;
        let caught_up = now.reviewed + now.behind as i64 >= now.received;
        if caught_up || begun.elapsed().as_secs_f64() > sent_s + words.patience_s {
            break now;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    };
    let latencies = told.latencies(&sent);
    live.end(&remote).await?;
    print(&told_of(&before, cameras.len(), sent_s, late_s, &latencies))
}

/// Sends the film; returns when each moment's last frame was at the door, and how late the latest one was, s.
async fn send(
    words: &ReplayArguments,
    remote: &Remote,
    test: &TestFile,
    live: &Live,
    cameras: &[LiveCamera],
    begun: Instant,
) -> anyhow::Result<(Vec<(f64, Instant)>, f64)> {
    let filmed = test.record().cameras.len();
    let moments = moments(&test.record().cameras);
    let Some(first_s) = moments.first().map(|m| m.time_s) else { bail!("the film has no frame") };
    let (mut sent, mut late_s) = (Vec::new(), 0.0f64);
    for moment in moments {
        let due = Duration::try_from_secs_f64((moment.time_s - first_s) / words.speed).unwrap_or_default();
        tokio::time::sleep(due.saturating_sub(begun.elapsed())).await;
        late_s = late_s.max(begun.elapsed().saturating_sub(due).as_secs_f64());
        let mut at_the_door = None;
        for (camera, frame) in moment.frames {
            let luma = test.read_frame(camera, frame)?.luma;
            let grey: Vec<u8> = luma.iter().map(|v| (v.clamp(0.0, 1.0) * 255.0).round() as u8).collect();
            for copy in cameras.iter().skip(camera).step_by(filmed) {
                at_the_door = Some(Instant::now());
                remote.frame(&live.id, &copy.name, copy.times_s[frame], grey.clone()).await?;
            }
        }
        sent.extend(at_the_door.map(|at| (moment.time_s, at)));
    }
    Ok((sent, late_s))
}

fn told_of(live: &Live, cameras: usize, sent_s: f64, late_s: f64, latencies: &Latencies) -> String {
    let ms = |share| latencies.at(share).map_or_else(|| "-".to_owned(), |s| format!("{:.0}", 1e3 * s));
    let mut text = format!(
        "sent {} frames of {cameras} cameras in {sent_s:.1} s (at most {late_s:.2} s late); {} reviewed as they \
         arrived, {} left for afterwards\n\
         mismatches so far: {}; from arrival to flag on the event stream: median {} ms, 99 % {} ms ({} moments)\n",
        live.received,
        live.reviewed,
        live.behind,
        live.flagged,
        ms(0.5),
        ms(0.99),
        latencies.seconds.len(),
    );
    if latencies.before_trigger > 0 {
        text.push_str(&format!(
            "the first {} moments waited until something had moved, at most {:.1} s\n",
            latencies.before_trigger, latencies.longest_before_s
        ));
    }
    if let Some(note) = &live.rate_note {
        text.push_str(&format!("{note}\n"));
    }
    text.push_str("the whole film is reviewed now\n");
    text
}

/// The simulation of this id or name. Without one: that with which a test of the same name was reviewed last, or the only
/// one that the service has.
async fn simulation(remote: &Remote, wanted: Option<&str>, test_name: &str) -> anyhow::Result<String> {
    #[derive(Deserialize)]
    struct Simulation {
        id: String,
        name: String,
    }
    let known: Things<Simulation> = remote.get("simulations?limit=1000").await?;
    let names = || known.items.iter().map(|s| s.name.as_str()).collect::<Vec<_>>().join(", ");
    if let Some(wanted) = wanted {
        let is_it =
            |s: &&Simulation| s.id == wanted || s.name == wanted || s.name.strip_suffix(".vtkhdf") == Some(wanted);
        let Some(found) = known.items.iter().find(is_it) else {
            bail!("found no simulation {wanted}, the service has: {}", names());
        };
        return Ok(found.id.clone());
    }
    if let Some(id) = reviewed_with(remote, test_name).await? {
        return Ok(id);
    }
    match &known.items[..] {
        [only] => Ok(only.id.clone()),
        [] => bail!("the service has no simulation: upload the one that predicted this test"),
        many => bail!("the service has {} simulations: say with --simulation which: {}", many.len(), names()),
    }
}

/// The simulation with which a test of this name was reviewed last.
async fn reviewed_with(remote: &Remote, test_name: &str) -> anyhow::Result<Option<String>> {
    #[derive(Deserialize)]
    struct Test {
        name: String,
        latest_review_id: Option<String>,
    }
    #[derive(Deserialize)]
    struct Review {
        simulation_id: String,
    }
    let tests: Things<Test> = remote.get("tests?limit=1000").await?;
    let of_name = tests.items.into_iter().filter(|t| t.name == test_name);
    let Some(review_id) = of_name.filter_map(|t| t.latest_review_id).next() else { return Ok(None) };
    Ok(Some(remote.get::<Review>(&format!("reviews/{review_id}")).await?.simulation_id))
}
