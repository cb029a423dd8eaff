//! Who gets an answer: viewers on this machine, or those who know the token; never a page from elsewhere.
//!
//! Without a token the `Host` must be a name of the loopback address, since a name of a stranger's that leads here (DNS
//! rebinding) is how foreign pages read local servers. With a token the host may be any, since no stranger knows it. A
//! browser says in `Origin` which page sends a request or opens a socket, and in `Sec-Fetch-Site` which site caused it:
//! foreign ones are refused. Programs that are no browsers send neither.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::reply::Reply;
use crate::routes::query;

/// The cookie that keeps the token for the pages' own requests.
const COOKIE: &str = "percept";

/// Headers of every answer.
const HEADERS: [(&str, &str); 6] = [
    (
        "content-security-policy",
        "default-src 'self'; img-src 'self' data: blob:; style-src 'self' 'unsafe-inline'; object-src 'none'; base-uri 'none'; \
         form-action 'self'; frame-ancestors 'none'",
    ),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-resource-policy", "same-origin"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cache-control", "no-store"),
];

/// Lets a request through or answers it with a refusal.
pub(crate) async fn check(State(token): State<Option<Arc<str>>>, request: Request, next: Next) -> Response {
    let by_query = token.as_ref().is_some_and(|token| {
        query(request.uri().query().unwrap_or_default()).get("token").is_some_and(|given| same(given, token))
    });
    let (known, foreign) = {
        let headers = request.headers();
        let known = match &token {
            Some(token) => by_query || carries(headers, token),
            None => text(headers, header::HOST).is_some_and(is_loopback),
        };
        (known, is_foreign(request.method(), headers))
    };
    let mut response = if foreign {
        refuse(StatusCode::FORBIDDEN, "this page comes from elsewhere; open percept's own address")
    } else if known {
        next.run(request).await
    } else if token.is_some() {
        refuse(StatusCode::UNAUTHORIZED, "the token is missing or wrong; open the address that percept printed")
    } else {
        refuse(StatusCode::FORBIDDEN, "this server answers to 127.0.0.1 and localhost only")
    };
    for (name, value) in HEADERS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    if let Some(token) = token.filter(|_| by_query && known && !foreign)
        && let Ok(cookie) = HeaderValue::from_str(&format!("{COOKIE}={token}; Path=/; HttpOnly; SameSite=Strict"))
    {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    response
}

fn refuse(status: StatusCode, why: &str) -> Response {
    Reply { status: status.as_u16(), ..Reply::text(why) }.into_response()
}

fn text(headers: &HeaderMap, name: header::HeaderName) -> Option<&str> {
    let mut values = headers.get_all(name).iter();
    let first = values.next()?.to_str().ok()?;
    // Two of them would leave open which one counts.
    values.next().is_none().then_some(first)
}

/// Whether the token stands in `Authorization` or in the cookie.
fn carries(headers: &HeaderMap, token: &str) -> bool {
    let bearer = text(headers, header::AUTHORIZATION).and_then(|value| value.strip_prefix("Bearer "));
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut cookies = cookies.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    bearer.is_some_and(|given| same(given, token)) || cookies.any(|(name, value)| name == COOKIE && same(value, token))
}

/// Whether two texts are the same, in a time that does not tell where they differ.
fn same(a: &str, b: &str) -> bool {
    a.len() == b.len() && a.bytes().zip(b.bytes()).fold(0, |all, (x, y)| all | (x ^ y)) == 0
}

/// Whether a `Host` names this machine by its loopback address.
fn is_loopback(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => match rest.split_once(']') {
            Some((inner, after)) if after.is_empty() || is_port(after) => inner,
            _ => return false,
        },
        None => match host.find(':') {
            Some(at) if is_port(&host[at..]) => &host[..at],
            Some(_) => return false,
            None => host,
        },
    };
    name.eq_ignore_ascii_case("localhost") || name.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

fn is_port(text: &str) -> bool {
    text.strip_prefix(':').is_some_and(|port| port.parse::<u16>().is_ok())
}

/// Whether another site's page is behind a request.
fn is_foreign(method: &Method, headers: &HeaderMap) -> bool {
    if headers.contains_key(header::ORIGIN) {
        let origin = text(headers, header::ORIGIN);
        let page = origin.and_then(|o| o.strip_prefix("http://").or_else(|| o.strip_prefix("https://")));
        let host = text(headers, header::HOST);
        return !page.zip(host).is_some_and(|(page, host)| page.eq_ignore_ascii_case(host));
    }
    let says = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    match says("sec-fetch-site") {
        None | Some("same-origin" | "none") => false,
        // A link from elsewhere may lead here; a picture, script or form from elsewhere may not.
        Some(_) => method != Method::GET || says("sec-fetch-mode") != Some("navigate"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_the_loopback_address_are_hosts() {
        for host in ["127.0.0.1", "127.0.0.1:8077", "localhost:1", "LOCALHOST", "[::1]:8077", "[::1]"] {
            assert!(is_loopback(host), "{host}");
        }
        for host in [
            "evil.example",
            "127.0.0.1.evil.example:80",
            "localhost.evil",
            "10.0.0.1",
            "[::2]",
            "[::1",
            "127.0.0.1:x",
            "",
        ] {
            assert!(!is_loopback(host), "{host}");
        }
    }

    #[test]
    fn requests_that_another_site_caused_are_foreign() {
        let foreign = |method: Method, pairs: &[(&'static str, &'static str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in pairs {
                headers.append(*name, HeaderValue::from_static(value));
            }
            is_foreign(&method, &headers)
        };
        assert!(!foreign(Method::GET, &[("host", "localhost:1")]));
        assert!(!foreign(Method::POST, &[("host", "localhost:1"), ("origin", "http://localhost:1")]));
        assert!(foreign(Method::GET, &[("host", "localhost:1"), ("origin", "http://localhost:2")]));
        assert!(foreign(Method::GET, &[("host", "localhost:1"), ("origin", "null")]));
        assert!(foreign(
            Method::GET,
            &[("host", "localhost:1"), ("origin", "http://localhost:1"), ("origin", "http://e.e")]
        ));
        assert!(foreign(
            Method::GET,
            &[("host", "a:1"), ("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "no-cors")]
        ));
        assert!(!foreign(
            Method::GET,
            &[("host", "a:1"), ("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate")]
        ));
        assert!(foreign(
            Method::POST,
            &[("host", "a:1"), ("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate")]
        ));
    }
}
