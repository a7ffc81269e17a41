//! A name for each request, in its answer and in the log lines about it.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};

use hyper::header::{HeaderMap, HeaderName};

use crate::crypto::key::{Rng, random};

/// The header that has it.
pub const HEADER: HeaderName = HeaderName::from_static("x-request-id");
/// The longest one that is taken from a caller.
const BYTES_MAX: usize = 64;

/// Gives names to requests that came without one.
pub struct RequestIds {
    run: String,
    next: AtomicU64,
}

impl RequestIds {
    /// Names that no other run of the gateway gives.
    pub fn new(rng: &Rng) -> Self {
        let run = random::<6>(rng).iter().fold(String::new(), |mut text, byte| {
            let written = write!(text, "{byte:02x}");
            debug_assert!(written.is_ok(), "writing to a String does not fail");
            text
        });
        Self { run, next: AtomicU64::new(1) }
    }

    /// The caller's own name for a request, where it is a plain one, or a new name.
    pub fn of(&self, headers: &HeaderMap) -> String {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        let own = headers.get(&HEADER).and_then(|value| value.to_str().ok());
        match own.filter(|text| (1..=BYTES_MAX).contains(&text.len()) && text.bytes().all(plain)) {
            Some(own) => own.to_owned(),
            None => format!("{}-{}", self.run, self.next.fetch_add(1, Ordering::Relaxed)),
        }
    }
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;
    use ring::rand::SystemRandom;

    use super::*;

    #[test]
    fn plain_name_of_the_caller_is_kept_and_any_other_is_replaced() {
        let ids = RequestIds::new(&SystemRandom::new());
        let of = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(HEADER, HeaderValue::from_str(value).expect("a value"));
            ids.of(&headers)
        };
        assert_eq!(of("My-script.7_a"), "My-script.7_a");
        for wrong in ["", "a b", "a\tlevel=error", &"x".repeat(65)] {
            assert_ne!(of(wrong), wrong);
        }
        assert_ne!(ids.of(&HeaderMap::new()), ids.of(&HeaderMap::new()));
    }
}
