//! Renews the golden datasets: `cargo test --test make_golden_datasets`. A plain `cargo test` leaves it out. The data
//! directory they are made of is made only where there is none: its pseudonyms are random.

#[path = "../golden_support/mod.rs"]
mod golden_support;
#[path = "../golden_datasets/policies.rs"]
mod policies;

use std::{collections::BTreeMap, fs, path::Path};

use serde_json::{Value, json};
use studygate::dataset::format::Format;

use golden_support::{Folder, NOW, file, push};
use policies::{CONSENT_DATE, NOVELTY, STUDY, WINDOW_DATE, encrypted, fixtures, golden, population, sent};
use studygate::{
    app::site::Site,
    journal::Header,
    json::split::Splitter,
    model::{
        connection::{ClientId, GarminUserId},
        entry::{Entry, Field, Shape, Whose},
        participant::Consent,
        study::Rules,
        window::{Bound, Window},
    },
    people::{
        LinkRequest,
        decide::{link::Target, participant::NewParticipant, study::NewStudy},
    },
    simulate::{file::FileOf, notification::Notification, user::User},
};

fn main() {
    if let Some(dir) = std::env::args().nth(1).filter(|argument| !argument.starts_with('-')) {
        return leave(Path::new(&dir));
    }
    fs::create_dir_all(fixtures()).expect("a folder");
    let store = fixtures().join("store.zip");
    if !store.exists() {
        let folder = Folder::new();
        write_store(&folder);
        folder.pack(&store);
    }
    for (name, text) in golden() {
        fs::write(fixtures().join(format!("{name}.txt")), text).expect("written");
    }
}

/// Files the simulation into an empty data directory; every participant has its shift.
fn write_store(folder: &Folder) {
    let site = folder.open();
    let recipients = vec![recipient()];
    let new = NewStudy { name: STUDY.into(), recipients, rules: Rules::default() };
    let study = site.people.add_study(new, NOW).expect("a study");
    let population = population();
    for user in population.users() {
        let id = GarminUserId::parse(&user.id).expect("a user");
        let link = LinkRequest { target: Target::User(ClientId::single(), id), window: Window::default() };
        let new = NewParticipant {
            code: Some(format!("GOLDEN-{}", user.index + 1)),
            window: Window { from: Bound::of_date(WINDOW_DATE), to: None },
            consent: Some(Consent { version: "2.1".into(), date: CONSENT_DATE.into() }),
        };
        site.people.add_participant(STUDY, new, Some(link), NOW).expect("a participant");
    }
    site.people.draw_shifts(&study.id).expect("drawn");
    let (mut records, files) = sent(population.users());
    for record in &mut records {
        record.content.insert("novelty".to_owned(), NOVELTY.into());
    }
    for some in records.chunks(20) {
        push(&site, &Notification::of(population.users(), some).to_json());
    }
    for of in &files {
        push_file(&site, &population.users()[of.record().user], of);
    }
    file(site);
}

/// Takes a file as the worker does, behind the item that announced it.
fn push_file(site: &Site, user: &User, of: &FileOf) {
    let body = Notification::of(&population_of(user), std::slice::from_ref(of.record())).to_json();
    let bytes = of.bytes(user);
    let mut entries: Vec<Entry> = Vec::new();
    let mut splitter = Splitter::new();
    splitter.feed(body.as_bytes(), &mut |entry| entries.push(entry)).expect("JSON");
    splitter.finish().expect("whole JSON");
    for entry in &mut entries {
        entry.whose = Whose::User(user.id.as_str().into());
        entry.shape = Shape::File;
        entry.fields.push((Field::FileBytes, bytes.len().to_string().into()));
    }
    let mut spool = site.journal.spool().expect("a spool");
    spool.write(body.as_bytes()).expect("written");
    spool.write(&bytes).expect("written");
    entries.iter().for_each(|entry| spool.entry(entry).expect("written"));
    spool.commit(Header { received: NOW, client: ClientId::single(), pull: None }).expect("durable");
}

/// As many users as this one's place needs.
fn population_of(user: &User) -> Vec<User> {
    population().users()[..=user.index].to_vec()
}

fn recipient() -> String {
    let key = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/dataset/made-up-key.txt");
    let text = fs::read_to_string(key).expect("the tests' key file");
    text.lines().find_map(|line| line.strip_prefix("# public key: ")).expect("a public key").to_owned()
}

/// Leaves the default dataset in each format in a folder, and what was sent: table, column, rows, sum.
fn leave(dir: &Path) {
    for (name, format) in [("csv", Format::Csv), ("ndjson", Format::Ndjson), ("parquet", Format::Parquet)] {
        fs::write(dir.join(format!("{name}.zip.age")), encrypted(&Rules::default(), format)).expect("written");
    }
    let (records, _) = sent(population().users());
    let of = |summary_type: &str, member: &str| {
        let mut found = BTreeMap::new();
        for record in records.iter().filter(|record| record.summary_type == summary_type) {
            found.insert((record.user, record.natural_key()), record.content.get(member).and_then(Value::as_i64));
        }
        (found.len(), found.values().flatten().sum::<i64>())
    };
    let expected = [
        ("activities", "duration_s", of("activities", "durationInSeconds")),
        ("dailies", "steps", of("dailies", "steps")),
        ("epochs", "steps", of("epochs", "steps")),
        ("sleeps", "duration_s", of("sleeps", "durationInSeconds")),
    ];
    let rows = expected.map(|(table, column, (rows, sum))| json!([table, column, rows, sum]));
    fs::write(dir.join("sent.json"), json!(rows).to_string()).expect("written");
    let lines = expected.map(|(table, column, (rows, sum))| format!("{table}\t{column}\t{rows}\t{sum}\n"));
    fs::write(dir.join("sent.tsv"), lines.concat()).expect("written");
}
