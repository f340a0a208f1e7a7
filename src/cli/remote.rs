//! A running service as the command line sees it.

use anyhow::{Context as _, bail};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as BASE64;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};

use crate::ingest::digest_sha256;

/// Parts of an upload, bytes.
const PART: usize = 32 << 20;

/// A service's address.
#[derive(Clone)]
pub(super) struct Remote {
    client: reqwest::Client,
    base: String,
}

/// A list's first page.
#[derive(Debug, Deserialize)]
pub(super) struct Things<T> {
    pub(super) items: Vec<T>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Named {
    pub(super) id: String,
    pub(super) name: String,
}

/// An upload as far as the command line cares.
#[derive(Debug, Deserialize)]
pub(super) struct Uploaded {
    pub(super) id: String,
    offset: u64,
    pub(super) state: String,
    pub(super) kind: String,
    pub(super) sidecar_name: Option<String>,
    pub(super) refusal: Option<String>,
    pub(super) simulation_id: Option<String>,
    pub(super) test_id: Option<String>,
}

impl Remote {
    pub(super) fn new(url: &str) -> anyhow::Result<Self> {
        let client = reqwest::Client::builder().build().context("cannot set up HTTP")?;
        Ok(Self { client, base: format!("{}/api/v1", url.trim_end_matches('/')) })
    }

    async fn answer<T: DeserializeOwned>(&self, request: reqwest::RequestBuilder) -> anyhow::Result<T> {
        let answer = request.send().await.with_context(|| format!("no service answers at {}", self.base))?;
        let (status, text) = (answer.status(), answer.text().await.context("the answer was cut off")?);
        if !status.is_success() {
            let problem: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
            bail!("the service answers {status}: {}", problem["detail"].as_str().unwrap_or(&text));
        }
        serde_json::from_str(&text).context("the answer is not what this version expects")
    }

    pub(super) async fn get<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<T> {
        self.answer(self.client.get(format!("{}/{path}", self.base))).await
    }

    pub(super) async fn post<T: DeserializeOwned>(&self, path: &str, body: &serde_json::Value) -> anyhow::Result<T> {
        self.answer(self.client.post(format!("{}/{path}", self.base)).json(body)).await
    }

    /// As `post`, under an idempotency key: however often it is sent, it is done once.
    pub(super) async fn post_once<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &serde_json::Value,
        key: &str,
    ) -> anyhow::Result<T> {
        self.answer(self.client.post(format!("{}/{path}", self.base)).header("idempotency-key", key).json(body)).await
    }

    /// An answer that goes on.
    pub(super) async fn stream(&self, path: &str) -> anyhow::Result<reqwest::Response> {
        let answer = self.client.get(format!("{}/{path}", self.base)).send().await;
        answer.and_then(reqwest::Response::error_for_status).with_context(|| format!("no {path} at {}", self.base))
    }

    pub(super) async fn frame(&self, live: &str, camera: &str, time_s: f64, picture: Vec<u8>) -> anyhow::Result<()> {
        let mut url = reqwest::Url::parse(&format!("{}/live/{live}/frames", self.base)).context("the address")?;
        url.query_pairs_mut().append_pair("camera", camera).append_pair("time_s", &time_s.to_string());
        let request = self.client.post(url).header("content-type", "application/octet-stream").body(picture);
        let _: serde_json::Value = self.answer(request).await?;
        Ok(())
    }

    /// The campaign of this name, made where it is missing.
    pub(super) async fn campaign(&self, name: &str) -> anyhow::Result<String> {
        let known: Things<Named> = self.get("campaigns?limit=1000").await?;
        if let Some(found) = known.items.into_iter().find(|c| c.name == name || c.id == name) {
            return Ok(found.id);
        }
        let made: Named = self.post("campaigns", &serde_json::json!({ "name": name })).await?;
        Ok(made.id)
    }

    /// Sends a file part by part, each with its checksum, and waits until it was read. One that the service has already
    /// is only named.
    pub(super) async fn upload(&self, path: &std::path::Path, campaign: &str) -> anyhow::Result<Uploaded> {
        use tokio::io::AsyncReadExt as _;
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let mut file = tokio::fs::File::open(path).await.with_context(|| format!("cannot open {}", path.display()))?;
        let length = file.metadata().await.context("cannot tell the file's size")?.len();
        let whole = path.to_owned();
        let digest = tokio::task::spawn_blocking(move || digest_sha256(&whole)).await.context("the digest")??;
        let metadata = format!(
            "filename {},campaign_id {},sha256 {}",
            BASE64.encode(name),
            BASE64.encode(campaign),
            BASE64.encode(&digest)
        );
        let request = self.client.post(format!("{}/uploads", self.base));
        let request = request.header("upload-length", length).header("upload-metadata", metadata);
        let begun: Uploaded = self.answer(request).await?;
        let place = format!("{}/uploads/{}", self.base, begun.id);
        let (mut sent, mut part) = (begun.offset, vec![0; PART]);
        while sent < length {
            let wanted = PART.min(usize::try_from(length - sent).unwrap_or(PART));
            file.read_exact(&mut part[..wanted]).await.with_context(|| format!("{} was cut", path.display()))?;
            let request = self.client.patch(&place).header("content-type", "application/offset+octet-stream");
            let checksum = format!("sha256 {}", BASE64.encode(Sha256::digest(&part[..wanted])));
            let request = request.header("upload-offset", sent).header("upload-checksum", checksum);
            let answer = request.body(part[..wanted].to_vec()).send().await.context("the upload was cut off")?;
            if !answer.status().is_success() {
                let text = answer.text().await.unwrap_or_default();
                let problem: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
                bail!("{}: {}", path.display(), problem["detail"].as_str().unwrap_or(&text));
            }
            sent += wanted as u64;
        }
        loop {
            let now: Uploaded = self.get(&format!("uploads/{}", begun.id)).await?;
            if now.state == "accepted" || now.state == "refused" {
                return Ok(now);
            }
            tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        }
    }
}
