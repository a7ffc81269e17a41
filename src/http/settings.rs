//! What the listeners are told: limits with their defaults, and who may notify.

use std::time::Duration;

use ipnet::IpNet;

/// Who may send notifications where, and how slowly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IngressSettings {
    /// Everything at or below one of these takes notifications; each begins with a slash and does not end with one.
    pub paths: Vec<String>,
    /// Allowed `garmin-client-id` headers; empty = not checked.
    pub client_ids: Vec<String>,
    /// Networks notifications may come from; empty = any.
    pub allow_from: Vec<IpNet>,
    /// Networks whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// How fast a body must come.
    pub pace: Pace,
}

/// How fast a body must come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// The longest time from a request's head to its body's end.
    pub deadline: Duration,
    /// The least rate in bytes a second, after the grace.
    pub rate_min: u64,
    /// The time in which the rate does not count.
    pub grace: Duration,
}

/// Limits of a listener's connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionLimits {
    /// The most connections at once; further ones are answered 503.
    pub connections_max: usize,
    /// The most connections beyond them that are answered at all; further ones are closed.
    pub refused_max: usize,
    /// The longest TLS handshake.
    pub handshake_timeout: Duration,
    /// The longest time for a request's head, idle time before it included.
    pub head_timeout: Duration,
    /// The longest time an HTTP/2 connection stays open without a request.
    pub idle_timeout: Duration,
    /// The longest request head, in bytes.
    pub head_bytes_max: usize,
    /// The most headers of a request.
    pub headers_max: usize,
    /// The most streams at once on one HTTP/2 connection.
    pub streams_max: u32,
    /// How long input is read and thrown away after an answer that came before the body's end, so that the sender
    /// reads the answer instead of a reset.
    pub linger: Duration,
    /// The longest time requests under way may take once the gateway stops.
    pub drain: Duration,
}

impl Default for IngressSettings {
    fn default() -> Self {
        Self {
            paths: vec!["/garmin".to_owned()],
            client_ids: Vec::new(),
            allow_from: Vec::new(),
            trusted_proxies: Vec::new(),
            pace: Pace::default(),
        }
    }
}

impl Default for Pace {
    fn default() -> Self {
        Self { deadline: Duration::from_secs(300), rate_min: 16 << 10, grace: Duration::from_secs(10) }
    }
}

impl Default for ConnectionLimits {
    fn default() -> Self {
        Self {
            connections_max: 256,
            refused_max: 16,
            handshake_timeout: Duration::from_secs(10),
            head_timeout: Duration::from_secs(30),
            idle_timeout: Duration::from_secs(120),
            head_bytes_max: 16 << 10,
            headers_max: 64,
            streams_max: 32,
            linger: Duration::from_secs(2),
            drain: Duration::from_secs(30),
        }
    }
}

impl Pace {
    /// How long the next piece may take; `None` where the body is too slow already. `waited` is the part of `elapsed`
    /// spent waiting for the sender: a slow disk of ours is not held against it.
    pub fn patience(&self, received: u64, waited: Duration, elapsed: Duration) -> Option<Duration> {
        let earned = match self.rate_min {
            0 => Duration::MAX,
            rate => self.grace.saturating_add(Duration::from_millis(received.saturating_mul(1000) / rate)),
        };
        let patience = earned.saturating_sub(waited).min(self.deadline.saturating_sub(elapsed));
        (!patience.is_zero()).then_some(patience)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACE: Pace = Pace { deadline: Duration::from_secs(100), rate_min: 1000, grace: Duration::from_secs(10) };

    fn check(received: u64, waited: u64, elapsed: u64, patience: Option<u64>) {
        let found = PACE.patience(received, Duration::from_secs(waited), Duration::from_secs(elapsed));
        assert_eq!(found, patience.map(Duration::from_secs), "{received} bytes, {waited} s waited, {elapsed} s");
    }

    #[test]
    fn silence_is_borne_for_the_grace_and_for_what_came() {
        check(0, 0, 0, Some(10));
        check(0, 10, 10, None);
        check(5000, 10, 10, Some(5));
        check(5000, 15, 15, None);
    }

    #[test]
    fn deadline_ends_even_a_fast_body() {
        check(1_000_000, 20, 95, Some(5));
        check(1_000_000, 20, 100, None);
    }

    #[test]
    fn time_the_disk_took_is_not_held_against_the_sender() {
        check(1000, 1, 90, Some(10));
    }
}
