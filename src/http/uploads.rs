//! Uploads that may be cut off and go on: tus 1.0 with creation, checksum (sha256), expiration and termination.
//!
//! What arrived is noted every [`NOTE_EVERY`] bytes, so that a killed service or a lost line costs little. A part with
//! a checksum counts only when it is whole and right.

use std::collections::HashMap;
use std::io::SeekFrom;

use axum::Json;
use axum::body::Body as Bytestream;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD_NO_PAD as STANDARD_NO_PAD;
use futures_util::StreamExt as _;
use sha2::{Digest as _, Sha256};
use tokio::fs::{File, OpenOptions};
use tokio::io::{AsyncSeekExt as _, AsyncWriteExt as _};

use super::Service;
use super::extract::{List, PageWords, Path, Words, tagged};
use super::problem::{Answer, Problem};
use super::space::check_room;
use super::wire::Upload;
use crate::blobs::BlobKey;
use crate::ingest::{FIRST_BYTES, refusal_of_first_bytes};
use crate::jobs::safe_name;
use crate::store::{self, NewUpload};
use crate::telemetry::names;

/// Arrived bytes are noted at least so often.
const NOTE_EVERY: u64 = 8 << 20;
/// tus: "the checksum did not match".
const CHECKSUM_MISMATCH: u16 = 460;

const RESUMABLE: HeaderName = HeaderName::from_static("tus-resumable");
const OFFSET: HeaderName = HeaderName::from_static("upload-offset");
const LENGTH: HeaderName = HeaderName::from_static("upload-length");
const METADATA: HeaderName = HeaderName::from_static("upload-metadata");
const EXPIRES: HeaderName = HeaderName::from_static("upload-expires");
const CHECKSUM: HeaderName = HeaderName::from_static("upload-checksum");

fn with_tus(mut response: Response) -> Response {
    response.headers_mut().insert(RESUMABLE, HeaderValue::from_static("1.0.0"));
    response
}

/// Says until when the next part of an upload that is not whole is waited for.
fn expiring(service: &Service, upload: &store::Upload, mut response: Response) -> Response {
    let path = service.shop.folders.upload(&upload.id);
    let part_at = (upload.state == "receiving").then(|| path.metadata().and_then(|m| m.modified()).ok()).flatten();
    if let Some(at) = part_at.and_then(|at| at.checked_add(service.shop.settings.keep_uploads)) {
        let date = HeaderValue::from_str(&httpdate::fmt_http_date(at)).expect("a date is plain text, else a bug");
        response.headers_mut().insert(EXPIRES, date);
    }
    response
}

fn check_version(headers: &HeaderMap) -> Answer<()> {
    match headers.get(RESUMABLE) {
        Some(v) if v != "1.0.0" => Err(Problem::new(
            StatusCode::PRECONDITION_FAILED,
            "tus-version",
            format!("Tus-Resumable is {v:?}, expected 1.0.0"),
        )),
        _ => Ok(()),
    }
}

/// Says what this end of tus can do.
#[utoipa::path(options, path = "/uploads", tag = "uploads", responses((status = 204, description = "Tus-Version, Tus-Extension, Tus-Max-Size, Tus-Checksum-Algorithm")))]
pub(super) async fn upload_options(State(service): State<Service>) -> Response {
    let most = service.shop.settings.max_upload_bytes.to_string();
    let headers = [
        ("tus-version", "1.0.0"),
        ("tus-extension", "creation,checksum,expiration,termination"),
        ("tus-checksum-algorithm", "sha256"),
        ("tus-max-size", &most),
    ];
    with_tus((StatusCode::NO_CONTENT, headers).into_response())
}

/// Announces a file. `Upload-Metadata` (base64, as tus has it): `filename`; where wanted `campaign_id`, `kind`
/// (`simulation`, `sidecar`, `test`; else by the name's ending) and `sha256` (hex, of the whole file). A file that is
/// here already is told by its `sha256`: then `Upload-Offset` of the answer is its length, and nothing is to be sent.
#[utoipa::path(post, path = "/uploads", tag = "uploads",
    params(("Upload-Length" = i64, Header, description = "Bytes in all"), ("Upload-Metadata" = String, Header, description = "As tus has it: `filename BASE64,campaign_id BASE64`")),
    responses((status = 201, body = Upload, description = "Location has the place for the parts, Upload-Offset how much is here already, Upload-Expires until when the next part is waited for"),
        (status = 400, body = Problem, content_type = "application/problem+json"), (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 413, body = Problem, content_type = "application/problem+json"), (status = 422, body = Problem, content_type = "application/problem+json"),
        (status = 507, body = Problem, content_type = "application/problem+json", description = "The disk of the service cannot take it")))]
pub(super) async fn begin_upload(State(service): State<Service>, headers: HeaderMap) -> Answer<Response> {
    check_version(&headers)?;
    let new = announced(&service, &headers)?;
    let id = store::Upload::fresh_id();
    if let Some(campaign) = &new.campaign_id {
        service.shop.store.campaign(campaign).await?;
    }
    let path = service.shop.folders.upload(&id);
    let known = lay_out_known(&service, &new, &path).await?;
    if !known {
        check_room(path.parent().unwrap_or(&path), new.length.unsigned_abs())?;
        File::create(&path).await.map_err(|e| broken("make the file", &e))?;
    }
    let upload = match service.shop.store.add_upload(&id, &new, known).await {
        Ok(upload) => upload,
        Err(e) => {
            let _ = tokio::fs::remove_file(&path).await;
            return Err(e.into());
        }
    };
    let place = [(header::LOCATION, format!("/api/v1/uploads/{id}")), (OFFSET, upload.received.to_string())];
    let response = (StatusCode::CREATED, place, Json(Upload::from(upload.clone()))).into_response();
    Ok(with_tus(expiring(&service, &upload, response)))
}

/// Puts a file in its place that is here already by its digest: nothing of it need be sent.
async fn lay_out_known(service: &Service, new: &NewUpload, path: &std::path::Path) -> Answer<bool> {
    let Some(digest) = &new.expected_sha256 else { return Ok(false) };
    let blobs = &service.shop.blobs;
    if blobs.size(&BlobKey::File(digest.clone())).await? != Some(new.length.unsigned_abs()) {
        return Ok(false);
    }
    // The sweep may be faster; then the file is sent once more.
    Ok(blobs.lay_out(digest, path).is_ok())
}

fn broken(doing: &str, error: &std::io::Error) -> Problem {
    if error.kind() == std::io::ErrorKind::StorageFull {
        return Problem::new(StatusCode::INSUFFICIENT_STORAGE, "full", "the disk of the service is full");
    }
    tracing::error!(%error, doing, "an upload's file failed");
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", format!("the service could not {doing}"))
}

fn announced(service: &Service, headers: &HeaderMap) -> Answer<NewUpload> {
    let number =
        |name: &HeaderName| headers.get(name).and_then(|v| v.to_str().ok()).and_then(|v| v.parse::<u64>().ok());
    let length = number(&LENGTH)
        .ok_or_else(|| Problem::bad_request("Upload-Length is missing or no number: say how many bytes will come"))?;
    let most = service.shop.settings.max_upload_bytes;
    if length > most {
        let what = format!("the file has {length} bytes, at most {most} are taken (setting max_upload_gb)");
        return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", what));
    }
    if length == 0 {
        return Err(Problem::unprocessable("the file is empty"));
    }
    let words = metadata(headers)?;
    let filename = words.get("filename").map(|n| safe_name(n)).ok_or_else(|| {
        Problem::bad_request("Upload-Metadata has no filename, expected `filename BASE64` as tus has it")
    })?;
    let sha256 = words.get("sha256").cloned();
    if sha256.as_ref().is_some_and(|s| s.len() != 64 || !s.bytes().all(|b| b.is_ascii_hexdigit())) {
        return Err(Problem::bad_request("sha256 in Upload-Metadata is no SHA-256, expected 64 hexadecimal digits"));
    }
    Ok(NewUpload {
        kind: kind_of(words.get("kind").map(String::as_str), &filename)?,
        filename,
        length: i64::try_from(length).unwrap_or(i64::MAX),
        campaign_id: words.get("campaign_id").filter(|c| !c.is_empty()).cloned(),
        expected_sha256: sha256.map(|s| s.to_ascii_lowercase()),
    })
}

fn kind_of(said: Option<&str>, filename: &str) -> Answer<&'static str> {
    let ending = filename.rsplit_once('.').map_or("", |(_, e)| e).to_ascii_lowercase();
    match (said, ending.as_str()) {
        (Some("simulation"), _) | (None, "vtkhdf") => Ok("simulation"),
        (Some("sidecar"), _) | (None, "json") => Ok("sidecar"),
        (Some("test"), _) | (None, "h5" | "hdf5") => Ok("test"),
        (Some(other), _) => {
            Err(Problem::unprocessable(format!("kind is {other:?}, expected simulation, sidecar or test")))
        }
        (None, _) => Err(Problem::unprocessable(format!(
            "{filename}: what kind of file this is cannot be told by its ending; expected .vtkhdf (simulation), .json \
             (its side-car), .h5 (test record), or say it by kind in Upload-Metadata"
        ))),
    }
}

/// `key BASE64,key BASE64` as words.
fn metadata(headers: &HeaderMap) -> Answer<HashMap<String, String>> {
    let text = headers.get(METADATA).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let mut words = HashMap::new();
    for entry in text.split(',').map(str::trim).filter(|e| !e.is_empty()) {
        let (key, value) = entry.split_once(' ').unwrap_or((entry, ""));
        let bytes = bytes_from_base64(value.trim());
        let value = bytes.and_then(|b| String::from_utf8(b).ok()).ok_or_else(|| {
            Problem::bad_request(format!("{key} in Upload-Metadata is {value:?}, expected base64 of UTF-8 text"))
        })?;
        words.insert(key.to_owned(), value);
    }
    Ok(words)
}

/// Standard base64; padding may be left out.
fn bytes_from_base64(text: &str) -> Option<Vec<u8>> {
    STANDARD_NO_PAD.decode(text.trim_end_matches('=')).ok()
}

/// Lists the uploads, newest first.
#[utoipa::path(get, path = "/uploads", tag = "uploads", params(PageWords), responses((status = 200, body = List<Upload>), (status = 400, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn list_uploads(
    State(service): State<Service>,
    Words(words): Words<PageWords>,
) -> Answer<Json<List<Upload>>> {
    let page = words.page()?;
    let rows = service.shop.store.uploads(&page).await?;
    Ok(Json(List::of(&page, rows, |u| u.id.clone(), Upload::from)))
}

/// Shows one upload.
#[utoipa::path(get, path = "/uploads/{id}", tag = "uploads", params(("id" = String, Path, description = "The upload")),
    responses((status = 200, body = Upload), (status = 404, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn get_upload(
    State(service): State<Service>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Answer<Response> {
    Ok(tagged(&headers, &Upload::from(service.shop.store.upload(&id).await?)))
}

/// Says how much of an upload is here (`Upload-Offset`).
#[utoipa::path(head, path = "/uploads/{id}", tag = "uploads", params(("id" = String, Path, description = "The upload")),
    responses((status = 200, description = "Upload-Offset, Upload-Length, Upload-Expires while it is not whole"), (status = 404, description = "There is no such upload")))]
pub(super) async fn upload_head(State(service): State<Service>, Path(id): Path<String>) -> Answer<Response> {
    let upload = service.shop.store.upload(&id).await?;
    let headers = [
        (OFFSET, upload.received.to_string()),
        (LENGTH, upload.length.to_string()),
        (header::CACHE_CONTROL, "no-store".to_owned()),
    ];
    Ok(with_tus(expiring(&service, &upload, (StatusCode::OK, headers).into_response())))
}

/// Takes back an upload that has not become anything.
#[utoipa::path(delete, path = "/uploads/{id}", tag = "uploads", params(("id" = String, Path, description = "The upload")),
    responses((status = 204), (status = 404, body = Problem, content_type = "application/problem+json"), (status = 409, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn remove_upload(State(service): State<Service>, Path(id): Path<String>) -> Answer<Response> {
    let _turn = Turn::take(&service, &id)?;
    let path = service.shop.folders.upload(&id);
    let mut removed = service.shop.store.remove_upload(&id).await;
    if removed.as_ref().is_err_and(store::StoreError::is_full) {
        // Its own bytes are the room that the note needs.
        let _ = tokio::fs::remove_file(&path).await;
        removed = service.shop.store.remove_upload(&id).await;
    }
    removed?;
    let _ = tokio::fs::remove_file(&path).await;
    Ok(with_tus(StatusCode::NO_CONTENT.into_response()))
}

/// The right to add to an upload: two at once would write over each other.
struct Turn {
    service: Service,
    id: String,
}

impl Turn {
    fn take(service: &Service, id: &str) -> Answer<Self> {
        let mut receiving = service.receiving.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if receiving.insert(id.to_owned(), ()).is_some() {
            let what = "another request is adding to this upload: wait for it, then ask for Upload-Offset";
            return Err(Problem::new(StatusCode::LOCKED, "locked", what));
        }
        Ok(Self { service: service.clone(), id: id.to_owned() })
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.service.receiving.lock().unwrap_or_else(std::sync::PoisonError::into_inner).remove(&self.id);
    }
}

/// Adds a part at `Upload-Offset`. With `Upload-Checksum: sha256 BASE64` it counts only when it is right.
#[utoipa::path(patch, path = "/uploads/{id}", tag = "uploads",
    request_body(content = Vec<u8>, content_type = "application/offset+octet-stream"),
    params(("id" = String, Path, description = "The upload"), ("Upload-Offset" = i64, Header, description = "Where the part begins: how much is here already"),
        ("Upload-Checksum" = Option<String>, Header, description = "`sha256 BASE64` of this part")),
    responses((status = 204, description = "Upload-Offset has the new length"), (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json"), (status = 409, body = Problem, content_type = "application/problem+json"),
        (status = 415, body = Problem, content_type = "application/problem+json"), (status = 422, body = Problem, content_type = "application/problem+json"),
        (status = 423, body = Problem, content_type = "application/problem+json"), (status = 507, body = Problem, content_type = "application/problem+json", description = "The disk of the service is full; what was noted is kept"),
        (status = 460, body = Problem, content_type = "application/problem+json", description = "The checksum does not match; nothing of the part was taken")))]
pub(super) async fn upload_part(
    State(service): State<Service>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytestream,
) -> Answer<Response> {
    check_version(&headers)?;
    if headers.get(header::CONTENT_TYPE).is_none_or(|t| t != "application/offset+octet-stream") {
        let what = "Content-Type must be application/offset+octet-stream";
        return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "media-type", what));
    }
    let _turn = Turn::take(&service, &id)?;
    let upload = service.shop.store.upload(&id).await?;
    let offset = headers.get(OFFSET).and_then(|v| v.to_str().ok()).and_then(|v| v.parse::<i64>().ok());
    let offset = offset.ok_or_else(|| Problem::bad_request("Upload-Offset is missing or no number"))?;
    if let Some(refusal) = &upload.refusal {
        return Err(Problem::unprocessable(refusal.clone()));
    }
    if offset != upload.received {
        let what = format!("Upload-Offset is {offset}, but {} bytes are here: go on from there", upload.received);
        return Err(Problem::new(StatusCode::CONFLICT, "offset", what));
    }
    if upload.state != "receiving" {
        return Err(Problem::new(StatusCode::CONFLICT, "complete", "all of this file is here already"));
    }
    let expected = checksum(&headers)?;
    let received = match receive(&service, &upload, expected, body).await {
        Err(problem) if problem.status == StatusCode::INSUFFICIENT_STORAGE => {
            cut_to_noted(&service, &id).await;
            return Err(problem);
        }
        other => other?,
    };
    let response = (StatusCode::NO_CONTENT, [(OFFSET, received.to_string())]).into_response();
    let upload = service.shop.store.upload(&id).await?;
    Ok(with_tus(expiring(&service, &upload, response)))
}

/// Gives back the room of what was written and not noted.
async fn cut_to_noted(service: &Service, id: &str) {
    let Ok(upload) = service.shop.store.upload(id).await else { return };
    if let Ok(file) = OpenOptions::new().write(true).open(service.shop.folders.upload(id)).await {
        let _ = file.set_len(upload.received.unsigned_abs()).await;
    }
}

fn checksum(headers: &HeaderMap) -> Answer<Option<Vec<u8>>> {
    let Some(text) = headers.get(CHECKSUM).and_then(|v| v.to_str().ok()) else { return Ok(None) };
    let digest = text.strip_prefix("sha256 ").and_then(|d| bytes_from_base64(d.trim())).filter(|d| d.len() == 32);
    digest.map(Some).ok_or_else(|| {
        Problem::bad_request(format!("Upload-Checksum is {text:?}, expected `sha256 BASE64` of 32 bytes"))
    })
}

/// Writes the part; returns how much is here then.
async fn receive(
    service: &Service,
    upload: &store::Upload,
    expected: Option<Vec<u8>>,
    body: Bytestream,
) -> Answer<u64> {
    let begin = upload.received.unsigned_abs();
    let length = upload.length.unsigned_abs();
    let path = service.shop.folders.upload(&upload.id);
    let mut file =
        OpenOptions::new().read(true).write(true).open(&path).await.map_err(|e| broken("open the file", &e))?;
    let folder = path.parent().unwrap_or(&path);
    check_room(folder, 0)?;
    // What lies beyond was never noted: the end of a part that was cut off.
    file.set_len(begin).await.map_err(|e| broken("cut the file", &e))?;
    file.seek(SeekFrom::Start(begin)).await.map_err(|e| broken("find the place", &e))?;
    let (mut here, mut noted, mut hasher) = (begin, begin, Sha256::new());
    let enough = (FIRST_BYTES as u64).min(length);
    let mut looked = begin >= enough;
    let mut stream = body.into_data_stream();
    let mut cut_off = false;
    while let Some(piece) = stream.next().await {
        // A caller that leaves in the middle keeps what arrived, unless a checksum was to be met.
        let Ok(piece) = piece else {
            cut_off = true;
            break;
        };
        if here + piece.len() as u64 > length {
            let what = format!("more than the announced {length} bytes came");
            return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", what));
        }
        if expected.is_some() {
            hasher.update(&piece);
        }
        file.write_all(&piece).await.map_err(|e| broken("write the file", &e))?;
        here += piece.len() as u64;
        metrics::counter!(names::UPLOAD_BYTES).increment(piece.len() as u64);
        // Bytes with a checksum are believed when it is right.
        if !looked && expected.is_none() && here >= enough {
            looked = true;
            refuse_early(service, upload, &mut file).await?;
        }
        if expected.is_none() && here - noted >= NOTE_EVERY && here < length {
            file.flush().await.map_err(|e| broken("write the file", &e))?;
            noted = here;
            service.shop.store.upload_grew(&upload.id, here as i64).await?;
            check_room(folder, 0)?;
        }
    }
    file.flush().await.map_err(|e| broken("write the file", &e))?;
    if let Some(expected) = &expected
        && (cut_off || hasher.finalize().as_slice() != expected)
    {
        file.set_len(begin).await.map_err(|e| broken("cut the file", &e))?;
        let mut problem = Problem::bad_request(
            "the SHA-256 of this part is not the one in Upload-Checksum: it changed on the way, send it again",
        );
        problem.status = CHECKSUM_MISMATCH;
        problem.title = "Checksum Mismatch".to_owned();
        return Err(problem);
    }
    if !looked && here >= enough {
        refuse_early(service, upload, &mut file).await?;
    }
    if here == length {
        // The row will say that the file is whole: then it must be so after a loss of power, too.
        file.sync_all().await.map_err(|e| broken("write the file", &e))?;
    }
    service.shop.store.upload_grew(&upload.id, here as i64).await?;
    if cut_off {
        return Err(Problem::bad_request("the part was cut off; what arrived is kept"));
    }
    Ok(here)
}

/// Refuses what surely cannot be read as soon as its first bytes are here.
async fn refuse_early(service: &Service, upload: &store::Upload, file: &mut File) -> Answer<()> {
    use tokio::io::AsyncReadExt as _;
    if upload.kind == "sidecar" {
        return Ok(());
    }
    let failed = |e| broken("read the file", &e);
    let end = file.stream_position().await.map_err(failed)?;
    let mut head = vec![0; (FIRST_BYTES as u64).min(end) as usize];
    file.flush().await.map_err(failed)?;
    file.seek(SeekFrom::Start(0)).await.map_err(failed)?;
    file.read_exact(&mut head).await.map_err(failed)?;
    file.seek(SeekFrom::Start(end)).await.map_err(failed)?;
    let Some(refusal) = refusal_of_first_bytes(&head, upload.length.unsigned_abs()) else { return Ok(()) };
    let what = if upload.kind == "simulation" { "a VTKHDF simulation" } else { "a test record" };
    let why = format!(
        "{}: found {}, expected {} ({what}): {}",
        upload.filename, refusal.found, refusal.expected, refusal.advice
    );
    service.shop.store.refuse_while_receiving(&upload.id, &why).await?;
    let _ = tokio::fs::remove_file(service.shop.folders.upload(&upload.id)).await;
    Err(Problem::unprocessable(why))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padding_may_be_left_out_and_what_is_no_base64_is_told() {
        assert_eq!(bytes_from_base64("Zg==").as_deref(), Some(&b"f"[..]));
        assert_eq!(bytes_from_base64("Zg").as_deref(), Some(&b"f"[..]));
        assert_eq!(bytes_from_base64("a b"), None);
    }

    #[test]
    fn the_kind_is_said_or_told_by_the_ending() {
        assert_eq!(kind_of(None, "a.VTKHDF").unwrap(), "simulation");
        assert_eq!(kind_of(Some("test"), "a.json").unwrap(), "test");
        assert!(kind_of(None, "a.docx").unwrap_err().detail.contains(".vtkhdf"));
    }
}
