//! The routes of the local API over a directory in memory, with a stand-in for the rest of the gateway.
#![allow(dead_code, reason = "each test file uses its own part of it")]

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use ring::rand::SystemRandom;
use serde_json::{Value, json};
use studygate::access::{Gate, rights::Reach, socket::SocketGrants, tokens::Tokens};
use studygate::audit::{self, Log, Who};
use studygate::clock::Clock;
use studygate::coverage::{
    judge::{Gap, State},
    report::{Asked, OfType, Report, Row},
};
use studygate::crypto::{
    key::Key,
    keyring::Keyring,
    root_key::{Fingerprint, is_proof},
};
use studygate::dataset::recipient::Recipient;
use studygate::disk::Space;
use studygate::http::local::{
    Routes,
    desk::{Concerned, Desk, ExportRequest, ExportStream, Retry},
    keys::{KeyDesk, NewRoot, RootReplaced, Rotated, Shown},
};
use studygate::http::local_api::StreamPiece;
use studygate::model::{
    id::OwnerId,
    participant::{ParticipantState, Window},
    summary::SummaryType,
    time::UnixSeconds,
};
use studygate::people::{
    People, Settings,
    refusal::{Kind, Refusal},
    register::{HandedOver, Terms},
};
use studygate::store::memory::Memory;
use studygate::telemetry::{audit::AuditMetrics, registry::Registry};
use studygate::withdrawal::{
    Event, Leave,
    course::{Haste, Word},
    event::What,
};
use tokio::sync::mpsc::Receiver;

pub(crate) const RECIPIENT: &str = "age1t7rxyev2z3rw82stdlrrepyc39nvn86l5078zqkf5uasdy86jp6svpy7pa";
/// 2026-11-01T05:00:00Z
pub(crate) const NOW: UnixSeconds = UnixSeconds(1_793_509_200);

/// The id of the one quarantined item that can be decided about.
pub(crate) const QUARANTINED: &str = "abcdefgh";

struct Noon;

impl Clock for Noon {
    fn now(&self) -> UnixSeconds {
        NOW
    }
}

/// The rest of the gateway: erases at once, and remembers the export it was asked for.
pub(crate) struct FakeDesk {
    people: Arc<People>,
    pub(crate) exports: Mutex<Vec<ExportRequest>>,
    pub(crate) disclosed: Mutex<Vec<String>>,
    pub(crate) recipients_changed: Mutex<Vec<String>>,
    pub(crate) retried: Mutex<Vec<Retry>>,
    pub(crate) left: Mutex<Vec<Leave>>,
    pub(crate) root_key: Mutex<Key>,
    pub(crate) escrow_verified: Mutex<Option<UnixSeconds>>,
}

impl KeyDesk for FakeDesk {
    fn shown(&self) -> Shown {
        let root_key = Fingerprint::of(&self.root_key.lock().expect("no test panics with it")).to_string();
        let escrow_verified = *self.escrow_verified.lock().expect("no test panics with it");
        Shown { epoch: 7, root_key, escrow_verified }
    }

    fn rotate(&self, root: Option<NewRoot>) -> Result<Rotated, Refusal> {
        let given = match root {
            None => return Ok(Rotated { epoch: 8, bodies_filed: true, root: None }),
            Some(NewRoot::InPlace) => Key::from_bytes([4; 32]),
            Some(NewRoot::Given(key)) => key,
        };
        *self.root_key.lock().expect("no test panics with it") = given;
        let (root_key, note) = (self.shown().root_key, Some("Install it.".to_owned()));
        let unreached = vec!["a backup".to_owned()];
        let root = Some(RootReplaced { root_key, capsules: 2, unreached, note });
        Ok(Rotated { epoch: 8, bodies_filed: false, root })
    }

    fn is_in_force(&self, at: UnixSeconds, proof: &str) -> bool {
        is_proof(&self.root_key.lock().expect("no test panics with it"), at, proof)
    }

    fn escrow_verified(&self, at: UnixSeconds) -> Result<(), Refusal> {
        *self.escrow_verified.lock().expect("no test panics with it") = Some(at);
        Ok(())
    }
}

impl Desk for FakeDesk {
    fn status(&self) -> Value {
        json!({ "ready": true })
    }

    fn quarantine(&self, _reach: &Reach) -> Result<Vec<Value>, Refusal> {
        Ok(vec![
            json!({ "id": QUARANTINED, "reason": "nobody" }),
            json!({ "id": "anotherid", "reason": "unexpected-file" }),
        ])
    }

    fn quarantined(&self, id: &str, reach: &Reach) -> Result<Value, Refusal> {
        if id == QUARANTINED && reach.covers("A") { Ok(json!({ "id": id, "text": "{}" })) } else { Err(unknown_item()) }
    }

    fn quarantined_content(
        &self,
        id: &str,
        reach: &Reach,
    ) -> Result<(Option<Concerned>, Receiver<io::Result<StreamPiece>>), Refusal> {
        self.quarantined(id, reach)?;
        Ok((Some(concerned("A")), pieces(b"{}")))
    }

    fn retry_quarantined(&self, id: &str, retry: Retry, reach: &Reach) -> Result<Option<Concerned>, Refusal> {
        self.quarantined(id, reach)?;
        self.retried.lock().expect("no test panics with it").push(retry);
        Ok(Some(concerned("A")))
    }

    fn drop_quarantined(&self, id: &str, reach: &Reach) -> Result<Option<Concerned>, Refusal> {
        self.quarantined(id, reach).map(|_| None)
    }

    fn pulls(
        &self,
        all: bool,
        after: Option<&str>,
        _limit: usize,
        _reach: &Reach,
    ) -> Result<(Vec<Value>, Option<String>), Refusal> {
        let ended = json!({ "id": QUARANTINED, "state": "gone" });
        match (all, after) {
            (false, None) => Ok((vec![ended], None)),
            (true, None) => Ok((vec![ended], Some(QUARANTINED.to_owned()))),
            (_, Some(_)) => Ok((vec![json!({ "id": "anotherid", "state": "waiting" })], None)),
        }
    }

    fn retry_pull(&self, id: &str, _now: UnixSeconds, reach: &Reach) -> Result<Vec<Concerned>, Refusal> {
        self.quarantined(id, reach).map(|_| vec![concerned("A"), concerned("B")])
    }

    fn drop_pull(&self, id: &str, _now: UnixSeconds, reach: &Reach) -> Result<Vec<Concerned>, Refusal> {
        self.quarantined(id, reach).map(|_| Vec::new())
    }

    fn withdraw(
        &self,
        participants: &[OwnerId],
        leave: Leave,
        now: UnixSeconds,
    ) -> Result<(Value, Vec<Event>), Refusal> {
        let mut turn = self.people.turn();
        let left = |participant: &OwnerId| {
            let found = turn.directory().participant(participant)?;
            let study = turn.directory().study_of_id(&found.study)?;
            Some(event(What::Left(leave.cause), &study.name, &found.code))
        };
        let events = participants.iter().filter_map(left).collect();
        participants.iter().for_each(|participant| turn.erase(participant, now));
        turn.commit()?;
        self.left.lock().expect("no test panics with it").push(leave);
        Ok((json!({ "records": 3, "purge_at": null }), events))
    }

    fn preview_withdrawal(&self, _participant: &OwnerId, word: Word) -> Result<Value, Refusal> {
        let purge_at = (word.haste == Haste::AfterTheGrace).then_some("2026-11-03T05:00:00Z");
        Ok(json!({ "records": 3, "purge_at": purge_at }))
    }

    fn purges(&self, all: bool, _reach: &Reach) -> Vec<Value> {
        vec![json!({ "id": QUARANTINED, "all": all })]
    }

    fn purge_of(&self, _study: &str, code: &str) -> Result<Option<Value>, Refusal> {
        let receipt = json!({ "purge": { "state": "done" }, "receipt": { "code": code }, "page": "Receipt\n" });
        Ok((code == "GONE").then_some(receipt))
    }

    fn confirm_purge(&self, id: &str, _now: UnixSeconds, reach: &Reach) -> Result<Vec<Event>, Refusal> {
        self.quarantined(id, reach).map(|_| vec![event(What::Confirmed, "A", "P1")])
    }

    fn reject_purge(&self, id: &str, _now: UnixSeconds, reach: &Reach) -> Result<Vec<Event>, Refusal> {
        self.quarantined(id, reach).map(|_| vec![event(What::Rejected, "A", "P1")])
    }

    fn coverage(&self, study: &str, asked: &Asked, _now: UnixSeconds) -> Result<Report, Refusal> {
        let (from, to) = (asked.from.unwrap_or(20_758), asked.to.unwrap_or(20_760));
        if to < from {
            return Err(Refusal::Other(Kind::Invalid, "The last day is before the first.".into()));
        }
        let directory = self.people.read();
        let found = directory.study(study)?;
        let row = |code: &str| Row {
            code: code.to_owned(),
            state: ParticipantState::Active,
            days: vec![State::Received, State::Missing, State::Quiet],
            longest_gap: Some(Gap { from: from + 1, to: from + 1 }),
            first_seen: Some(NOW.plus(-9 * 86_400)),
            last_seen: Some(NOW),
            silent_since: None,
            wear_minutes: Some(720),
            types: vec![OfType {
                summary_type: SummaryType::named("dailies"),
                days: vec![State::Received, State::Missing, State::Quiet],
                minutes: vec![Some(1440), None, None],
            }],
        };
        let rows = directory.participants(&found.id).map(|participant| row(&participant.code)).collect();
        Ok(Report { from, to, rows })
    }

    fn last_seen(&self, _participants: &[OwnerId]) -> Result<HashMap<OwnerId, UnixSeconds>, Refusal> {
        Ok(HashMap::new())
    }

    fn keys(&self) -> &dyn KeyDesk {
        self
    }

    fn recipients_changed(&self, study: &str) {
        self.recipients_changed.lock().expect("no test panics with it").push(study.to_owned());
    }

    fn backup(&self, _who: Who) -> Result<ExportStream, Refusal> {
        Ok(ExportStream { file_name: "studygate.sgbackup".into(), pieces: pieces(b"sgbackup") })
    }

    fn backups(&self) -> Value {
        json!({ "backups": [] })
    }

    fn purge_log(&self) -> Result<Vec<u8>, Refusal> {
        Ok(b"sgpurges".to_vec())
    }

    fn export(&self, request: ExportRequest, _who: Who) -> Result<ExportStream, Refusal> {
        if request.study == "BUSY" {
            return Err(Refusal::ExportRunning);
        }
        self.exports.lock().expect("no test panics with it").push(request);
        Ok(ExportStream { file_name: "A_0001_2026-11-01.zip.age".into(), pieces: pieces(b"sealed") })
    }

    fn disclose(&self, _participant: &OwnerId, recipient: &Recipient, _who: Who) -> Result<ExportStream, Refusal> {
        self.disclosed.lock().expect("no test panics with it").push(recipient.as_str().to_owned());
        Ok(ExportStream { file_name: "A_P1_2026-11-01_disclosure.zip.age".into(), pieces: pieces(b"sealed") })
    }
}

/// This happened to a participant.
fn event(what: What, study: &str, code: &str) -> Event {
    Event { what, purge: None, study: Some(study.to_owned()), code: Some(code.to_owned()), at: NOW }
}

/// The participant whom what can be decided about concerns, in each study.
fn concerned(study: &str) -> Concerned {
    Concerned { study: study.to_owned(), code: "P1".to_owned() }
}

/// A stream of one piece.
fn pieces(bytes: &'static [u8]) -> Receiver<io::Result<StreamPiece>> {
    let (sender, pieces) = tokio::sync::mpsc::channel(2);
    sender.try_send(Ok(StreamPiece::Bytes(Bytes::from_static(bytes)))).expect("room");
    sender.try_send(Ok(StreamPiece::End)).expect("room");
    pieces
}

fn unknown_item() -> Refusal {
    Refusal::Other(Kind::NotFound, "The quarantine has no item of this id.".into())
}

/// A directory in memory, and the routes over it.
pub(crate) struct Site {
    pub(crate) people: Arc<People>,
    pub(crate) desk: Arc<FakeDesk>,
    pub(crate) audit: Arc<Log>,
    pub(crate) gate: Arc<Gate>,
    pub(crate) routes: Routes,
    dir: tempfile::TempDir,
}

impl Site {
    /// All participants of a study were handed out; the number of that export.
    pub(crate) fn handed_over(&self, study: &str) -> u32 {
        let number = self.people.next_export(study).expect("a number");
        let found = self.people.study(study).expect("a study");
        let participants = self.people.read().participants(&found.id).cloned().collect();
        let terms = Terms {
            sequence: 41,
            window: Window { from: Some(NOW.into()), to: None },
            format: "csv".to_owned(),
            rules: found.rules.clone(),
            rules_version: found.rules_version,
            recipients: vec!["cd".repeat(32)],
            by: "uid 1000".to_owned(),
            ..Terms::default()
        };
        let handed_over = HandedOver { made: NOW, manifest: "ab".repeat(32), participants, terms };
        self.people.export_done(&number, &handed_over).expect("handed over");
        number.number()
    }

    pub(crate) fn new() -> Self {
        Self::with_grants(SocketGrants::default())
    }

    /// With these rights at the socket.
    pub(crate) fn with_grants(grants: SocketGrants) -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let keyring = Keyring::open(dir.path(), &Key::from_bytes([9; 32]), Arc::new(SystemRandom::new()));
        let settings = Settings { held_connections_max: 10 };
        let engine = Arc::new(Memory::default());
        let keyring = Arc::new(keyring.expect("a keyring"));
        let trail = audit::Parts {
            space: Space::new(dir.path(), 0).expect("a disk"),
            engine: Arc::clone(&engine) as _,
            keyring: Arc::clone(&keyring),
            rng: Arc::new(SystemRandom::new()),
            clock: Arc::new(Noon),
        };
        let settings_of_audit = audit::Settings::new(dir.path().join("audit"));
        let audit = Log::open(settings_of_audit, trail, AuditMetrics::register(&Registry::new())).expect("a log");
        let audit = Arc::new(audit);
        let rng = || Arc::new(SystemRandom::new());
        let tokens = Tokens::open(Arc::clone(&engine) as _, Arc::clone(&keyring), rng(), NOW).expect("tokens");
        let gate = Arc::new(Gate::new(tokens, grants));
        let people = People::open(engine, keyring, rng(), settings).expect("people");
        let people = Arc::new(people);
        let desk = Arc::new(FakeDesk {
            people: Arc::clone(&people),
            exports: Mutex::default(),
            disclosed: Mutex::default(),
            recipients_changed: Mutex::default(),
            retried: Mutex::default(),
            left: Mutex::default(),
            root_key: Mutex::new(Key::from_bytes([9; 32])),
            escrow_verified: Mutex::default(),
        });
        let (trail, behind) = (Arc::clone(&audit), Arc::clone(&desk) as _);
        let routes = Routes::new(Arc::clone(&people), behind, trail, Arc::new(Noon), Arc::clone(&gate));
        Self { people, desk, audit, gate, routes, dir }
    }

    /// Where its files lie.
    pub(crate) fn folder(&self) -> &std::path::Path {
        self.dir.path()
    }
}
