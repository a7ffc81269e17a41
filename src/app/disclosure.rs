//! Everything that is held on one participant, for the participant: gathered, written and encrypted while it streams out.
//!
//! Never: somebody else's code, data or study; a callback's token; anything of somebody who has left.

use std::io::{self, Write};
use std::sync::Arc;
use std::thread;

use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::app::desk::unavailable;
use crate::app::pieces::{PIECES_WAITING, Pieces};
use crate::app::site::Site;
use crate::audit::list::Filter;
use crate::audit::{Act, Event, Log, Who};
use crate::clock::{Clock as _, SystemClock};
use crate::dataset::archive::Archive;
use crate::dataset::recipient::Recipient;
use crate::export::whole::Whole;
use crate::filing::quarantine::{Holder, Listed, Quarantine};
use crate::http::local::desk::ExportStream;
use crate::http::local_api::StreamPiece;
use crate::model::id::OwnerId;
use crate::model::participant::Window;
use crate::model::time::UnixSeconds;
use crate::people::People;
use crate::people::permissions::Permissions;
use crate::people::refusal::Refusal;
use crate::queue::Queue;
use crate::queue::schedule;
use crate::records::catalog::Catalog;

/// More pulls than this wait for nobody.
const PULLS_MAX: usize = 100_000;

/// Where what is held on a participant is.
#[derive(Clone)]
pub(super) struct Disclosures {
    people: Arc<People>,
    catalog: Arc<Catalog>,
    quarantine: Arc<Quarantine>,
    queue: Arc<Queue>,
    audit: Arc<Log>,
}

/// Whose, and by which names they are known.
struct Subject {
    id: OwnerId,
    study: String,
    code: String,
    /// The code, and those before it.
    codes: Vec<String>,
    exports: Vec<Value>,
}

impl Disclosures {
    pub(super) fn new(site: &Site) -> Self {
        Self {
            people: Arc::clone(&site.people),
            catalog: Arc::clone(&site.catalog),
            quarantine: Arc::clone(&site.quarantine),
            queue: Arc::clone(&site.queue),
            audit: Arc::clone(&site.audit),
        }
    }

    /// Begins to hand it out; in the audit log before its first byte is made.
    pub(super) fn begin(&self, id: &OwnerId, recipient: &Recipient, who: Who) -> Result<ExportStream, Refusal> {
        let subject = self.subject(id)?;
        let disclosed = Act::ParticipantDisclosed { recipient: recipient.fingerprint() };
        let event = Event::of_participant(disclosed, &subject.study, &subject.code);
        self.audit.append(who, vec![event]).map_err(|cause| unavailable(&cause))?;
        let made = SystemClock.now();
        let file_name = format!("{}_{}_{}_disclosure.zip.age", subject.study, subject.code, made.date());
        let (sender, pieces) = mpsc::channel(PIECES_WAITING);
        let (all, recipient) = (self.clone(), recipient.clone());
        let run = move || {
            let mut output = Pieces::new(sender.clone());
            let last = match all.write(&subject, &recipient, made, &mut output).and_then(|()| output.flush()) {
                Ok(()) => Ok(StreamPiece::End),
                Err(cause) => {
                    tracing::warn!(%cause, "what is held on a participant was not handed out whole");
                    Err(io::Error::other("the disclosure failed"))
                }
            };
            if sender.blocking_send(last).is_err() {
                tracing::info!("whoever asked for a disclosure went away before its end");
            }
        };
        thread::Builder::new().name("disclosure".to_owned()).spawn(run).map_err(|cause| unavailable(&cause))?;
        Ok(ExportStream { file_name, pieces })
    }

    fn subject(&self, id: &OwnerId) -> Result<Subject, Refusal> {
        let directory = self.people.read();
        let found = directory.participant(id).filter(|found| found.is_readable()).ok_or(Refusal::Withdrawn)?;
        let study = directory.study_of_id(&found.study).ok_or_else(|| Refusal::NoStudy(String::new()))?;
        let handed_out = self.people.exports_of(&study.id, id, &found.code)?;
        let mut codes = vec![found.code.clone()];
        codes.extend(handed_out.iter().flat_map(|export| &export.members).map(|member| member.code.clone()));
        codes.sort();
        codes.dedup();
        let exports = handed_out.iter().map(|export| {
            let terms = export.terms.as_ref();
            json!({
                "number": export.number,
                "made": export.made.to_string(),
                "code": export.members.first().map(|member| &member.code),
                "manifest_sha256": export.manifest,
                "recipients": terms.map(|terms| &terms.recipients),
                "rules_version": terms.map(|terms| terms.rules_version),
            })
        });
        Ok(Subject { id: *id, study: study.name.clone(), code: found.code.clone(), codes, exports: exports.collect() })
    }

    fn write(
        &self,
        subject: &Subject,
        recipient: &Recipient,
        made: UnixSeconds,
        output: &mut dyn Write,
    ) -> io::Result<()> {
        let _reading = self.catalog.reading();
        let check = || match self.people.read().participant(&subject.id).is_some_and(|found| found.is_readable()) {
            true => Ok(()),
            false => Err(io::Error::other("the participant left meanwhile")),
        };
        let mut archive = Archive::create(output, std::slice::from_ref(recipient))?;
        add_json(&mut archive, "participant.json", &self.participant(subject))?;
        let records = Whole::new(&self.catalog, subject.id, &check).write(&mut archive)?;
        let refused = self.write_refused(subject, &check, &mut archive)?;
        add_json(&mut archive, "pulls.json", &self.pulls(subject)?)?;
        add_json(&mut archive, "exports.json", &json!(subject.exports))?;
        self.write_audit(subject, &mut archive)?;
        check()?;
        let page = page(subject, made, records, refused);
        archive.add("README.txt", |out, _| out.write_all(page.as_bytes()).map(|()| None))?;
        archive.add("SHA256SUMS", |out, files| {
            files.iter().try_for_each(|file| writeln!(out, "{}  {}", file.sha256, file.path)).map(|()| None)
        })?;
        archive.finish().map(drop)
    }

    /// Who the participant is, to whom and what they agreed, and what they permitted at Garmin.
    fn participant(&self, subject: &Subject) -> Value {
        let directory = self.people.read();
        let Some(found) = directory.participant(&subject.id) else { return Value::Null };
        let links: Vec<Value> = directory
            .links(&subject.id)
            .iter()
            .map(|known| {
                let permissions = directory.permissions(&subject.id, &known.digest);
                json!({
                    "client": known.link.client.as_str(),
                    "garmin_user_id": known.link.user.expose(),
                    "window": window(&known.link.window),
                    "permissions": permissions.map(|known| permitted(known)),
                })
            })
            .collect();
        json!({
            "study": subject.study,
            "code": subject.code,
            "codes": subject.codes,
            "state": found.state,
            "added": found.added.to_string(),
            "window": window(&found.window),
            "pauses": found.pauses.iter().map(window).collect::<Vec<_>>(),
            "consent": found.consent,
            "links": links,
        })
    }

    /// What was refused or could not be read, with its content; returns how many.
    fn write_refused<W: Write>(
        &self,
        subject: &Subject,
        check: &dyn Fn() -> io::Result<()>,
        archive: &mut Archive<W>,
    ) -> io::Result<u64> {
        let mut items = self.quarantine.list().map_err(io::Error::other)?;
        items.retain(|listed| listed.holder == Holder::Owner(subject.id));
        items.sort_by_key(|listed| (listed.item.received, listed.id.text()));
        let described = |listed: &Listed| {
            json!({
                "item": listed.id.text(),
                "received": listed.item.received.to_string(),
                "type": listed.item.member,
                "reason": listed.item.reason.name(),
                "bytes": listed.item.bytes,
            })
        };
        add_json(archive, "refused/items.json", &items.iter().map(described).collect())?;
        for listed in &items {
            check()?;
            let mut file = archive.begin(&format!("refused/{}.bin", listed.id.text()))?;
            let read = self.quarantine.content(listed, &mut |piece| file.write(piece));
            read.map_err(io::Error::other)?;
            file.finish(None)?;
        }
        Ok(items.len() as u64)
    }

    /// What waits to be fetched from Garmin, or could not be.
    fn pulls(&self, subject: &Subject) -> io::Result<Value> {
        let filter = schedule::Filter { ended_only: false, owner: Some(subject.id), after: None };
        let jobs = self.queue.list(&filter, PULLS_MAX).map_err(|_| io::Error::other("the pulls cannot be read"))?;
        let shown = jobs.iter().map(|job| {
            json!({
                "type": job.summary_type.name(),
                "received": job.received.to_string(),
                "deadline": job.deadline.to_string(),
                "url": job.place,
            })
        });
        Ok(shown.collect())
    }

    /// What the audit log says of each code that the participant had.
    fn write_audit<W: Write>(&self, subject: &Subject, archive: &mut Archive<W>) -> io::Result<()> {
        let mut file = archive.begin("audit.ndjson")?;
        let mut rows = 0;
        for code in &subject.codes {
            let (study, code) = (Some(subject.study.clone()), Some(code.clone()));
            let mut filter = Filter { study, code, ..Filter::default() };
            loop {
                let page = self.audit.list(&filter)?;
                for entry in &page.entries {
                    file.write(&serde_json::to_vec(entry)?)?;
                    file.write(b"\n")?;
                    rows += 1;
                }
                match page.next {
                    Some(next) => filter.after = next,
                    None => break,
                }
            }
        }
        file.finish(Some(rows))
    }
}

fn add_json<W: Write>(archive: &mut Archive<W>, path: &str, value: &Value) -> io::Result<()> {
    archive.add(path, |out, _| writeln!(out, "{value:#}").map(|()| None))
}

fn window(window: &Window) -> Value {
    json!({ "from": window.first(), "to": window.last() })
}

fn permitted(known: &Permissions) -> Value {
    let told = known.told().iter().map(|told| {
        json!({
            "granted": told.granted,
            "changed": told.changed.to_string(),
            "told": told.came.received.to_string(),
        })
    });
    let refused = known.refused().iter().map(|(name, at)| (name.clone(), json!(at.to_string())));
    json!({ "told": told.collect::<Vec<_>>(), "refused": Value::Object(refused.collect()) })
}

/// `README.txt`, in plain words.
fn page(subject: &Subject, made: UnixSeconds, records: u64, refused: u64) -> String {
    let Subject { study, code, exports, .. } = subject;
    let exports = exports.len();
    format!(
        "What study {study} holds on the participant with the code {code}\n\
         Made {made}.\n\n\
         This is a copy of everything that the study's gateway holds on you. It names you: keep it safe.\n\n\
         participant.json   who you are to the study: your code, your consent, from when to when data are\n\
         \x20                  collected, pauses, your Garmin account, and what you permitted at Garmin\n\
         records/           {records} records, each as Garmin sent it, one on a line, earlier versions included\n\
         \x20                  (\"names\" are the parts that are kept apart: names, descriptions, Garmin's ids)\n\
         files/             files of your activities, as your device recorded them\n\
         refused/           {refused} items that came and were not taken among the records, and why\n\
         pulls.json         what waits to be fetched from Garmin, or could not be\n\
         exports.json       {exports} datasets that hold your data under a code: when each was made, and for which\n\
         \x20                  recipients (SHA-256 of each recipient's key; the study can say who that is)\n\
         audit.ndjson       what was done with your code, when and by whom\n\
         SHA256SUMS         to check that no file was altered: sha256sum -c SHA256SUMS\n\n\
         Times are in UTC. What you want to have corrected or deleted, the study's staff will tell you how.\n"
    )
}
