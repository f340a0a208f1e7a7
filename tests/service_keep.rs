//! What people said and gave stays where it belongs: side-cars in their campaign, verdicts in what is exported – and what
//! is deleted is gone.

use std::path::Path;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use crate::support::plate::Plate;
use crate::support::service::{Served, desk, run, text};

async fn delete(served: &Served, path: &str) -> (u16, String) {
    let answer = served.client.delete(served.api(path)).send().await.expect("an answer");
    let status = answer.status().as_u16();
    let problem: Value = answer.json().await.unwrap_or_default();
    (status, problem["detail"].as_str().unwrap_or_default().to_owned())
}

/// A file with its status, tag and text; `seen` is the tag that the caller has.
async fn file(served: &Served, path: &str, seen: Option<&str>) -> (u16, String, String) {
    let request = served.client.get(served.api(path)).header("if-none-match", seen.unwrap_or("\"none\""));
    let answer = request.send().await.expect("an answer");
    let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
    assert_eq!(headers["cache-control"], "no-cache", "{path} changes with its verdicts");
    let tag = headers["etag"].to_str().expect("text").to_owned();
    (status, tag, answer.text().await.expect("text"))
}

#[test]
fn verdicts_are_in_all_that_is_exported_and_what_is_deleted_is_gone() {
    let (folder, data) = desk();
    Plate::new(9.0).write(folder.path());
    run(async {
        let served = Served::start(&data, &[]);
        let campaign = served.campaign("Plate").await;
        served.upload(&folder.path().join("run.json"), &campaign).await;
        let simulation = text(&served.upload(&folder.path().join("run.vtkhdf"), &campaign).await, "simulation_id");
        let test = text(&served.upload(&folder.path().join("test.h5"), &campaign).await, "test_id");
        let id = text(&served.review(&simulation, &test).await, "id");
        verdicts_are_exported(&served, &id).await;
        // A second review that is cancelled does not take the first from the board.
        let order = json!({ "pairs": [{ "simulation_id": simulation, "test_id": test }] });
        let (_, batch) = served.post("reviews", &order).await;
        let second = text(&batch["reviews"][0], "id");
        for thing in [format!("tests/{test}"), format!("simulations/{simulation}"), format!("campaigns/{campaign}")] {
            let (status, why) = delete(&served, &thing).await;
            assert!(status == 409 && why.contains(&second) && why.contains("queued or running"), "{thing}: {why}");
        }
        assert_eq!(delete(&served, &format!("reviews/{second}")).await.0, 202);
        let ended = served
            .until(&format!("reviews/{second}"), |r| !matches!(r["state"].as_str(), Some("queued" | "running")))
            .await;
        assert_eq!(ended["state"], "cancelled", "who was told 202 finds no result: {ended}");
        let (_, board) = served.get(&format!("campaigns/{campaign}")).await;
        let row = &board["tests"][0];
        assert_eq!(
            (&row["shown_review_id"], &row["latest_review_id"], &row["state"]),
            (&json!(id), &json!(second), &json!("reviewed"))
        );
        // Cancelling is not deleting, and a simulation that a finished review shows is needed.
        assert_eq!(delete(&served, &format!("reviews/{id}")).await.0, 409);
        let (status, why) = delete(&served, &format!("simulations/{simulation}")).await;
        assert!(status == 409 && why.contains("rests on it"), "{why}");
        assert_eq!(delete(&served, &format!("reviews/{id}?ended=true")).await.0, 204);
        assert_eq!(served.get(&format!("reviews/{id}/result")).await.0, 404);
        for thing in [format!("tests/{test}"), format!("simulations/{simulation}"), format!("campaigns/{campaign}")] {
            assert_eq!(delete(&served, &thing).await, (204, String::new()), "{thing}");
            assert_eq!(served.get(&thing).await.0, 404, "{thing}");
        }
        // The same file again is a new simulation, without the side-car that went with the old one.
        let campaign = served.campaign("Plate").await;
        let again = served.upload(&folder.path().join("run.vtkhdf"), &campaign).await;
        assert!(text(&again, "simulation_id") != simulation && again["sidecar_name"].is_null(), "{again}");
    });
}

async fn verdicts_are_exported(served: &Served, id: &str) {
    let place = |name: &str| format!("reviews/{id}/{name}");
    let mut seen = Vec::new();
    for name in ["flags.csv", "review.json", "report.html"] {
        let (_, tag, _) = file(served, &place(name), None).await;
        assert_eq!(file(served, &place(name), Some(&tag)).await.0, 304, "{name}");
        seen.push((name, tag));
    }
    let (_, flags) = served.get(&format!("flags?review_id={id}")).await;
    let mismatch = flags["items"].as_array().expect("flags").iter().find(|f| f["verdict_machine"] == "mismatch");
    let flag = text(mismatch.expect("the bulge"), "id");
    let said = json!({ "state": "dismissed", "reason": "shadow, moving", "author": "Ada", "comment": "<b>left</b>" });
    let answer = served.client.put(served.api(&format!("flags/{flag}/verdict"))).json(&said).send().await;
    assert_eq!(answer.expect("an answer").status(), 200);
    for (name, tag) in &seen {
        let (status, _, body) = file(served, &place(name), Some(tag)).await;
        assert_eq!(status, 200, "{name} says something new");
        match *name {
            "flags.csv" => {
                assert!(
                    body.lines()
                        .next()
                        .expect("a head")
                        .ends_with(",state,reason,label,author,comment,judged_at,withdrawn_at")
                );
                assert!(body.contains(",dismissed,\"shadow, moving\",,Ada,<b>left</b>,20"), "{body}");
            }
            "review.json" => {
                let review: Value = serde_json::from_str(&body).expect("JSON");
                assert!(review["flags"].as_array().is_some_and(|f| !f.is_empty()) && review["parts"].is_array());
                let verdict = &review["verdicts"][0];
                assert_eq!((&verdict["state"], &verdict["comment"]), (&json!("dismissed"), &json!("<b>left</b>")));
            }
            _ => {
                assert!(body.contains(", 1 dismissed: ") && body.contains("&lt;b&gt;left&lt;/b&gt;"), "{name}");
                assert!(!body.contains("<b>left</b>"), "{name}: what people write is text");
            }
        }
    }
}

/// A simulation or a side-car as somebody's own file: what follows the end of either is not read.
fn copy(from: &Path, folder: &Path, name: &str, further: usize) -> std::path::PathBuf {
    std::fs::create_dir_all(folder).expect("a folder");
    let mut bytes = std::fs::read(from).expect("a file");
    bytes.extend(std::iter::repeat_n(b' ', further));
    let path = folder.join(name);
    std::fs::write(&path, bytes).expect("written");
    path
}

/// As if its last part had come `days` ago.
fn age(file: &Path, days: u64) {
    let then = SystemTime::now() - Duration::from_secs(days * 86_400);
    std::fs::File::options().append(true).open(file).and_then(|f| f.set_modified(then)).expect("the file ages");
}

#[test]
fn an_upload_that_never_goes_on_is_forgotten_when_it_said() {
    let (folder, data) = desk();
    Plate::new(9.0).write(folder.path());
    let bytes = std::fs::read(folder.path().join("run.vtkhdf")).expect("a file");
    run(async {
        let served = Served::start(&data, &["--keep-uploads-days", "3"]);
        let campaign = served.campaign("Plate").await;
        let (old, young) = (
            served.announce("old.vtkhdf", bytes.len(), &campaign).await,
            served.announce("young.vtkhdf", bytes.len(), &campaign).await,
        );
        for place in [&old, &young] {
            assert_eq!(served.part(place, 0, &bytes[..1000], None).await, 204);
        }
        let answer = served.client.head(&old).send().await.expect("an answer");
        let until = httpdate::parse_http_date(answer.headers()["upload-expires"].to_str().expect("text"));
        let left = until.expect("a date").duration_since(SystemTime::now()).expect("in the future");
        assert!((2.9..=3.0).contains(&(left.as_secs_f64() / 86_400.0)), "{left:?}");
        let file = |place: &str| data.join("uploads").join(place.rsplit('/').next().expect("an id"));
        age(&file(&old), 4);
        age(&file(&young), 2);
        let served = served.kill_and_restart(&data);
        let status = served.client.head(&old).send().await.expect("an answer").status();
        assert!(status == 404 && !file(&old).exists(), "{status}");
        assert_eq!(served.part(&young, 1000, &bytes[1000..], None).await, 204, "it goes on");
        assert_eq!(served.read(&young).await["state"], "accepted");
        let whole = served.client.head(&young).send().await.expect("an answer");
        assert!(!whole.headers().contains_key("upload-expires"), "what is whole does not expire");
    });
}

#[test]
fn a_side_car_stays_in_its_campaign_and_takes_no_others_place() {
    let (folder, data) = desk();
    Plate::new(9.0).write(folder.path());
    let (run_file, record) = (folder.path().join("run.vtkhdf"), folder.path().join("run.json"));
    run(async {
        let served = Served::start(&data, &[]);
        let (ours, theirs) = (served.campaign("Ours").await, served.campaign("Theirs").await);
        let (a, b) = (folder.path().join("a"), folder.path().join("b"));
        served.upload(&copy(&record, &a, "simulation.json", 0), &ours).await;
        let first = served.upload(&copy(&run_file, &a, "simulation.vtkhdf", 1), &ours).await;
        assert_eq!(first["sidecar_name"], "simulation.json", "{first}");
        let first = text(&first, "simulation_id");
        let (_, kept) = served.get(&format!("simulations/{first}")).await;
        assert_eq!(kept["sidecar_campaign_id"], json!(ours), "{kept}");
        // Another run of the same name, elsewhere: it takes nothing and gives nothing.
        let second = served.upload(&copy(&run_file, &b, "simulation.vtkhdf", 2), &theirs).await;
        assert!(second["sidecar_name"].is_null(), "it took the side-car of another campaign: {second}");
        let joined = served.upload(&copy(&record, &b, "simulation.json", 3), &theirs).await;
        assert_eq!(joined["simulation_id"], second["simulation_id"], "{joined}");
        let (_, now) = served.get(&format!("simulations/{first}")).await;
        assert_eq!(now, kept, "a later upload elsewhere changed it");
        // In its own campaign a side-car is mended by one of its name.
        let mended = served.upload(&copy(&record, &a, "simulation.json", 5), &ours).await;
        assert_eq!(mended["simulation_id"], json!(first), "{mended}");
        let (_, now) = served.get(&format!("simulations/{first}")).await;
        assert_eq!(now["sidecar_sha256"], mended["sha256"], "{now}");
        // The same run under another name in another campaign has one already.
        served.upload(&copy(&run_file, &b, "other.vtkhdf", 1), &theirs).await;
        let refused = served.upload(&copy(&record, &b, "other.json", 7), &theirs).await;
        assert!(
            refused["state"] == "refused" && text(&refused, "refusal").contains("has a side-car already"),
            "{refused}"
        );
    });
}

#[test]
fn a_frame_is_not_replaced_and_a_live_test_keeps_its_figures() {
    let (folder, data) = desk();
    let plate = Plate::new(9.0);
    plate.write(folder.path());
    run(async {
        let served = Served::start(&data, &[]);
        let campaign = served.campaign("Live").await;
        served.upload(&folder.path().join("run.json"), &campaign).await;
        let simulation = text(&served.upload(&folder.path().join("run.vtkhdf"), &campaign).await, "simulation_id");
        let begin = plate.live(&simulation, &campaign);
        let (status, live) = served.post("live", &begin).await;
        assert_eq!(status, 201, "{live}");
        let id = text(&live, "id");
        let camera = text(&begin["cameras"][0], "name");
        let times: Vec<f64> =
            begin["cameras"][0]["times_s"].as_array().expect("times").iter().filter_map(Value::as_f64).collect();
        for (frame, time_s) in plate.record.frames.outer_iter().zip(&times) {
            let grey: Vec<u8> = frame.iter().copied().collect();
            let place = served.api(&format!("live/{id}/frames?camera={camera}&time_s={time_s}"));
            let sent = async |body: Vec<u8>| {
                let answer = served.client.post(&place).body(body).send().await.expect("an answer");
                answer.status().as_u16()
            };
            assert_eq!(sent(grey.clone()).await, 202);
            assert_eq!(sent(grey.clone()).await, 202, "the same frame again");
            let png = image::GrayImage::from_raw(frame.ncols() as u32, frame.nrows() as u32, grey.clone())
                .expect("a picture");
            let mut bytes = std::io::Cursor::new(Vec::new());
            png.write_to(&mut bytes, image::ImageFormat::Png).expect("a PNG");
            assert_eq!(sent(bytes.into_inner()).await, 202, "the same pixels in a file");
            let mut other = grey;
            other[0] ^= 1;
            assert_eq!(sent(other).await, 409, "other pixels at the same time");
        }
        let seen = served
            .until(&format!("live/{id}"), |l| l["last_time_s"].is_number() && l["reviewed"].as_u64() >= Some(1))
            .await;
        assert_eq!(seen["received"], json!(times.len()), "{seen}");
        let (_, ended) = served.post(&format!("live/{id}/end"), &json!({})).await;
        let (_, later) = served.get(&format!("live/{id}")).await;
        for ended in [ended, later] {
            assert!(ended["ended"] == true && ended["last_time_s"].as_f64() >= seen["last_time_s"].as_f64(), "{ended}");
            assert!(ended["reviewed"].as_u64() >= seen["reviewed"].as_u64(), "{ended}");
            for figure in ["p50_ms", "p99_ms"] {
                assert!(seen[figure].is_null() || ended[figure].is_number(), "{figure}: {seen} {ended}");
            }
        }
    });
}
