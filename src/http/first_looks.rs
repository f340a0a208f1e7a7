//! What people saw before they saw the machine's flags.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Service;
use super::extract::{Body, Path};
use super::problem::{Answer, Problem};
use crate::store;

/// Something that was seen.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub(super) struct Seen {
    part_name: Option<String>,
    time_s: f64,
    camera: Option<String>,
    kind: Option<String>,
    remark: Option<String>,
}

/// A look to be kept.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewFirstLook {
    author: Option<String>,
    /// What was seen; empty for nothing.
    #[schema(max_items = 1000)]
    seen: Vec<Seen>,
}

/// A look that was kept.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct FirstLook {
    id: String,
    author: Option<String>,
    seen: Vec<Seen>,
    at: String,
}

impl From<store::FirstLook> for FirstLook {
    fn from(l: store::FirstLook) -> Self {
        Self { id: l.id, author: l.author, seen: serde_json::from_str(&l.seen).unwrap_or_default(), at: l.at }
    }
}

/// Looks at a review.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct FirstLooks {
    /// Oldest first.
    items: Vec<FirstLook>,
    /// Always null: there are few.
    next_cursor: Option<String>,
}

/// Lists what people saw in a review before they saw its flags.
#[utoipa::path(get, path = "/reviews/{id}/first_looks", tag = "reviews", params(("id" = String, Path, description = "The review")),
    responses((status = 200, body = FirstLooks), (status = 404, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn list_first_looks(
    State(service): State<Service>,
    Path(id): Path<String>,
) -> Answer<Json<FirstLooks>> {
    let rows = service.shop.store.first_looks(&id).await?;
    Ok(Json(FirstLooks { items: rows.into_iter().map(FirstLook::from).collect(), next_cursor: None }))
}

/// Keeps what somebody saw in a review before seeing its flags.
#[utoipa::path(post, path = "/reviews/{id}/first_looks", tag = "reviews", request_body = NewFirstLook, params(("id" = String, Path, description = "The review")),
    responses((status = 201, body = FirstLook), (status = 404, body = Problem, content_type = "application/problem+json"), (status = 422, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn add_first_look(
    State(service): State<Service>,
    Path(id): Path<String>,
    Body(new): Body<NewFirstLook>,
) -> Answer<Response> {
    if new.seen.len() > 1000 {
        return Err(Problem::unprocessable(format!("found {} things seen, expected at most 1000", new.seen.len())));
    }
    let seen = serde_json::to_string(&new.seen).expect("what was seen is JSON, else a bug");
    let look = service.shop.store.add_first_look(&id, new.author.as_deref(), &seen).await?;
    Ok((StatusCode::CREATED, Json(FirstLook::from(look))).into_response())
}
