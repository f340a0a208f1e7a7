//! The description of the API, as the routes make it.

use utoipa::openapi::path::Operation;
use utoipa::openapi::response::{Response, ResponseBuilder};
use utoipa::openapi::{Content, OpenApi, Ref, RefOr};

/// Adds the failures that come before a route sees its request: words or a body that cannot be read.
pub(super) fn name_common_failures(description: &mut OpenApi) {
    for item in description.paths.paths.values_mut() {
        let all = [
            &mut item.get,
            &mut item.put,
            &mut item.post,
            &mut item.delete,
            &mut item.options,
            &mut item.head,
            &mut item.patch,
        ];
        for operation in all.into_iter().flatten() {
            if operation.parameters.as_ref().is_some_and(|p| !p.is_empty()) || operation.request_body.is_some() {
                add(operation, "400", "A part of the request cannot be read");
            }
            if operation.request_body.is_some() {
                add(operation, "413", "The body is too large");
                add(operation, "415", "The body is of another media type");
                add(operation, "422", "The body is not what was expected");
            }
        }
    }
}

fn add(operation: &mut Operation, status: &str, what: &str) {
    operation.responses.responses.entry(status.to_owned()).or_insert_with(|| RefOr::T(problem(what)));
}

fn problem(what: &str) -> Response {
    let content = Content::new(Some(Ref::from_schema_name("Problem")));
    ResponseBuilder::new().description(what).content("application/problem+json", content).build()
}
