//! The way of a test through the service: uploads that are cut off, a review, its views, verdicts, events.

use std::path::Path;
use std::time::Duration;

use futures_util::StreamExt as _;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::support::plate::Plate;
use crate::support::service::{Served, base64, checksum, desk, run, text};

/// Uploads the plate; returns the simulation and the test.
async fn plate(served: &Served, folder: &Path, campaign: &str) -> (String, String) {
    Plate::new(9.0).write(folder);
    served.upload(&folder.join("run.json"), campaign).await;
    let simulation = served.upload(&folder.join("run.vtkhdf"), campaign).await;
    let test = served.upload(&folder.join("test.h5"), campaign).await;
    assert_eq!((simulation["state"].as_str(), test["state"].as_str()), (Some("accepted"), Some("accepted")), "{test}");
    (text(&simulation, "simulation_id"), text(&test, "test_id"))
}

#[test]
fn an_upload_goes_on_after_a_killed_service_and_a_wrong_part_is_not_taken() {
    let (folder, data) = desk();
    Plate::new(9.0).write(folder.path());
    let bytes = std::fs::read(folder.path().join("test.h5")).expect("a file");
    let half = bytes.len() / 2;
    run(async {
        let served = Served::start(&data, &[]);
        let campaign = served.campaign("Resume").await;
        let place = served.announce("test.h5", bytes.len(), &campaign).await;
        assert_eq!(served.part(&place, 0, &bytes[..half], None).await, 204);
        let wrong = checksum(b"something else");
        assert_eq!(served.part(&place, half, &bytes[half..], Some(wrong)).await, 460);
        assert_eq!(served.offset(&place).await, half, "nothing of the wrong part was taken");
        assert_eq!(served.part(&place, 0, &bytes[..half], None).await, 409, "a part at the wrong place");
        let path = place.split("/api/v1/").nth(1).expect("a path").to_owned();
        served.kill();
        let served = Served::start(&data, &[]);
        let place = served.api(&path);
        assert_eq!(served.offset(&place).await, half);
        assert_eq!(served.part(&place, half, &bytes[half..], Some(checksum(&bytes[half..]))).await, 204);
        let read = served.read(&place).await;
        assert_eq!(read["state"], "accepted", "{read}");
        // The same file once more: the same test, and no second blob.
        let again = served.upload(&folder.path().join("test.h5"), &campaign).await;
        assert_eq!(again["test_id"], read["test_id"]);
        assert_eq!(files_below(&data.join("blobs/files")).len(), 1);
        assert!(files_below(&data.join("uploads")).is_empty(), "parts go when the file was read");
        // Named by its digest, nothing of it is sent.
        let digest: String = Sha256::digest(&bytes).iter().map(|b| format!("{b:02x}")).collect();
        let words = [("filename", "test.h5"), ("campaign_id", &campaign), ("sha256", &digest)];
        let metadata: Vec<String> = words.iter().map(|(k, v)| format!("{k} {}", base64(v.as_bytes()))).collect();
        let request = served.client.post(served.api("uploads")).header("upload-length", bytes.len());
        let answer = request.header("upload-metadata", metadata.join(",")).send().await.expect("an answer");
        assert_eq!(
            (answer.status().as_u16(), answer.headers()["upload-offset"].to_str().ok()),
            (201, Some(&*bytes.len().to_string()))
        );
        let place = format!("{}{}", served.url, answer.headers()["location"].to_str().expect("a place"));
        assert_eq!(served.read(&place).await["test_id"], read["test_id"]);
        assert_eq!(files_below(&data.join("blobs/files")).len(), 1);
    });
}

fn files_below(root: &Path) -> Vec<std::path::PathBuf> {
    let (mut found, mut folders) = (Vec::new(), vec![root.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() { folders.push(path) } else { found.push(path) }
        }
    }
    found
}

#[test]
fn a_bad_file_is_refused_with_the_readers_words_and_surely_bad_ones_at_their_first_part() {
    let (folder, data) = desk();
    Plate::new(9.0).write(folder.path());
    run(async {
        let served = Served::start(&data, &[]);
        let campaign = served.campaign("Bad").await;
        let place = served.announce("film.h5", 1 << 30, &campaign).await;
        assert_eq!(served.part(&place, 0, &[b'x'; 4096], None).await, 422, "a gigabyte need not be sent in vain");
        let refused = served.read(&place).await;
        assert!(text(&refused, "refusal").contains("no HDF5 signature"), "{refused}");
        // A file that was cut before it was sent says so in its head.
        let whole = std::fs::read(folder.path().join("test.h5")).expect("a file");
        let place = served.announce("early.h5", whole.len() / 2, &campaign).await;
        assert_eq!(served.part(&place, 0, &whole[..4096], None).await, 422, "half of it need not be sent in vain");
        let refused = served.read(&place).await;
        assert!(
            text(&refused, "refusal").contains(&format!("whose head says that it has {}", whole.len())),
            "{refused}"
        );
        // A first part that was hurt on the way is sent again, not refused for good.
        let place = served.announce("hurt.h5", whole.len(), &campaign).await;
        assert_eq!(served.part(&place, 0, &[b'x'; 4096], Some(checksum(&whole[..4096]))).await, 460);
        assert_eq!(served.part(&place, 0, &whole[..4096], Some(checksum(&whole[..4096]))).await, 204);
        let mut cut = std::fs::read(folder.path().join("test.h5")).expect("a file");
        cut.truncate(cut.len() / 3);
        std::fs::write(folder.path().join("cut.h5"), cut).expect("written");
        let refused = served.upload(&folder.path().join("cut.h5"), &campaign).await;
        let why = text(&refused, "refusal");
        assert!(refused["state"] == "refused" && why.contains("cut.h5"), "{refused}");
        assert!(!why.contains(&*data.to_string_lossy()), "our folders are nobody's business: {why}");
        // A simulation is no test.
        std::fs::copy(folder.path().join("run.vtkhdf"), folder.path().join("swapped.h5")).expect("copied");
        let refused = served.upload(&folder.path().join("swapped.h5"), &campaign).await;
        assert!(text(&refused, "refusal").contains("crash-test-record"), "{refused}");
        let (_, tests) = served.get("tests").await;
        assert_eq!(tests["items"].as_array().map(Vec::len), Some(0));
    });
}

#[test]
fn a_review_runs_to_its_end_and_shows_what_it_found() {
    let (folder, data) = desk();
    run(async {
        let served = Served::start(&data, &[]);
        let campaign = served.campaign("Plate").await;
        let (simulation, test) = plate(&served, folder.path(), &campaign).await;
        let (_, read) = served.get(&format!("simulations/{simulation}")).await;
        assert_eq!((read["nodes"].as_u64(), read["parts"][0]["name"].as_str()), (Some(546), Some("plate")), "{read}");
        let review = served.review(&simulation, &test).await;
        assert_eq!(review["state"], "finished", "{review}");
        let id = text(&review, "id");
        let (_, result) = served.get(&format!("reviews/{id}/result")).await;
        let moments = result["times_s"].as_array().expect("times").len();
        let flags = result["flags"].as_array().expect("flags");
        assert!(moments == 14 && flags.iter().any(|f| f["verdict_machine"] == "mismatch"), "{flags:?}");
        views(&served, &id, &result, moments).await;
        verdicts(&served, &text(&flags[0], "id")).await;
        let (_, board) = served.get(&format!("campaigns/{campaign}")).await;
        assert_eq!(
            (&board["tests"][0]["state"], &board["parts"][0]["part_name"]),
            (&json!("reviewed"), &json!("plate"))
        );
    });
}

/// Every view has the size that its description says, and the pictures fit the canvas.
async fn views(served: &Served, id: &str, result: &Value, moments: usize) {
    let (status, mesh) = served.bytes(&format!("reviews/{id}/mesh")).await;
    let number = |at: usize| u32::from_le_bytes(mesh[4 * at..4 * at + 4].try_into().expect("4 bytes")) as usize;
    let (n, m, e) = (number(0), number(1), number(2));
    assert_eq!((status, n, m, e, number(3)), (200, 546, 1000, 500, 0));
    assert_eq!(mesh.len(), 16 + 12 * n + 12 * m + 4 * m + 8 * e);
    let (_, state) = served.bytes(&format!("reviews/{id}/states/{}", moments - 1)).await;
    assert_eq!(state.len(), 4 * 8 * n + n);
    let cameras = result["cameras"].as_array().map_or(0, Vec::len);
    let observed = &state[4 * 8 * n..];
    assert!(observed.iter().any(|by| *by > 0) && observed.iter().all(|by| usize::from(*by) <= cameras), "{observed:?}");
    let deviation = |node: usize| {
        let at = |i: usize| {
            let begin = 4 * (3 * n + 3 * node + i);
            f32::from_le_bytes(state[begin..begin + 4].try_into().expect("4 bytes"))
        };
        (0..3).map(|i| at(i).powi(2)).sum::<f32>().sqrt()
    };
    let largest = (0..n).map(deviation).filter(|d| d.is_finite()).fold(0.0, f32::max);
    assert!((4.0..14.0).contains(&largest), "the plate bulges by 9 mm, the view says {largest}");
    let (_, ids) = served.bytes(&format!("reviews/{id}/flag_elements/{}", moments - 1)).await;
    assert!(ids.len() == 2 * e && ids.iter().any(|b| *b != 0));
    assert_eq!(served.bytes(&format!("reviews/{id}/states/{moments}")).await.0, 404);
    let camera = &result["cameras"][0];
    let name = text(camera, "name");
    for layer in ["film", "predicted"] {
        let (status, jpeg) = served.bytes(&format!("reviews/{id}/pictures/{name}/3.jpg?layer={layer}")).await;
        let picture = image::load_from_memory(&jpeg).unwrap_or_else(|e| panic!("{layer}: {status} {e}"));
        assert_eq!(json!([picture.width(), picture.height()]), json!([camera["width"], camera["height"]]));
    }
    let (_, png) = served.bytes(&format!("reviews/{id}/pictures/{name}/3.png?width=160")).await;
    assert_eq!(image::load_from_memory(&png).expect("a PNG").width(), 160);
    let (_, plots) = served.get(&format!("reviews/{id}/plots")).await;
    let plot = text(&plots[0], "name");
    let (_, light) = served.bytes(&format!("reviews/{id}/plots/{plot}.svg?width=640")).await;
    let (_, dark) = served.bytes(&format!("reviews/{id}/plots/{plot}.svg?width=640&theme=dark")).await;
    assert!(String::from_utf8_lossy(&light).contains("width=\"640\"") && light != dark);
    let (_, png) = served.bytes(&format!("reviews/{id}/plots/{plot}.png?width=500&theme=dark")).await;
    assert_eq!(image::load_from_memory(&png).expect("a PNG").width(), 500);
    for (file, begins) in
        [("report.html", "<!DOCTYPE html>"), ("flags.csv", ""), ("review.json", "{"), ("review.vtkhdf", "\u{fffd}HDF")]
    {
        let (status, bytes) = served.bytes(&format!("reviews/{id}/{file}")).await;
        let head = String::from_utf8_lossy(&bytes[..bytes.len().min(20)]).into_owned();
        assert!(status == 200 && head.to_lowercase().starts_with(&begins.to_lowercase()), "{file}: {head}");
    }
    download_goes_on(served, id).await;
}

/// The field may have gigabytes: whoever has its first bytes asks for the others alone.
async fn download_goes_on(served: &Served, id: &str) {
    let place = format!("reviews/{id}/review.vtkhdf");
    let (_, whole) = served.bytes(&place).await;
    let ranged = async |range: String| {
        let request = served.client.get(served.api(&place)).header("range", range);
        let answer = request.send().await.expect("an answer");
        let (status, named) = (answer.status().as_u16(), answer.headers()["content-range"].clone());
        (status, named.to_str().expect("text").to_owned(), answer.bytes().await.expect("bytes"))
    };
    let (status, named, rest) = ranged("bytes=1000-".to_owned()).await;
    assert_eq!((status, named), (206, format!("bytes 1000-{}/{}", whole.len() - 1, whole.len())));
    assert_eq!(rest, whole[1000..]);
    assert_eq!(ranged(format!("bytes={}-", whole.len())).await.0, 416, "nothing is left");
    let beyond = served.client.get(served.api(&place)).header("range", format!("bytes={}-", whole.len()));
    assert!(!beyond.send().await.expect("an answer").headers().contains_key("cache-control"), "nobody keeps a refusal");
}

/// Two people look at one flag: the slower one is told.
async fn verdicts(served: &Served, flag: &str) {
    let place = served.api(&format!("flags/{flag}"));
    let seen = served.client.get(&place).send().await.expect("an answer").headers()["etag"].clone();
    let say =
        |body: Value| served.client.put(format!("{place}/verdict")).header("if-match", seen.clone()).json(&body).send();
    let no_reason = say(json!({ "state": "dismissed" })).await.expect("an answer");
    assert_eq!(no_reason.status(), 422, "who dismisses says why");
    let first = say(json!({ "state": "confirmed", "author": "Ada", "blind": true })).await.expect("an answer");
    assert_eq!(first.status(), 200);
    let second = say(json!({ "state": "dismissed", "reason": "shadow", "author": "Bob" })).await.expect("an answer");
    assert_eq!(second.status(), 412, "Bob saw an older flag");
    let (_, history) = served.get(&format!("flags/{flag}/verdicts")).await;
    assert_eq!(history["items"].as_array().map(Vec::len), Some(1));
    assert_eq!((&history["items"][0]["author"], &history["items"][0]["blind"]), (&json!("Ada"), &json!(true)));
}

#[test]
fn the_same_order_twice_is_one_batch_and_another_one_under_its_key_is_a_conflict() {
    let (folder, data) = desk();
    run(async {
        let served = Served::start(&data, &[]);
        let campaign = served.campaign("Key").await;
        let (simulation, test) = plate(&served, folder.path(), &campaign).await;
        let order = |mm: f64| {
            let body = json!({ "pairs": [{ "simulation_id": simulation, "test_id": test }], "tolerance_mm": mm });
            served.client.post(served.api("reviews")).header("idempotency-key", "k1").json(&body).send()
        };
        let answers = futures_util::future::join_all((0..5).map(|_| order(5.0))).await;
        let mut batches = Vec::new();
        for answer in answers {
            let answer = answer.expect("an answer");
            assert_eq!(answer.status(), 202);
            batches.push(text(&answer.json().await.expect("JSON"), "batch_id"));
        }
        batches.dedup();
        assert_eq!(batches.len(), 1, "five at once are one");
        assert_eq!(order(6.0).await.expect("an answer").status(), 409);
        let (_, reviews) = served.get("reviews").await;
        assert_eq!(reviews["items"].as_array().map(Vec::len), Some(1));
        // Cancelled while it runs or waits: it ends as cancelled and leaves nothing.
        let id = text(&reviews["items"][0], "id");
        let cancelled = served.client.delete(served.api(&format!("reviews/{id}"))).send().await.expect("an answer");
        assert_eq!(cancelled.status(), 202);
        let review =
            served.until(&format!("reviews/{id}"), |r| r["state"] != "queued" && r["state"] != "running").await;
        assert_eq!(review["state"], "cancelled");
        assert!(!data.join("blobs/results").join(&id).exists());
    });
}

/// Reads the stream until `enough`; returns the numbers and names.
async fn events(served: &Served, last: Option<i64>, enough: impl Fn(&[(i64, String)]) -> bool) -> Vec<(i64, String)> {
    let mut request = served.client.get(served.api("events"));
    if let Some(last) = last {
        request = request.header("last-event-id", last);
    }
    let mut stream = request.send().await.expect("an answer").bytes_stream();
    let (mut held, mut found, mut id) = (String::new(), Vec::new(), 0);
    let reading = async {
        while let Some(Ok(bytes)) = stream.next().await {
            held.push_str(&String::from_utf8_lossy(&bytes));
            while let Some((line, rest)) = held.split_once('\n') {
                if let Some(number) = line.strip_prefix("id: ") {
                    id = number.trim().parse().expect("a number");
                }
                let name = line.strip_prefix("event: ").map(str::to_owned);
                held = rest.to_owned();
                if let Some(name) = name {
                    found.push((id, name));
                }
            }
            if enough(&found) {
                break;
            }
        }
    };
    let _ = tokio::time::timeout(Duration::from_secs(20), reading).await;
    found
}

#[test]
fn the_event_stream_goes_on_where_the_caller_was_also_over_a_restart() {
    let (_folder, data) = desk();
    run(async {
        let served = Served::start(&data, &[]);
        for name in ["a", "b", "c"] {
            served.campaign(name).await;
        }
        let campaigns = |found: &[(i64, String)]| found.iter().filter(|(_, n)| n == "campaign").count();
        let all = events(&served, Some(0), |f| campaigns(f) == 3).await;
        assert_eq!(campaigns(&all), 3, "{all:?}");
        served.kill();
        let served = Served::start(&data, &[]);
        let rest = events(&served, Some(all[0].0), |f| campaigns(f) == 2).await;
        assert_eq!(campaigns(&rest), 2, "what was seen is not sent again: {rest:?}");
        let (live, ()) = tokio::join!(events(&served, None, |f| campaigns(f) == 1), async {
            tokio::time::sleep(Duration::from_millis(500)).await;
            served.campaign("d").await;
        });
        assert_eq!(campaigns(&live), 1, "without a number only what is new: {live:?}");
    });
}

#[test]
fn a_finished_batch_is_told_to_its_webhook_with_a_true_signature() {
    let (folder, data) = desk();
    run(async {
        let served = Served::start(&data, &[]);
        let campaign = served.campaign("Hook").await;
        let (simulation, _) = plate(&served, folder.path(), &campaign).await;
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}/told", listener.local_addr().expect("an address"));
        // A test of another simulation's kind is not needed: a review that fails ends the batch as well.
        let (_, tests) = served.get("tests").await;
        let order = json!({ "pairs": [{ "simulation_id": simulation, "test_id": tests["items"][0]["id"] }],
            "tolerances": { "no such part": 3.0 }, "webhook": { "url": url, "secret": "0123456789abcdef" } });
        let (status, batch) = served.post("reviews", &order).await;
        assert_eq!(status, 202, "{batch}");
        let told = tokio::time::timeout(Duration::from_secs(60), one_request(listener)).await.expect("it is told");
        let (head, body) = told.split_once("\r\n\r\n").expect("a request");
        let signature = head.lines().find_map(|l| l.strip_prefix("crumple-signature: ")).expect("signed");
        let time = signature.split(['=', ',']).nth(1).and_then(|t| t.parse().ok()).expect("a time");
        assert_eq!(signature, crumple::jobs::signature("0123456789abcdef", time, body));
        let body: Value = serde_json::from_str(body).expect("JSON");
        assert_eq!((&body["batch_id"], &body["reviews"][0]["state"]), (&batch["batch_id"], &json!("failed")));
        assert!(text(&body["reviews"][0], "refusal").contains("no such part"), "{body}");
    });
}

/// Takes one request and answers 204.
async fn one_request(listener: tokio::net::TcpListener) -> String {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let (mut socket, _) = listener.accept().await.expect("a caller");
    let (mut held, mut block) = (Vec::new(), [0; 4096]);
    loop {
        let n = socket.read(&mut block).await.expect("bytes");
        held.extend_from_slice(&block[..n]);
        let text = String::from_utf8_lossy(&held).into_owned();
        let length =
            text.lines().find_map(|l| l.strip_prefix("content-length: ")).and_then(|l| l.trim().parse::<usize>().ok());
        if let (Some((_, body)), Some(length)) = (text.split_once("\r\n\r\n"), length)
            && body.len() >= length
        {
            socket.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.expect("answered");
            return text;
        }
        assert!(n > 0, "cut off: {text}");
    }
}

#[test]
fn a_service_that_is_told_to_end_gives_its_review_back_and_takes_it_up_again() {
    let (folder, data) = desk();
    run(async {
        let served = Served::start(&data, &[]);
        let campaign = served.campaign("Stop").await;
        let (simulation, test) = plate(&served, folder.path(), &campaign).await;
        let order = json!({ "pairs": [{ "simulation_id": simulation, "test_id": test }] });
        let (_, batch) = served.post("reviews", &order).await;
        let id = text(&batch["reviews"][0], "id");
        served.until(&format!("reviews/{id}"), |r| r["state"] != "queued").await;
        // A stream that stays open must not hold up the end.
        let _open = served.client.get(served.api("events")).send().await.expect("a stream");
        let begun = std::time::Instant::now();
        assert!(served.terminate(), "it ends without an error");
        assert!(begun.elapsed() < Duration::from_secs(20), "in time: {:?}", begun.elapsed());
        let served = Served::start(&data, &[]);
        let done = served.until(&format!("reviews/{id}"), |r| r["state"] == "finished").await;
        assert_eq!(done["refusal"], Value::Null);
        let (_, jobs) = served.get("jobs").await;
        let attempts: Vec<u64> = jobs["items"]
            .as_array()
            .expect("jobs")
            .iter()
            .filter(|j| j["kind"] == "review_test")
            .map(|j| j["attempts"].as_u64().expect("a number"))
            .collect();
        assert_eq!(attempts, [1], "an end that was asked for costs no attempt");
    });
}

#[test]
fn a_simulation_and_its_side_car_find_each_other_however_close_they_come() {
    let (folder, data) = desk();
    Plate::new(9.0).write(folder.path());
    let read = |name: &str| std::fs::read(folder.path().join(name)).expect("a file");
    let (simulation, record) = (read("run.vtkhdf"), read("run.json"));
    run(async {
        let served = Served::start(&data, &[]);
        let campaign = served.campaign("Pairs").await;
        for i in 0..8 {
            // What follows an HDF5 file's end is not read, but makes it another file.
            let (a, b) = (folder.path().join(format!("pair{i}.vtkhdf")), folder.path().join(format!("pair{i}.json")));
            std::fs::write(&a, [&simulation[..], &vec![0; i + 1][..]].concat()).expect("written");
            std::fs::write(&b, [&record[..], &vec![b' '; i][..]].concat()).expect("written");
            let (came, _) = tokio::join!(served.upload(&a, &campaign), served.upload(&b, &campaign));
            let (_, read) = served.get(&format!("simulations/{}", text(&came, "simulation_id"))).await;
            assert_eq!(
                (&read["has_sidecar"], &read["parts"][0]["name"]),
                (&json!(true), &json!("plate")),
                "{i}: {read}"
            );
        }
    });
}
