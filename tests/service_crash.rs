//! A service that is killed at any moment loses nothing, does nothing twice and leaves no orphan.

use std::collections::HashSet;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::plate::Plate;
use crate::support::service::{Served, desk, run, text};

/// Moments at which it is killed, ms after the order: while files are laid out, measured, written.
const MOMENTS_MS: [u64; 5] = [30, 400, 1100, 1900, 3100];

#[test]
fn reviews_survive_a_kill_at_any_moment_and_are_finished_once() {
    let (folder, data) = desk();
    Plate::new(9.0).write(folder.path());
    run(async {
        let served = Served::start(&data, &[]);
        let campaign = served.campaign("Crash").await;
        served.upload(&folder.path().join("run.json"), &campaign).await;
        let simulation = text(&served.upload(&folder.path().join("run.vtkhdf"), &campaign).await, "simulation_id");
        let test = text(&served.upload(&folder.path().join("test.h5"), &campaign).await, "test_id");
        let pair = json!({ "simulation_id": simulation, "test_id": test });
        let (status, batch) = served.post("reviews", &json!({ "pairs": [pair, pair] })).await;
        assert_eq!(status, 202, "{batch}");
        // A file that is only half here.
        let half = served.announce("later.h5", 4_000_000, &campaign).await;
        let bytes = std::fs::read(folder.path().join("test.h5")).expect("a file");
        assert_eq!(served.part(&half, 0, &bytes[..100_000], None).await, 204);
        let half = half.split("/api/v1/").nth(1).expect("a path").to_owned();
        let mut served = served;
        for moment in MOMENTS_MS {
            tokio::time::sleep(Duration::from_millis(moment)).await;
            served.kill();
            served = Served::start(&data, &[]);
        }
        let id = text(&batch, "batch_id");
        let done = served.until(&format!("batches/{id}"), |b| b["ended"] == 2).await;
        for review in done["reviews"].as_array().expect("reviews") {
            assert_eq!(review["state"], "finished", "{review}");
            finished_once(&served, &text(review, "id")).await;
        }
        assert_eq!(served.offset(&served.api(&half)).await, 100_000, "half a file is still half a file");
        let (_, jobs) = served.get("jobs").await;
        let left: Vec<&Value> =
            jobs["items"].as_array().expect("jobs").iter().filter(|j| j["state"] != "done").collect();
        assert!(left.is_empty(), "{left:?}");
        served.kill();
        // The sweep at the next start leaves only what a row names.
        let served = Served::start(&data, &[]);
        let reviews = done["reviews"].as_array().expect("reviews").iter().map(|r| text(r, "id")).collect();
        no_orphans(&data, &reviews);
        drop(served);
    });
}

/// Its flags are numbered without a gap or a double, and each was announced once.
async fn finished_once(served: &Served, review: &str) {
    let (_, flags) = served.get(&format!("flags?review_id={review}")).await;
    let mut numbers: Vec<u64> =
        flags["items"].as_array().expect("flags").iter().map(|f| f["number"].as_u64().expect("a number")).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>());
    assert!(!numbers.is_empty());
}

fn no_orphans(data: &Path, reviews: &HashSet<String>) {
    let names = |folder: &str| -> HashSet<String> {
        let entries = std::fs::read_dir(data.join(folder)).into_iter().flatten().flatten();
        entries.map(|e| e.file_name().to_string_lossy().into_owned()).collect()
    };
    assert_eq!(names("blobs/results"), *reviews);
    assert_eq!(names("work"), HashSet::new());
    assert_eq!(names("uploads").len(), 1, "the half upload");
    let files: usize = names("blobs/files").iter().map(|f| names(&format!("blobs/files/{f}")).len()).sum();
    assert_eq!(files, 3, "simulation, side-car and test");
}
