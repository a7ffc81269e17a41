//! Coverage of what was filed: days are the participant's own, and nothing but the indexes is read.

use crate::coverage::DAY_S;
use crate::coverage::judge::{Gap, State};
use crate::coverage::last_seen::LastSeen;
use crate::coverage::report::{Asked, Refused, Report, Row, report};
use crate::filing::tests::NOW;
use crate::filing::tests::site::Site;
use crate::model::participant::{Bound, Window};
use crate::model::study::Rules;
use crate::model::summary::SummaryType;
use crate::model::time::UnixSeconds;

/// 2026-11-01, a Sunday: the day on which everything here begins.
const FIRST: i64 = 1_793_491_200 / DAY_S;

/// An item that starts so many hours after the first midnight by UTC.
fn item(user: &str, number: u32, hours: i64, lasts: i64, offset_hours: i64) -> String {
    let start = FIRST * DAY_S + hours * 3600;
    format!(
        r#"{{"userId":"{user}","summaryId":"{user}-{number}-{hours}","startTimeInSeconds":{start},
            "startTimeOffsetInSeconds":{},"durationInSeconds":{}}}"#,
        offset_hours * 3600,
        lasts * 3600
    )
}

fn push(site: &mut Site, summary_type: &str, items: &[String]) {
    site.receive(&format!(r#"{{"{summary_type}":[{}]}}"#, items.join(",")));
}

fn asked(from: i64, to: i64) -> Asked {
    Asked { from: Some(FIRST + from), to: Some(FIRST + to), code: None }
}

/// The report as of so many days after the first.
fn reported(site: &Site, asked: &Asked, days: i64) -> Result<Report, Refused> {
    let directory = site.at().people.read();
    let study = directory.study("S").expect("a study").clone();
    let participants: Vec<_> = directory.participants(&study.id).cloned().collect();
    let now = UnixSeconds((FIRST + days) * DAY_S + 12 * 3600);
    report(&site.at().catalog, &study, participants.iter().map(|found| &**found), asked, now)
}

fn row(site: &Site, asked: &Asked, days: i64) -> Row {
    reported(site, asked, days).expect("a report").rows.remove(0)
}

fn letters(days: &[State]) -> String {
    days.iter().map(|day| day.letter()).collect()
}

fn of_type(row: &Row, name: &str) -> (String, Vec<Option<u32>>) {
    let found = row.types.iter().find(|of| of.summary_type == SummaryType::named(name)).expect("the type");
    (letters(&found.days), found.minutes.iter().map(|minutes| minutes.map(|minutes| minutes / 60)).collect())
}

#[test]
fn days_are_those_of_the_participants_own_clock() {
    let mut site = Site::with(&["u1"]);
    // Ten hours ahead of UTC: the day of the first summary begins on the eve of the first midnight.
    push(&mut site, "dailies", &[item("u1", 1, -10, 24, 10), item("u1", 2, 38, 24, 10)]);
    // A night that begins on one evening and ends on the next morning.
    push(&mut site, "sleeps", &[item("u1", 3, 36, 8, 10)]);
    let row = row(&site, &asked(0, 3), 10);
    assert_eq!(of_type(&row, "dailies"), ("rmrm".to_owned(), vec![Some(24), None, Some(24), None]));
    assert_eq!(of_type(&row, "sleeps"), ("mmrm".to_owned(), vec![None, None, Some(8), None]));
    assert_eq!(letters(&row.days), "pmrm");
    assert_eq!((row.count(State::Missing), row.longest_gap), (2, Some(Gap { from: FIRST + 1, to: FIRST + 1 })));
    assert_eq!(row.first_seen, Some(UnixSeconds(FIRST * DAY_S - 10 * 3600)));
}

#[test]
fn spans_of_wear_add_up_across_midnight_and_count_once() {
    let mut site = Site::with(&["u1"]);
    push(&mut site, "dailies", &[item("u1", 1, 0, 24, 0), item("u1", 2, 24, 12, 0)]);
    let worn = [item("u1", 3, 6, 8, 0), item("u1", 4, 12, 4, 0), item("u1", 5, 22, 6, 0), item("u1", 6, 30, 1, 0)];
    push(&mut site, "epochs", &worn);
    // The longer version of a summary that had come while its day went on.
    push(&mut site, "dailies", &[item("u1", 2, 24, 24, 0)]);
    let row = row(&site, &asked(0, 1), 10);
    assert_eq!(of_type(&row, "epochs"), ("rp".to_owned(), vec![Some(12), Some(5)]));
    assert_eq!(of_type(&row, "dailies"), ("rr".to_owned(), vec![Some(24), Some(24)]));
    assert_eq!((letters(&row.days), row.wear_minutes), ("rp".to_owned(), Some((12 + 5) * 60 / 2)));
    assert_eq!(row.last_seen, Some(UnixSeconds(NOW)), "no later than what told of it arrived");
}

#[test]
fn only_days_within_the_window_that_are_over_and_not_paused_are_expected() {
    let mut site = Site::new();
    site.study("S", Rules::default());
    let day = |number: i64| Some(Bound::Day(UnixSeconds((FIRST + number) * DAY_S)));
    let window = Window { from: day(1), to: day(6) };
    site.participant_within("S", "P1", "u1", window, Window::default());
    assert_eq!(letters(&row(&site, &asked(0, 8), 20).days), "-mmmmm---");
    assert_eq!(letters(&row(&site, &asked(0, 8), 3).days), "-mm------", "the day that is not over lacks nothing");
    push(&mut site, "activities", &[item("u1", 1, 50, 1, 0), item("u1", 2, 3, 1, 0)]);
    let row = row(&site, &asked(0, 8), 20);
    assert_eq!(letters(&row.days), "-mpmmm---", "an activity is something, and outside the window nothing is told");
    assert_eq!(row.types.len(), 2);
}

#[test]
fn study_expects_what_its_rules_name_and_of_the_rest_what_ever_came() {
    let mut site = Site::new();
    site.study("S", Rules { types: vec!["dailies".into(), "hrv".into(), "activities".into()], ..Rules::default() });
    site.participant("S", "P1", "u1");
    push(&mut site, "dailies", &[item("u1", 1, 0, 24, 0)]);
    assert_eq!(letters(&row(&site, &asked(0, 0), 10).days), "p", "the night's is named and lacks");
    let mut open = Site::with(&["u1"]);
    push(&mut open, "dailies", &[item("u1", 1, 0, 24, 0)]);
    assert_eq!(letters(&row(&open, &asked(0, 0), 10).days), "r", "this watch may have no such sensor");
}

#[test]
fn report_without_days_goes_from_the_first_expected_one_to_today() {
    let mut site = Site::with(&["u1", "u2"]);
    push(&mut site, "dailies", &[item("u1", 1, -48, 24, 0), item("u1", 2, 24, 24, 0)]);
    let found = reported(&site, &Asked::default(), 4).expect("a report");
    assert_eq!((found.from, found.to), (FIRST - 2, FIRST + 4));
    let codes: Vec<_> = found.rows.iter().map(|row| (row.code.as_str(), letters(&row.days))).collect();
    assert_eq!(codes, [("P1", "rmmrmm-".to_owned()), ("P2", "--mmmm-".to_owned())]);
    let empty = Asked { from: Some(FIRST), to: Some(FIRST - 1), code: None };
    assert!(matches!(reported(&site, &empty, 4), Err(Refused::EmptySpan)));
    let long = Asked { from: Some(0), to: Some(FIRST), code: None };
    assert!(matches!(reported(&site, &long, 4), Err(Refused::TooLong)));
}

#[test]
fn times_that_are_on_no_calendar_harm_nothing() {
    let mut site = Site::with(&["u1"]);
    for (number, start) in [i64::MAX, i64::MIN, -1, 253_402_300_800, 9_000_000_000_000_000_000].iter().enumerate() {
        let rest = format!(r#""summaryId":"{number}","startTimeInSeconds":{start},"durationInSeconds":{}"#, i64::MAX);
        site.receive(&format!(r#"{{"epochs":[{{"userId":"u1",{rest}}}]}}"#));
    }
    push(&mut site, "dailies", &[item("u1", 1, 0, 24, 0)]);
    assert_eq!(letters(&row(&site, &asked(0, 1), 10).days), "rm");
}

#[test]
fn last_seen_reads_what_came_since_and_forgets_who_has_left() {
    let mut site = Site::with(&["u1"]);
    let owner = site.id("S", "P1");
    let known = LastSeen::new(site.at().catalog.clone());
    assert_eq!(known.of(&owner).expect("read"), None);
    push(&mut site, "dailies", &[item("u1", 1, -72, 24, 0)]);
    let covered = |hours: i64| Some(UnixSeconds(FIRST * DAY_S + hours * 3600));
    assert_eq!(known.of(&owner).expect("read"), covered(-48));
    push(&mut site, "sleeps", &[item("u1", 2, -40, 8, 0)]);
    push(&mut site, "sleeps", &[item("u1", 3, -90, 8, 0)]);
    assert_eq!(known.of(&owner).expect("read"), covered(-32));
    site.receive(&crate::filing::tests::leaves("u1"));
    known.keep(&std::collections::HashSet::new());
    assert_eq!(known.of(&owner).expect("nothing to read"), None);
}
