//! What a person sees of withdrawals, and decides about them.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::access::rights::Reach;
use crate::app::desk::unavailable;
use crate::audit::Log;
use crate::model::id::OwnerId;
use crate::model::study::DataFate;
use crate::model::time::UnixSeconds;
use crate::people::refusal::{Kind, Refusal};
use crate::withdrawal::course::Word;
use crate::withdrawal::receipt::cause;
use crate::withdrawal::record::{Purge, PurgeId, Stage, Wait, Why};
use crate::withdrawal::{Event, Failure, Leave, Withdrawal};

/// Withdrawals as a person has them.
pub(super) struct Leaving {
    withdrawal: Arc<Withdrawal>,
    audit: Arc<Log>,
}

impl Leaving {
    pub(super) fn new(withdrawal: Arc<Withdrawal>, audit: Arc<Log>) -> Self {
        Self { withdrawal, audit }
    }

    /// Lets participants leave; what would be, or is to be, destroyed of the first of them.
    pub(super) fn withdraw(
        &self,
        participants: &[OwnerId],
        leave: Leave,
        now: UnixSeconds,
    ) -> Result<(Value, Vec<Event>), Refusal> {
        let told = match participants {
            [only] => self.preview(only, leave.word)?,
            _ => json!({}),
        };
        let events = self.withdrawal.withdraw(participants, leave, now).map_err(refused)?;
        Ok((told, events))
    }

    /// What it would do.
    pub(super) fn preview(&self, participant: &OwnerId, word: Word) -> Result<Value, Refusal> {
        let preview = self.withdrawal.preview(participant, word).map_err(refused)?;
        let exports = preview.exports.iter();
        let exports: Vec<_> =
            exports.map(|export| json!({ "number": export.number, "made_at": export.made.to_string() })).collect();
        Ok(json!({
            "data": fate(preview.course.fate),
            "purge_at": preview.course.wait.map(|wait| wait.until.to_string()),
            "records": preview.counts.records,
            "records_kept": preview.records_kept,
            "bytes": preview.counts.bytes,
            "pings": preview.counts.pulls,
            "refused_items": preview.counts.quarantined,
            "links": preview.counts.links,
            "exports": exports,
        }))
    }

    /// Purges under way, or all.
    pub(super) fn purges(&self, all: bool, reach: &Reach) -> Vec<Value> {
        self.withdrawal
            .purges(all)
            .iter()
            .filter(|purge| reach.covers(&purge.study))
            .map(|purge| self.view(purge))
            .collect()
    }

    /// The newest purge of a participant, with its receipt where it is done.
    pub(super) fn purge_of(&self, study: &str, code: &str) -> Result<Option<Value>, Refusal> {
        let Some(purge) = self.withdrawal.purge_of(study, code) else { return Ok(None) };
        // Without a head, the receipt still names the entry; where the log cannot be written, reading goes on.
        let head = purge.audit.and_then(|entry| self.audit.head_over(entry).ok());
        let receipt = self.withdrawal.receipt(&purge, head.as_ref()).map_err(refused)?;
        Ok(Some(json!({
            "purge": self.view(&purge),
            "receipt": receipt.as_ref().map(|receipt| receipt.json().clone()),
            "page": receipt.map(|receipt| receipt.page()),
        })))
    }

    pub(super) fn confirm(&self, id: &str, now: UnixSeconds, reach: &Reach) -> Result<Vec<Event>, Refusal> {
        self.withdrawal.confirm_purge(&self.named(id, reach)?, now).map_err(refused)
    }

    pub(super) fn reject(&self, id: &str, now: UnixSeconds, reach: &Reach) -> Result<Vec<Event>, Refusal> {
        self.withdrawal.reject_purge(&self.named(id, reach)?, now).map_err(refused)
    }

    fn view(&self, purge: &Purge) -> Value {
        let waits = purge.wait.filter(|_| purge.is_waiting());
        json!({
            "id": purge.id,
            "study": purge.study,
            "code": purge.code,
            "state": state(purge),
            "data": fate(purge.fate),
            "started_by": cause(purge.cause),
            "requested": purge.times.requested.to_string(),
            "waits_for": waits.map(|Wait { why, .. }| match why {
                Why::Grace => "grace",
                Why::Flood => "confirmation",
                Why::Settling => "settling",
            }),
            "purge_at": waits.map(|wait| wait.until.to_string()),
            "bodies_pending": self.withdrawal.bodies_pending(&purge.owner),
            "erased": purge.times.erased.map(|time| time.to_string()),
        })
    }

    /// A purge within this reach.
    fn named(&self, id: &str, reach: &Reach) -> Result<PurgeId, Refusal> {
        let unknown =
            || Refusal::Other(Kind::NotFound, "There is no such purge; `studygate purges list` shows them.".to_owned());
        let id = PurgeId::parse(id).ok_or_else(unknown)?;
        let is_within =
            || self.withdrawal.purges(true).iter().any(|known| known.id == id && reach.covers(&known.study));
        if *reach == Reach::All || is_within() { Ok(id) } else { Err(unknown()) }
    }
}

fn state(purge: &Purge) -> &'static str {
    match purge.stage {
        Stage::Waiting => "waiting",
        Stage::Tombstoned => "tombstoned",
        Stage::Destroying => "destroying",
        // Done is what the audit log says.
        Stage::Destroyed => "destroyed",
        Stage::Erased if purge.audit.is_none() => "destroyed",
        Stage::Erased => "done",
        Stage::Rejected => "rejected",
    }
}

fn fate(fate: DataFate) -> &'static str {
    match fate {
        DataFate::Purge => "purge",
        DataFate::Retain => "retain",
    }
}

fn refused(failure: Failure) -> Refusal {
    match failure {
        Failure::People(refusal) => refusal,
        Failure::Engine(cause) => cause.into(),
        Failure::Records(cause) => unavailable(&cause),
        Failure::Keyring(cause) => unavailable(&cause),
        Failure::Altered => unavailable(&Failure::Altered),
    }
}
