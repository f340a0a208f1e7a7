//! The way of a suggestion through the service: a study of uploaded runs, a suggestion, decisions, a re-run, its receipt.

use std::path::Path;
use std::time::Instant;

use crumple::export::Ledger;
use serde_json::{Value, json};

use crate::support::plate::{Plate, SPEED_M_S};
use crate::support::service::{Served, desk, run, text};

/// The test's own bulge, mm.
const TRUE_BULGE_MM: f64 = 9.0;

/// Runs of the study: bulge in mm and speed in m/s; the first is the one that is reviewed.
const RUNS: [(f64, f64); 9] = [
    (0.0, SPEED_M_S),
    (2.0, 3.7),
    (4.0, 4.3),
    (6.0, 3.9),
    (8.0, 4.2),
    (11.0, 3.65),
    (12.5, 4.1),
    (14.0, 3.8),
    (16.0, 4.35),
];

async fn upload_run(served: &Served, folder: &Path, campaign: &str, name: &str, (bulge, speed): (f64, f64)) -> String {
    Plate::write_run(folder, name, bulge, speed);
    served.upload(&folder.join(format!("{name}.json")), campaign).await;
    let read = served.upload(&folder.join(format!("{name}.vtkhdf")), campaign).await;
    assert_eq!(read["state"], "accepted", "{read}");
    text(&read, "simulation_id")
}

async fn put(served: &Served, path: &str, body: &Value) -> (u16, Value) {
    let answer = served.client.put(served.api(path)).json(body).send().await.expect("an answer");
    (answer.status().as_u16(), answer.json().await.unwrap_or(Value::Null))
}

fn ended(thing: &Value) -> bool {
    !matches!(thing["state"].as_str().or(thing["suggestion"]["state"].as_str()), Some("queued" | "running"))
}

#[test]
fn a_suggestion_comes_from_the_uploaded_runs_and_gets_its_receipt_from_the_rerun() {
    let (folder, data) = desk();
    run(async {
        let served = Served::start(&data, &[]);
        let campaign = served.campaign("Study").await;
        Plate::new(TRUE_BULGE_MM).write(folder.path());
        let test = text(&served.upload(&folder.path().join("test.h5"), &campaign).await, "test_id");
        let reviewed = upload_run(&served, folder.path(), &campaign, "plate_0", RUNS[0]).await;
        let review = text(&served.review(&reviewed, &test).await, "id");
        too_few_runs_are_said_to_be_too_few(&served, &review).await;
        for (i, values) in RUNS.iter().enumerate().skip(1) {
            upload_run(&served, folder.path(), &campaign, &format!("plate_{i}"), *values).await;
        }
        let (status, asked) = served.post(&format!("reviews/{review}/suggestions"), &json!({ "next_runs": 3 })).await;
        assert_eq!(status, 202, "{asked}");
        let id = text(&asked, "id");
        let (_, twice) = served.post(&format!("reviews/{review}/suggestions"), &json!({ "next_runs": 3 })).await;
        assert!(twice["id"] == asked["id"] || twice["state"] == "queued", "one under way is not begun twice: {twice}");
        // A service that is killed in between takes it up again.
        served.kill();
        let served = Served::start(&data, &[]);
        let answer = served.until(&format!("suggestions/{id}"), ended).await;
        assert_eq!(answer["suggestion"]["state"], "finished", "{}", answer["suggestion"]);
        let change = says_where_the_bulge_goes(&answer["document"]);
        files_come_out(&served, &id).await;
        the_model_follows(&served, &review, &id).await;
        decisions_are_checked(&served, &id, change).await;
        let rerun = upload_run(&served, folder.path(), &campaign, "plate_rerun", (TRUE_BULGE_MM, SPEED_M_S)).await;
        let tried = json!({ "state": "tried", "simulation_id": rerun, "author": "Ada" });
        let (status, receipt) = put(&served, &format!("suggestions/{id}/changes/{change}/decision"), &tried).await;
        assert_eq!((status, receipt["event"].as_str()), (200, Some("tried")), "{receipt}");
        let after = served.review(&rerun, &test).await;
        assert_eq!(after["state"], "finished", "{after}");
        receipts_hold(&served, folder.path(), &id, &text(&after, "id")).await;
        the_study_is_heard_unless_the_order_says_no(&served, &after, &rerun, &test).await;
    });
}

/// `heard` is a review of a simulation of the study, which its order said nothing of.
async fn the_study_is_heard_unless_the_order_says_no(served: &Served, heard: &Value, simulation: &str, test: &str) {
    assert_eq!(heard["study"], true, "{heard}");
    let runs = |document: &Value| {
        let inputs = document["inputs"].as_array().expect("inputs").iter();
        inputs.filter(|i| i["role"] == "study run").count()
    };
    let (_, document) = served.get(&format!("reviews/{}/review.json", text(heard, "id"))).await;
    assert!(runs(&document) >= RUNS.len(), "{}", document["inputs"]);
    let order = json!({ "pairs": [{ "simulation_id": simulation, "test_id": test }], "study": false });
    let (status, batch) = served.post("reviews", &order).await;
    assert_eq!((status, &batch["reviews"][0]["study"]), (202, &json!(false)), "{batch}");
    let id = text(&batch["reviews"][0], "id");
    let alone = served.until(&format!("reviews/{id}"), ended).await;
    assert_eq!(alone["state"], "finished", "{alone}");
    let (_, document) = served.get(&format!("reviews/{id}/review.json")).await;
    assert_eq!(runs(&document), 0, "{}", document["inputs"]);
}

async fn too_few_runs_are_said_to_be_too_few(served: &Served, review: &str) {
    let (status, asked) = served.post(&format!("reviews/{review}/suggestions"), &json!({})).await;
    assert_eq!(status, 202, "{asked}");
    let failed = served.until(&format!("suggestions/{}", text(&asked, "id")), ended).await;
    let why = text(&failed["suggestion"], "refusal");
    assert!(failed["suggestion"]["state"] == "failed" && why.contains("found 1 simulation of the family"), "{failed}");
    assert_eq!(served.post("reviews/nothing/suggestions", &json!({})).await.0, 404);
    let path = format!("reviews/{review}/suggestions");
    assert_eq!(served.post(&path, &json!({ "next_runs": 65 })).await.0, 422);
}

/// The answer moves the bulge to where the test has it; returns the rank of a change that does.
fn says_where_the_bulge_goes(document: &Value) -> u64 {
    let estimate = &document["parameters"][0];
    assert_eq!(estimate["parameter"]["name"], "bulge", "{document}");
    let value = estimate["estimate"]["value"].as_f64().expect("a number");
    assert!((value - TRUE_BULGE_MM).abs() < 0.1 * 16.0, "the test bulges by {TRUE_BULGE_MM} mm, found {value}");
    let changes = document["changes"].as_array().expect("changes");
    let moved = |c: &&Value| c["moves"].as_array().is_some_and(|m| m.iter().any(|m| m["name"] == "bulge"));
    let change = changes.iter().find(moved).unwrap_or_else(|| panic!("no change moves the bulge: {document}"));
    assert!(change["after_mm"]["value"].as_f64() < change["before_mm"].as_f64(), "{change}");
    let inputs = document["inputs"].as_array().expect("inputs");
    assert!(inputs.iter().all(|i| !text(i, "path").contains('/')), "our folders are nobody's business: {inputs:?}");
    change["rank"].as_u64().expect("a rank")
}

async fn files_come_out(served: &Served, id: &str) {
    for (file, begins) in
        [("suggestion.html", "<!doctype html>"), ("next-runs.csv", "run,bulge,speed"), ("next-runs.json", "{")]
    {
        let (status, bytes) = served.bytes(&format!("suggestions/{id}/{file}")).await;
        let head = String::from_utf8_lossy(&bytes[..bytes.len().min(20)]).to_lowercase();
        assert!(status == 200 && head.starts_with(begins), "{file}: {status} {head}");
    }
    let (_, runs) = served.get(&format!("suggestions/{id}/next-runs.json")).await;
    assert_eq!(runs["runs"].as_array().map(Vec::len), Some(3), "{runs}");
}

/// The mesh at the reviewed values is the reviewed simulation, another bulge moves it, and each answer comes at once.
async fn the_model_follows(served: &Served, review: &str, id: &str) {
    let (_, result) = served.get(&format!("reviews/{review}/result")).await;
    let times = result["times_s"].as_array().expect("times");
    let (last, time) = (times.len() - 1, times[times.len() - 1].as_f64().expect("a time"));
    let floats =
        |bytes: &[u8]| -> Vec<f32> { bytes.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect() };
    let mesh = |bulge: f64| format!("suggestions/{id}/surrogate/mesh?time_s={time}&p={bulge},{SPEED_M_S}");
    let (status, bytes) = served.bytes(&mesh(0.0)).await;
    let (_, state) = served.bytes(&format!("reviews/{review}/states/{last}")).await;
    let (model, simulated) = (floats(&bytes), floats(&state));
    assert_eq!((status, model.len()), (200, 3 * 546));
    let farthest = model.iter().zip(&simulated).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(farthest < 0.5, "the model is {farthest} mm off the run that it was made of");
    let (_, bytes) = served.bytes(&mesh(16.0)).await;
    let moved = floats(&bytes).iter().zip(&model).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!((12.0..18.0).contains(&moved), "the bulge of 16 mm moves the mesh by {moved} mm");
    let mut took_ms: Vec<f64> = Vec::new();
    for step in 0..50 {
        let begun = Instant::now();
        let (status, _) = served.bytes(&mesh(0.3 * f64::from(step))).await;
        took_ms.push(begun.elapsed().as_secs_f64() * 1e3);
        assert_eq!(status, 200);
    }
    took_ms.sort_by(f64::total_cmp);
    assert!(took_ms[25] <= 60.0, "a slider's answer: median {:.1} ms, largest {:.1} ms", took_ms[25], took_ms[49]);
    for (path, expected) in [(mesh(17.0), 422), (mesh(f64::NAN), 422), (mesh(0.0).replace("&p=0,", "&p="), 422)] {
        assert_eq!(served.bytes(&path).await.0, expected, "{path}");
    }
    assert_eq!(served.bytes(&format!("suggestions/{id}/surrogate/mesh?time_s=0&p=a,b")).await.0, 400);
}

async fn decisions_are_checked(served: &Served, id: &str, change: u64) {
    let place = format!("suggestions/{id}/changes/{change}/decision");
    let accepted = put(served, &place, &json!({ "state": "accepted", "author": "Ada", "note": "next week" })).await;
    assert_eq!((accepted.0, accepted.1["event"].as_str()), (200, Some("accepted")), "{accepted:?}");
    for (path, body, status) in [
        (place.as_str(), json!({ "state": "rejected" }), 422),
        (place.as_str(), json!({ "state": "accepted", "simulation_id": "x" }), 422),
        (place.as_str(), json!({ "state": "tried", "simulation_id": "x" }), 404),
        (&format!("suggestions/{id}/changes/99/decision"), json!({ "state": "accepted" }), 404),
        (&format!("suggestions/{id}/changes/0/decision"), json!({ "state": "accepted" }), 422),
    ] {
        let (found, problem) = put(served, path, &body).await;
        assert_eq!(found, status, "{path} {body}: {problem}");
    }
}

/// Predicted and obtained stand side by side, and the chain of the ledger holds.
async fn receipts_hold(served: &Served, folder: &Path, id: &str, review: &str) {
    let path = format!("suggestions/{id}/receipts");
    let has =
        |r: &Value, event: &str| r["items"].as_array().is_some_and(|all| all.iter().any(|each| each["event"] == event));
    let receipts = served.until(&path, |r| has(r, "obtained")).await;
    let items = receipts["items"].as_array().expect("receipts");
    let events: Vec<&str> = items.iter().filter_map(|r| r["event"].as_str()).collect();
    assert_eq!(events, ["suggested", "accepted", "tried", "obtained"]);
    let obtained = &items[3];
    assert_eq!(text(obtained, "review_id"), review);
    let number = |key: &str| obtained[key].as_f64().unwrap_or(f64::NAN);
    assert!(number("obtained_mm") < 0.5 * number("before_mm"), "the re-run comes to the test: {obtained}");
    assert!(obtained["predicted_mm"]["value"].is_number(), "{obtained}");
    let (_, ledger) = served.bytes("receipts.jsonl").await;
    let file = folder.join("receipts.jsonl");
    std::fs::write(&file, &ledger).expect("written");
    let lines = Ledger::open(&file).expect("the chain holds").lines().len();
    assert_eq!(lines, events.len());
    std::fs::write(&file, String::from_utf8_lossy(&ledger).replace("next week", "never")).expect("written");
    assert!(Ledger::open(&file).is_err(), "a changed line shows");
}
