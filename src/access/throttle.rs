//! Failed tokens are slowed down: a growing wait for each address, and one for all together.
//!
//! Limits: 4,096 addresses are remembered, of which the one that failed longest ago goes first; an IPv6 address counts
//! by its /64.
//!
//! Never: a good token refused because of what others behind the same address send (there is no guessing 256 random
//! bits); a wait that holds a connection.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

const ADDRESSES_MAX: usize = 4096;
/// Failures of one address that cost nothing: a mistyped or an old token.
const FREE: u32 = 5;
const WAIT_LEAST: Duration = Duration::from_secs(1);
const WAIT_MOST: Duration = Duration::from_secs(300);
/// An address without a failure for so long begins anew.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(900);
/// Failures of all addresses together that are answered in a window; further ones are put off to its end.
const ALL_MAX: u32 = 300;
const ALL_WINDOW: Duration = Duration::from_secs(60);

/// Who failed, and how often. Times are those of a clock that only goes forward.
#[derive(Default)]
pub struct Throttle(Mutex<State>);

#[derive(Default)]
struct State {
    addresses: HashMap<IpAddr, Failures>,
    window_began: Duration,
    in_window: u32,
}

#[derive(Clone, Copy)]
struct Failures {
    count: u32,
    last: Duration,
    until: Duration,
}

impl Throttle {
    /// How long this address is put off where its token is not good; `None` where it is not.
    pub fn wait(&self, address: IpAddr, now: Duration) -> Option<Duration> {
        let state = self.state();
        let of_address = state.addresses.get(&network(address)).map_or(Duration::ZERO, |failures| failures.until);
        Some(of_address.saturating_sub(now)).filter(|left| !left.is_zero())
    }

    /// A token of this address was not good. Where all addresses together fail too often, returns how long that goes on.
    pub fn failed(&self, address: IpAddr, now: Duration) -> Option<Duration> {
        let mut state = self.state();
        let address = network(address);
        if !state.addresses.contains_key(&address) && state.addresses.len() >= ADDRESSES_MAX {
            state.forget_one();
        }
        let failures = state.addresses.entry(address).or_insert(Failures { count: 0, last: now, until: now });
        if now.saturating_sub(failures.last) > FORGOTTEN_AFTER {
            failures.count = 0;
        }
        failures.count = failures.count.saturating_add(1);
        failures.last = now;
        failures.until = now + cost(failures.count);
        if now.saturating_sub(state.window_began) >= ALL_WINDOW {
            (state.window_began, state.in_window) = (now, 0);
        }
        state.in_window = state.in_window.saturating_add(1);
        let left = (state.window_began + ALL_WINDOW).saturating_sub(now);
        (state.in_window > ALL_MAX).then_some(left.max(WAIT_LEAST))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn forget_one(&mut self) {
        let oldest = self.addresses.iter().min_by_key(|(_, failures)| failures.last).map(|(address, _)| *address);
        if let Some(oldest) = oldest {
            self.addresses.remove(&oldest);
        }
    }
}

/// What so many failures in a row cost.
fn cost(count: u32) -> Duration {
    match count.checked_sub(FREE + 1) {
        None => Duration::ZERO,
        Some(beyond) => WAIT_LEAST.saturating_mul(1 << beyond.min(16)).min(WAIT_MOST),
    }
}

/// Whoever has one IPv6 address has its /64.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX))),
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: Duration = Duration::from_secs(1000);

    fn address(number: u32) -> IpAddr {
        IpAddr::from(number.to_be_bytes())
    }

    fn seconds(wait: Option<Duration>) -> u64 {
        wait.map_or(0, |wait| wait.as_secs())
    }

    #[test]
    fn wait_grows_with_each_failure_and_passes() {
        let throttle = Throttle::default();
        let waits: Vec<_> = (0..16)
            .map(|_| {
                throttle.failed(address(1), AT);
                seconds(throttle.wait(address(1), AT))
            })
            .collect();
        assert_eq!(waits, [0, 0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
        assert_eq!(seconds(throttle.wait(address(2), AT)), 0, "another address");
        assert_eq!(seconds(throttle.wait(address(1), AT + WAIT_MOST)), 0, "it passes");
        throttle.failed(address(1), AT + WAIT_MOST);
        assert_eq!(seconds(throttle.wait(address(1), AT + WAIT_MOST)), 300, "and goes on as it was");
    }

    #[test]
    fn address_that_was_quiet_begins_anew() {
        let throttle = Throttle::default();
        (0..10).for_each(|_| assert!(throttle.failed(address(1), AT).is_none()));
        let later = AT + FORGOTTEN_AFTER + Duration::from_secs(1);
        throttle.failed(address(1), later);
        assert_eq!(seconds(throttle.wait(address(1), later)), 0);
    }

    #[test]
    fn failures_of_all_addresses_together_are_put_off_to_the_end_of_the_window() {
        let throttle = Throttle::default();
        let answers: Vec<_> = (0..=ALL_MAX).map(|number| throttle.failed(address(number), AT)).collect();
        assert!(answers[..answers.len() - 1].iter().all(Option::is_none));
        assert_eq!(answers[answers.len() - 1], Some(ALL_WINDOW));
        assert!(throttle.failed(address(7), AT + ALL_WINDOW).is_none());
        assert_eq!(seconds(throttle.wait(address(9999), AT)), 0, "a good token is looked at all the same");
    }

    #[test]
    fn addresses_that_are_remembered_are_bounded_and_the_oldest_goes_first() {
        let throttle = Throttle::default();
        for number in 0..5000_u32 {
            throttle.failed(address(number), AT + Duration::from_millis(u64::from(number)));
        }
        let state = throttle.state();
        assert_eq!(state.addresses.len(), ADDRESSES_MAX);
        assert!(state.addresses.contains_key(&address(4999)) && !state.addresses.contains_key(&address(0)));
    }

    #[test]
    fn one_ipv6_network_is_one_address() {
        let throttle = Throttle::default();
        for last in 0..7_u16 {
            throttle.failed(IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, last]), AT);
        }
        assert!(throttle.wait(IpAddr::from([0x2001, 0xdb8, 0, 0, 9, 9, 9, 9]), AT).is_some());
        assert!(throttle.wait(IpAddr::from([0x2001, 0xdb8, 0, 1, 0, 0, 0, 0]), AT).is_none());
    }
}
