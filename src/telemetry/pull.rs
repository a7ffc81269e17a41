//! Metrics of pulls.

use crate::model::summary::{KNOWN, SummaryType};
use crate::telemetry::families::group;

group! {
    /// What becomes of pulls.
    pub struct PullMetrics {
        /// Requests for pings by what they came to.
        pulls: IntCounterVec = "studygate_pulls_total" ["type", "result"],
        /// Pulls that wait, run or are being filed.
        queue_length: IntGauge = "studygate_pull_queue_length" [],
        /// Seconds until the nearest URL of a waiting pull is of no use any more; 86400, a URL's whole life, where none waits.
        deadline: IntGauge = "studygate_pull_deadline_seconds" [],
        /// Bytes of answers with data, as they came.
        answer_bytes: IntCounter = "studygate_pull_answer_bytes_total" [],
    }
}

/// What a request for a ping came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PullResult {
    /// The data are in the journal, or were in the store already.
    Done,
    /// It is tried again.
    Again,
    /// Garmin refused it for good.
    Refused,
    /// The user has not permitted this type.
    NotPermitted,
    /// The file was downloaded before.
    Gone,
    /// The URL's time ran out.
    Expired,
    /// Nobody may have the data any more.
    Dropped,
}

impl PullResult {
    /// Every result.
    pub const ALL: [Self; 7] =
        [Self::Done, Self::Again, Self::Refused, Self::NotPermitted, Self::Gone, Self::Expired, Self::Dropped];

    /// Its label.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Again => "again",
            Self::Refused => "refused",
            Self::NotPermitted => "not_permitted",
            Self::Gone => "gone",
            Self::Expired => "expired",
            Self::Dropped => "dropped",
        }
    }
}

/// What the deadline gauge says where nothing waits.
const URL_LIFE_S: i64 = 86_400;

impl PullMetrics {
    fn at_zero(&self) {
        for name in KNOWN.iter().map(|known| known.name).chain(["other"]) {
            for result in PullResult::ALL {
                self.pulls.with_label_values(&[name, result.name()]);
            }
        }
        self.deadline.set(URL_LIFE_S);
    }

    /// A request for this type came to this.
    pub fn count(&self, kind: &SummaryType, result: PullResult) {
        self.pulls.with_label_values(&[kind.label(), result.name()]).inc();
    }

    /// How many pulls there are, and in how many seconds the nearest of those that wait expires.
    pub fn gauge(&self, length: usize, expires_in: Option<i64>) {
        self.queue_length.set(i64::try_from(length).unwrap_or(i64::MAX));
        self.deadline.set(expires_in.unwrap_or(URL_LIFE_S));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::registry::Registry;

    #[test]
    fn deadline_is_a_whole_life_where_nothing_waits() {
        let registry = Registry::new();
        let metrics = PullMetrics::register(&registry);
        assert!(registry.render().contains("\nstudygate_pull_deadline_seconds 86400\n"));
        metrics.gauge(3, Some(-5));
        let text = registry.render();
        assert!(text.contains("\nstudygate_pull_deadline_seconds -5\n") && text.contains("_queue_length 3\n"));
        metrics.gauge(0, None);
        assert!(registry.render().contains("\nstudygate_pull_deadline_seconds 86400\n"));
    }
}
