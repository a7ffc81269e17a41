//! What came of each participant, day by day, and who is silent.
//!
//! | request | answer |
//! |---|---|
//! | GET studies/S/coverage?from=&to=&participant= | `{"study", "from", "to", "participants": [ROW]}`, by code |
//! | GET studies/S/participants?silent=rule\|DAYS | who is silent, each with `last_seen` and `silent_since` |
//!
//! ROW: `{"code", "state", "days": LETTERS, "received_days", "partial_days", "missing_days", "longest_gap": {"days",
//! "from", "to"}, "first_seen", "last_seen", "silent_since", "wear_minutes", "types": {TYPE: {"days": LETTERS,
//! "minutes": [n]}}}`. LETTERS has a letter a day, `from` to `to`: `r` received, `p` partial, `m` missing, `-` nothing,
//! and nothing expected. `minutes` are those that a day's records cover, null where there is none. `wear_minutes` is
//! the mean of days that tell how long the watch was worn. Days are the participant's own; `from` and `to` are dates.

use std::collections::BTreeMap;
use std::sync::Arc;

use hyper::StatusCode;
use serde::Serialize;
use serde_json::json;

use crate::audit::Act;
use crate::coverage::judge::{Gap, State};
use crate::coverage::report::{Asked, OfType, Report, Row};
use crate::coverage::silence::silent_since;
use crate::coverage::{DAY_S, Day};
use crate::http::local::{Answer, Call, Routes, json as answered};
use crate::http::problem::Problem;
use crate::model::id::OwnerId;
use crate::model::study::Study;
use crate::model::time::UnixSeconds;
use crate::people::refusal::state_name;

const SILENT_DAYS_MAX: u16 = 3_660;

#[derive(Serialize)]
struct RowView<'a> {
    code: &'a str,
    state: &'static str,
    days: String,
    received_days: usize,
    partial_days: usize,
    missing_days: usize,
    longest_gap: Option<GapView>,
    first_seen: Option<String>,
    last_seen: Option<String>,
    silent_since: Option<String>,
    wear_minutes: Option<u32>,
    types: BTreeMap<&'a str, TypeView<'a>>,
}

#[derive(Serialize)]
struct GapView {
    days: i64,
    from: String,
    to: String,
}

#[derive(Serialize)]
struct TypeView<'a> {
    days: String,
    minutes: &'a [Option<u32>],
}

/// Who is silent, since when, and what covers their last days.
pub(super) struct Silent {
    pub(super) id: OwnerId,
    pub(super) since: UnixSeconds,
    pub(super) last_seen: Option<UnixSeconds>,
}

pub(super) fn show(routes: &Routes, call: &Call) -> Answer {
    let query = call.query(&["from", "to", "participant"])?;
    let day = |name| query.one(name)?.map(|text| day(name, text)).transpose();
    let asked = Asked { from: day("from")?, to: day("to")?, code: query.one("participant")?.map(str::to_owned) };
    let Report { from, to, rows } = routes.desk.coverage(call.study(), &asked, routes.now())?;
    let views: Vec<_> = rows.iter().map(view).collect();
    match &asked.code {
        Some(code) => call.did(crate::audit::Event::of_participant(Act::CoverageShown {}, call.study(), code)),
        None => call.did_to_study(Act::CoverageShown {}),
    }
    let answer = json!({ "study": call.study(), "from": date(from), "to": date(to), "participants": views });
    Ok(answered(StatusCode::OK, &answer))
}

/// Who of a study is silent for longer than this text says: `rule`, or a number of days.
pub(super) fn silent(routes: &Routes, study: &Arc<Study>, text: &str) -> Result<Vec<Silent>, Problem> {
    let days = match text {
        "rule" => study.rules.silent_after_days,
        days => {
            let number = days.strip_suffix('d').unwrap_or(days).parse().ok();
            let number = number.filter(|days| (1..=SILENT_DAYS_MAX).contains(days));
            number.ok_or_else(|| Problem::invalid("\"silent\" is neither \"rule\" nor a number of days such as 3d."))?
        }
    };
    let participants: Vec<_> = routes.people.read().participants(&study.id).cloned().collect();
    let owners: Vec<_> =
        participants.iter().filter(|found| found.is_readable()).map(|participant| participant.id).collect();
    let last_seen = routes.desk.last_seen(&owners)?;
    let silent = participants.iter().filter_map(|participant| {
        let last_seen = last_seen.get(&participant.id).copied();
        let since = silent_since(study, participant, last_seen, days, routes.now())?;
        Some(Silent { id: participant.id, since, last_seen })
    });
    Ok(silent.collect())
}

fn view(row: &Row) -> RowView<'_> {
    RowView {
        code: &row.code,
        state: state_name(row.state),
        days: letters(&row.days),
        received_days: row.count(State::Received),
        partial_days: row.count(State::Partial),
        missing_days: row.count(State::Missing),
        longest_gap: row.longest_gap.map(gap_view),
        first_seen: row.first_seen.map(|time| time.to_string()),
        last_seen: row.last_seen.map(|time| time.to_string()),
        silent_since: row.silent_since.map(|time| time.to_string()),
        wear_minutes: row.wear_minutes,
        types: row.types.iter().map(type_view).collect(),
    }
}

fn gap_view(gap: Gap) -> GapView {
    GapView { days: gap.days(), from: date(gap.from), to: date(gap.to) }
}

fn type_view(of: &OfType) -> (&str, TypeView<'_>) {
    (of.summary_type.name(), TypeView { days: letters(&of.days), minutes: &of.minutes })
}

fn letters(days: &[State]) -> String {
    days.iter().map(|state| state.letter()).collect()
}

fn date(day: Day) -> String {
    UnixSeconds(day.saturating_mul(DAY_S)).date()
}

fn day(name: &str, text: &str) -> Result<Day, Problem> {
    let midnight = UnixSeconds::of_date(text).filter(|_| text.len() == "2026-11-01".len());
    let midnight = midnight.filter(|midnight| midnight.0 >= 0);
    let wrong = || Problem::invalid(format!("\"{name}\" must be a date from 1970 on, such as 2026-11-01."));
    Ok(midnight.ok_or_else(wrong)?.0 / DAY_S)
}
