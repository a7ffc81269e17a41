//! The golden store: a complete data directory of a format, kept as one archive, and what has to be read from it.

#![allow(dead_code, reason = "the test and the generator each use a part")]

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use ring::digest::{SHA256, digest};
use ring::rand::SystemRandom;
use serde_json::{Value, json};
use studygate::{
    app::site::Site,
    clock::Clock,
    config::{Config, Environment},
    crypto::key::{Key, Rng},
    filing::{
        batch::is_control,
        worker::{Filing, Parts, Settings},
    },
    journal::Header,
    json::split::Splitter,
    lifecycle::Stop,
    model::{connection::ClientId, entry::Entry, id::OwnerId, time::UnixSeconds},
    queue::schedule::Filter,
    records::read::Window,
    telemetry::{audit::AuditMetrics, filing::FilingMetrics, registry::Registry},
};
use tempfile::TempDir;
use zip::{ZipArchive, ZipWriter, write::SimpleFileOptions};

/// Longer data are expected by their digest.
const SHOWN_BYTES_MAX: usize = 300;
/// Longer bodies are spilled.
const INLINE_BYTES_MAX: usize = 64 * 1024;

/// 2026-11-01, noon.
pub(crate) const NOW: UnixSeconds = UnixSeconds(1_793_534_400);

/// The time at which the store is written and read.
struct Noon;

impl Clock for Noon {
    fn now(&self) -> UnixSeconds {
        NOW
    }
}

/// A folder with a configuration and the data directory `data` in it.
pub(crate) struct Folder {
    dir: TempDir,
    config: Config,
}

impl Folder {
    /// An empty one.
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let file = dir.path().join("studygate.toml");
        let text = "data_dir = \"data\"\n[ingress.tls]\ncertificate = \"c.pem\"\nprivate_key = \"k.pem\"\n";
        fs::write(&file, text).expect("written");
        let config = Config::load(&file, &Environment::default()).expect("a configuration");
        Self { dir, config }
    }

    /// The data directory.
    pub(crate) fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// Opens the data directory under the key that golden stores are made with: 32 bytes of 0x2a.
    pub(crate) fn open(&self) -> Site {
        let rng: Arc<Rng> = Arc::new(SystemRandom::new());
        let (clock, metrics): (Arc<dyn Clock>, _) = (Arc::new(Noon), AuditMetrics::register(&Registry::new()));
        let key = Key::from_bytes([0x2a; 32]);
        Site::open(&self.config, &key, &rng, &clock, metrics).expect("the data directory opens")
    }

    /// Fills the data directory from an archive.
    pub(crate) fn unpack(&self, archive: &Path) {
        let mut archive = ZipArchive::new(File::open(archive).expect("an archive")).expect("an archive");
        for at in 0..archive.len() {
            let mut file = archive.by_index(at).expect("a file");
            let path = self.data().join(file.enclosed_name().expect("a path below the folder"));
            fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            io::copy(&mut file, &mut File::create(path).expect("a file")).expect("written");
        }
    }

    /// Packs the data directory into an archive, without what holds nothing.
    pub(crate) fn pack(&self, archive: &Path) {
        let mut writer = ZipWriter::new(File::create(archive).expect("a file"));
        let mut files = Vec::new();
        list(&self.data(), &mut files);
        for path in files {
            let name = path.strip_prefix(self.data()).expect("it is below").to_str().expect("plain names").to_owned();
            if name == "ballast" || name == "lock" {
                continue;
            }
            let mut bytes = Vec::new();
            File::open(&path).and_then(|mut file| file.read_to_end(&mut bytes)).expect("read");
            writer.start_file(name, SimpleFileOptions::default()).expect("a file");
            writer.write_all(&bytes).expect("written");
        }
        writer.finish().expect("written");
    }
}

fn list(folder: &Path, files: &mut Vec<PathBuf>) {
    let mut found: Vec<_> = fs::read_dir(folder).expect("a folder").flatten().map(|entry| entry.path()).collect();
    found.sort();
    for path in found {
        if path.is_dir() { list(&path, files) } else { files.push(path) }
    }
}

/// Takes a notification as the door does: durable first, then its control items.
pub(crate) fn push(site: &Site, body: &str) {
    let mut entries: Vec<Entry> = Vec::new();
    let mut splitter = Splitter::new();
    splitter.feed(body.as_bytes(), &mut |entry| entries.push(entry)).expect("JSON");
    splitter.finish().expect("whole JSON");
    let controls: Vec<_> = entries.iter().filter(|entry| is_control(entry)).cloned().collect();
    let header = Header { received: NOW, client: ClientId::single(), pull: None };
    let position = if body.len() <= INLINE_BYTES_MAX {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(site.journal.commit(header.clone(), body.as_bytes().to_vec(), entries)).expect("durable")
    } else {
        let mut spool = site.journal.spool().expect("a spool");
        spool.write(body.as_bytes()).expect("written");
        entries.iter().for_each(|entry| spool.entry(entry).expect("written"));
        spool.commit(header.clone()).expect("durable")
    };
    site.withdrawal.apply(position, &header, &controls).expect("applied");
}

/// Files all that is in the journal; the data directory is closed then.
pub(crate) fn file(site: Site) {
    let settings = Settings {
        hold: true,
        hold_for: 30 * 86_400,
        hold_bytes_max: 1 << 30,
        quarantine_for: 30 * 86_400,
        per_study: false,
    };
    let metrics = FilingMetrics::register(&Registry::new());
    let Site {
        directory,
        keyring,
        engine,
        quarantine,
        people,
        catalog,
        queue,
        callbacks,
        journal,
        reader,
        progress,
        withdrawal,
        audit,
        ..
    } = site;
    let rng: Arc<Rng> = Arc::new(SystemRandom::new());
    let clock = Arc::new(Noon);
    let parts = Parts {
        settings,
        people,
        catalog,
        quarantine,
        queue,
        callbacks,
        withdrawal,
        audit,
        engine,
        keyring,
        journal,
        rng,
        clock,
        metrics,
        observed: Arc::default(),
    };
    let filing = Filing::new(parts, reader, progress).expect("filing goes on");
    let (stop, stopped) = Stop::new();
    stop.stop();
    filing.run(&stopped).expect("all is filed");
    drop(directory);
}

/// Everything that can be read of the store.
pub(crate) fn read(site: &Site) -> Value {
    let directory = site.people.read();
    let mut studies = BTreeMap::new();
    for study in directory.studies() {
        let participants: BTreeMap<_, _> = directory
            .participants(&study.id)
            .map(|found| {
                let links = directory.links(&found.id);
                let permissions = links.iter().filter_map(|known| directory.permissions(&found.id, &known.digest));
                let shown = json!({
                    "state": found.state,
                    "window": found.window,
                    "consent": found.consent,
                    "users": links.iter().map(|known| known.link.user.expose()).collect::<Vec<_>>(),
                    "permissions": permissions.filter_map(|known| Some(known.current()?.granted.clone())).collect::<Vec<_>>(),
                    "records": records(site, &found.id),
                });
                (found.code.clone(), shown)
            })
            .collect();
        let retired: Vec<_> = directory.retired(&study.id).iter().map(|retired| retired.code.clone()).collect();
        let shown = json!({
            "state": study.state, "rules": study.rules, "participants": participants, "retired": retired,
        });
        studies.insert(study.name.clone(), shown);
    }
    let held = directory.held().map(|(owner, held)| {
        json!({ "user": held.held.user.expose(), "items": held.held.items, "records": records(site, &owner) })
    });
    let quarantine = site.quarantine.list().expect("it opens");
    let pulls = site.queue.list(&Filter::default(), 10).expect("rows open");
    json!({
        "studies": studies,
        "held": held.collect::<Vec<_>>(),
        "quarantine": quarantine.iter().map(|listed| json!([listed.item.reason, listed.item.text])).collect::<Vec<_>>(),
        "pulls": pulls.iter().map(|pull| json!([pull.summary_type.name(), pull.place])).collect::<Vec<_>>(),
        "tombstones": directory.tombstones().count(),
    })
}

/// An owner's records, every version, by type, time and record.
fn records(site: &Site, owner: &OwnerId) -> Vec<Value> {
    let mut entries = site.catalog.entries(owner).expect("an index");
    entries.sort_by(|(_, left), (_, right)| {
        (left.sort_key(), left.currency(), left.digest.0).cmp(&(right.sort_key(), right.currency(), right.digest.0))
    });
    let mut window = Window::default();
    let read = |(pack, entry): (_, studygate::records::index::IndexEntry)| {
        let mut data = Vec::new();
        let mut keep = |piece: &[u8]| {
            data.extend_from_slice(piece);
            Ok(())
        };
        site.catalog.data(owner, &pack, &entry, &mut window, &mut keep).expect("a record opens");
        let identity = site.catalog.identity_section(owner, &pack).expect("it opens");
        let (from, length) = (entry.identity.0 as usize, entry.identity.1 as usize);
        json!({
            "type": entry.summary_type.name(),
            "record_id": entry.record_id.text(),
            "start": entry.start,
            "offset": entry.offset,
            "received": entry.received,
            "rank": entry.rank,
            "data": shown(&data),
            "identity": shown(identity.get(from..from + length).unwrap_or_default()),
        })
    };
    entries.into_iter().map(read).collect()
}

fn shown(bytes: &[u8]) -> Value {
    if bytes.len() > SHOWN_BYTES_MAX {
        let digest = data_encoding::HEXLOWER.encode(digest(&SHA256, bytes).as_ref());
        return json!({ "bytes": bytes.len(), "sha256": digest });
    }
    Value::from(String::from_utf8_lossy(bytes))
}
