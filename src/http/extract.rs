//! What routes take and give beside their own types: bodies and queries with problems, pages, tags.

use axum::Json;
use axum::extract::{FromRequest, FromRequestParts, Query, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use utoipa::{IntoParams, ToSchema};

use super::problem::{Answer, Problem};
use crate::store;

/// A JSON body; what is no such body is a problem.
pub(super) struct Body<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let Json(value) = Json::<T>::from_request(request, state).await?;
        Ok(Self(value))
    }
}

/// Words of the query; what they cannot be is a problem.
pub(super) struct Words<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Words<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Query(value) = Query::<T>::from_request_parts(parts, state).await?;
        Ok(Self(value))
    }
}

/// Parts of the path; what they cannot be, for example no UTF-8, is a problem.
pub(super) struct Path<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let axum::extract::Path(value) = axum::extract::Path::<T>::from_request_parts(parts, state).await?;
        Ok(Self(value))
    }
}

/// A name that somebody gives: 1 to 200 letters that all can be seen. Control characters and marks that turn the direction
/// of the text make one name look like another.
pub(super) fn name_of(text: &str) -> Answer<&str> {
    let name = text.trim();
    let letters = name.chars().count();
    if !(1..=200).contains(&letters) {
        return Err(Problem::unprocessable(format!("the name has {letters} letters, expected 1 to 200")));
    }
    let unseen = |c: &char| {
        c.is_control()
            || matches!(c, '\u{61c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
    };
    match name.chars().find(unseen) {
        Some(c) => Err(Problem::unprocessable(format!(
            "the name has the character U+{:04X}, expected letters that can be seen: take it out",
            u32::from(c)
        ))),
        None => Ok(name),
    }
}

/// Longest page.
const MOST: i64 = 1000;

/// Which page of a list.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct PageWords {
    /// How many, 1 to 1000 [default: 100].
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<i64>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

impl PageWords {
    /// One more than wanted, which tells whether there is a next page.
    pub(super) fn page(&self) -> Answer<store::Page> {
        let limit = self.limit.unwrap_or(100);
        if !(1..=MOST).contains(&limit) {
            return Err(Problem::bad_request(format!("limit is {limit}, expected 1 to {MOST}")));
        }
        Ok(store::Page { limit: limit + 1, cursor: self.cursor.clone() })
    }
}

/// One page of a list.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(super) struct List<T> {
    /// The things.
    items: Vec<T>,
    /// Give it as `cursor` for the next page; null at the end.
    next_cursor: Option<String>,
}

impl<T> List<T> {
    /// From rows of which one more than wanted was asked for.
    pub(super) fn of<R>(
        page: &store::Page,
        mut rows: Vec<R>,
        id: impl Fn(&R) -> String,
        view: impl Fn(R) -> T,
    ) -> Self {
        let wanted = usize::try_from(page.limit - 1).unwrap_or(0);
        let more = rows.len() > wanted;
        rows.truncate(wanted);
        let next_cursor = if more { rows.last().map(id) } else { None };
        Self { items: rows.into_iter().map(view).collect(), next_cursor }
    }
}

/// One thing with a tag of what it says; nothing when the caller has just that.
pub(super) fn tagged(headers: &HeaderMap, thing: &impl Serialize) -> Response {
    let body = serde_json::to_vec(thing).expect("a view is JSON, else a bug");
    tagged_by_digest(headers, "application/json", body.into())
}

/// Bytes with a tag of what they say: for what may change.
pub(super) fn tagged_by_digest(headers: &HeaderMap, content_type: &'static str, body: Bytes) -> Response {
    let digest: String = Sha256::digest(&body).iter().take(8).map(|b| format!("{b:02x}")).collect();
    tagged_with(headers, &format!("\"{digest}\""), content_type, body)
}

/// Bytes with a tag; nothing when the caller has them.
pub(super) fn tagged_with(headers: &HeaderMap, tag: &str, content_type: &'static str, body: Bytes) -> Response {
    let mut response = if has_tag(headers, header::IF_NONE_MATCH, tag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        ([(header::CONTENT_TYPE, content_type)], body).into_response()
    };
    response.headers_mut().insert(header::ETAG, HeaderValue::from_str(tag).expect("a tag is plain text, else a bug"));
    response
}

/// True when the header names the tag or all.
pub(super) fn has_tag(headers: &HeaderMap, name: header::HeaderName, tag: &str) -> bool {
    let named = headers.get_all(name).into_iter().filter_map(|v| v.to_str().ok());
    named.flat_map(|v| v.split(',')).any(|t| {
        let t = t.trim();
        t == "*" || t == tag || t.strip_prefix("W/") == Some(tag)
    })
}

/// Lets everybody on the way keep an answer that never changes.
pub(super) fn immutable(mut response: Response) -> Response {
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, HeaderValue::from_static("private, max-age=31536000, immutable"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_of_letters_that_can_be_seen() {
        assert_eq!(name_of("  Büffel 3 – links ").unwrap(), "Büffel 3 – links");
        for bad in ["", "   ", "a\0b", "a\nb", "abc\u{202e}gpj", "a\u{200b}b", &"x".repeat(201)] {
            assert_eq!(name_of(bad).unwrap_err().status, 422, "{bad:?}");
        }
        assert!(name_of("a\u{202e}b").unwrap_err().detail.contains("U+202E"));
    }
}
