//! The real program as a service on a free port, and a caller for it.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::mpsc::sync_channel;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::program::program;

/// Nothing here may take longer.
pub(crate) const PATIENCE: Duration = Duration::from_secs(240);

/// A running `crumple serve`; killed when it is dropped.
pub(crate) struct Served {
    child: Child,
    further: Vec<String>,
    pub(crate) url: String,
    pub(crate) client: reqwest::Client,
}

impl Served {
    /// Starts it on `data` and waits until it answers.
    pub(crate) fn start(data: &Path, further: &[&str]) -> Self {
        Self::start_at("127.0.0.1:0", data, further)
    }

    /// Kills it and starts it again at the same address.
    pub(crate) fn kill_and_restart(mut self, data: &Path) -> Self {
        let address = self.url.trim_start_matches("http://").to_owned();
        let further = std::mem::take(&mut self.further);
        self.kill();
        Self::start_at(&address, data, &further.iter().map(String::as_str).collect::<Vec<_>>())
    }

    fn start_at(address: &str, data: &Path, further: &[&str]) -> Self {
        let mut child = program(data.parent().expect("a folder"))
            .args(["serve", "--listen", address, "--lease-s", "3", "--data"])
            .arg(data)
            .args(further)
            .stderr(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .expect("the binary runs");
        let log = BufReader::new(child.stderr.take().expect("stderr is piped"));
        let (found, url) = sync_channel(1);
        std::thread::Builder::new()
            .name("service-log".into())
            .spawn(move || {
                for line in log.lines().map_while(Result::ok) {
                    if let Some((_, url)) = line.split_once("crumple serves at ") {
                        let url = url.split_whitespace().next().unwrap_or_default();
                        let _ = found.try_send(url.to_owned());
                    }
                }
            })
            .expect("a thread");
        let url = url.recv_timeout(Duration::from_secs(60)).expect("the service says where it serves");
        let further = further.iter().map(|w| (*w).to_owned()).collect();
        Self { child, further, url, client: reqwest::Client::new() }
    }

    /// Somebody who does not give up when it dies.
    pub(crate) fn caller(&self) -> Caller {
        // A connection to a killed service must not be used again.
        let client = reqwest::Client::builder().pool_max_idle_per_host(0).build().expect("a client");
        Caller { url: self.url.clone(), client }
    }

    /// Asks it to end, as a service manager does, and waits; says whether it ended well.
    pub(crate) fn terminate(mut self) -> bool {
        let told = std::process::Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status();
        assert!(told.is_ok_and(|s| s.success()), "it can be told to end");
        self.child.wait().expect("it ends").success()
    }

    /// Ends it in the middle of whatever it does.
    pub(crate) fn kill(mut self) {
        self.child.kill().expect("it can be killed");
        self.child.wait().expect("it ends");
    }

    pub(crate) fn api(&self, path: &str) -> String {
        format!("{}/api/v1/{path}", self.url)
    }

    pub(crate) async fn get(&self, path: &str) -> (u16, Value) {
        let answer = self.client.get(self.api(path)).send().await.expect("an answer");
        (answer.status().as_u16(), answer.json().await.unwrap_or(Value::Null))
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        let answer = self.client.post(self.api(path)).json(body).send().await.expect("an answer");
        (answer.status().as_u16(), answer.json().await.unwrap_or(Value::Null))
    }

    pub(crate) async fn bytes(&self, path: &str) -> (u16, Vec<u8>) {
        let answer = self.client.get(self.api(path)).send().await.expect("an answer");
        (answer.status().as_u16(), answer.bytes().await.expect("a body").to_vec())
    }

    pub(crate) async fn campaign(&self, name: &str) -> String {
        let (status, made) = self.post("campaigns", &serde_json::json!({ "name": name })).await;
        assert_eq!(status, 201, "{made}");
        text(&made, "id")
    }

    /// Announces a file; returns its place.
    pub(crate) async fn announce(&self, name: &str, length: usize, campaign: &str) -> String {
        let metadata = format!("filename {},campaign_id {}", base64(name.as_bytes()), base64(campaign.as_bytes()));
        let answer = self
            .client
            .post(self.api("uploads"))
            .header("upload-length", length)
            .header("upload-metadata", metadata)
            .header("tus-resumable", "1.0.0")
            .send()
            .await
            .expect("an answer");
        assert_eq!(answer.status(), 201);
        format!("{}{}", self.url, answer.headers()["location"].to_str().expect("a place"))
    }

    /// Adds a part.
    pub(crate) async fn part(&self, place: &str, offset: usize, bytes: &[u8], checksum: Option<String>) -> u16 {
        let mut request = self
            .client
            .patch(place)
            .header("content-type", "application/offset+octet-stream")
            .header("upload-offset", offset)
            .body(bytes.to_vec());
        if let Some(checksum) = checksum {
            request = request.header("upload-checksum", checksum);
        }
        request.send().await.map_or(0, |a| a.status().as_u16())
    }

    pub(crate) async fn offset(&self, place: &str) -> usize {
        let answer = self.client.head(place).send().await.expect("an answer");
        answer.headers()["upload-offset"].to_str().expect("text").parse().expect("a number")
    }

    /// Waits until the upload was read.
    pub(crate) async fn read(&self, place: &str) -> Value {
        let path = place.split("/api/v1/").nth(1).expect("a place of the API").to_owned();
        self.until(&path, |u| matches!(u["state"].as_str(), Some("accepted" | "refused"))).await
    }

    /// Sends a whole file and waits until it was read.
    pub(crate) async fn upload(&self, path: &Path, campaign: &str) -> Value {
        let bytes = std::fs::read(path).expect("a file");
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        let place = self.announce(&name, bytes.len(), campaign).await;
        let status = self.part(&place, 0, &bytes, Some(checksum(&bytes))).await;
        assert!(status == 204 || status == 422, "{status}");
        self.read(&place).await
    }

    /// Asks again until the thing is as wanted.
    pub(crate) async fn until(&self, path: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let end = Instant::now() + PATIENCE;
        loop {
            let (_, thing) = self.get(path).await;
            if wanted(&thing) {
                return thing;
            }
            assert!(Instant::now() < end, "{path} is still {thing}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Orders one review of the plate and waits for its end.
    pub(crate) async fn review(&self, simulation: &str, test: &str) -> Value {
        let order = serde_json::json!({ "pairs": [{ "simulation_id": simulation, "test_id": test }] });
        let (status, batch) = self.post("reviews", &order).await;
        assert_eq!(status, 202, "{batch}");
        let id = text(&batch["reviews"][0], "id");
        self.until(&format!("reviews/{id}"), |r| !matches!(r["state"].as_str(), Some("queued" | "running"))).await
    }
}

/// Asks again and again until the service answers, whoever kills it.
#[derive(Clone)]
pub(crate) struct Caller {
    url: String,
    client: reqwest::Client,
}

impl Caller {
    fn api(&self, path: &str) -> String {
        format!("{}/api/v1/{path}", self.url)
    }

    /// Sends what `request` makes until the answer has the status; returns it with its body.
    async fn insist(
        &self,
        request: impl Fn() -> reqwest::RequestBuilder,
        wanted: &[u16],
    ) -> (reqwest::header::HeaderMap, Value, u16) {
        let end = Instant::now() + PATIENCE;
        loop {
            let last;
            match request().timeout(Duration::from_secs(20)).send().await {
                Ok(answer) => {
                    let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
                    match answer.bytes().await {
                        Ok(body) if wanted.contains(&status) => {
                            return (headers, serde_json::from_slice(&body).unwrap_or(Value::Null), status);
                        }
                        Ok(body) => last = format!("{status} {}", String::from_utf8_lossy(&body)),
                        Err(e) => last = e.to_string(),
                    }
                }
                Err(e) => last = e.to_string(),
            }
            assert!(Instant::now() < end, "no such answer in time, the last one: {last}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    pub(crate) async fn post_until(&self, path: &str, body: &Value, wanted: u16) -> Value {
        self.insist(|| self.client.post(self.api(path)).json(body), &[wanted]).await.1
    }

    /// Orders reviews under a key: however often it is sent, it is one order.
    pub(crate) async fn order(&self, body: &Value) -> Value {
        let request = || self.client.post(self.api("reviews")).header("idempotency-key", "the one").json(body);
        self.insist(request, &[202]).await.1
    }

    /// Cancels a review; 409 when it has ended.
    pub(crate) async fn cancel(&self, review: &str) -> u16 {
        self.insist(|| self.client.delete(self.api(&format!("reviews/{review}"))), &[202, 409]).await.2
    }

    /// Announces a file; returns its path below the API.
    pub(crate) async fn announce(&self, name: &str, length: usize, campaign: &str) -> String {
        let metadata = format!("filename {},campaign_id {}", base64(name.as_bytes()), base64(campaign.as_bytes()));
        let request = || {
            let request = self.client.post(self.api("uploads")).header("upload-length", length);
            request.header("upload-metadata", &metadata)
        };
        format!("uploads/{}", text(&self.insist(request, &[201]).await.1, "id"))
    }

    /// How much of a file is here; none when nobody answers.
    pub(crate) async fn offset(&self, path: &str) -> Option<usize> {
        let answer = self.client.head(self.api(path)).send().await.ok()?;
        answer.headers().get("upload-offset")?.to_str().ok()?.parse().ok()
    }

    /// Sends a part once; whether it arrived is told by the offset.
    pub(crate) async fn part(&self, path: &str, offset: usize, bytes: &[u8], checksum: String) {
        let request = self.client.patch(self.api(path)).header("content-type", "application/offset+octet-stream");
        let request = request.header("upload-offset", offset).header("upload-checksum", checksum);
        let _ = request.body(bytes.to_vec()).send().await;
    }

    pub(crate) async fn frame(&self, live: &str, camera: &str, time_s: f64, grey: &[u8]) {
        let place = self.api(&format!("live/{live}/frames?camera={camera}&time_s={time_s}"));
        self.insist(|| self.client.post(&place).body(grey.to_vec()), &[202]).await;
    }

    pub(crate) async fn until(&self, path: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let end = Instant::now() + PATIENCE;
        loop {
            let thing = self.insist(|| self.client.get(self.api(path)), &[200]).await.1;
            if wanted(&thing) {
                return thing;
            }
            assert!(Instant::now() < end, "{path} is still {thing}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A text field.
pub(crate) fn text(thing: &Value, key: &str) -> String {
    thing[key].as_str().unwrap_or_else(|| panic!("{thing} has no {key}")).to_owned()
}

pub(crate) fn checksum(bytes: &[u8]) -> String {
    format!("sha256 {}", base64(&Sha256::digest(bytes)))
}

pub(crate) fn base64(bytes: &[u8]) -> String {
    BASE64_STANDARD.encode(bytes)
}

/// A runtime for one test.
pub(crate) fn run<T>(test: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .worker_threads(2)
        .build()
        .expect("a runtime")
        .block_on(test)
}

/// A folder that lasts as long as the test, and `data` in it.
pub(crate) fn desk() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let data = folder.path().join("data");
    (folder, data)
}
