//! The demo's story: two weeks of six people in two studies, with everything that goes wrong on the way.

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use hyper::Method;
use serde_json::{Value, json};

use crate::clock::{Clock, SystemClock};
use crate::dataset::keyfile::{Identities, generate};
use crate::dataset::lines::Line;
use crate::dataset::open::{Summary, open};
use crate::demo::site::{Site, said};
use crate::demo::{Failure, Opened, Report, text};
use crate::model::time::UnixSeconds;
use crate::simulate::account::Account;
use crate::simulate::callbacks::fault::Fault;
use crate::simulate::callbacks::offer::Ready;
use crate::simulate::notification::Notification;
use crate::simulate::plan;
use crate::simulate::record::{Density, Record, day};
use crate::simulate::run::{self, Cast, play};
use crate::simulate::user::Population;

const SEED: u64 = 20_261_101;
const PEOPLE: usize = 6;
/// Days before the sixth person is enrolled, and after it.
const DAYS_BEFORE: u32 = 10;
const DAYS_AFTER: u32 = 4;
const DAY: i64 = 86_400;
const SLEEP: &str = "SLEEP";
const CYCLE: &str = "CYCLE";
/// Whom nobody has enrolled in the beginning.
const STRANGER: usize = 4;
/// Who leaves in the end: a simulated population loses its last.
const LEAVER: usize = 5;
/// Where no callback may lead.
const ELSEWHERE: &str = "https://files.garmin.example/wellness-api/rest/dailies?token=made-up";

/// Plays the story in this folder; the site still runs on return.
pub(super) async fn tell(dir: &Path, tell: &mut dyn FnMut(&str)) -> Result<(Site, Report), Failure> {
    let key_file = dir.join("coordinator.key");
    let recipient = generate(&key_file, SystemClock.now()).map_err(said)?;
    let mut site = Site::start(dir, SEED).await?;
    tell("Garmin, six people and their watches are made up; everything happens on this machine, over loopback.");
    tell(&format!("gateway: takes notifications at {}", site.address()));

    let population = Population::new(SEED, PEOPLE);
    let kept = json!({"files": "keep", "location": "keep"});
    for (study, rules) in [(SLEEP, kept), (CYCLE, json!({}))] {
        let study = json!({"name": study, "recipients": [recipient.as_str()], "rules": rules});
        site.ask(Method::POST, "studies", &study).await?;
    }
    enrol(&mut site, &population).await?;
    tell("studies: SLEEP with 5 participants keeps files, CYCLE with 2 of the same people does not; one is in neither");

    let midnight = SystemClock.now().0 / DAY * DAY;
    let from = UnixSeconds(midnight - i64::from(DAYS_BEFORE + DAYS_AFTER) * DAY);
    let account = play_days(&site, plan::Settings::new(SEED, from, DAYS_BEFORE)).await?;
    tell(&format!("{DAYS_BEFORE} days: {}", came(&account)));
    oddities(&site, &population, from).await?;
    tell("oddities: an unknown type, a malformed item, a callback that fails once, one that leads elsewhere (refused)");

    site.settled().await?;
    let held = site.ask(Method::GET, "unassigned", &Value::Null).await?;
    let handle = held["unassigned"].get(0).map_or("", |found| text(found, "handle")).to_owned();
    let late = json!({"code": code("S", STRANGER), "unassigned": handle});
    site.ask(Method::POST, "studies/SLEEP/participants", &late).await?;
    tell("late enrolment: what was pushed, pulled and held of the unknown person is filed for code S-05");

    let after = from.plus(i64::from(DAYS_BEFORE) * DAY);
    let with_controls =
        plan::Settings { deregistered: 1, permission_changes: 1, ..plan::Settings::new(SEED, after, DAYS_AFTER) };
    let account = play_days(&site, with_controls).await?;
    tell(&format!("{DAYS_AFTER} days: {}", came(&account)));
    let leaver = day(population.user(LEAVER), UnixSeconds(midnight), Density::default());
    site.post(&Notification::of(population.users(), &leaver)).await?;
    site.settled().await?;
    tell("permissions: S-01 withdrew the one for health data, and gave it again a day later");
    tell("deregistration: S-06 left; everything of theirs is gone, and late data of theirs are dropped");

    let identities = Identities::read(&key_file).map_err(said)?;
    let mut datasets = Vec::new();
    for study in [SLEEP, CYCLE] {
        let file = site.export(study, dir).await?;
        let bytes = std::fs::metadata(&file).map_err(said)?.len();
        tell(&format!("export: {study}.zip.age, {bytes} bytes, encrypted to the coordinator; opened with the key"));
        datasets.push(opened(&open(&file, &identities, &dir.join(study)).map_err(said)?));
    }
    Ok((site, Report { datasets }))
}

fn code(study: &str, user: usize) -> String {
    format!("{study}-{:02}", user + 1)
}

/// All but one in the first study, two of them in the second as well.
async fn enrol(site: &mut Site, population: &Population) -> Result<(), Failure> {
    for user in population.users().iter().filter(|user| user.index != STRANGER) {
        let participant = json!({"code": code("S", user.index), "garmin_user": user.id});
        site.ask(Method::POST, "studies/SLEEP/participants", &participant).await?;
        if user.index < 2 {
            let participant = json!({"code": code("C", user.index), "garmin_user": user.id});
            site.ask(Method::POST, "studies/CYCLE/participants", &participant).await?;
        }
    }
    Ok(())
}

/// Days of everybody, in part pushed and in part pinged, and fetched before this returns.
async fn play_days(site: &Site, plan: plan::Settings) -> Result<Account, Failure> {
    let settings = run::Settings {
        plan,
        users: PEOPLE,
        per_second: None,
        sent_again: 50,
        on_hold: 0..0,
        large_bytes: None,
        quiet: Duration::from_secs(20),
    };
    let cast = Cast { sender: site.sender(), callbacks: Some(site.callbacks()) };
    let account = play(&settings, cast, &mut |_| {}).await;
    match (account.given_up(), account.waiting()) {
        (0, 0) => Ok(account),
        (given_up, waiting) => Err(format!("{given_up} notifications were not taken, {waiting} pings not followed")),
    }
}

fn came(account: &Account) -> String {
    let again = account.notifications.iter().filter(|(_, again)| *again).count();
    let records: usize = account.windows.iter().map(|pinged| pinged.window.records.len()).sum();
    format!(
        "{} notifications over HTTPS, {again} of them twice: {} records pushed; pings for {records} records and {} files, \
         each behind a URL with a token of its own, all fetched",
        account.notifications.len(),
        account.pushes.records_acknowledged(),
        account.files.len(),
    )
}

/// What nobody knows, what nobody can read, a callback that fails at first, and one that must not be followed.
async fn oddities(site: &Site, population: &Population, from: UnixSeconds) -> Result<(), Failure> {
    let user = population.user(0);
    let unknown = Record::new(user, "heartBeats", json!({"summaryId": user.summary_id(from.0), "beats": 70}));
    let before = day(user, from.plus(-DAY), Density::default());
    let daily = before.into_iter().find(|record| record.summary_type == "dailies").ok_or("a day has no dailies")?;
    let array = Bytes::from(Value::Array(vec![Value::Object(daily.content)]).to_string());
    let ready = Ready::Window { summary_type: daily.summary_type, from, to: from.plus(300), array };
    let offer = site.callbacks().offer(ready, Some(vec![Fault::TooManyRequests { retry_after_s: Some(1) }]));
    let odd = Notification::of(population.users(), &[unknown])
        .raw("dailies", "17".to_owned())
        .ping(user, "dailies", &offer.url, from)
        .ping(user, "dailies", ELSEWHERE, from);
    site.post(&odd).await
}

fn opened(summary: &Summary) -> Opened {
    let row = |line: Line| {
        let rows = line.rows.map(|rows| rows.to_string());
        vec![line.name, rows.unwrap_or_default(), line.bytes.to_string()]
    };
    let shown = summary.lines().into_iter().filter(|line| line.rows != Some(0));
    let title = format!("{} number {}, made {}", summary.study, summary.number, summary.made_at);
    Opened { title, rows: shown.map(row).collect() }
}
