//! Which hosts fail: said once when it begins, and once when it ends.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use crate::queue::job::Setback;

/// So many requests in a row without an answer make a host one that fails: one may happen to anybody.
const FAILURES: u32 = 3;

/// Failures in a row, by host.
#[derive(Debug, Default)]
pub(crate) struct Hosts(Mutex<HashMap<String, u32>>);

/// What a request tells of its host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// It fails since this request.
    Fails,
    /// It answers again since this request.
    Answers,
}

impl Hosts {
    /// What a request came to; `None` where it brought an answer that is none of the host's faults.
    pub(crate) fn note(&self, host: &str, setback: Option<Setback>) -> Option<Change> {
        let mut failures = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = match failures.get_mut(host) {
            Some(count) => count,
            None => failures.entry(host.to_owned()).or_default(),
        };
        match setback {
            Some(setback) if is_fault_of_host(setback) => {
                *count = count.saturating_add(1);
                (*count == FAILURES).then_some(Change::Fails)
            }
            Some(Setback::NotStored) => None,
            _ => {
                let failed = std::mem::take(count) >= FAILURES;
                failed.then_some(Change::Answers)
            }
        }
    }

    /// Notes it, and tells the operator of a change.
    pub(crate) fn tell(&self, host: &str, setback: Option<Setback>) {
        match self.note(host, setback) {
            Some(Change::Fails) => {
                let reason = setback.map(Setback::text).unwrap_or_default();
                tracing::warn!(host, reason, "pulls from this host fail; they are tried again until their URLs expire");
            }
            Some(Change::Answers) => tracing::info!(host, "pulls from this host work again"),
            None => {}
        }
    }
}

fn is_fault_of_host(setback: Setback) -> bool {
    match setback {
        Setback::Unreachable | Setback::Tls | Setback::TimedOut | Setback::Cut => true,
        Setback::Status(status) => status >= 500,
        Setback::Malformed | Setback::TooLarge | Setback::Elsewhere | Setback::NotStored => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_is_told_of_once_when_it_fails_and_once_when_it_answers() {
        let hosts = Hosts::default();
        let changes: Vec<_> = [
            Some(Setback::Unreachable),
            Some(Setback::Status(503)),
            Some(Setback::NotStored),
            Some(Setback::Tls),
            Some(Setback::Cut),
            Some(Setback::Status(410)),
            None,
        ]
        .into_iter()
        .map(|setback| hosts.note("a.example", setback))
        .collect();
        assert_eq!(changes, [None, None, None, Some(Change::Fails), None, Some(Change::Answers), None]);
    }

    #[test]
    fn single_failure_is_not_worth_a_line() {
        let hosts = Hosts::default();
        for _ in 0..5 {
            assert_eq!(hosts.note("a.example", Some(Setback::TimedOut)), None);
            assert_eq!(hosts.note("a.example", None), None);
        }
    }
}
