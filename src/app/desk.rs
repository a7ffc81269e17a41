//! What the local API asks of the gateway beside the directory of people: status, quarantine, withdrawal, export.

use std::collections::HashMap;
use std::sync::Arc;
use std::thread;

use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::access::rights::Reach;
use crate::app::backups::Handing;
use crate::app::caught_up::caught_up;
use crate::app::certified;
use crate::app::covered;
use crate::app::disclosure::Disclosures;
use crate::app::handout::Handout;
use crate::app::keys::Keys;
use crate::app::leaving::Leaving;
use crate::app::observations::Kept;
use crate::app::pieces::PIECES_WAITING;
use crate::app::pulls::Pulls;
use crate::app::quarantine::Decisions;
use crate::app::seen;
use crate::app::site::Site;
use crate::audit::{Act, Event, Log, Who};
use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::coverage::last_seen::LastSeen;
use crate::coverage::report::{Asked, Report};
use crate::crypto::keyring::Keyring;
use crate::dataset::recipient::Recipient;
use crate::disk::Space;
use crate::export::job::Export;
use crate::export::select::Scope;
use crate::filing::quarantine::Quarantine;
use crate::http::local::desk::{Concerned, Desk, ExportRequest, ExportStream, Pieces, Retry, Revisions};
use crate::http::local::keys::KeyDesk;
use crate::ingest::door::Door;
use crate::journal::Journal;
use crate::lifecycle::Readiness;
use crate::model::id::OwnerId;
use crate::model::summary::KNOWN;
use crate::model::time::UnixSeconds;
use crate::people::People;
use crate::people::refusal::{Kind, Refusal};
use crate::records::catalog::Catalog;
use crate::store::blobs::Blobs;
use crate::store::engine::Engine;
use crate::telemetry::people::{ExportMetrics, PeopleMetrics};
use crate::tls::server::Certificate;
use crate::withdrawal::course::Word;
use crate::withdrawal::{self, Leave, Withdrawal};

/// The gateway behind the local API.
pub struct GatewayDesk {
    disclosures: Disclosures,
    people: Arc<People>,
    catalog: Arc<Catalog>,
    keyring: Arc<Keyring>,
    engine: Arc<dyn Engine>,
    blobs: Arc<Blobs>,
    quarantine: Arc<Quarantine>,
    decisions: Decisions,
    pulls: Pulls,
    withdrawal: Arc<Withdrawal>,
    leaving: Leaving,
    handing: Handing,
    keys: Keys,
    last_seen: Arc<LastSeen>,
    observations: Arc<Kept>,
    journal: Journal,
    audit: Arc<Log>,
    space: Arc<Space>,
    readiness: Arc<Readiness>,
    certificate: Arc<Certificate>,
    door: Arc<Door>,
    recipients: PeopleMetrics,
    exports: ExportMetrics,
    listeners: Value,
    reserve: u64,
    per_study: bool,
}

impl GatewayDesk {
    /// The desk of an opened site.
    pub fn new(
        site: &Site,
        config: &Config,
        (recipients, exports): (PeopleMetrics, ExportMetrics),
        door: Arc<Door>,
        readiness: Arc<Readiness>,
        certificate: Arc<Certificate>,
    ) -> Self {
        Self {
            disclosures: Disclosures::new(site),
            people: Arc::clone(&site.people),
            catalog: Arc::clone(&site.catalog),
            keyring: Arc::clone(&site.keyring),
            engine: Arc::clone(&site.engine),
            blobs: Arc::clone(&site.blobs),
            quarantine: Arc::clone(&site.quarantine),
            pulls: Pulls::new(site),
            decisions: Decisions::new(site),
            withdrawal: Arc::clone(&site.withdrawal),
            leaving: Leaving::new(Arc::clone(&site.withdrawal), Arc::clone(&site.audit)),
            last_seen: Arc::clone(&site.last_seen),
            observations: Arc::clone(&site.observations),
            handing: Handing::new(site),
            keys: Keys::new(site, config, Arc::clone(&readiness)),
            journal: site.journal.clone(),
            audit: Arc::clone(&site.audit),
            space: Arc::clone(&site.space),
            readiness,
            certificate,
            door,
            recipients,
            exports,
            listeners: json!({
                "ingress": config.ingress.listen,
                "metrics": config.metrics.listen,
                "socket": config.local.socket,
                "api": config.local.listen,
            }),
            reserve: config.storage.disk_reserve,
            per_study: config.metrics.per_study,
        }
    }

    fn last_notifications(&self) -> Value {
        let told = self.door.metrics().last_seen().into_iter().map(|(place, at)| {
            let name = KNOWN.get(place).map_or("other", |known| known.name);
            (name.to_owned(), json!(at.to_string()))
        });
        Value::Object(told.collect())
    }
}

impl Desk for GatewayDesk {
    fn status(&self) -> Value {
        let (bodies, bytes) = self.journal.backlog();
        let directory = self.people.read();
        let participants: usize = directory.studies().map(|study| directory.participants(&study.id).count()).sum();
        let records: u64 = self.catalog.owners().iter().map(|owner| self.catalog.count(owner)).sum();
        let (now, (seen, _)) = (SystemClock.now(), self.observations.observed.kept());
        let users = seen::users(&directory, &self.catalog, now);
        let reasons: Vec<_> = self.readiness.reasons().iter().map(ToString::to_string).collect();
        json!({
            "version": env!("CARGO_PKG_VERSION"),
            "ready": reasons.is_empty(),
            "not_ready": reasons,
            "listeners": self.listeners,
            "store": {
                "records": records,
                "sequence": self.catalog.sequence(),
                "database_bytes": self.engine.bytes(),
                "blob_bytes": self.blobs.bytes(),
            },
            "keys": self.keys.shown().told(),
            "journal": { "bodies": bodies, "bytes": bytes },
            "studies": directory.studies().count(),
            "participants": participants,
            "unassigned": directory.held_count(),
            "quarantine": self.quarantine.items(),
            "pulls": self.pulls.status(),
            "purges_pending": self.withdrawal.pending(),
            "purges_awaiting_confirmation": self.withdrawal.in_numbers().awaiting,
            "backup": self.handing.status(),
            "last_notification": self.last_notifications(),
            "seen": seen::told(&seen, users, now),
            "disk": { "available_bytes": self.space.available(), "reserve_bytes": self.reserve },
            "certificate": certified::told(&self.certificate),
        })
    }

    fn keys(&self) -> &dyn KeyDesk {
        &self.keys
    }

    fn coverage(&self, study: &str, asked: &Asked, now: UnixSeconds) -> Result<Report, Refusal> {
        covered::coverage(&self.people, &self.catalog, study, asked, now)
    }

    fn last_seen(&self, participants: &[OwnerId]) -> Result<HashMap<OwnerId, UnixSeconds>, Refusal> {
        covered::last_seen(&self.last_seen, participants)
    }

    fn recipients_changed(&self, study: &str) {
        let study = if self.per_study { study } else { "all" };
        self.recipients.recipient_changes.with_label_values(&[study]).inc();
    }

    fn quarantine(&self, reach: &Reach) -> Result<Vec<Value>, Refusal> {
        self.decisions.list(reach)
    }

    fn quarantined(&self, id: &str, reach: &Reach) -> Result<Value, Refusal> {
        self.decisions.show(id, reach)
    }

    fn quarantined_content(&self, id: &str, reach: &Reach) -> Result<(Option<Concerned>, Pieces), Refusal> {
        self.decisions.content(id, reach)
    }

    fn retry_quarantined(&self, id: &str, retry: Retry, reach: &Reach) -> Result<Option<Concerned>, Refusal> {
        self.decisions.retry(id, retry, reach)
    }

    fn drop_quarantined(&self, id: &str, reach: &Reach) -> Result<Option<Concerned>, Refusal> {
        self.decisions.remove(id, reach)
    }

    fn pulls(
        &self,
        all: bool,
        after: Option<&str>,
        limit: usize,
        reach: &Reach,
    ) -> Result<(Vec<Value>, Option<String>), Refusal> {
        self.pulls.list(all, after, limit, reach)
    }

    fn retry_pull(&self, id: &str, now: UnixSeconds, reach: &Reach) -> Result<Vec<Concerned>, Refusal> {
        self.pulls.retry(id, now, reach)
    }

    fn drop_pull(&self, id: &str, now: UnixSeconds, reach: &Reach) -> Result<Vec<Concerned>, Refusal> {
        self.pulls.remove(id, now, reach)
    }

    fn withdraw(
        &self,
        participants: &[OwnerId],
        leave: Leave,
        now: UnixSeconds,
    ) -> Result<(Value, Vec<withdrawal::Event>), Refusal> {
        self.leaving.withdraw(participants, leave, now)
    }

    fn preview_withdrawal(&self, participant: &OwnerId, word: Word) -> Result<Value, Refusal> {
        self.leaving.preview(participant, word)
    }

    fn purges(&self, all: bool, reach: &Reach) -> Vec<Value> {
        self.leaving.purges(all, reach)
    }

    fn purge_of(&self, study: &str, code: &str) -> Result<Option<Value>, Refusal> {
        self.leaving.purge_of(study, code)
    }

    fn confirm_purge(&self, id: &str, now: UnixSeconds, reach: &Reach) -> Result<Vec<withdrawal::Event>, Refusal> {
        self.leaving.confirm(id, now, reach)
    }

    fn reject_purge(&self, id: &str, now: UnixSeconds, reach: &Reach) -> Result<Vec<withdrawal::Event>, Refusal> {
        self.leaving.reject(id, now, reach)
    }

    fn backups(&self) -> Value {
        self.handing.list()
    }

    fn backup(&self, who: Who) -> Result<ExportStream, Refusal> {
        caught_up(&self.people, &self.journal)?;
        self.handing.begin(who)
    }

    fn purge_log(&self) -> Result<Vec<u8>, Refusal> {
        self.handing.purge_log()
    }

    fn export(&self, request: ExportRequest, who: Who) -> Result<ExportStream, Refusal> {
        let scope = Scope {
            participants: request.participants.clone(),
            tables: request.tables,
            format: request.format,
            window: request.window,
            revisions: request.revisions == Revisions::All,
            since: request.since,
            as_of: request.as_of,
        };
        if self.space.is_low() {
            let low =
                "The disk is under its reserve, and an export sets things aside on it; free space, then try again.";
            return Err(Refusal::Other(Kind::StoreFailed, low.to_owned()));
        }
        caught_up(&self.people, &self.journal)?;
        let (people, catalog, keyring) =
            (Arc::clone(&self.people), Arc::clone(&self.catalog), Arc::clone(&self.keyring));
        let export = Export::new(people, catalog, keyring, &request.study, scope, SystemClock.now())?;
        let space = Arc::clone(&self.space);
        let export = export.asked_by(by(&who)).within(Arc::new(move |bytes| space.reserve().grow(bytes).is_ok()));
        let file_name = export.file_name();
        let code = if let [code] = &*request.participants { Some(code.clone()) } else { None };
        let act = Act::ExportBegun { number: export.number(), since: request.since, as_of: request.as_of };
        let begun = Event { act, study: Some(request.study.clone()), code };
        let entered = self.audit.append(who.clone(), vec![begun]).and_then(|_| self.audit.sign());
        let head = entered.map_err(|cause| unavailable(&cause))?;
        let (pieces, receiver) = mpsc::channel(PIECES_WAITING);
        let handout = Handout {
            study: request.study,
            who,
            pieces,
            audit: Arc::clone(&self.audit),
            exports: self.exports.clone(),
            per_study: self.per_study,
        };
        let run = move || handout.run(export, head);
        thread::Builder::new().name("export".to_owned()).spawn(run).map_err(|cause| unavailable(&cause))?;
        Ok(ExportStream { file_name, pieces: receiver })
    }

    fn disclose(&self, participant: &OwnerId, recipient: &Recipient, who: Who) -> Result<ExportStream, Refusal> {
        caught_up(&self.people, &self.journal)?;
        self.disclosures.begin(participant, recipient, who)
    }
}

/// Who asked, as the register keeps it.
fn by(who: &Who) -> String {
    match who {
        Who::Socket { uid, login_uid: Some(login) } => format!("uid {uid}, logged in as uid {login}"),
        Who::Socket { uid, login_uid: None } => format!("uid {uid}"),
        Who::Token { name } => format!("token {name}"),
        Who::Garmin => "Garmin".to_owned(),
        Who::System => "the gateway".to_owned(),
    }
}

pub(super) fn unavailable(cause: &dyn std::error::Error) -> Refusal {
    tracing::error!(%cause, "a request of the local API failed; check the disk");
    Refusal::from(crate::store::engine::Error::Poisoned)
}
