//! The demo's story: two weeks of six people in two studies, with everything that goes wrong on the way.

use std::path::Path;

use hyper::Method;
use serde_json::{Value, json};

use crate::clock::{Clock, SystemClock};
use crate::dataset::keyfile::{Identities, generate};
use crate::dataset::open::open;
use crate::demo::site::{Site, said};
use crate::demo::{Failure, Opened, Report, text};
use crate::model::time::UnixSeconds;
use crate::simulate::notification::Notification;
use crate::simulate::record::{Density, Record, day};
use crate::simulate::user::Population;

const SEED: u64 = 20_261_101;
const PEOPLE: usize = 6;
const DAYS: i64 = 14;
const DAY: i64 = 86_400;
const STUDIES: [&str; 2] = ["SLEEP", "CYCLE"];
/// Who leaves in the end, and whom nobody has enrolled in the beginning.
const LEAVER: usize = 1;
const STRANGER: usize = 5;

/// Plays the story in this folder.
pub(super) async fn tell(dir: &Path, tell: &mut dyn FnMut(&str)) -> Result<Report, Failure> {
    let key_file = dir.join("coordinator.key");
    let recipient = generate(&key_file, SystemClock.now()).map_err(said)?;
    let mut site = Site::start(dir).await?;
    tell(&format!("gateway: takes notifications at {}", site.address()));

    let population = Population::new(SEED, PEOPLE);
    for study in STUDIES {
        site.ask(Method::POST, "studies", &json!({"name": study, "recipients": [recipient.as_str()]})).await?;
    }
    enrol(&mut site, &population).await?;
    tell("studies: SLEEP with 5 participants, CYCLE with 2 of the same people; a sixth person is in none");

    let midnight = SystemClock.now().0 / DAY * DAY;
    let from = UnixSeconds(midnight - DAYS * DAY);
    let sent = push_days(&mut site, &population, from).await?;
    tell(&format!("pushes: {sent} records of {DAYS} days over HTTPS, each answered 200 once it was on disk"));
    retries(&mut site, &population, from).await?;
    tell("retries: the first day again, an older and a newer version of a record, an unknown type, a malformed item");

    site.settled().await?;
    let held = site.ask(Method::GET, "unassigned", &Value::Null).await?;
    let handle = held["unassigned"].get(0).map_or("", |found| text(found, "handle")).to_owned();
    let sixth = json!({"code": "S-06", "unassigned": handle});
    site.ask(Method::POST, "studies/SLEEP/participants", &sixth).await?;
    tell("late enrolment: the sixth person's data were held, and are filed for code S-06");

    leave(&mut site, &population, from).await?;
    site.settled().await?;
    tell("deregistration: participant S-02 left; everything of theirs is gone, and late data of theirs are dropped");

    let identities = Identities::read(&key_file).map_err(said)?;
    let mut datasets = Vec::with_capacity(STUDIES.len());
    for study in STUDIES {
        let file = site.export(study, dir).await?;
        let bytes = std::fs::metadata(&file).map_err(said)?.len();
        tell(&format!("export: {study}.zip.age, {bytes} bytes, encrypted to the coordinator; opened with the key"));
        let summary = open(&file, &identities, &dir.join(study)).map_err(said)?;
        let rows = summary.files.iter().filter_map(|file| Some(vec![file.path.clone(), file.rows?.to_string()]));
        let title = format!("{} number {}, made {}", summary.study, summary.number, summary.made_at);
        datasets.push(Opened { title, rows: rows.collect() });
    }
    site.stop().await?;
    Ok(Report { datasets })
}

/// Five of the six in the first study, two of them in the second as well.
async fn enrol(site: &mut Site, population: &Population) -> Result<(), Failure> {
    for (number, user) in (1..).zip(population.users()).take(STRANGER) {
        let participant = json!({"code": format!("S-{number:02}"), "garmin_user": user.id});
        site.ask(Method::POST, "studies/SLEEP/participants", &participant).await?;
        if number <= 2 {
            let participant = json!({"code": format!("C-{number:02}"), "garmin_user": user.id});
            site.ask(Method::POST, "studies/CYCLE/participants", &participant).await?;
        }
    }
    Ok(())
}

/// One notification per day with the records of everybody.
async fn push_days(site: &mut Site, population: &Population, from: UnixSeconds) -> Result<usize, Failure> {
    let mut sent = 0;
    for number in 0..DAYS {
        let records = records_of(population, from.plus(number * DAY));
        sent += records.len();
        site.push(Notification::of(population.users(), &records).to_json()).await?;
    }
    Ok(sent)
}

/// What a network brings: the same again, versions out of order, what nobody knows, what nobody can read.
async fn retries(site: &mut Site, population: &Population, from: UnixSeconds) -> Result<(), Failure> {
    let records = records_of(population, from);
    site.push(Notification::of(population.users(), &records).to_json()).await?;
    if let Some(daily) = records.iter().find(|record| record.summary_type == "dailies") {
        for times in [2, 1] {
            site.push(Notification::of(population.users(), &[daily.revised(times)]).to_json()).await?;
        }
    }
    let user = &population.users()[0];
    let unknown = Record::new(user, "heartBeats", json!({"summaryId": user.summary_id(from.0), "beats": 70}));
    let odd = Notification::of(population.users(), &[unknown]).raw("dailies", "17".to_owned());
    site.push(odd.permissions(user, &["ACTIVITY_EXPORT", "HEALTH_EXPORT", "MCT_EXPORT"], from).to_json()).await
}

/// The notice, and data that were on their way.
async fn leave(site: &mut Site, population: &Population, from: UnixSeconds) -> Result<(), Failure> {
    let leaver = &population.users()[LEAVER];
    site.push(Notification::new().deregistration(leaver).to_json()).await?;
    let late = day(leaver, from.plus(DAYS * DAY), Density::default());
    site.push(Notification::of(population.users(), &late).to_json()).await
}

fn records_of(population: &Population, midnight: UnixSeconds) -> Vec<Record> {
    population.users().iter().flat_map(|user| day(user, midnight, Density::default())).collect()
}
