//! Shifted dates: a source whose every time lies as many weeks earlier as its participant's shift says.
//!
//! What stands in a record's content is moved by the filter, which asks [`deidentify`](crate::dataset::deidentify) what
//! is a time; what is known beside the content is moved here, once, for tables and `raw/` alike.
//!
//! Never: a time of a participant without a shift.

use std::io;

use crate::dataset::source::{
    Beside, Change, ChangeVisitor, Content, ParticipantRow, RecordHead, Source, TypesVisitor, Visitor, What,
};
use crate::model::{
    shift::Shift,
    study::{DatesRule, Rules},
    summary::SummaryType,
    time::UnixSeconds,
    window::{Bound, Window},
};

/// A source as the study's rule for dates leaves it.
pub struct Shifted<'a> {
    source: &'a mut dyn Source,
    dates: DatesRule,
}

impl<'a> Shifted<'a> {
    /// The source under these rules.
    pub fn new(source: &'a mut dyn Source, rules: &Rules) -> Self {
        Self { source, dates: rules.dates }
    }
}

impl Source for Shifted<'_> {
    fn participants(&mut self) -> io::Result<Vec<ParticipantRow>> {
        let rows = self.source.participants()?;
        match self.dates {
            DatesRule::Keep => Ok(rows),
            DatesRule::Shift => rows.into_iter().map(moved_participant).collect(),
        }
    }

    fn types(&mut self) -> io::Result<Vec<SummaryType>> {
        self.source.types()
    }

    fn records(&mut self, summary_type: &SummaryType, visit: &mut Visitor<'_>) -> io::Result<()> {
        if self.dates == DatesRule::Keep {
            return self.source.records(summary_type, visit);
        }
        self.source.records(summary_type, &mut |head, content| {
            let shift = head.shift.ok_or_else(|| head.named(no_shift()))?;
            visit(&moved_head(*head, shift), &mut Moved { content, shift })
        })
    }

    fn all_records(&mut self, types: &[SummaryType], visit: &mut TypesVisitor<'_>) -> io::Result<()> {
        if self.dates == DatesRule::Keep {
            return self.source.all_records(types, visit);
        }
        self.source.all_records(types, &mut |summary_type, head, content| {
            let shift = head.shift.ok_or_else(|| head.named(no_shift()))?;
            visit(summary_type, &moved_head(*head, shift), &mut Moved { content, shift })
        })
    }

    fn changes(&mut self, visit: &mut ChangeVisitor<'_>) -> io::Result<()> {
        match self.dates {
            DatesRule::Keep => self.source.changes(visit),
            DatesRule::Shift => self.source.changes(&mut |change| {
                let when = match change.what {
                    What::Added | What::Revised => {
                        change.shift.zip(change.when).and_then(|(shift, when)| shift.time(when))
                    }
                    // It is the time of an export, which the manifest tells unmoved.
                    What::Removed | What::Withdrawn => None,
                };
                visit(&Change { when, ..change.clone() })
            }),
        }
    }
}

/// A content whose times are to be moved.
struct Moved<'a> {
    content: &'a mut dyn Content,
    shift: Shift,
}

impl Content for Moved<'_> {
    fn read(&mut self, piece: &mut dyn FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
        self.content.read(piece)
    }

    fn beside(&self) -> Beside {
        Beside { shift: Some(self.shift), ..self.content.beside() }
    }
}

/// Written out member by member, so that a new one is decided on here.
fn moved_participant(row: ParticipantRow) -> io::Result<ParticipantRow> {
    let shift = row.shift.ok_or_else(no_shift)?;
    let moved = |time: Option<UnixSeconds>| time.and_then(|time| shift.time(time));
    let bound = |bound: Option<Bound>| match bound? {
        Bound::At(time) => shift.time(time).map(Bound::At),
        Bound::Day(midnight) => shift.time(midnight).map(Bound::Day),
    };
    Ok(ParticipantRow {
        code: row.code,
        state: row.state,
        window: Window { from: bound(row.window.from), to: bound(row.window.to) },
        consent_version: row.consent_version,
        consent_date: row.consent_date.and_then(|date| shift.date(&date)),
        first_record: moved(row.first_record),
        last_record: moved(row.last_record),
        records: row.records,
        shift: row.shift,
    })
}

fn moved_head(head: RecordHead<'_>, shift: Shift) -> RecordHead<'_> {
    RecordHead {
        participant: head.participant,
        record_id: head.record_id,
        // It is the gateway's own clock's, which is a believed one.
        received: shift.time(head.received).unwrap_or(UnixSeconds(0)),
        revision: head.revision,
        current: head.current,
        start: head.start.and_then(|start| shift.time(start)),
        offset: head.offset,
        shift: head.shift,
    }
}

fn no_shift() -> io::Error {
    io::Error::other("a participant joined meanwhile, whose dates have no shift; export again")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::participant::ParticipantState;

    struct Unshifted;

    impl Source for Unshifted {
        fn participants(&mut self) -> io::Result<Vec<ParticipantRow>> {
            Ok(vec![ParticipantRow {
                code: "A".to_owned(),
                state: ParticipantState::Active,
                window: Window::default(),
                consent_version: None,
                consent_date: None,
                first_record: None,
                last_record: None,
                records: 0,
                shift: None,
            }])
        }

        fn types(&mut self) -> io::Result<Vec<SummaryType>> {
            Ok(Vec::new())
        }

        fn records(&mut self, _: &SummaryType, visit: &mut Visitor<'_>) -> io::Result<()> {
            let head = RecordHead {
                participant: "A",
                record_id: "r",
                received: UnixSeconds(1_793_534_400),
                revision: 1,
                current: true,
                start: None,
                offset: None,
                shift: None,
            };
            visit(&head, &mut b"{}".as_slice())
        }

        fn changes(&mut self, visit: &mut ChangeVisitor<'_>) -> io::Result<()> {
            let when = Some(UnixSeconds(1_793_534_400));
            for (what, weeks) in [(What::Added, 1), (What::Revised, 0), (What::Removed, 1), (What::Withdrawn, 0)] {
                visit(&Change { participant: "A", record: None, what, when, shift: Shift::try_from(weeks).ok() })?;
            }
            Ok(())
        }
    }

    #[test]
    fn changes_tell_moved_times_alone() {
        let mut times = Vec::new();
        let mut source = Unshifted;
        let mut shifted = Shifted::new(&mut source, &Rules { dates: DatesRule::Shift, ..Rules::default() });
        let mut note = |change: &Change<'_>| {
            times.push(change.when);
            Ok(())
        };
        shifted.changes(&mut note).expect("visited");
        assert_eq!(times, [Some(UnixSeconds(1_792_929_600)), None, None, None]);
    }

    #[test]
    fn participant_without_a_shift_ends_a_dataset_of_shifted_dates() {
        let rules = |dates| Rules { dates, ..Rules::default() };
        let mut source = Unshifted;
        let mut shifted = Shifted::new(&mut source, &rules(DatesRule::Shift));
        let records = shifted.records(&SummaryType::named("dailies"), &mut |_, _| Ok(()));
        assert!(shifted.participants().is_err() && records.is_err());
        let mut kept = Shifted::new(&mut source, &rules(DatesRule::Keep));
        let records = kept.records(&SummaryType::named("dailies"), &mut |_, _| Ok(()));
        assert!(kept.participants().is_ok() && records.is_ok());
    }
}
