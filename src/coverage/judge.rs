//! Whether a day has what was expected of it. Pure.

use crate::coverage::Day;
use crate::coverage::habit::Habit;

/// What can be said of a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// All of what was expected is there; or something is where nothing was.
    Received,
    /// Some of it.
    Partial,
    /// Nothing, though something was expected.
    Missing,
    /// Nothing is there, and nothing was expected.
    Quiet,
}

/// The longest run of days that are missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// Its first day.
    pub from: Day,
    /// Its last day.
    pub to: Day,
}

impl State {
    /// The state of a type's day with so many seconds.
    pub fn of_type(habit: Habit, seconds: Option<u32>, expected: bool) -> State {
        match seconds {
            Some(seconds) if seconds >= habit.enough() => Self::Received,
            Some(_) => Self::Partial,
            None if expected && habit.is_expected() => Self::Missing,
            None => Self::Quiet,
        }
    }

    /// The state of a day on which the types are in these states, the expected ones flagged.
    pub fn of_day(types: impl IntoIterator<Item = (State, bool)>, expected: bool) -> State {
        let (mut lacks, mut has, mut wanted) = (false, false, false);
        for (state, is_wanted) in types {
            let is_wanted = expected && is_wanted;
            wanted |= is_wanted;
            lacks |= is_wanted && state != Self::Received;
            has |= matches!(state, Self::Received | Self::Partial);
        }
        match (has, lacks, wanted) {
            (true, false, _) => Self::Received,
            (true, true, _) => Self::Partial,
            (false, _, true) => Self::Missing,
            (false, _, false) => Self::Quiet,
        }
    }

    /// One letter for it.
    pub fn letter(self) -> char {
        match self {
            Self::Received => 'r',
            Self::Partial => 'p',
            Self::Missing => 'm',
            Self::Quiet => '-',
        }
    }
}

impl Gap {
    /// The longest run of missing days; the first of equal ones.
    pub fn longest(days: &[State], first: Day) -> Option<Gap> {
        let mut longest: Option<Gap> = None;
        let mut run: Option<Gap> = None;
        for (day, state) in (first..).zip(days) {
            run = (*state == State::Missing).then(|| Gap { from: run.map_or(day, |run| run.from), to: day });
            if run.is_some_and(|run| longest.is_none_or(|longest| run.days() > longest.days())) {
                longest = run;
            }
        }
        longest
    }

    /// How many days it has.
    pub fn days(self) -> i64 {
        self.to - self.from + 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use State::{Missing, Partial, Quiet, Received};

    #[test]
    fn type_needs_as_much_as_its_habit_says() {
        let of = |habit, hours: Option<u32>| State::of_type(habit, hours.map(|hours| hours * 3600), true);
        assert_eq!([of(Habit::WholeDay, Some(23)), of(Habit::WholeDay, Some(21))], [Received, Partial]);
        assert_eq!([of(Habit::WhileWorn, Some(10)), of(Habit::WhileWorn, Some(0))], [Received, Partial]);
        assert_eq!([of(Habit::Nightly, Some(0)), of(Habit::NowAndThen, Some(0))], [Received, Received]);
        assert_eq!([of(Habit::Daily, None), of(Habit::NowAndThen, None)], [Missing, Quiet]);
        assert_eq!(State::of_type(Habit::Daily, None, false), Quiet);
    }

    #[test]
    fn day_is_whole_when_nothing_that_is_expected_lacks() {
        let day = |types: &[(State, bool)], expected| State::of_day(types.iter().copied(), expected);
        assert_eq!(day(&[(Received, true), (Quiet, false)], true), Received);
        assert_eq!(day(&[(Received, true), (Missing, true)], true), Partial);
        assert_eq!(day(&[(Partial, true)], true), Partial);
        assert_eq!(day(&[(Missing, true), (Received, false)], true), Partial, "an activity without a summary");
        assert_eq!(day(&[(Missing, true), (Quiet, false)], true), Missing);
        assert_eq!(day(&[(Quiet, true)], false), Quiet);
        assert_eq!(day(&[(Received, true), (Quiet, true)], false), Received);
        assert_eq!(day(&[(Quiet, false)], true), Quiet, "a study of activities alone expects no day");
    }

    #[test]
    fn longest_gap_is_the_first_of_the_longest_runs() {
        let days = [Missing, Received, Missing, Missing, Quiet, Missing, Missing];
        assert_eq!(Gap::longest(&days, 100), Some(Gap { from: 102, to: 103 }));
        assert_eq!(Gap::longest(&[Received, Quiet], 100), None);
    }
}
