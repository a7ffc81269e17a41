//! Spans of local time laid out over days.

use crate::coverage::habit::Habit;
use crate::coverage::{DAY_S, Day};

/// A span of local time, in seconds; of no length where the record has no duration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    /// Its first second.
    pub from: i64,
    /// The second after its last.
    pub to: i64,
}

/// The covered seconds of each day from `first` to `last`; `None` of a day on which there is nothing.
pub fn lay_out(mut spans: Vec<Span>, habit: Habit, first: Day, last: Day) -> Vec<Option<u32>> {
    let mut days = Days { first, seconds: vec![None; usize::try_from(last - first + 1).unwrap_or(0)] };
    spans.sort_unstable();
    let mut reached = i64::MIN;
    for Span { from, to } in spans {
        // What an earlier span covered already counts once.
        let fresh = from.max(reached).min(to);
        reached = reached.max(to);
        match habit {
            Habit::WholeDay | Habit::Daily | Habit::NowAndThen => days.add(day_of(from), to - fresh),
            Habit::Nightly => days.add(day_of((to - 1).max(from)), to - fresh),
            Habit::WhileWorn => days.spread(from, fresh, to),
        }
    }
    days.seconds
}

/// The day of a second of local time.
pub fn day_of(local: i64) -> Day {
    local.div_euclid(DAY_S)
}

struct Days {
    first: Day,
    seconds: Vec<Option<u32>>,
}

impl Days {
    fn add(&mut self, day: Day, seconds: i64) {
        let place = day.checked_sub(self.first).and_then(|place| usize::try_from(place).ok());
        if let Some(found) = place.and_then(|place| self.seconds.get_mut(place)) {
            let before = found.unwrap_or(0);
            *found = Some(before.saturating_add(u32::try_from(seconds.max(0)).unwrap_or(u32::MAX)));
        }
    }

    /// From `fresh` on, cut at midnights; the day of `from` has something in any case.
    fn spread(&mut self, from: i64, fresh: i64, to: i64) {
        self.add(day_of(from), 0);
        let mut at = fresh;
        while at < to {
            let midnight = (day_of(at) + 1) * DAY_S;
            let end = midnight.min(to);
            self.add(day_of(at), end - at);
            at = end;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3600;

    #[track_caller]
    fn check(habit: Habit, spans: &[(i64, i64)], expected: [Option<u32>; 3]) {
        let spans = spans.iter().map(|(from, to)| Span { from: from * HOUR, to: to * HOUR }).collect();
        let hours: Vec<_> = lay_out(spans, habit, 10, 12).iter().map(|day| day.map(|s| s / 3600)).collect();
        assert_eq!(hours, expected);
    }

    #[test]
    fn what_is_worn_is_cut_at_midnight_and_counts_once() {
        let day = 240;
        check(Habit::WhileWorn, &[(day + 20, day + 30), (day + 28, day + 31)], [Some(4), Some(7), None]);
        check(Habit::WhileWorn, &[(day + 1, day + 9), (day + 2, day + 3), (day + 8, day + 10)], [Some(9), None, None]);
        check(Habit::WhileWorn, &[(day - 5, day + 80)], [Some(24), Some(24), Some(24)]);
    }

    #[test]
    fn night_counts_on_the_day_on_which_it_ends_and_a_summary_on_the_day_on_which_it_begins() {
        check(Habit::Nightly, &[(240 + 23, 240 + 31)], [None, Some(8), None]);
        check(Habit::Nightly, &[(240 + 16, 240 + 24)], [Some(8), None, None]);
        check(Habit::WholeDay, &[(264, 264 + 25)], [None, Some(25), None]);
    }

    #[test]
    fn longer_version_of_the_same_day_adds_what_it_is_longer() {
        check(Habit::WholeDay, &[(240, 250), (240, 264)], [Some(24), None, None]);
    }

    #[test]
    fn moment_counts_as_something_without_length() {
        check(Habit::Daily, &[(240, 240)], [Some(0), None, None]);
        check(Habit::NowAndThen, &[(264 + 3, 264 + 3)], [None, Some(0), None]);
    }

    #[test]
    fn days_outside_are_left_out() {
        check(Habit::Daily, &[(0, 1), (239, 239), (312, 313), (i64::MAX / HOUR - 1, i64::MAX / HOUR)], [None; 3]);
    }
}
