//! Bodies for the load: 2 KB pushes that differ from each other, cut where a counter goes in, and answers like them.

use serde_json::json;
use studygate::model::time::UnixSeconds;
use studygate::simulate::health;
use studygate::simulate::notification::Notification;
use studygate::simulate::record::Record;
use studygate::simulate::user::{Population, User};

/// The first simulated day: 2026-11-01.
pub(crate) const MIDNIGHT: UnixSeconds = UnixSeconds(1_793_491_200);

const SMALL_BYTES: usize = 2048;
const ID_MARK: &str = "IDIDIDIDIDIDIDI";
const START_MARK: i64 = 1_111_111_111;
/// Starts are within the participants' windows, which are open from 2020 on.
pub(crate) const FIRST_START: u64 = 1_600_000_000;
/// How many different starts there are.
pub(crate) const STARTS: u64 = 100_000_000;

/// A body of one summary with two gaps: 15 digits of the summaryId, 10 digits of the start.
pub(crate) struct Template {
    pub(crate) head: String,
    pub(crate) middle: String,
    pub(crate) tail: String,
}

impl Template {
    /// A push of one summary of about 2 KB.
    pub(crate) fn of(population: &Population, user: &User) -> Self {
        let text = body(population, &small(population, user));
        let (first, rest) = text.split_once(ID_MARK).map_or(("", text.as_str()), |parts| parts);
        // Members are sorted, so that the start comes before the summaryId.
        let (head, middle) = first.split_once(&START_MARK.to_string()).expect("a start");
        Self { head: head.to_owned(), middle: middle.to_owned(), tail: rest.to_owned() }
    }

    /// The body with this number in its gaps.
    pub(crate) fn body(&self, number: u64) -> String {
        format!("{}{}{}{number:015}{}", self.head, FIRST_START + number % STARTS, self.middle, self.tail)
    }

    /// How long every body of it is.
    pub(crate) fn length(&self) -> usize {
        self.body(0).len()
    }
}

/// One user's records of about 2 KB, as they are fetched.
pub(crate) struct Small {
    record: Record,
    prefix: String,
}

impl Small {
    /// Those of this user.
    pub(crate) fn of(population: &Population, user: &User) -> Self {
        Self { record: small(population, user), prefix: user.prefix.clone() }
    }

    /// The answer that holds the record with this number: a bare array.
    pub(crate) fn answer(&self, number: u64) -> String {
        let mut content = self.record.content.clone();
        content.insert("summaryId".to_owned(), json!(format!("{}-{number:015}", self.prefix)));
        content.insert("startTimeInSeconds".to_owned(), json!(FIRST_START + number % STARTS));
        json!([content]).to_string()
    }
}

/// The window of uploads that the ping with this number names.
pub(crate) fn uploaded(number: u64) -> (UnixSeconds, UnixSeconds) {
    let from = MIDNIGHT.plus(i64::try_from(number).expect("few"));
    (from, from.plus(300))
}

/// A daily summary whose notification has about 2 KB.
fn small(population: &Population, user: &User) -> Record {
    let mut record = health::daily(user, MIDNIGHT);
    record.content.insert("summaryId".to_owned(), json!(format!("{}-{ID_MARK}", user.prefix)));
    record.content.insert("startTimeInSeconds".to_owned(), json!(START_MARK));
    let mut quarter = 24;
    while body(population, &record).len() < SMALL_BYTES {
        record.content["timeOffsetHeartRateSamples"][(quarter * 900).to_string()] = json!(50 + quarter * 37 % 80);
        quarter += 1;
    }
    record
}

fn body(population: &Population, record: &Record) -> String {
    Notification::of(population.users(), std::slice::from_ref(record)).to_json()
}
