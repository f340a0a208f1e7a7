//! A test that arrives frame by frame: flags before its end, no frame lost, the whole film reviewed afterwards.

use serde_json::{Value, json};

use crate::support::plate::Plate;
use crate::support::service::{Served, desk, run, text};

#[test]
fn a_replayed_film_is_flagged_as_it_arrives_and_reviewed_as_a_whole_afterwards() {
    let (folder, data) = desk();
    Plate::new(9.0).write(folder.path());
    let served = Served::start(&data, &[]);
    let campaign = run(async {
        let campaign = served.campaign("Live").await;
        served.upload(&folder.path().join("run.json"), &campaign).await;
        served.upload(&folder.path().join("run.vtkhdf"), &campaign).await;
        campaign
    });
    let replay = crate::support::program::program(folder.path())
        .args(["replay", "test.h5", "--speed", "0.0005", "--campaign", "Live", "--url", &served.url])
        .output()
        .expect("the binary runs");
    let told = String::from_utf8_lossy(&replay.stdout).into_owned();
    assert!(replay.status.success(), "{told}{}", String::from_utf8_lossy(&replay.stderr));
    assert!(
        told.contains("sent 14 frames") && told.contains("from arrival to flag on the event stream: median"),
        "{told}"
    );
    assert!(!told.contains("(0 moments)"), "its flags were heard of while it ran: {told}");
    assert!(!told.contains("mismatches so far: 0"), "the bulge is seen while the film runs: {told}");
    run(async {
        let (_, tests) = served.get(&format!("tests?campaign_id={campaign}")).await;
        let test = &tests["items"][0];
        assert_eq!(test["cameras"][0]["frames"], 14, "no frame is lost: {test}");
        let id = text(test, "latest_review_id");
        // Both pictures of a moment that was seen live are there, also while the whole film is reviewed.
        for layer in ["film", "predicted"] {
            let (status, jpeg) = served.bytes(&format!("reviews/{id}/pictures/left/0.jpg?layer={layer}")).await;
            assert!(status == 200 && image::load_from_memory(&jpeg).is_ok(), "{layer}: {status}");
        }
        let review =
            served.until(&format!("reviews/{id}"), |r| r["state"] != "queued" && r["state"] != "running").await;
        assert_eq!(
            (&review["state"], &review["live"], &review["pictures_done"]),
            (&json!("finished"), &json!(true), &json!(14))
        );
        let (_, result) = served.get(&format!("reviews/{id}/result")).await;
        assert_eq!(result["times_s"].as_array().map(Vec::len), Some(14));
    });
}

#[test]
fn frames_survive_a_kill_and_a_frame_that_was_not_announced_is_refused() {
    let (folder, data) = desk();
    Plate::new(9.0).write(folder.path());
    run(async {
        let served = Served::start(&data, &[]);
        let campaign = served.campaign("Cut").await;
        let simulation = text(&served.upload(&folder.path().join("run.vtkhdf"), &campaign).await, "simulation_id");
        let pose = [1.0, 0.0, 0.0, -50.0, 0.0, 1.0, 0.0, -40.0, 0.0, 0.0, 1.0, 300.0, 0.0, 0.0, 0.0, 1.0];
        let camera = json!({ "name": "cam", "width": 64, "height": 48, "intrinsics": [60.0, 60.0, 31.5, 23.5],
            "pose": pose, "times_s": [0.0, 0.001, 0.002] });
        let begin = json!({ "simulation_id": simulation, "campaign_id": campaign, "name": "cut", "cameras": [camera] });
        let (status, live) = served.post("live", &begin).await;
        assert_eq!(status, 201, "{live}");
        let id = text(&live, "id");
        let grey = vec![90u8; 64 * 48];
        assert_eq!(send(&served, &id, "cam", 0.0, grey.clone()).await.0, 202);
        let (status, problem) = send(&served, &id, "cam", 0.0005, grey.clone()).await;
        assert!(status == 422 && text(&problem, "detail").contains("no announced time"), "{problem}");
        let (status, problem) = send(&served, &id, "top", 0.001, grey.clone()).await;
        assert!(status == 422 && text(&problem, "detail").contains("cam"), "{problem}");
        let (status, problem) = send(&served, &id, "cam", 0.001, vec![1; 7]).await;
        assert!(status == 422 && text(&problem, "detail").contains("64 x 48"), "{problem}");
        served.kill();
        let served = Served::start(&data, &[]);
        stream(&served, &id, &grey).await;
        let (_, live) = served.get(&format!("live/{id}")).await;
        assert_eq!(live["received"], 2, "the frame before the kill and the one after: {live}");
        let (status, ended) = served.post(&format!("live/{id}/end"), &json!({})).await;
        assert_eq!((status, &ended["ended"]), (200, &json!(true)), "{ended}");
        assert_eq!(send(&served, &id, "cam", 0.002, grey).await.0, 422, "it has ended");
    });
}

#[test]
fn a_live_test_ends_also_when_cameras_sent_nothing() {
    let (folder, data) = desk();
    Plate::new(9.0).write(folder.path());
    run(async {
        let served = Served::start(&data, &["--max-live", "1"]);
        let campaign = served.campaign("Dark").await;
        let simulation = text(&served.upload(&folder.path().join("run.vtkhdf"), &campaign).await, "simulation_id");
        let pose = [1.0, 0.0, 0.0, -50.0, 0.0, 1.0, 0.0, -40.0, 0.0, 0.0, 1.0, 300.0, 0.0, 0.0, 0.0, 1.0];
        let camera = |name: &str| {
            json!({ "name": name, "width": 64, "height": 48, "intrinsics": [60.0, 60.0, 31.5, 23.5], "pose": pose,
                "times_s": [0.0, 0.001] })
        };
        let begin = json!({ "simulation_id": simulation, "campaign_id": campaign, "name": "dark",
            "cameras": [camera("left"), camera("right")] });
        let (_, live) = served.post("live", &begin).await;
        let (status, ended) = served.post(&format!("live/{}/end", text(&live, "id")), &json!({})).await;
        assert_eq!((status, &ended["ended"]), (200, &json!(true)), "{ended}");
        let (_, review) = served.get(&format!("reviews/{}", text(&live, "review_id"))).await;
        assert_eq!(review["state"], "cancelled", "there is nothing to review: {review}");
        // Its place is free again, and a camera that sent nothing is left out of the film.
        let (status, live) = served.post("live", &begin).await;
        assert_eq!(status, 201, "{live}");
        let id = text(&live, "id");
        assert_eq!(send(&served, &id, "right", 0.0, vec![90u8; 64 * 48]).await.0, 202);
        let (status, ended) = served.post(&format!("live/{id}/end"), &json!({})).await;
        assert_eq!(status, 200, "{ended}");
        let place = format!("reviews/{}", text(&live, "review_id"));
        let review = served.until(&place, |r| r["state"] != "queued" && r["state"] != "running").await;
        assert!(
            review["state"] == "finished" || text(&review, "refusal").contains("right"),
            "one camera's film: {review}"
        );
    });
}

async fn send(served: &Served, live: &str, camera: &str, time_s: f64, body: Vec<u8>) -> (u16, Value) {
    let place = served.api(&format!("live/{live}/frames?camera={camera}&time_s={time_s}"));
    let answer = served.client.post(place).body(body).send().await.expect("an answer");
    (answer.status().as_u16(), answer.json().await.unwrap_or(Value::Null))
}

/// One frame by WebSocket.
async fn stream(served: &Served, live: &str, grey: &[u8]) {
    use futures_util::{SinkExt as _, StreamExt as _};
    use tokio_tungstenite::tungstenite::Message;
    let place = served.api(&format!("live/{live}/stream")).replace("http://", "ws://");
    let (mut socket, _) = tokio_tungstenite::connect_async(place).await.expect("a socket");
    let head = json!({ "camera": "cam", "time_s": 0.001 }).to_string();
    let mut message = u32::try_from(head.len()).expect("short").to_le_bytes().to_vec();
    message.extend_from_slice(head.as_bytes());
    message.extend_from_slice(grey);
    socket.send(Message::Binary(message.into())).await.expect("sent");
    let answer = socket.next().await.expect("an answer").expect("a message").into_text().expect("text").to_string();
    assert_eq!(answer, "{\"received\":2}");
    socket.send(Message::Text("not a frame".into())).await.expect("sent");
    socket.send(Message::Binary(vec![1, 2].into())).await.expect("sent");
    let answer = socket.next().await.expect("an answer").expect("a message").into_text().expect("text").to_string();
    assert!(answer.contains("length of the head"), "{answer}");
}

#[test]
fn files_that_are_dropped_into_a_watched_folder_are_reviewed_and_bad_ones_do_not_end_the_watch() {
    let (folder, data) = desk();
    let drop = folder.path().join("drop");
    std::fs::create_dir(&drop).expect("a folder");
    Plate::new(9.0).write(&drop);
    std::fs::write(drop.join("broken.h5"), "no film").expect("written");
    std::fs::write(drop.join("notes.txt"), "not for the service").expect("written");
    let served = Served::start(&data, &[]);
    let watch = crate::support::program::program(folder.path())
        .args(["watch", "drop", "--once", "--still-s", "1", "--campaign", "Dropped", "--url", &served.url])
        .output()
        .expect("the binary runs");
    let told = String::from_utf8_lossy(&watch.stdout).into_owned();
    assert!(watch.status.success(), "{told}{}", String::from_utf8_lossy(&watch.stderr));
    assert!(told.contains("broken.h5: ") && told.contains("no HDF5 signature"), "{told}");
    assert!(told.contains("test.h5: test ") && told.contains("review "), "{told}");
    run(async {
        let (_, reviews) = served.get("reviews").await;
        assert_eq!(reviews["items"].as_array().map(Vec::len), Some(1), "{reviews}");
        let (_, simulations) = served.get("simulations").await;
        assert_eq!(simulations["items"][0]["has_sidecar"], true, "the side-car came first and waited");
    });
}

/// Writes each picture in two halves, as a slow camera does.
fn write_slowly(folder: &std::path::Path, plate: &Plate) {
    for (i, frame) in plate.record.frames.outer_iter().enumerate() {
        let (h, w) = frame.dim();
        let grey = image::GrayImage::from_raw(w as u32, h as u32, frame.iter().copied().collect()).expect("a picture");
        let mut png = std::io::Cursor::new(Vec::new());
        grey.write_to(&mut png, image::ImageFormat::Png).expect("a PNG");
        let (png, path) = (png.into_inner(), folder.join(format!("f_{i}.png")));
        std::fs::write(&path, &png[..png.len() / 2]).expect("written");
        std::thread::sleep(std::time::Duration::from_millis(300));
        std::fs::write(&path, &png).expect("written");
    }
}

#[test]
fn a_film_that_is_still_being_written_is_reviewed_as_it_grows() {
    let (folder, data) = desk();
    let drop = folder.path().join("drop");
    let shot = drop.join("shot");
    std::fs::create_dir_all(&shot).expect("a folder");
    let plate = Plate::new(9.0);
    plate.write(&drop);
    std::fs::remove_file(drop.join("test.h5")).expect("removed");
    let (k, pose) = (&plate.record.intrinsics, plate.record.pose.clone().expect("a pose"));
    let targets: String =
        plate.record.targets.iter().map(|(w, p)| format!("[[targets]]\nworld = {w:?}\nimage = {p:?}\n")).collect();
    let rows: Vec<&[f64]> = pose.chunks(4).collect();
    let toml = format!(
        "intrinsics = {:?}\npose = {rows:?}\nframe_rate_hz = 2000.0\nfirst_time_s = -0.0005\n{targets}",
        [k[0], k[4], k[2], k[5]]
    );
    std::fs::write(shot.join("camera.toml"), toml).expect("written");
    let served = Served::start(&data, &[]);
    let watch = || {
        let mut command = crate::support::program::program(folder.path());
        command.args([
            "watch",
            "drop",
            "--once",
            "--still-s",
            "1",
            "--film-still-s",
            "6",
            "--campaign",
            "Grows",
            "--url",
            &served.url,
        ]);
        command
    };
    let child = watch().stdout(std::process::Stdio::piped()).spawn().expect("the binary runs");
    write_slowly(&shot, &plate);
    let told = child.wait_with_output().expect("it ends");
    let told = String::from_utf8_lossy(&told.stdout).into_owned();
    assert!(told.contains("shot: live test ") && told.contains("ended after 14 pictures;"), "{told}");
    run(async {
        let (_, tests) = served.get("tests").await;
        let test = &tests["items"][0];
        assert_eq!((&test["name"], &test["cameras"][0]["frames"]), (&json!("shot"), &json!(14)), "{test}");
        let id = text(test, "latest_review_id");
        let review =
            served.until(&format!("reviews/{id}"), |r| r["state"] != "queued" && r["state"] != "running").await;
        assert_eq!((&review["state"], &review["pictures_done"]), (&json!("finished"), &json!(14)), "{review}");
    });
    // Whoever starts the watch again finds what is known; nothing is sent or reviewed twice.
    let again = watch().output().expect("the binary runs");
    let told = String::from_utf8_lossy(&again.stdout).into_owned();
    assert!(again.status.success() && told.contains("\"shot\" is in this campaign already"), "{told}");
    run(async {
        let (_, reviews) = served.get("reviews").await;
        assert_eq!(reviews["items"].as_array().map(Vec::len), Some(1), "{reviews}");
        let (_, simulations) = served.get("simulations").await;
        assert_eq!(simulations["items"].as_array().map(Vec::len), Some(1), "{simulations}");
    });
}
