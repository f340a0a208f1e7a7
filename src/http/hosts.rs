//! By which names the service may be addressed.
//!
//! It has no login and trusts whoever reaches its address. A page elsewhere could make its own name point to that address
//! (DNS rebinding) and would then be taken for a page of ours by the browser – but the browser still says that name in
//! `Host`. So only names that nobody else can own are served: addresses, this machine's loopback names, and those that
//! the setting `allowed_hosts` tells.

use std::net::IpAddr;

use axum::extract::{Request, State};
use axum::http::{StatusCode, header, uri::Authority};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use super::Service;
use super::problem::Problem;

/// Answers only who addressed the service by a name that it goes by.
pub(super) async fn known_host(State(service): State<Service>, request: Request, next: Next) -> Response {
    // HTTP/2 says it in the address of the request.
    let said = request.headers().get(header::HOST).and_then(|h| h.to_str().ok());
    let said = said.or_else(|| request.uri().authority().map(Authority::as_str)).unwrap_or_default();
    if is_known(said, &service.shop.settings.allowed_hosts) {
        return next.run(request).await;
    }
    let what = format!(
        "the service was addressed as {said:?}, expected an address, localhost, or a name of the setting allowed_hosts \
         (--allowed-hosts): name it there if it is the service's own"
    );
    Problem::new(StatusCode::MISDIRECTED_REQUEST, "host", what).into_response()
}

/// True for `NAME` or `NAME:PORT` with a name that is nobody else's.
fn is_known(said: &str, allowed: &[String]) -> bool {
    let Ok(authority) = said.parse::<Authority>() else { return false };
    let name = authority.host().trim_matches(['[', ']']).trim_end_matches('.').to_ascii_lowercase();
    name.parse::<IpAddr>().is_ok()
        || name == "localhost"
        || name.ends_with(".localhost")
        || allowed.iter().any(|a| *a == "*" || *a == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_nobody_else_can_own_are_served() {
        let allowed = ["crumple.example.com".to_owned()];
        for said in [
            "127.0.0.1:8080",
            "[::1]:8080",
            "10.1.2.3",
            "localhost:1",
            "LOCALHOST",
            "crumple.example.com",
            "Crumple.Example.com:443",
        ] {
            assert!(is_known(said, &allowed), "{said}");
        }
        for said in
            ["", "evil.example.com", "127.0.0.1.evil.com:8080", "localhost.evil.com", "a b", "xcrumple.example.com"]
        {
            assert!(!is_known(said, &allowed), "{said}");
        }
        assert!(is_known("evil.example.com", &["*".to_owned()]));
    }
}
