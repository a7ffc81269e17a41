//! Who is silent: takes part, and nothing covers the last days. Pure.

use crate::coverage::DAY_S;
use crate::model::participant::{Bound, Participant, ParticipantState};
use crate::model::study::{Study, StudyState};
use crate::model::time::UnixSeconds;

/// Since when nothing covers a participant's days, where that is longer than so many days. Who has no records is silent
/// since the participant could have had some: since the window began, a pause ended, or the participant was added.
pub fn silent_since(
    study: &Study,
    participant: &Participant,
    last_seen: Option<UnixSeconds>,
    days: u16,
    now: UnixSeconds,
) -> Option<UnixSeconds> {
    let takes_part = study.state != StudyState::Closed
        && participant.state == ParticipantState::Active
        && participant.is_readable()
        && participant.collects(now);
    let resumed = participant.pauses.iter().filter_map(|pause| pause.to).map(Bound::in_utc);
    let began = participant.window.from.map_or(participant.added, |from| from.in_utc().max(participant.added));
    let since = resumed.chain(last_seen).chain([began]).max()?;
    (takes_part && since.plus(i64::from(days) * DAY_S) < now).then_some(since)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::id::{OwnerId, StudyId};
    use crate::model::participant::{Lock, Window};
    use crate::model::study::Rules;

    const NOW: UnixSeconds = UnixSeconds(1_793_509_200);

    fn ago(days: i64) -> UnixSeconds {
        NOW.plus(-days * DAY_S)
    }

    fn study(state: StudyState) -> Study {
        Study {
            id: StudyId::from_bytes([1; 16]),
            name: "S".to_owned(),
            state,
            recipients: Vec::new(),
            rules: Rules::default(),
            rules_version: 1,
            created: ago(100),
            exports: 0,
        }
    }

    fn participant() -> Participant {
        Participant {
            id: OwnerId::from_bytes([2; 16]),
            study: StudyId::from_bytes([1; 16]),
            code: "P".to_owned(),
            state: ParticipantState::Active,
            window: Window::default(),
            pauses: Vec::new(),
            consent: None,
            added: ago(50),
            lock: None,
            shift: None,
        }
    }

    #[track_caller]
    fn check(participant: &Participant, last_seen: Option<i64>, expected: Option<i64>) {
        let since = silent_since(&study(StudyState::Open), participant, last_seen.map(ago), 3, NOW);
        assert_eq!(since, expected.map(ago));
    }

    #[test]
    fn silence_is_counted_from_the_last_covered_time_and_not_at_its_limit() {
        check(&participant(), Some(4), Some(4));
        check(&participant(), Some(3), None);
        check(&participant(), None, Some(50));
        assert_eq!(silent_since(&study(StudyState::Open), &participant(), Some(ago(4)), 5, NOW), None);
    }

    #[test]
    fn nobody_is_silent_before_their_time_after_it_or_in_a_pause() {
        let window =
            |from: UnixSeconds, to: Option<UnixSeconds>| Window { from: Some(from.into()), to: to.map(Bound::At) };
        check(&Participant { window: window(ago(2), None), ..participant() }, None, None);
        check(&Participant { window: window(ago(5), None), ..participant() }, None, Some(5));
        check(&Participant { window: window(ago(40), Some(ago(9))), ..participant() }, Some(10), None);
        let paused =
            Participant { state: ParticipantState::Paused, pauses: vec![window(ago(20), None)], ..participant() };
        check(&paused, Some(20), None);
        let resumed = Participant { pauses: vec![window(ago(20), Some(ago(2)))], ..participant() };
        check(&resumed, Some(20), None);
        for state in [ParticipantState::Completed, ParticipantState::Withdrawn, ParticipantState::Retained] {
            check(&Participant { state, ..participant() }, Some(10), None);
        }
        check(&Participant { lock: Some(Lock { since: ago(1), until: NOW }), ..participant() }, Some(10), None);
        assert_eq!(silent_since(&study(StudyState::Closed), &participant(), Some(ago(10)), 3, NOW), None);
    }
}
