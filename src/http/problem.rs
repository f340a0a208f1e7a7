//! Errors as problem details (RFC 9457): the one place that turns an error into a status.

use axum::Json;
use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::blobs::BlobError;
use crate::jobs::ServiceError;
use crate::store::StoreError;

/// What went wrong, for programs and for people.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// A name for this kind of problem: `urn:crumple:problem:…`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The kind in words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What was found, what was expected, what to do.
    pub detail: String,
    /// The thing that the request was about, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
}

/// Answers of a route that may fail.
pub(super) type Answer<T> = Result<T, Problem>;

impl Problem {
    pub(super) fn new(status: StatusCode, slug: &str, detail: impl Into<String>) -> Self {
        Self {
            kind: format!("urn:crumple:problem:{slug}"),
            title: status.canonical_reason().unwrap_or("Problem").to_owned(),
            status: status.as_u16(),
            detail: detail.into(),
            instance: None,
        }
    }

    pub(super) fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad-request", detail)
    }

    pub(super) fn unprocessable(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "refused", detail)
    }

    pub(super) fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", detail)
    }

    fn internal(detail: &dyn std::fmt::Display) -> Self {
        // The cause may name folders of this machine: it goes to the log, the caller gets its place there.
        let mark = crate::store::new_id();
        tracing::error!(mark, error = %detail, "a request failed");
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            format!("the service failed; its log has the cause under {mark}"),
        )
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        // tus answers a wrong checksum with a status of its own.
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, Json(&self)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("2"));
        }
        response
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match &error {
            StoreError::Missing { .. } => Self::not_found(error.to_string()),
            StoreError::Conflict { .. } => Self::new(StatusCode::CONFLICT, "conflict", error.to_string()),
            StoreError::Changed { .. } => Self::new(StatusCode::PRECONDITION_FAILED, "changed", error.to_string()),
            _ if error.is_full() => Self::new(
                StatusCode::INSUFFICIENT_STORAGE,
                "full",
                "the disk of the service is full: nothing can be noted",
            ),
            _ => Self::internal(&ServiceError::from(error).told()),
        }
    }
}

impl From<BlobError> for Problem {
    fn from(error: BlobError) -> Self {
        Self::internal(&ServiceError::from(error).told())
    }
}

impl From<ServiceError> for Problem {
    fn from(error: ServiceError) -> Self {
        match error {
            ServiceError::Store(e) => e.into(),
            ServiceError::Missing { what } => Self::not_found(what),
            ServiceError::Refused { what } => Self::unprocessable(what),
            ServiceError::Busy { what } => Self::new(StatusCode::SERVICE_UNAVAILABLE, "busy", what),
            other if other.is_input_error() => Self::unprocessable(other.told()),
            other => Self::internal(&other.told()),
        }
    }
}

impl From<JsonRejection> for Problem {
    fn from(rejection: JsonRejection) -> Self {
        let status = rejection.status();
        Self::new(status, "bad-request", format!("the body cannot be used: {}", rejection.body_text()))
    }
}

impl From<QueryRejection> for Problem {
    fn from(rejection: QueryRejection) -> Self {
        Self::bad_request(format!("the query cannot be used: {}", rejection.body_text()))
    }
}

impl From<PathRejection> for Problem {
    fn from(rejection: PathRejection) -> Self {
        Self::new(rejection.status(), "bad-request", format!("the path cannot be used: {}", rejection.body_text()))
    }
}
