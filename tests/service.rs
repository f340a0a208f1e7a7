//! The service's description and its behaviour at the edges, without reviews.

use crate::support::service::{Served, base64, desk, run};

/// A change of the API shows here first: the page's client is generated from this file.
#[test]
fn the_description_of_the_api() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/snapshots/openapi.json");
    let text = crumple::http::openapi().to_pretty_json().expect("JSON") + "\n";
    let known = std::fs::read_to_string(&path).unwrap_or_default();
    if text != known {
        let new = path.with_extension("json.new");
        std::fs::write(&new, text).expect("written");
        panic!("the API changed: compare {} with {}, and rename it if that is meant", new.display(), path.display());
    }
}

/// A generator follows every reference.
#[test]
fn the_description_refers_to_nothing_that_it_does_not_define() {
    let text = crumple::http::openapi().to_json().expect("JSON");
    let description: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let schemas = description["components"]["schemas"].as_object().expect("schemas");
    let lost: Vec<&str> = text
        .split("#/components/schemas/")
        .skip(1)
        .map(|rest| rest.split('"').next().unwrap_or_default())
        .filter(|name| !schemas.contains_key(*name))
        .collect();
    assert!(lost.is_empty(), "{lost:?}");
}

/// Every route is described, and says how it fails.
#[test]
fn the_description_names_the_statuses_of_every_route() {
    let text = crumple::http::openapi().to_json().expect("JSON");
    let description: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let paths = description["paths"].as_object().expect("paths");
    assert!(paths.len() > 30, "{}", paths.len());
    for (path, methods) in paths {
        for (method, route) in methods.as_object().expect("methods") {
            let answers = route["responses"].as_object().expect("answers");
            assert!(answers.keys().any(|s| s.starts_with('2') || s == "101"), "{method} {path}");
            assert!(!path.contains("{id}") || answers.contains_key("404"), "{method} {path} may not be there");
            assert!(route["summary"].as_str().is_some_and(|s| s.len() > 10), "{method} {path} says nothing of itself");
        }
    }
}

#[test]
fn it_answers_for_operators_and_for_people_who_lost_their_way() {
    let (_folder, data) = desk();
    let served = Served::start(&data, &[]);
    run(async {
        for (place, status) in [
            ("/healthz", 200),
            ("/readyz", 200),
            ("/metrics", 200),
            ("/api/docs/", 200),
            ("/any/page", 200),
            ("/assets/nope.js", 404),
        ] {
            let answer = served.client.get(format!("{}{place}", served.url)).send().await.expect("an answer");
            assert_eq!(answer.status(), status, "{place}");
        }
        let metrics = served.client.get(format!("{}/metrics", served.url)).send().await.expect("an answer");
        let text = metrics.text().await.expect("text");
        assert!(
            text.contains("crumple_jobs{state=\"queued\"} 0") && text.contains("crumple_http_requests_total"),
            "{text}"
        );
        for (path, status) in [
            ("nothing", 404),
            ("reviews/none", 404),
            ("reviews/%ff%fe", 400),
            ("tests?limit=0", 400),
            ("reviews?state=odd", 400),
        ] {
            let answer = served.client.get(served.api(path)).send().await.expect("an answer");
            assert_eq!(answer.status(), status, "{path}");
            assert_eq!(answer.headers()["content-type"], "application/problem+json", "{path}");
            let problem: serde_json::Value = answer.json().await.expect("JSON");
            assert_eq!(problem["status"], status);
            assert!(problem["detail"].as_str().is_some_and(|d| d.len() > 10), "{problem}");
        }
        let (status, problem) = served.post("campaigns", &serde_json::json!({ "nam": "x" })).await;
        assert_eq!(status, 422, "{problem}");
        served.campaign("A").await;
        let (status, _) = served.post("campaigns", &serde_json::json!({ "name": "A" })).await;
        assert_eq!(status, 409, "a name is taken once");
        for name in ["a\u{0}b", "a\nb", "abc\u{202e}gpj"] {
            let (status, problem) = served.post("campaigns", &serde_json::json!({ "name": name })).await;
            assert!(
                status == 422 && problem["detail"].as_str().is_some_and(|d| d.contains("U+")),
                "{name:?}: {problem}"
            );
        }
    });
}

#[test]
fn a_single_thing_is_not_sent_twice_and_a_list_has_pages() {
    let (_folder, data) = desk();
    let served = Served::start(&data, &[]);
    run(async {
        let mut ids = Vec::new();
        for name in ["one", "two", "three"] {
            ids.push(served.campaign(name).await);
        }
        let (_, first) = served.get("campaigns?limit=2").await;
        let cursor = first["next_cursor"].as_str().expect("there is more").to_owned();
        let (_, second) = served.get(&format!("campaigns?limit=2&cursor={cursor}")).await;
        let listed: Vec<String> = [&first, &second]
            .iter()
            .flat_map(|l| {
                l["items"].as_array().expect("items").iter().map(|c| c["id"].as_str().expect("id").to_owned())
            })
            .collect();
        ids.reverse();
        assert_eq!((listed, second["next_cursor"].is_null()), (ids.clone(), true), "newest first, each once");
        let place = served.api(&format!("campaigns/{}", ids[0]));
        let answer = served.client.get(&place).send().await.expect("an answer");
        let tag = answer.headers()["etag"].clone();
        let again = served.client.get(&place).header("if-none-match", tag).send().await.expect("an answer");
        assert_eq!(again.status(), 304);
    });
}

#[test]
fn a_page_that_makes_its_own_name_point_here_is_not_answered() {
    let (_folder, data) = desk();
    let served = Served::start(&data, &["--allowed-hosts", "crumple.example.com, crash"]);
    run(async {
        for (host, status) in
            [("crumple.example.com", 200), ("crash:80", 200), ("localhost:9", 200), ("evil.example.com", 421)]
        {
            let answer =
                served.client.get(served.api("campaigns")).header("host", host).send().await.expect("an answer");
            assert_eq!(answer.status().as_u16(), status, "{host}");
        }
    });
}

#[test]
fn a_campaign_is_renamed_and_deleted() {
    let (_folder, data) = desk();
    let served = Served::start(&data, &[]);
    run(async {
        let (one, two) = (served.campaign("one").await, served.campaign("two").await);
        let rename = async |id: &str, name: &str| {
            let request = served.client.patch(served.api(&format!("campaigns/{id}")));
            let answer = request.json(&serde_json::json!({ "name": name })).send().await.expect("an answer");
            (answer.status().as_u16(), answer.json::<serde_json::Value>().await.unwrap_or_default())
        };
        let (status, renamed) = rename(&one, " Sled 7 ").await;
        assert_eq!((status, &renamed["name"]), (200, &"Sled 7".into()), "{renamed}");
        assert_eq!(rename(&two, "Sled 7").await.0, 409, "the name is taken");
        assert_eq!(rename(&two, "a\tb").await.0, 422);
        assert_eq!(rename("none", "x").await.0, 404);
        for status in [204, 404] {
            let answer = served.client.delete(served.api(&format!("campaigns/{two}"))).send().await.expect("an answer");
            assert_eq!(answer.status(), status);
        }
    });
}

#[test]
fn an_announcement_that_cannot_be_is_refused_with_what_was_expected() {
    let (_folder, data) = desk();
    let served = Served::start(&data, &["--max-upload-gb", "0.001"]);
    run(async {
        let name = |n: &str| format!("filename {}", base64(n.as_bytes()));
        for (length, metadata, status, word) in [
            ("", name("a.h5"), 400, "Upload-Length"),
            ("9", String::new(), 400, "filename"),
            ("9", name("a.docx"), 422, ".vtkhdf"),
            ("9", format!("{},kind {}", name("a.h5"), base64(b"poem")), 422, "sidecar"),
            ("9", format!("{},campaign_id {}", name("a.h5"), base64(b"none")), 404, "campaign"),
            ("2000000", name("a.h5"), 413, "max_upload_gb"),
            ("0", name("a.h5"), 422, "empty"),
        ] {
            let request = served.client.post(served.api("uploads"));
            let request = request.header("upload-length", length).header("upload-metadata", &metadata);
            let answer = request.send().await.expect("an answer");
            let found = answer.status().as_u16();
            let problem: serde_json::Value = answer.json().await.expect("JSON");
            assert_eq!(found, status, "{metadata}: {problem}");
            assert!(problem["detail"].as_str().is_some_and(|d| d.contains(word)), "{problem}");
        }
    });
}

#[test]
fn a_second_service_on_the_same_folder_is_refused() {
    let (folder, data) = desk();
    let _served = Served::start(&data, &[]);
    let second = crate::support::program::program(folder.path())
        .args(["serve", "--listen", "127.0.0.1:0", "--data"])
        .arg(&data)
        .output()
        .expect("the binary runs");
    let told = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(!second.status.success() && told.contains("another `crumple serve`"), "{told}");
}
