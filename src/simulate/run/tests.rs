//! Whole runs against a made-up gateway that answers notifications and follows pings.

use std::collections::BTreeSet;
use std::sync::Mutex;

use serde_json::{Value, json};

use super::*;
use crate::backoff::Backoff;
use crate::client::connection::{Connection, Outgoing};
use crate::client::trust::Trust;
use crate::clock::{Clock as _, SystemClock};
use crate::simulate::callbacks::fault::Faults;
use crate::simulate::callbacks::{self, Served};
use crate::simulate::ledger::Row;
use crate::simulate::message::Part;
use crate::simulate::receiver::{Act, Receiver};
use crate::simulate::record::Record;
use crate::simulate::sender;
use crate::tls::generate::self_signed;

const START: UnixSeconds = UnixSeconds(1_793_491_200);

fn settings(mode: Mode, days: u32) -> Settings {
    Settings {
        plan: plan::Settings { mode, ..plan::Settings::new(81, START, days) },
        users: 3,
        per_second: None,
        sent_again: 100,
        on_hold: 0..0,
        large_bytes: None,
        quiet: Duration::from_secs(20),
    }
}

fn post_to(receiver: &Receiver) -> Arc<Sender> {
    let backoff = Backoff { base: Duration::from_millis(1), cap: Duration::from_millis(4) };
    let settings = sender::Settings { backoff, attempts_max: 5, ..sender::Settings::default() };
    Arc::new(Sender::new(receiver.target(), settings))
}

async fn callbacks(faults: Faults) -> (Arc<Callbacks>, Trust) {
    let pair = self_signed(&["127.0.0.1".to_owned()], SystemClock.now(), 2).expect("an address");
    let settings =
        callbacks::Settings { faults, slow_pause: Duration::from_millis(1), ..callbacks::Settings::default() };
    let callbacks = Callbacks::start(settings, &pair, Arc::new(SystemClock)).await.expect("a free port");
    (Arc::new(callbacks), Trust::roots(pair.certificate.as_bytes()).expect("a certificate"))
}

/// Follows every ping that the receiver got, again and again until it is answered 200 or refused for good.
async fn follow(receiver: &Receiver, host: String, trust: Trust) {
    let mut done = BTreeSet::new();
    loop {
        for item in items(receiver) {
            let Some(url) = item["callbackURL"].as_str() else { continue };
            let target = url.strip_prefix(&format!("https://{host}")).expect("a URL of the callback server").to_owned();
            if done.contains(&target) {
                continue;
            }
            let mut connection = Connection::https(&host, "127.0.0.1", &trust).await.expect("it listens");
            let Ok(answer) = connection.send(Outgoing::get(target.clone())).await else { continue };
            let status = answer.status.as_u16();
            if answer.whole(1 << 24).await.is_ok() && matches!(status, 200 | 302 | 400..=428) {
                done.insert(target);
            }
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Every item of every notification that came.
fn items(receiver: &Receiver) -> Vec<Value> {
    let bodies = receiver.bodies().into_iter().map(|body| serde_json::from_slice::<Value>(&body).expect("JSON"));
    let members = bodies.flat_map(|body| body.as_object().expect("an object").values().cloned().collect::<Vec<_>>());
    members.flat_map(|items| items.as_array().expect("an array").clone()).collect()
}

async fn play_silently(settings: &Settings, cast: Cast) -> Account {
    play(settings, cast, &mut |_| {}).await
}

/// The rows of a gateway that holds the current version of every record.
fn rows(account: &Account, settings: &Settings) -> Vec<Row> {
    let mut plan = Plan::new(settings.plan.clone(), account.population.clone());
    let all: Vec<Record> = std::iter::from_fn(|| plan.next_day())
        .flatten()
        .flatten()
        .flatten()
        .flat_map(|part| match part {
            Part::Push(record) => vec![record],
            Part::Window(window) => window.records,
            Part::File(_) | Part::Deregistration(_) | Part::Permissions { .. } => Vec::new(),
        })
        .collect();
    let mut current: std::collections::BTreeMap<_, Record> = std::collections::BTreeMap::new();
    for record in all {
        let key = (record.user, record.summary_type.clone(), record.natural_key());
        if current.get(&key).is_none_or(|held| held.rank() <= record.rank()) {
            current.insert(key, record);
        }
    }
    let row = |record: Record| Row {
        user: record.user,
        summary_type: record.summary_type.clone(),
        record: record.research_view(),
    };
    current.into_values().map(row).collect()
}

#[tokio::test]
async fn pushed_days_are_acknowledged_whole_though_the_gateway_fails_at_times() {
    let receiver = Receiver::new(&[Act::Answer(503), Act::Close, Act::Answer(500), Act::Answer(204)]).await;
    let settings = settings(Mode::Push, 4);
    let cast = Cast { sender: post_to(&receiver), callbacks: None };
    let account = play_silently(&settings, cast).await;
    let json = account.to_json();
    let count = |name: &str| json["notifications"][name].as_u64().expect("a number");
    assert_eq!((count("given_up"), count("attempts")), (0, count("sent") + 4));
    assert!(count("sent_again") > 0);
    assert_eq!(receiver.bodies().len() as u64, count("attempts") + count("sent_again"));
    assert_eq!(account.ledger().differences(&rows(&account, &settings)), Vec::<String>::new());
    let records = json["records"].as_array().expect("an array");
    assert!(!records.is_empty());
    for record in records {
        let current = usize::try_from(record["current"].as_u64().expect("acknowledged")).expect("a place");
        let ranks: Vec<_> =
            record["versions"].as_array().expect("an array").iter().map(|v| v["rank"].as_i64()).collect();
        assert_eq!(ranks.iter().max(), Some(&ranks[current]));
    }
}

#[tokio::test]
async fn everything_that_is_pinged_is_fetched_whole_in_spite_of_passing_faults() {
    let receiver = Receiver::new(&[]).await;
    let (callbacks, trust) = callbacks(Faults::passing()).await;
    let host = callbacks.host().to_owned();
    let settings = settings(Mode::Ping, 4);
    let cast = Cast { sender: post_to(&receiver), callbacks: Some(callbacks) };
    let account = tokio::select! {
        account = play_silently(&settings, cast) => account,
        () = follow(&receiver, host, trust) => unreachable!("it follows for ever"),
    };
    assert_eq!(account.waiting(), 0);
    assert!(account.fetches.iter().any(|fetch| matches!(fetch.served, Served::Spoiled(_))));
    assert_eq!(account.ledger().differences(&rows(&account, &settings)), Vec::<String>::new());
    let json = account.to_json();
    for thing in json["windows"].as_array().into_iter().chain(json["files"].as_array()).flatten() {
        assert_eq!(thing["end"], "whole", "{thing}");
    }
    let files = items(&receiver).into_iter().filter(|item| item.get("fileType").is_some());
    let ids: BTreeSet<_> = files.map(|item| item["summaryId"].as_str().expect("an id").to_owned()).collect();
    assert_eq!(ids.len(), account.files.len());
    assert!(!ids.is_empty() && ids.iter().all(|id| id.ends_with("-file")));
}

#[tokio::test]
async fn faults_that_forbid_to_ask_again_are_ends_as_well() {
    let receiver = Receiver::new(&[]).await;
    let (callbacks, trust) = callbacks(Faults::all("https://127.0.0.1:1/")).await;
    let host = callbacks.host().to_owned();
    let settings = Settings { quiet: Duration::from_millis(300), ..settings(Mode::Mixed, 6) };
    let cast = Cast { sender: post_to(&receiver), callbacks: Some(callbacks) };
    let account = tokio::select! {
        account = play_silently(&settings, cast) => account,
        () = follow(&receiver, host, trust) => unreachable!("it follows for ever"),
    };
    let json = account.to_json();
    let ends: BTreeSet<_> =
        json["windows"].as_array().into_iter().flatten().filter_map(|window| window["end"].as_str()).collect();
    assert!(ends.contains("refused") && ends.contains("whole"), "{ends:?}");
    assert!(account.ledger().standings().iter().any(|standing| standing.current.is_none()));
}

#[tokio::test]
async fn notifications_on_hold_wait_and_come_all_at_the_release() {
    let receiver = Receiver::new(&[]).await;
    let settings = Settings { on_hold: 1..3, sent_again: 0, ..settings(Mode::Push, 5) };
    let cast = Cast { sender: post_to(&receiver), callbacks: None };
    let sent = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&sent);
    let mut tell = move |progress: Progress| noted.lock().expect("no panic").push(progress.notifications);
    let account = play(&settings, cast, &mut tell).await;
    let sent = sent.lock().expect("no panic").clone();
    assert!(sent[0] > 0 && sent[0] == sent[1] && sent[1] == sent[2] && sent[3] > sent[2], "{sent:?}");
    assert_eq!(account.ledger().differences(&rows(&account, &settings)), Vec::<String>::new());
    assert_eq!(account.waves_lost, 0);
}

#[tokio::test]
async fn who_left_is_told_and_is_not_in_what_a_dataset_must_hold() {
    let receiver = Receiver::new(&[]).await;
    let mut settings = settings(Mode::Push, 6);
    (settings.plan.deregistered, settings.plan.permission_changes) = (1, 1);
    let cast = Cast { sender: post_to(&receiver), callbacks: None };
    let account = play_silently(&settings, cast).await;
    let json = account.to_json();
    assert_eq!(json["users"][2]["deregistered"], json!({"day": 3, "acknowledged": true}));
    assert_eq!(json["users"][0]["deregistered"], Value::Null);
    let permissions = |place: usize| &json["users"][0]["permission_changes"][place]["permissions"];
    assert_eq!(permissions(0), &json!(["ACTIVITY_EXPORT", "MCT_EXPORT"]));
    assert_eq!(permissions(1).as_array().map(Vec::len), Some(3));
    assert!(account.pushes.standings().iter().any(|standing| standing.user == 2));
    assert!(account.ledger().standings().iter().all(|standing| standing.user != 2));
}

#[tokio::test]
async fn withdrawn_permission_ends_what_lies_ready_with_412() {
    let receiver = Receiver::new(&[]).await;
    let (callbacks, trust) = callbacks(Faults::none()).await;
    let host = callbacks.host().to_owned();
    let mut settings = Settings { quiet: Duration::from_millis(300), ..settings(Mode::Ping, 3) };
    settings.plan.permission_changes = 1;
    settings.plan.types = Some(vec!["dailies".to_owned()]);
    let cast = Cast { sender: post_to(&receiver), callbacks: Some(callbacks) };
    // Nobody follows before all days are over.
    let account = tokio::select! {
        account = play_silently(&settings, cast) => account,
        () = async {
            while !items(&receiver).iter().any(|item| item["permissions"].as_array().is_some_and(|all| all.len() == 3)) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            follow(&receiver, host, trust).await;
        } => unreachable!("it follows for ever"),
    };
    assert!(account.fetches.iter().any(|fetch| fetch.served == Served::Refused(412)));
    assert!(account.fetches.iter().any(|fetch| fetch.is_whole));
}

#[tokio::test]
async fn what_a_withdrawn_permission_keeps_from_being_fetched_is_not_waited_for() {
    let receiver = Receiver::new(&[]).await;
    let (callbacks, _) = callbacks(Faults::none()).await;
    let mut settings = Settings { quiet: Duration::from_millis(300), ..settings(Mode::Ping, 3) };
    settings.plan.permission_changes = 1;
    settings.plan.types = Some(vec!["dailies".to_owned()]);
    let cast = Cast { sender: post_to(&receiver), callbacks: Some(callbacks) };
    // Nobody follows any ping.
    let account = play_silently(&settings, cast).await;
    assert!(account.fetches.is_empty());
    let json = account.to_json();
    let ended = |end: &str| -> Vec<u64> {
        let windows = json["windows"].as_array().into_iter().flatten().filter(|window| window["end"] == end);
        windows.filter_map(|window| window["user"].as_u64()).collect()
    };
    assert!(!ended("refused").is_empty() && ended("refused").iter().all(|user| *user == 0), "{json:#}");
    assert_eq!(ended("waiting").len(), account.waiting());
}

#[tokio::test]
async fn large_body_comes_in_its_whole_length() {
    let receiver = Receiver::new(&[]).await;
    let mut settings = Settings { large_bytes: Some(3_000_000), sent_again: 0, ..settings(Mode::Push, 1) };
    settings.plan.types = Some(vec!["sleeps".to_owned()]);
    let cast = Cast { sender: post_to(&receiver), callbacks: None };
    let account = play_silently(&settings, cast).await;
    let (tally, is_acknowledged) = account.large.expect("it was sent");
    assert!(is_acknowledged && tally.items > 1);
    assert_eq!(receiver.bodies().iter().map(Vec::len).max(), Some(3_000_000));
}

#[tokio::test]
async fn rate_is_kept() {
    let receiver = Receiver::new(&[]).await;
    let settings = Settings { per_second: Some(200), sent_again: 0, ..settings(Mode::Push, 2) };
    let cast = Cast { sender: post_to(&receiver), callbacks: None };
    let began = SystemClock.monotonic();
    let account = play_silently(&settings, cast).await;
    let least = Duration::from_millis(5) * u32::try_from(account.notifications.len() - 1).expect("few");
    assert!(SystemClock.monotonic() - began >= least);
}
