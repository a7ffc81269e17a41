//! The routes of the local API over a directory in memory, with a stand-in for the rest of the gateway.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use ring::rand::SystemRandom;
use serde_json::{Value, json};
use studygate::clock::Clock;
use studygate::crypto::{key::Key, keyring::Keyring};
use studygate::http::local::{
    Routes,
    desk::{Desk, ExportRequest, ExportStream},
};
use studygate::http::local_api::StreamPiece;
use studygate::model::{id::OwnerId, time::UnixSeconds};
use studygate::people::{People, Settings, refusal::Refusal};
use studygate::store::memory::Memory;

pub(crate) const RECIPIENT: &str = "age1t7rxyev2z3rw82stdlrrepyc39nvn86l5078zqkf5uasdy86jp6svpy7pa";
/// 2026-11-01T05:00:00Z
pub(crate) const NOW: UnixSeconds = UnixSeconds(1_793_509_200);

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
    pub(crate) recipients_changed: Mutex<Vec<String>>,
}

impl Desk for FakeDesk {
    fn status(&self) -> Value {
        json!({ "ready": true })
    }

    fn quarantine(&self) -> Result<Vec<Value>, Refusal> {
        Ok(vec![json!({ "reason": "nobody" })])
    }

    fn withdraw(&self, participant: &OwnerId, now: UnixSeconds) -> Result<Value, Refusal> {
        let mut turn = self.people.turn();
        turn.erase(participant, now);
        turn.commit()?;
        Ok(json!({ "records": 3 }))
    }

    fn recipients_changed(&self, study: &str) {
        self.recipients_changed.lock().expect("no test panics with it").push(study.to_owned());
    }

    fn export(&self, request: ExportRequest) -> Result<ExportStream, Refusal> {
        if request.study == "BUSY" {
            return Err(Refusal::ExportRunning);
        }
        self.exports.lock().expect("no test panics with it").push(request);
        let (sender, pieces) = tokio::sync::mpsc::channel(2);
        sender.try_send(Ok(StreamPiece::Bytes(Bytes::from_static(b"sealed")))).expect("room");
        sender.try_send(Ok(StreamPiece::End)).expect("room");
        Ok(ExportStream { file_name: "A_0001_2026-11-01.zip.age".into(), pieces })
    }
}

/// A directory in memory, and the routes over it.
pub(crate) struct Site {
    pub(crate) people: Arc<People>,
    pub(crate) desk: Arc<FakeDesk>,
    pub(crate) routes: Routes,
    _dir: tempfile::TempDir,
}

impl Site {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let keyring = Keyring::open(dir.path(), &Key::from_bytes([9; 32]), Arc::new(SystemRandom::new()));
        let settings = Settings { held_connections_max: 10 };
        let engine = Arc::new(Memory::default());
        let keyring = Arc::new(keyring.expect("a keyring"));
        let people = People::open(engine, keyring, Arc::new(SystemRandom::new()), settings).expect("people");
        let people = Arc::new(people);
        let desk = Arc::new(FakeDesk {
            people: Arc::clone(&people),
            exports: Mutex::default(),
            recipients_changed: Mutex::default(),
        });
        let routes = Routes::new(Arc::clone(&people), Arc::clone(&desk) as _, Arc::new(Noon));
        Self { people, desk, routes, _dir: dir }
    }
}
