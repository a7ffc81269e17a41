//! The report on a study: a row a participant, a state for each day and type.

use std::collections::BTreeMap;

use crate::coverage::days::{day_of, lay_out};
use crate::coverage::gather::{Gathered, gather};
use crate::coverage::habit::{Habit, tells_wear};
use crate::coverage::judge::{Gap, State};
use crate::coverage::silence::silent_since;
use crate::coverage::{DAY_S, DAYS_MAX, Day};
use crate::model::participant::{Bound, Participant, ParticipantState};
use crate::model::study::{Rules, Study};
use crate::model::summary::SummaryType;
use crate::model::time::UnixSeconds;
use crate::model::window::Moment;
use crate::records::catalog::{Catalog, Error};

/// What is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// The first day; else the first that is expected of anybody.
    pub from: Option<Day>,
    /// The last day; else today, where anybody is.
    pub to: Option<Day>,
    /// The participant of this code alone.
    pub code: Option<String>,
}

/// The report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The first day.
    pub from: Day,
    /// The last day.
    pub to: Day,
    /// By code.
    pub rows: Vec<Row>,
}

/// A participant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The code.
    pub code: String,
    /// Where the participant stands.
    pub state: ParticipantState,
    /// Each day as a whole.
    pub days: Vec<State>,
    /// The longest run of days that are missing.
    pub longest_gap: Option<Gap>,
    /// The first event time, of all that is there.
    pub first_seen: Option<UnixSeconds>,
    /// The last time that is covered, of all that is there.
    pub last_seen: Option<UnixSeconds>,
    /// Since when the participant is silent by the study's rule, if so.
    pub silent_since: Option<UnixSeconds>,
    /// How long the watch was worn a day, on days that tell, in minutes.
    pub wear_minutes: Option<u32>,
    /// By type: those expected, and those of which there is anything.
    pub types: Vec<OfType>,
}

/// A participant's days of one type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OfType {
    /// The type.
    pub summary_type: SummaryType,
    /// Each day.
    pub days: Vec<State>,
    /// The covered minutes of each day; `None` where there is nothing.
    pub minutes: Vec<Option<u32>>,
}

/// Why there is no report.
#[derive(Debug)]
pub enum Refused {
    /// The last day is before the first.
    EmptySpan,
    /// More days than [`DAYS_MAX`].
    TooLong,
    /// The records cannot be read.
    Records(Error),
}

/// What is expected of a participant, and what is there.
struct Subject<'a> {
    participant: &'a Participant,
    gathered: Gathered,
    /// From the first day of which anything is expected to the last that is over.
    expected: (Day, Day),
}

impl Row {
    /// How many days are in this state.
    pub fn count(&self, state: State) -> usize {
        self.days.iter().filter(|found| **found == state).count()
    }
}

/// The report on these participants, who may be read.
pub fn report<'a>(
    catalog: &Catalog,
    study: &Study,
    participants: impl IntoIterator<Item = &'a Participant>,
    asked: &Asked,
    now: UnixSeconds,
) -> Result<Report, Refused> {
    let _reading = catalog.reading();
    let mut subjects = Vec::new();
    for participant in participants {
        let gathered = gather(catalog, participant, &study.rules).map_err(Refused::Records)?;
        subjects.push(Subject::new(participant, gathered, now));
    }
    let today = subjects.iter().map(|subject| subject.today(now)).max().unwrap_or(day_of(now.0));
    let to = asked.to.unwrap_or(today);
    let begun = subjects.iter().map(|subject| subject.expected.0).min().unwrap_or(to).min(to);
    let from = asked.from.unwrap_or(begun.max(to - DAYS_MAX + 1));
    if to < from {
        return Err(Refused::EmptySpan);
    }
    if to - from >= DAYS_MAX {
        return Err(Refused::TooLong);
    }
    let mut rows: Vec<_> = subjects.into_iter().map(|subject| subject.row(study, from, to, now)).collect();
    rows.sort_by(|left, right| left.code.cmp(&right.code));
    Ok(Report { from, to, rows })
}

impl<'a> Subject<'a> {
    fn new(participant: &'a Participant, gathered: Gathered, now: UnixSeconds) -> Self {
        let local = |time: UnixSeconds| day_of(time.plus(i64::from(gathered.offset)).0);
        let seen = gathered.first_seen.map_or(participant.added, |first| first.min(participant.added));
        let day_of_bound = |bound: Bound| match bound {
            Bound::At(time) => local(time),
            Bound::Day(midnight) => day_of(midnight.0),
        };
        let first = participant.window.from.map_or(local(seen), day_of_bound);
        // A day that is not over yet lacks nothing.
        let mut last = local(now) - 1;
        if let Some(end) = participant.window.to {
            last = last.min(match end {
                Bound::At(time) => local(time.plus(-1)),
                Bound::Day(midnight) => day_of(midnight.0) - 1,
            });
        }
        if participant.state == ParticipantState::Retained {
            last = last.min(gathered.last_seen.map_or(first - 1, local));
        }
        Self { participant, gathered, expected: (first, last) }
    }

    fn today(&self, now: UnixSeconds) -> Day {
        day_of(now.plus(i64::from(self.gathered.offset)).0)
    }

    fn row(self, study: &Study, from: Day, to: Day, now: UnixSeconds) -> Row {
        let expected: Vec<bool> = (from..=to).map(|day| self.expects(day)).collect();
        let Gathered { mut spans, first_seen, last_seen, .. } = self.gathered;
        let mut types = BTreeMap::new();
        let seen: Vec<_> = spans.keys().cloned().collect();
        for summary_type in always_expected(&study.rules).into_iter().chain(seen) {
            let spans = spans.remove(&summary_type).unwrap_or_default();
            types.entry(summary_type).or_insert(spans);
        }
        let mut wear = Wear::default();
        let types: Vec<OfType> = types
            .into_iter()
            .map(|(summary_type, spans)| {
                let habit = Habit::of(&summary_type);
                let seconds = lay_out(spans, habit, from, to);
                if tells_wear(&summary_type) {
                    wear.add(&seconds);
                }
                let states = seconds.iter().zip(&expected);
                let days = states.map(|(seconds, expected)| State::of_type(habit, *seconds, *expected)).collect();
                let minutes = seconds.into_iter().map(|seconds| seconds.map(|seconds| seconds / 60)).collect();
                OfType { summary_type, days, minutes }
            })
            .collect();
        let habits: Vec<_> = types.iter().map(|of| (of, Habit::of(&of.summary_type).is_expected())).collect();
        let whole = |(place, expected): (usize, &bool)| {
            State::of_day(habits.iter().map(|(of, wanted)| (of.days[place], *wanted)), *expected)
        };
        let days: Vec<State> = expected.iter().enumerate().map(whole).collect();
        let rule = study.rules.silent_after_days;
        Row {
            code: self.participant.code.clone(),
            state: self.participant.state,
            longest_gap: Gap::longest(&days, from),
            days,
            first_seen,
            last_seen,
            silent_since: silent_since(study, self.participant, last_seen, rule, now),
            wear_minutes: wear.mean(),
            types,
        }
    }

    /// Whether anything is expected of this day: it is over, within the window, and not touched by a pause.
    fn expects(&self, day: Day) -> bool {
        let offset = self.gathered.offset;
        let local = |second: i64| Moment { at: UnixSeconds(second - i64::from(offset)), offset: Some(offset) };
        let (begin, end) = (local(day * DAY_S), local((day + 1) * DAY_S - 1));
        let paused = self.participant.pauses.iter().any(|pause| pause.contains(begin) || pause.contains(end));
        (self.expected.0..=self.expected.1).contains(&day) && !paused
    }
}

/// Types that are expected of everybody: those that the rules name, else the summary of the day. Others are expected
/// of whoever has ever had one, since not every watch has everything.
fn always_expected(rules: &Rules) -> Vec<SummaryType> {
    let named: Vec<_> = rules.types.iter().map(|name| SummaryType::named(name)).collect();
    let all = if rules.types.is_empty() { vec![SummaryType::named("dailies")] } else { named };
    all.into_iter().filter(|summary_type| Habit::of(summary_type).is_expected()).collect()
}

/// The mean of days that tell.
#[derive(Default)]
struct Wear {
    seconds: u64,
    days: u64,
}

impl Wear {
    fn add(&mut self, seconds: &[Option<u32>]) {
        for worn in seconds.iter().flatten() {
            self.seconds += u64::from(*worn);
            self.days += 1;
        }
    }

    fn mean(&self) -> Option<u32> {
        u32::try_from(self.seconds.checked_div(self.days)? / 60).ok()
    }
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::EmptySpan => f.write_str("the last day is before the first; give other days"),
            Self::TooLong => write!(f, "a report covers {DAYS_MAX} days at most; give \"from\" and \"to\""),
            Self::Records(cause) => cause.fmt(f),
        }
    }
}

impl std::error::Error for Refused {}
