//! What a person outside the site needs to help: a zip of findings, status, settings, metrics and sizes, in which
//! nothing stands that the site named itself.
//!
//! Everything in it is `Safe` or [`Shown`], and those are made of the program's own words, numbers, times and
//! stand-ins alone: names of studies, hosts, paths, groups and tokens, networks, client ids and addresses cannot get in.
//! Nobody's log is read: what is to be shown of it is for the person to choose.
//!
//! Never: anything of a participant; text from outside; a secret.

mod machine;
mod metrics;
mod safe;
mod settings;
mod sizes;
mod status;

use std::io::{self, Seek, Write};

use serde_json::Value;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use crate::client::connection::{Connection, Outgoing};
use crate::config::{Config, Fault};
use crate::doctor::bundle::safe::Safe;
use crate::doctor::facts::Facts;
use crate::doctor::finding::{Finding, Severity};
use crate::doctor::judge::findings;
use crate::doctor::look::running;
use crate::doctor::sentence::{Shown, StandIns};

const METRICS_BYTES_MAX: usize = 16 << 20;

/// A file of the bundle.
#[derive(Clone, Debug)]
pub struct Item {
    /// Its name.
    pub name: &'static str,
    /// What it is.
    pub about: &'static str,
    text: String,
}

impl Item {
    fn of(name: &'static str, about: &'static str, content: &Safe) -> Self {
        Self { name, about, text: format!("{:#}\n", content.json()) }
    }

    /// Its length in bytes.
    pub fn bytes(&self) -> usize {
        self.text.len()
    }
}

/// The bundle of a site whose configuration can be read.
pub async fn of_site(config: &Config, facts: &Facts) -> Vec<Item> {
    let stand_ins = &mut StandIns::default();
    let found = findings(facts);
    let told = found.iter().map(|finding| finding_of(finding, stand_ins)).collect();
    let status = running::get(config, "status").await.unwrap_or(Value::Null);
    let mut items = vec![
        machine(),
        Item::of("findings.json", "the findings of `studygate doctor`", &Safe::List(told)),
        Item::of("status.json", "what `studygate status` shows", &status::safe(&status)),
        Item::of("configuration.json", "the configuration", &settings::safe(config, stand_ins)),
        Item::of("sizes.json", "how many files of which kind there are, and their bytes", &sizes::safe(config)),
    ];
    if let Some(page) = metrics_page(config).await {
        let text = metrics::safe(&page, stand_ins);
        items.push(Item { name: "metrics.txt", about: "the metrics page", text: text.as_str().to_owned() });
    }
    items
}

/// The bundle of a site whose configuration has these faults: where they stand, and nothing of what stands there.
pub fn of_faults(faults: &[Fault]) -> Vec<Item> {
    let place = |fault: &Fault| {
        let (line, column) = fault.place.position.unwrap_or_default();
        Safe::members([("line", Safe::number(line)), ("column", Safe::number(column))])
    };
    let places = faults.iter().map(place).collect();
    vec![machine(), Item::of("faults.json", "where the configuration is at fault", &Safe::List(places))]
}

/// Writes the zip.
pub fn write(items: &[Item], to: impl Write + Seek) -> io::Result<()> {
    let mut zip = ZipWriter::new(to);
    for item in items {
        zip.start_file(item.name, SimpleFileOptions::default())?;
        zip.write_all(item.text.as_bytes())?;
    }
    zip.finish()?.flush()
}

fn machine() -> Item {
    Item::of("machine.json", "version and build of studygate, kernel, memory", &machine::safe())
}

fn finding_of(finding: &Finding, stand_ins: &mut StandIns) -> Safe {
    let (says, remedy) = finding.redacted(stand_ins);
    let severity = match finding.severity {
        Severity::Ok => "ok",
        Severity::Note => "note",
        Severity::Warning => "warning",
        Severity::Problem => "problem",
    };
    Safe::members([
        ("check", Safe::words(finding.check)),
        ("severity", Safe::words(severity)),
        ("says", Safe::Text(says)),
        ("remedy", remedy.map_or(Safe::Nothing, Safe::Text)),
    ])
}

/// The metrics page, where it can be had without a token.
async fn metrics_page(config: &Config) -> Option<String> {
    let address = config.metrics.listen.filter(|_| config.metrics.tls.is_none())?;
    let mut connection = Connection::plain(&address.to_string()).await.ok()?;
    let answer = connection.send(Outgoing::get("/metrics")).await.ok()?;
    String::from_utf8(answer.whole(METRICS_BYTES_MAX).await.ok()?).ok()
}

/// What is said of the bundle before it is written.
pub fn left_out() -> Shown {
    Shown::words(
        "Not in it: names of studies, hosts, paths, groups and tokens (stand-ins take their places), participants, keys, \
         client ids, log lines. Read it before you send it; add log lines only after reading them.",
    )
}
