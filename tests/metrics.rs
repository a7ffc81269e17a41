//! The names, kinds, help texts and labels of the metrics, as a gateway shows them to which everything has happened:
//! dashboards and alerts hang on them.

#[allow(dead_code, reason = "the tests of pulls use the rest")]
#[path = "pulls/garmin.rs"]
mod garmin;
mod site;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use studygate::model::summary::KNOWN;
use studygate::simulate::notification::Notification;
use studygate::simulate::record::{Density, day};
use studygate::simulate::user::Population;

use garmin::{Garmin, MIDNIGHT, answer, notification, wait_until_pulled};
use site::Site;

/// What users were promised: every family, with its labels.
const PROMISED: &[(&str, &[&str])] = &[
    ("studygate_build_info", &["target", "version"]),
    ("studygate_ready", &[]),
    ("studygate_not_ready", &["reason"]),
    ("studygate_clock_synchronized", &[]),
    ("studygate_http_requests_total", &["code", "listener", "method", "route"]),
    ("studygate_http_request_duration_seconds", &["listener", "route"]),
    ("studygate_http_requests_in_flight", &["listener"]),
    ("studygate_http_request_body_bytes_total", &["listener"]),
    ("studygate_connections", &["listener"]),
    ("studygate_tls_handshakes_total", &["listener", "result"]),
    ("studygate_tls_certificate_not_after_timestamp_seconds", &["listener"]),
    ("studygate_auth_failures_total", &["listener"]),
    ("studygate_notifications_total", &["outcome"]),
    ("studygate_items_total", &["kind", "outcome", "type"]),
    ("studygate_last_notification_timestamp_seconds", &["type"]),
    ("studygate_last_record_timestamp_seconds", &["study"]),
    ("studygate_records_total", &["result", "type"]),
    ("studygate_journal_bytes", &[]),
    ("studygate_journal_bodies", &[]),
    ("studygate_filing_lag_seconds", &[]),
    ("studygate_pulls_total", &["result", "type"]),
    ("studygate_pull_queue_length", &[]),
    ("studygate_pull_deadline_seconds", &[]),
    ("studygate_participants", &["state", "study"]),
    ("studygate_participants_silent", &["study"]),
    ("studygate_unassigned_users", &[]),
    ("studygate_quarantine_items", &[]),
    ("studygate_study_retention_due_timestamp_seconds", &["study"]),
    ("studygate_study_recipient_changes_total", &["study"]),
    ("studygate_deregistrations_total", &["result"]),
    ("studygate_purge_pending", &[]),
    ("studygate_purge_oldest_timestamp_seconds", &[]),
    ("studygate_purges_awaiting_confirmation", &[]),
    ("studygate_purge_duration_seconds", &[]),
    ("studygate_store_bytes", &["part"]),
    ("studygate_store_commit_duration_seconds", &[]),
    ("studygate_store_errors_total", &["operation"]),
    ("studygate_disk_available_bytes", &[]),
    ("studygate_disk_reserve_bytes", &[]),
    ("studygate_exports_total", &["result", "study"]),
    ("studygate_backup_last_success_timestamp_seconds", &[]),
    ("studygate_backup_verify_last_success_timestamp_seconds", &[]),
    ("studygate_audit_entries_total", &[]),
    ("studygate_audit_verify_last_success_timestamp_seconds", &[]),
    ("studygate_escrow_verified_timestamp_seconds", &[]),
    ("process_cpu_seconds_total", &[]),
    ("process_open_fds", &[]),
    ("process_max_fds", &[]),
    ("process_virtual_memory_bytes", &[]),
    ("process_resident_memory_bytes", &[]),
    ("process_start_time_seconds", &[]),
    ("process_threads", &[]),
];

/// Counters that have a series from the start only for what exists: studies.
const BY_STUDY: [&str; 2] = ["studygate_study_recipient_changes_total", "studygate_exports_total"];

/// Labels whose values are too many to show, or another's; what may stand there is checked.
const VALUES_NOT_SHOWN: [&str; 6] = ["code", "le", "study", "target", "type", "version"];

/// A family as it was shown.
#[derive(Debug, Default)]
struct Family {
    about: String,
    labels: BTreeMap<String, BTreeSet<String>>,
    series: usize,
}

fn families(text: &str) -> BTreeMap<String, Family> {
    let mut families: BTreeMap<String, Family> = BTreeMap::new();
    for line in text.lines() {
        if let Some(about) = line.strip_prefix("# ") {
            let (word, about) = about.split_once(' ').expect("HELP or TYPE");
            let (name, about) = about.split_once(' ').expect("a name");
            let lines = &mut families.entry(name.to_owned()).or_default().about;
            lines.push_str(&format!("  {}: {about}\n", word.to_lowercase()));
            continue;
        }
        let (series, _) = line.rsplit_once(' ').expect("a value");
        let (name, labels) = series.split_once('{').unwrap_or((series, ""));
        let family = ["_bucket", "_sum", "_count"].iter().find_map(|part| name.strip_suffix(part));
        let family = family.filter(|family| families.contains_key(*family)).unwrap_or(name);
        let known = families.get_mut(family).expect("help comes first");
        known.series += 1;
        for label in labels.trim_end_matches('}').split(',').filter(|label| !label.is_empty()) {
            let (label, value) = label.split_once('=').expect("a label");
            known.labels.entry(label.to_owned()).or_default().insert(value.trim_matches('"').to_owned());
        }
    }
    families
}

/// Family by family: name, kind, help text, and each label with its values where they are the program's own.
fn outline(families: &BTreeMap<String, Family>) -> String {
    let mut outline = String::new();
    for (name, family) in families {
        outline.push_str(&format!("{name}\n{}", family.about));
        for (label, values) in &family.labels {
            let values: Vec<_> = values.iter().map(String::as_str).collect();
            let shown = if VALUES_NOT_SHOWN.contains(&label.as_str()) { "…".to_owned() } else { values.join(" ") };
            outline.push_str(&format!("  {label}: {shown}\n"));
        }
    }
    outline
}

fn shown(site: &Site) -> String {
    let (status, text) = site.fetch("/metrics").expect("an answer");
    assert_eq!(status, 200);
    text
}

/// A site to which everything happened of which a metric tells, and how its metrics stood when somebody was leaving.
fn lively(garmin: &Garmin) -> (Site, Population, String) {
    let population = Population::new(602, 8);
    let known = Population::new(602, 7);
    let mut site = garmin.stopped_site("");
    let backups = site.scratch("backups");
    std::fs::create_dir(&backups).expect("a folder");
    site.edit_config(|text| format!("{text}\n[backup]\ndir = {backups:?}\n[deregistration]\nflood_least = 100\n"));
    site.start();
    site.add_study("METRICS", &["--retain-until", "2040-01-01"]);
    site.add_participants("METRICS", &known);
    let records: Vec<_> = population
        .users()
        .iter()
        .flat_map(|user| (0..2).flat_map(move |number| day(user, MIDNIGHT.plus(number * 86_400), Density::default())))
        .collect();
    for some in records.chunks(60) {
        site.push(&Notification::of(population.users(), some).to_json());
    }
    site.push(&notification(&[garmin.window(
        population.user(0),
        "dailies",
        1,
        &answer(population.user(0), 1, 9),
        vec![],
    )]));
    site.push(r#"{"dailies":[17],"heartBeats":[{"userId":"made-up-stranger"}]}"#);
    assert_eq!(site.post("{"), 400);
    wait_until_pulled(&site);
    drop(site.export("METRICS"));
    escrow(&site);
    let deadline = Instant::now() + Duration::from_secs(60);
    while site.metric("studygate_backup_verify_last_success_timestamp_seconds").is_none() {
        assert!(Instant::now() < deadline, "no backup:\n{}", site.log());
        std::thread::yield_now();
    }
    // A purge takes a moment: of so many people one is seen leaving, even on a slow machine.
    let leaving = known.users().iter().find_map(|user| {
        site.push(&Notification::new().deregistration(user).to_json());
        Some(shown(&site)).filter(|text| text.contains("\nstudygate_purge_oldest_timestamp_seconds "))
    });
    (site, population, leaving.expect("somebody was seen leaving"))
}

/// The root key in safekeeping, and looked at there.
fn escrow(site: &Site) {
    let (file, key) = (site.scratch("escrow.age"), site.scratch("escrow.key"));
    let [file, key] = [&file, &key].map(|path| path.to_str().expect("UTF-8"));
    let recipient = site.cli(&["dataset", "keygen", "-o", key]);
    site.cli(&["keys", "escrow", "create", "--recipient", recipient.trim(), "-o", file]);
    site.cli(&["keys", "escrow", "verify", file, "-i", key]);
}

#[test]
fn metrics_are_those_that_were_promised_and_their_labels_name_nobody() {
    let garmin = Garmin::start();
    let (site, population, text) = lively(&garmin);
    let families = families(&text);
    for (name, labels) in PROMISED {
        let family = families.get(*name).unwrap_or_else(|| panic!("{name} is missing"));
        let found: Vec<_> = family.labels.keys().map(String::as_str).filter(|label| *label != "le").collect();
        assert_eq!(found, *labels, "{name}");
    }
    let types: BTreeSet<_> = KNOWN.iter().map(|known| known.name).chain(["other"]).collect();
    for (name, family) in &families {
        let is_counter = family.about.contains("type: counter");
        assert_eq!(is_counter, name.ends_with("_total"), "{name}");
        assert!(family.series > 0, "{name} has help and no series");
        for value in family.labels.get("type").into_iter().flatten() {
            assert!(types.contains(value.as_str()), "{name}: type {value}");
        }
        for value in family.labels.get("study").into_iter().flatten() {
            assert_eq!(value, "METRICS", "{name}");
        }
        for value in family.labels.get("code").into_iter().flatten() {
            assert!(value == "other" || value.parse::<u16>().is_ok_and(|code| code < 600), "{name}: code {value}");
        }
    }
    let markers = garmin.markers(population.users());
    assert_eq!(markers.found_in(text.as_bytes()), None);
    for address in [site.ingress(), site.metrics(), site.api()] {
        assert!(!text.contains(&address.to_string()) && !text.contains("127.0.0.1"), "an address");
    }
    assert!(!text.contains("http://") && !text.contains("https://") && !text.contains("P000"), "a URL or a code");
    insta::assert_snapshot!("metrics", outline(&families));
}

#[test]
fn counters_stand_at_zero_and_times_are_absent_before_anything_happened() {
    let site = Site::new();
    let families = families(&shown(&site));
    for (name, labels) in PROMISED {
        let Some(family) = families.get(*name) else {
            let happens = name.ends_with("_timestamp_seconds") || labels.contains(&"study");
            assert!(happens || BY_STUDY.contains(name), "{name} is missing at the start");
            continue;
        };
        let exists = name.contains("certificate") || name.contains("start_time") || name.contains("audit_verify");
        assert!(!name.ends_with("_timestamp_seconds") || exists, "{name} has not happened");
        assert!(family.series > 0, "{name}");
    }
    for (series, at_start) in [
        ("studygate_notifications_total{outcome=\"unavailable\"}", 0.0),
        ("studygate_records_total{result=\"dropped_purged\",type=\"sleeps\"}", 0.0),
        ("studygate_items_total{kind=\"ping\",outcome=\"accepted\",type=\"other\"}", 0.0),
        ("studygate_pulls_total{result=\"expired\",type=\"activityFiles\"}", 0.0),
        ("studygate_deregistrations_total{result=\"applied\"}", 0.0),
        ("studygate_store_errors_total{operation=\"fsync\"}", 0.0),
        ("studygate_tls_handshakes_total{listener=\"ingress\",result=\"failed\"}", 0.0),
        ("studygate_auth_failures_total{listener=\"api\"}", 0.0),
        ("studygate_http_requests_total{code=\"503\",listener=\"ingress\",method=\"POST\",route=\"notify\"}", 0.0),
        ("studygate_purge_duration_seconds_count", 0.0),
        ("studygate_purge_pending", 0.0),
        ("studygate_ready", 1.0),
    ] {
        assert_eq!(site.metric(series), Some(at_start), "{series}");
    }
}
