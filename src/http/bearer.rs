//! Who comes over HTTPS: `Authorization: Bearer sg_…`, with failures counted and slowed down.
//!
//! Never: a token in a log line, an error or an answer.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::HeaderMap;
use hyper::header::AUTHORIZATION;
use zeroize::Zeroizing;

use crate::access::tokens::Token;
use crate::access::{Gate, Secret};
use crate::clock::Clock;
use crate::http::problem::Problem;
use crate::telemetry::http::{HttpMetrics, Listener};

const MISSING: &str = "This needs a token: send it as \"Authorization: Bearer sg_…\".";
const NOT_GOOD: &str = "The token is not known, was revoked, or has expired; ask whoever gave it to you for another.";

/// Finds out who comes to one listener.
pub struct Bearer {
    gate: Arc<Gate>,
    clock: Arc<dyn Clock>,
    failures: prometheus::IntCounter,
}

impl Bearer {
    /// At this listener, by these rights.
    pub fn new(gate: Arc<Gate>, clock: Arc<dyn Clock>, listener: Listener, metrics: &HttpMetrics) -> Arc<Self> {
        Arc::new(Self { gate, clock, failures: metrics.of(listener).auth_failures })
    }

    /// The token of a request from this address, or why it is refused.
    pub fn identify(&self, address: IpAddr, headers: &HeaderMap) -> Result<Token, Problem> {
        let Some(text) = sent(headers) else {
            self.failures.inc();
            return Err(Problem::unauthorized(MISSING));
        };
        let found = Secret::parse(&text).and_then(|secret| self.gate.tokens.verify(&secret, self.clock.now()));
        if let Some(token) = found {
            return Ok(token);
        }
        self.failures.inc();
        let now = self.clock.monotonic();
        let left = self.gate.throttle.wait(address, now).or_else(|| self.gate.throttle.failed(address, now));
        Err(left.map_or_else(|| Problem::unauthorized(NOT_GOOD), slowed))
    }
}

fn slowed(left: Duration) -> Problem {
    Problem::slowed(left.as_secs() + u64::from(left.subsec_nanos() > 0))
}

/// What stands behind the scheme, where there is one header and its scheme is ours.
fn sent(headers: &HeaderMap) -> Option<Zeroizing<String>> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let (value, None) = (values.next()?, values.next()) else { return None };
    let (scheme, text) = value.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| Zeroizing::new(text.trim().to_owned()))
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;

    fn check(values: &[&str], expected: Option<&str>) {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(AUTHORIZATION, HeaderValue::from_str(value).expect("a value"));
        }
        assert_eq!(sent(&headers).as_deref().map(String::as_str), expected, "{values:?}");
    }

    #[test]
    fn one_bearer_header_is_read_and_nothing_else() {
        check(&["Bearer sg_x"], Some("sg_x"));
        check(&["bearer  sg_x "], Some("sg_x"));
        check(&[], None);
        check(&["Basic c2c="], None);
        check(&["sg_x"], None);
        check(&["Bearer sg_x", "Bearer sg_y"], None);
    }
}
