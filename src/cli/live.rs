//! A live test as the command line plays it: begun, fed frame by frame, ended – and heard of on the event stream.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use anyhow::Context as _;
use serde::Deserialize;
use tokio::task::JoinHandle;

use super::remote::{Remote, Things};
use crate::jobs::LiveCamera;

/// What the service says of a live test.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Live {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) review_id: String,
    pub(super) received: i64,
    pub(super) reviewed: i64,
    pub(super) flagged: usize,
    pub(super) behind: usize,
    pub(super) rate_note: Option<String>,
    last_time_s: Option<f64>,
}

/// What a live test is begun with.
pub(super) struct NewLive<'a> {
    pub(super) simulation_id: &'a str,
    pub(super) campaign_id: &'a str,
    pub(super) name: &'a str,
    pub(super) cameras: &'a [LiveCamera],
    pub(super) tolerance_mm: f64,
}

impl Live {
    pub(super) async fn begin(remote: &Remote, new: &NewLive<'_>) -> anyhow::Result<Self> {
        let order = serde_json::json!({
            "simulation_id": new.simulation_id, "campaign_id": new.campaign_id, "name": new.name,
            "cameras": new.cameras, "tolerance_mm": new.tolerance_mm,
        });
        remote.post("live", &order).await
    }

    /// The live test of this name that still receives in a campaign, when there is one.
    pub(super) async fn receiving(remote: &Remote, campaign: &str, name: &str) -> anyhow::Result<Option<Self>> {
        let lives: Things<Self> = remote.get(&format!("live?campaign_id={campaign}")).await?;
        Ok(lives.items.into_iter().find(|l| l.name == name))
    }

    pub(super) async fn now(&self, remote: &Remote) -> anyhow::Result<Self> {
        remote.get(&format!("live/{}", self.id)).await
    }

    /// Ends it: its frames become a film, which is reviewed as a whole.
    pub(super) async fn end(&self, remote: &Remote) -> anyhow::Result<()> {
        let _: serde_json::Value = remote.post(&format!("live/{}/end", self.id), &serde_json::json!({})).await?;
        Ok(())
    }
}

/// When the event stream told of which moment of a live test.
pub(super) struct Told {
    heard: Arc<Mutex<Vec<(Instant, f64)>>>,
    listening: JoinHandle<()>,
}

/// From the arrival of a moment's last frame at the service's door to its flags on the event stream.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Latencies {
    /// Of the moments that came when the trigger was known, s, rising.
    pub(super) seconds: Vec<f64>,
    /// Moments before that: what they show can be told only when something has moved.
    pub(super) before_trigger: usize,
    /// The longest of theirs, s.
    pub(super) longest_before_s: f64,
}

impl Told {
    /// Listens for the live test `id` of a campaign until this is dropped.
    pub(super) async fn listen(remote: &Remote, campaign: &str, id: &str) -> anyhow::Result<Self> {
        let mut stream = remote.stream(&format!("events?campaign_id={campaign}")).await?;
        let heard: Arc<Mutex<Vec<(Instant, f64)>>> = Arc::default();
        let (kept, id) = (Arc::clone(&heard), id.to_owned());
        let listening = tokio::spawn(async move {
            let (mut held, mut name) = (Vec::new(), String::new());
            while let Ok(Some(bytes)) = stream.chunk().await {
                let now = Instant::now();
                held.extend_from_slice(&bytes);
                while let Some(end) = held.iter().position(|b| *b == b'\n') {
                    let line: Vec<u8> = held.drain(..=end).collect();
                    let line = String::from_utf8_lossy(&line).trim_end().to_owned();
                    if let Some(told) = line.strip_prefix("event: ") {
                        told.clone_into(&mut name);
                    } else if let Some(data) = line.strip_prefix("data: ").filter(|_| name == "live")
                        && let Ok(Live { id: of, last_time_s: Some(time_s), .. }) = serde_json::from_str(data)
                        && of == id
                    {
                        kept.lock().unwrap_or_else(PoisonError::into_inner).push((now, time_s));
                    }
                }
            }
        });
        Ok(Self { heard, listening })
    }

    /// What the moments waited that were `sent` (film time, last frame at the door).
    pub(super) fn latencies(&self, sent: &[(f64, Instant)]) -> Latencies {
        latencies(&self.heard.lock().unwrap_or_else(PoisonError::into_inner), sent)
    }
}

impl Drop for Told {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

fn latencies(heard: &[(Instant, f64)], sent: &[(f64, Instant)]) -> Latencies {
    let mut out = Latencies::default();
    let Some(first) = heard.first().map(|h| h.0) else { return out };
    for (time_s, at) in sent {
        // A moment that was left out is never told of by its own time.
        let Some((told, _)) = heard.iter().find(|(_, t)| (t - time_s).abs() < 1e-9) else { continue };
        let waited_s = told.saturating_duration_since(*at).as_secs_f64();
        if *at < first {
            out.before_trigger += 1;
            out.longest_before_s = out.longest_before_s.max(waited_s);
        } else {
            out.seconds.push(waited_s);
        }
    }
    out.seconds.sort_unstable_by(f64::total_cmp);
    out
}

impl Latencies {
    /// The smallest latency that a share of the moments does not exceed, s.
    pub(super) fn at(&self, share: f64) -> Option<f64> {
        let index = (self.seconds.len() as f64 * share).ceil() as usize;
        self.seconds.get(index.max(1) - 1).copied()
    }
}

/// A camera's copies under names of their own, until there are `count`.
pub(super) fn repeated(cameras: &[LiveCamera], count: usize) -> anyhow::Result<Vec<LiveCamera>> {
    let first = cameras.len();
    anyhow::ensure!(first > 0, "the film has no camera");
    (0..count)
        .map(|i| {
            let camera = cameras.get(i % first).context("a camera of the film")?;
            let name = if i < first { camera.name.clone() } else { format!("{} copy {}", camera.name, i / first) };
            Ok(LiveCamera { name, ..camera.clone() })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn moments_before_the_trigger_are_told_apart_and_those_left_out_are_not_counted() {
        let begin = Instant::now();
        let at = |ms: u64| begin + Duration::from_millis(ms);
        let sent = [(0.0, at(0)), (0.001, at(1000)), (0.002, at(2500)), (0.003, at(2600)), (0.004, at(3000))];
        let heard = [(at(2000), 0.0), (at(2100), 0.001), (at(2800), 0.003), (at(3500), 0.004)];
        let found = latencies(&heard, &sent);
        assert_eq!((found.before_trigger, found.seconds.len()), (2, 2), "0.002 s was left out");
        assert!((found.longest_before_s - 2.0).abs() < 1e-9 && (found.at(0.5).unwrap() - 0.2).abs() < 1e-9);
        assert!((found.at(0.99).unwrap() - 0.5).abs() < 1e-9);
        assert_eq!(latencies(&[], &sent), Latencies::default());
        assert_eq!(Latencies::default().at(0.5), None);
    }
}
