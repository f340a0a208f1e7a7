//! A service that is killed at random moments loses nothing, does nothing twice and leaves no orphan: reviews, uploads,
//! a live test, a webhook and a cancelled review go on through all of it.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use sqlx::Row as _;

use crate::support::plate::{FRAMES, Plate};
use crate::support::service::{Caller, PATIENCE, Served, checksum, desk, run, text};

/// Files that are uploaded while it is killed.
const FILES: usize = 3;
/// Parts of each.
const PARTS: usize = 24;
const SECRET: &str = "0123456789abcdef";

#[test]
fn nothing_is_lost_or_done_twice_when_the_service_is_killed_at_random_moments() {
    // A review of the plate takes about as long as the longest time between two kills.
    survive(10, 2500);
}

/// The same for longer: `cargo nextest run --release --run-ignored only a_hundred_kills`.
#[test]
#[ignore = "takes minutes"]
fn a_hundred_kills() {
    survive(100, 6000);
}

/// Random numbers (splitmix64, Steele et al. 2014).
struct Random(u64);

impl Random {
    fn below(&mut self, most: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % most
    }
}

#[expect(clippy::print_stderr, reason = "whoever looks for the cause wants the same moments again")]
fn survive(kills: usize, longest_ms: u64) {
    let seed = SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |d| d.as_nanos() as u64);
    eprintln!("killed {kills} times at moments of seed {seed}");
    let mut random = Random(seed);
    let (folder, data) = desk();
    let plate = Plate::new(9.0);
    plate.write(folder.path());
    run(async {
        let mut served = Served::start(&data, &[]);
        let caller = served.caller();
        let campaign = served.campaign("Crash").await;
        served.upload(&folder.path().join("run.json"), &campaign).await;
        let simulation = text(&served.upload(&folder.path().join("run.vtkhdf"), &campaign).await, "simulation_id");
        let test = text(&served.upload(&folder.path().join("test.h5"), &campaign).await, "test_id");
        let (hook, told) = webhook().await;
        let pair = json!({ "simulation_id": simulation, "test_id": test });
        let order = json!({ "pairs": [pair, pair, pair], "webhook": { "url": hook, "secret": SECRET } });
        let batch = caller.order(&order).await;
        let begin = plate.live(&simulation, &campaign);
        let live = text(&caller.post_until("live", &begin, 201).await, "id");
        let uploads = tokio::spawn(upload_all(caller.clone(), folder.path().to_owned(), campaign.clone()));
        let frames =
            tokio::spawn(send_frames(caller.clone(), live.clone(), plate.clone(), kills as u64 * longest_ms / 2));
        for _ in 0..kills {
            tokio::time::sleep(Duration::from_millis(random.below(longest_ms))).await;
            served = served.kill_and_restart(&data);
        }
        frames.await.expect("all frames are acknowledged");
        let sent = uploads.await.expect("all files are sent");
        caller.post_until(&format!("live/{live}/end"), &json!({}), 200).await;
        let third = text(&batch["reviews"][2], "id");
        let cancelled = caller.cancel(&third).await;
        served = served.kill_and_restart(&data);
        let found = Found { sent, batch, live, simulation, cancelled: (cancelled == 202).then_some(third) };
        check(&served, &found, &told).await;
        served.kill();
        // The sweep at the next start leaves only what a row names.
        drop(Served::start(&data, &[]));
        no_orphans(&data).await;
    });
}

/// What must be there in the end.
struct Found {
    sent: Vec<Value>,
    batch: Value,
    live: String,
    simulation: String,
    cancelled: Option<String>,
}

async fn check(served: &Served, found: &Found, told: &AtomicUsize) {
    let id = text(&found.batch, "batch_id");
    let done = served.until(&format!("batches/{id}"), |b| b["ended"] == 3 && b["webhook_state"] == "sent").await;
    for review in done["reviews"].as_array().expect("reviews") {
        let wanted = if Some(&text(review, "id")) == found.cancelled.as_ref() { "cancelled" } else { "finished" };
        // A cancel that came too late changes nothing.
        assert!(review["state"] == wanted || review["state"] == "finished", "{review}");
        if review["state"] == "finished" {
            finished_once(served, &text(review, "id")).await;
        }
    }
    // Told at least once: a kill between the telling and the note of it tells again.
    assert!(told.load(Ordering::SeqCst) >= 1);
    for upload in &found.sent {
        assert_eq!(upload["state"], "accepted", "{upload}");
    }
    let tests: HashSet<String> = found.sent.iter().map(|u| text(u, "test_id")).collect();
    assert_eq!(tests.len(), FILES, "each file is a test of its own");
    let (_, live) = served.get(&format!("live/{}", found.live)).await;
    let review = text(&live, "review_id");
    let review =
        served.until(&format!("reviews/{review}"), |r| r["state"] != "queued" && r["state"] != "running").await;
    assert_eq!((&review["state"], &review["pictures_done"]), (&json!("finished"), &json!(FRAMES)), "no frame is lost");
    assert_eq!(review["simulation_id"], json!(found.simulation));
    finished_once(served, &text(&review, "id")).await;
    served.until("jobs?state=queued", |j| j["items"].as_array().is_some_and(Vec::is_empty)).await;
    served.until("jobs?state=running", |j| j["items"].as_array().is_some_and(Vec::is_empty)).await;
}

/// Its flags are numbered without a gap or a double.
async fn finished_once(served: &Served, review: &str) {
    let (_, flags) = served.get(&format!("flags?review_id={review}")).await;
    let mut numbers: Vec<u64> =
        flags["items"].as_array().expect("flags").iter().map(|f| f["number"].as_u64().expect("a number")).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>());
    assert!(!numbers.is_empty());
}

/// What the database says when the service is down: each job ended once, each file has its row and each row its file.
async fn no_orphans(data: &Path) {
    let place = format!("sqlite://{}", data.join("crumple.db").display());
    let pool = sqlx::SqlitePool::connect(&place).await.expect("the database");
    let count = async |sql: &'static str| -> i64 { sqlx::query(sql).fetch_one(&pool).await.expect("an answer").get(0) };
    let unended = "SELECT count(*) FROM Jobs WHERE status <> 'Done' AND (status <> 'Killed' OR last_result ->> 'Err' IS NOT NULL)";
    assert_eq!(count(unended).await, 0, "each is done or was cancelled");
    assert_eq!(count("SELECT count(*) - count(DISTINCT job_type || job) FROM Jobs").await, 0, "one job a subject");
    // Each end of a review adds one to its version.
    assert_eq!(count("SELECT count(*) FROM reviews WHERE version <> 2").await, 0, "each review ended once");
    assert_eq!(count("SELECT count(*) FROM reviews").await, 4);
    assert_eq!(count("SELECT count(*) FROM tests").await, 2 + FILES as i64, "the first, the live one, the uploaded");
    assert_eq!(count("SELECT count(*) FROM lives").await, 1);
    let names = |folder: &str| -> HashSet<String> {
        let entries = std::fs::read_dir(data.join(folder)).into_iter().flatten().flatten();
        entries.map(|e| e.file_name().to_string_lossy().into_owned()).collect()
    };
    let rows = sqlx::query("SELECT id FROM reviews WHERE state = 'finished'").fetch_all(&pool).await.expect("rows");
    assert_eq!(names("blobs/results"), rows.iter().map(|r| r.get(0)).collect::<HashSet<String>>());
    assert_eq!(names("work"), HashSet::new());
    // An announcement whose answer was lost is made again; the first one still waits for its parts.
    let rows = sqlx::query("SELECT id FROM uploads WHERE state = 'receiving'").fetch_all(&pool).await.expect("rows");
    assert_eq!(names("uploads"), rows.iter().map(|r| r.get(0)).collect::<HashSet<String>>());
    let files: usize = names("blobs/files").iter().map(|f| names(&format!("blobs/files/{f}")).len()).sum();
    assert_eq!(files, 3 + FILES, "simulation, side-car and tests");
    let live = names("live");
    let frames = names(&format!("live/{}/c00", live.iter().next().expect("the live test")));
    assert_eq!((live.len(), frames.len()), (1, FRAMES + 1), "frames and their camera file, nothing half: {frames:?}");
}

/// Sends files part by part until each is read, however often the service dies.
async fn upload_all(caller: Caller, folder: std::path::PathBuf, campaign: String) -> Vec<Value> {
    let mut sent = Vec::new();
    for file in 0..FILES {
        let name = format!("later {file}.h5");
        Plate::new(5.0 + file as f64).record.write(&folder.join(&name));
        let bytes = std::fs::read(folder.join(&name)).expect("a file");
        let path = caller.announce(&name, bytes.len(), &campaign).await;
        let end = Instant::now() + PATIENCE;
        loop {
            assert!(Instant::now() < end, "{name} is not sent in time");
            let Some(offset) = caller.offset(&path).await else {
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            };
            if offset == bytes.len() {
                break;
            }
            let part = &bytes[offset..(offset + bytes.len() / PARTS + 1).min(bytes.len())];
            caller.part(&path, offset, part, checksum(part)).await;
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        sent.push(caller.until(&path, |u| matches!(u["state"].as_str(), Some("accepted" | "refused"))).await);
    }
    sent
}

/// Sends each frame until it is acknowledged, spread over the kills.
async fn send_frames(caller: Caller, live: String, plate: Plate, over_ms: u64) {
    let pause = Duration::from_millis(over_ms / FRAMES as u64);
    for (i, time_s) in plate.record.times.iter().enumerate() {
        let grey: Vec<u8> = plate.record.frames.index_axis(ndarray::Axis(0), i).iter().copied().collect();
        caller.frame(&live, "cam", *time_s, &grey).await;
        tokio::time::sleep(pause).await;
    }
}

/// Takes requests and counts those with a body, for as long as the test runs.
async fn webhook() -> (String, Arc<AtomicUsize>) {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}/told", listener.local_addr().expect("an address"));
    let told = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&told);
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let mut held = vec![0; 1 << 16];
            // Head and body of this size come in few pieces; the answer waits for the last brace.
            let mut length = 0;
            while let Ok(n) = socket.read(&mut held[length..]).await {
                length += n;
                if n == 0 || held[..length].ends_with(b"}") {
                    break;
                }
            }
            if held[..length].ends_with(b"}") {
                count.fetch_add(1, Ordering::SeqCst);
                let _ = socket.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await;
            }
        }
    });
    (url, told)
}
