//! What course a withdrawal takes, as pure functions: the study's policy, a person's word, and the brake on floods.
//!
//! Nothing signs Garmin's notices. So where a great part of a client's participants is deregistered within an hour,
//! somebody looks before anything is destroyed; collection ends at once all the same.

use crate::model::study::{DataFate, Rules};
use crate::model::time::UnixSeconds;
use crate::withdrawal::record::{Wait, Why};

const DAY: i64 = 86_400;
/// Notices within this time count together, in seconds.
pub(super) const FLOOD_WITHIN: i64 = 3600;

/// The brake's settings.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Brake {
    /// Share of a client's linked participants within an hour that makes a flood, 0 to 1.
    pub share: f64,
    /// And the least number of them.
    pub least: u32,
    /// How long a flood waits for a person, in seconds.
    pub hold_for: i64,
}

/// What a person may say about a withdrawal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Word {
    /// Another fate than the study's.
    pub fate: Option<DataFate>,
    /// Whether the study's grace is passed over.
    pub haste: Haste,
}

/// Whether a grace is given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Haste {
    /// The study's.
    #[default]
    AfterTheGrace,
    /// None.
    AtOnce,
}

/// What is to become of a participant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Course {
    /// Of the data.
    pub fate: DataFate,
    /// What comes first.
    pub wait: Option<Wait>,
}

/// Whether `noticed` participants of a client's `known` ones within an hour are a flood.
pub fn is_flood(brake: &Brake, noticed: usize, known: usize) -> bool {
    let number = |count: usize| f64::from(u32::try_from(count).unwrap_or(u32::MAX));
    number(noticed) >= f64::from(brake.least) && number(noticed) >= brake.share * number(known)
}

/// The course of a participant of a study with these rules. `held` is how long a flood is held, where there is one.
pub fn course(rules: &Rules, word: Word, held: Option<i64>, requested: UnixSeconds) -> Course {
    let grace = match word.haste {
        Haste::AfterTheGrace => i64::from(rules.grace_days) * DAY,
        Haste::AtOnce => 0,
    };
    let wait = match (held, grace) {
        (Some(held), grace) => Some(Wait { why: Why::Flood, until: requested.plus(held.max(grace)) }),
        (None, 0) => None,
        (None, grace) => Some(Wait { why: Why::Grace, until: requested.plus(grace) }),
    };
    Course { fate: word.fate.unwrap_or(rules.on_deregistration), wait }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flood_is_a_share_of_the_clients_participants_and_a_least_number() {
        let brake = Brake { share: 0.25, least: 5, hold_for: 100 };
        let cases = [
            (0, 0, false),
            (1, 1, false),
            (4, 4, false),
            (5, 5, true),
            (5, 20, true),
            (5, 21, false),
            (250, 1000, true),
            (249, 1000, false),
        ];
        for (noticed, known, expected) in cases {
            assert_eq!(is_flood(&brake, noticed, known), expected, "{noticed} of {known}");
        }
        assert!(is_flood(&Brake { share: 0.0, least: 1, hold_for: 0 }, 1, 1000));
        assert!(!is_flood(&Brake { share: 1.0, least: 1, hold_for: 0 }, 9, 10));
    }

    #[test]
    fn course_follows_the_study_unless_a_person_says_otherwise() {
        let rules = |fate, grace_days| Rules { on_deregistration: fate, grace_days, ..Rules::default() };
        let (purge, retain) = (DataFate::Purge, DataFate::Retain);
        let said = |fate, haste| Word { fate, haste };
        let (slow, fast) = (Haste::AfterTheGrace, Haste::AtOnce);
        let grace = |until| Some(Wait { why: Why::Grace, until: UnixSeconds(until) });
        let flood = |until| Some(Wait { why: Why::Flood, until: UnixSeconds(until) });
        let cases = [
            (rules(purge, 0), said(None, slow), None, purge, None),
            (rules(retain, 0), said(None, slow), None, retain, None),
            (rules(purge, 2), said(None, slow), None, purge, grace(1000 + 2 * DAY)),
            (rules(purge, 2), said(None, fast), None, purge, None),
            (rules(retain, 2), said(Some(purge), fast), None, purge, None),
            (rules(purge, 0), said(Some(retain), slow), None, retain, None),
            (rules(purge, 0), said(None, slow), Some(50), purge, flood(1050)),
            (rules(purge, 1), said(None, slow), Some(50), purge, flood(1000 + DAY)),
            (rules(retain, 1), said(None, slow), Some(2 * DAY), retain, flood(1000 + 2 * DAY)),
        ];
        for (rules, word, held, fate, wait) in cases {
            let found = course(&rules, word, held, UnixSeconds(1000));
            assert_eq!(found, Course { fate, wait }, "{word:?} {held:?} {}", rules.grace_days);
        }
    }
}
