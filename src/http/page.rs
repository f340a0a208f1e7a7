//! The page, embedded in the program: `web/dist` as it was when the program was built. A build without it works and
//! says how to make it.

use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Response};
use rust_embed::RustEmbed;

use super::Problem;
use super::extract::{immutable, tagged_with};

/// The built page; empty where it was not built.
#[derive(RustEmbed)]
#[folder = "web/dist"]
#[allow_missing = true]
struct Built;

const NOT_BUILT: &str = "Crumple runs, but was built without its page: run `npm ci && npm run build` in web/, then \
                         build again. The API is at /api/docs.\n";

/// The page loads nothing from elsewhere and is framed by nobody; it frames reports.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; \
                      connect-src 'self'; worker-src 'self'; frame-src 'self'; base-uri 'none'; form-action 'none'; \
                      frame-ancestors 'none'";

/// A file of the page; `index.html` for every other place of it; a problem below `/api`.
pub(super) async fn page_or_problem(method: Method, uri: Uri, headers: HeaderMap) -> Response {
    let path = uri.path().trim_start_matches('/');
    if path.starts_with("api/") || path == "api" {
        return Problem::not_found(format!("there is nothing at {}; /api/docs lists what there is", uri.path()))
            .into_response();
    }
    if path.starts_with("assets/") && Built::get(path).is_none() {
        // Names below assets/ are never places of the page: a page in place of a script would only hide that it is gone.
        return Problem::not_found(format!("the page has no file {path}; reload it")).into_response();
    }
    if method != Method::GET && method != Method::HEAD {
        return Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method", "the page can only be read").into_response();
    }
    match file(&headers, path).or_else(|| file(&headers, "index.html")) {
        Some(found) => found,
        None => ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], NOT_BUILT).into_response(),
    }
}

fn file(headers: &HeaderMap, path: &str) -> Option<Response> {
    let found = Built::get(path)?;
    let digest: String = found.metadata.sha256_hash().iter().take(8).map(|b| format!("{b:02x}")).collect();
    let content_type = found.metadata.mimetype().to_owned();
    let mut response =
        tagged_with(headers, &format!("\"{digest}\""), "application/octet-stream", found.data.into_owned().into());
    if response.status() == StatusCode::OK {
        let value =
            HeaderValue::from_str(&content_type).unwrap_or(HeaderValue::from_static("application/octet-stream"));
        response.headers_mut().insert(header::CONTENT_TYPE, value);
    }
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    // The build puts a digest into the names below assets/.
    if path.starts_with("assets/") {
        return Some(immutable(response));
    }
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    Some(response)
}
