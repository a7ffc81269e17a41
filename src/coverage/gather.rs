//! What the indexes of a participant say, as spans of local time.

use std::collections::BTreeMap;

use crate::coverage::days::Span;
use crate::model::participant::Participant;
use crate::model::study::Rules;
use crate::model::summary::SummaryType;
use crate::model::time::UnixSeconds;
use crate::model::window::Moment;
use crate::records::catalog::{Catalog, Error};
use crate::records::occurrence::Occurrence;

/// A record of more than this counts as one of this, in seconds: no summary is longer.
const DURATION_MAX_S: i64 = 7 * 86_400;
/// The last second of the year 9999; what claims to be later, or before 1970, is on no calendar.
const LAST_SECOND: i64 = 253_402_300_799;

/// What is there of a participant.
#[derive(Debug, Default)]
pub struct Gathered {
    /// Spans by type, in no order.
    pub spans: BTreeMap<SummaryType, Vec<Span>>,
    /// The first event time.
    pub first_seen: Option<UnixSeconds>,
    /// The last time that is covered.
    pub last_seen: Option<UnixSeconds>,
    /// The offset from UTC that held last, in seconds.
    pub offset: i32,
    /// When that was.
    offset_at: Option<UnixSeconds>,
}

/// What the study collects of this participant, as far as it came. The caller holds [`Catalog::reading`].
pub fn gather(catalog: &Catalog, participant: &Participant, rules: &Rules) -> Result<Gathered, Error> {
    let mut gathered = Gathered::default();
    for (id, head) in catalog.heads(&participant.id) {
        catalog.occurrences(&participant.id, &id, &head, &mut |found| {
            let on_calendar = |start: &UnixSeconds| (0..=LAST_SECOND).contains(&start.0);
            let moment = |at| Moment { at, offset: found.offset };
            let within = found.start.filter(on_calendar).is_some_and(|start| participant.collects(moment(start)));
            if within && rules.collects(found.summary_type.name()) {
                gathered.add(found);
            }
        })?;
    }
    Ok(gathered)
}

impl Gathered {
    fn add(&mut self, found: &Occurrence<'_>) {
        let Some(start) = found.start else { return };
        self.first_seen = Some(self.first_seen.map_or(start, |first| first.min(start)));
        self.last_seen = self.last_seen.max(covered_to(found));
        if let Some(offset) = found.offset
            && self.offset_at.is_none_or(|at| at <= start)
        {
            (self.offset, self.offset_at) = (offset, Some(start));
        }
        let from = start.plus(i64::from(found.offset.unwrap_or(0))).0;
        let span = Span { from, to: from.saturating_add(found.duration.min(DURATION_MAX_S)) };
        match self.spans.get_mut(found.summary_type) {
            Some(spans) => spans.push(span),
            None => {
                self.spans.insert(found.summary_type.clone(), vec![span]);
            }
        }
    }
}

/// The last time that a record covers; never after it arrived.
pub fn covered_to(found: &Occurrence<'_>) -> Option<UnixSeconds> {
    Some(found.start?.plus(found.duration.min(DURATION_MAX_S)).min(found.received))
}
