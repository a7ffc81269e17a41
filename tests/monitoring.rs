//! What is shipped for Prometheus, Grafana and whoever is called at night: it speaks of metrics, labels and commands that
//! there are.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// The alerts that users were promised.
const ALERTS: [&str; 18] = [
    "Down",
    "NotReady",
    "NoData",
    "ParticipantsSilent",
    "PullDeadline",
    "PullFailed",
    "RejectRate",
    "Quarantine",
    "Unassigned",
    "PurgePending",
    "PurgeAwaitsPerson",
    "CertificateExpires",
    "DiskLow",
    "StoreErrors",
    "BackupOld",
    "ClockOff",
    "AuditBroken",
    "RetentionDue",
];

/// Labels that Prometheus adds to every series.
const SCRAPED: [&str; 2] = ["instance", "job"];

/// The labels of a family with their values, where the snapshot of the metrics shows them.
type Labels = BTreeMap<String, BTreeSet<String>>;

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Every family that a running gateway shows, as `tests/metrics.rs` found them.
fn families() -> BTreeMap<String, Labels> {
    let mut families = BTreeMap::<String, Labels>::new();
    let mut family = String::new();
    for line in read("tests/snapshots/metrics__metrics.snap").lines().skip_while(|line| *line != "---").skip(1) {
        let Some(line) = line.strip_prefix("  ") else {
            family = line.to_owned();
            continue;
        };
        let (label, values) = line.split_once(": ").expect("a label and its values");
        let labels = families.entry(family.clone()).or_default();
        if label == "type" && ["counter", "gauge", "histogram"].contains(&values) || label == "help" {
            continue;
        }
        labels.insert(label.to_owned(), values.split(' ').map(str::to_owned).collect());
    }
    assert!(families.len() > 40, "{} families", families.len());
    families
}

/// The alerts: name and the lines that belong to it.
fn alerts() -> Vec<(String, String)> {
    let text = read("packaging/monitoring/alerts.yml");
    let rules = text.split("      - alert: ").skip(1);
    rules
        .map(|rule| rule.split_once('\n').expect("more lines"))
        .map(|(name, rest)| (name.into(), rest.into()))
        .collect()
}

fn runbooks() -> Vec<(String, String)> {
    let folder = fs::read_dir("packaging/runbooks").expect("a folder");
    let mut pages: Vec<_> = folder
        .map(|entry| entry.expect("listed").path())
        .map(|path| (path.file_name().expect("a file").to_string_lossy().into_owned(), read(&path.to_string_lossy())))
        .collect();
    pages.sort();
    pages
}

/// The queries of the dashboard.
fn queries() -> Vec<String> {
    let dashboard: Value = serde_json::from_str(&read("packaging/monitoring/grafana.json")).expect("JSON");
    let panels = dashboard["panels"].as_array().expect("panels");
    let targets = panels.iter().filter_map(|panel| panel["targets"].as_array()).flatten();
    targets.map(|target| target["expr"].as_str().expect("a query").to_owned()).collect()
}

/// The metrics that a text names, each with what stands in braces behind it.
fn named(text: &str) -> Vec<(String, String)> {
    let is_part = |character: char| character.is_ascii_alphanumeric() || character == '_';
    let mut found = Vec::new();
    for prefix in ["studygate_", "process_"] {
        for (at, _) in text.match_indices(prefix) {
            if text[..at].ends_with(is_part) {
                continue;
            }
            let end = text[at..].find(|character| !is_part(character)).map_or(text.len(), |length| at + length);
            let selector = text[end..].strip_prefix('{').and_then(|rest| rest.split_once('}'));
            found.push((text[at..end].to_owned(), selector.map_or_else(String::new, |(inside, _)| inside.to_owned())));
        }
    }
    found
}

/// What is wrong with the metrics of a text.
fn faults(text: &str, families: &BTreeMap<String, Labels>) -> Vec<String> {
    let mut faults = Vec::new();
    for (name, selector) in named(text) {
        let base = ["_bucket", "_sum", "_count"].iter().find_map(|part| name.strip_suffix(part));
        let Some(labels) = families.get(&name).or_else(|| families.get(base?)) else {
            faults.push(format!("no metric {name}"));
            continue;
        };
        for condition in selector.split(',').filter(|condition| !condition.is_empty()) {
            let (label, values) = condition.split_once(['=', '!']).unwrap_or((condition, ""));
            if SCRAPED.contains(&label) {
                continue;
            }
            let Some(known) = labels.get(label) else {
                faults.push(format!("{name} has no label {label}"));
                continue;
            };
            let values = values.trim_start_matches(['=', '~']).trim_matches('"').split('|');
            for value in values.filter(|value| !value.is_empty() && !known.contains("…") && !known.contains(*value)) {
                faults.push(format!("{name} has no {label} {value}"));
            }
        }
    }
    faults
}

#[test]
fn alerts_dashboard_and_runbooks_name_metrics_and_labels_that_there_are() {
    let families = families();
    assert_eq!(faults("studygate_no_such", &families), ["no metric studygate_no_such"]);
    assert_eq!(faults("studygate_store_bytes{part=\"moon\"}", &families), ["studygate_store_bytes has no part moon"]);
    let alerts: Vec<_> = alerts().into_iter().map(|(_, rule)| rule).collect();
    assert!(alerts.iter().flat_map(|rule| named(rule)).count() > 20);
    let pages: Vec<_> = runbooks().into_iter().map(|(_, page)| page).collect();
    let queries = queries();
    assert!(queries.len() > 30, "{} queries", queries.len());
    for text in alerts.iter().chain(&pages).chain(&queries) {
        assert_eq!(faults(text, &families), Vec::<String>::new(), "in {text}");
    }
    for query in &queries {
        assert!(query.contains("instance=~\"$instance\""), "{query}");
    }
}

#[test]
fn every_alert_has_its_page_and_every_page_its_alert() {
    let alerts = alerts();
    let names: Vec<_> = alerts.iter().map(|(name, _)| name.strip_prefix("Studygate").expect("our own")).collect();
    assert_eq!(names, ALERTS);
    let mut pages: BTreeMap<String, String> = runbooks().into_iter().collect();
    for (alert, rule) in &alerts {
        let annotation = |name: &str| {
            let line = rule.lines().find_map(|line| line.trim_start().strip_prefix(name)?.strip_prefix(": "));
            line.unwrap_or_else(|| panic!("{alert} has no {name}")).to_owned()
        };
        let severity = annotation("labels");
        assert!(["critical", "warning", "notice"].iter().any(|known| severity == format!("{{severity: {known}}}")));
        assert!(annotation("summary").len() > 20 && annotation("description").len() > 20, "{alert}");
        let url = annotation("runbook_url");
        let page = url.strip_prefix("/usr/share/doc/studygate/runbooks/").expect("where the package puts it");
        let text = pages.remove(page).unwrap_or_else(|| panic!("{alert}: no page {page}"));
        assert!(text.starts_with(&format!("# {alert}: ")), "{page}");
        for part in ["\n## What it means\n", "\n## Look\n", "\n## Do\n", "\n## Call\n"] {
            assert!(text.contains(part), "{page} lacks {part}");
        }
    }
    assert!(pages.is_empty(), "pages without an alert: {:?}", pages.keys());
    let tests = read("packaging/monitoring/alerts_test.yml");
    for (alert, _) in &alerts {
        let of = |what: &str| tests.matches(&format!("alertname: {alert}{what}")).count();
        assert!(of(", exp_alerts: []") >= 2 && of("\n") >= 1, "{alert} is shown to be silent, to fire and to clear");
    }
}

#[test]
fn pages_refer_to_pages_that_there_are_and_name_every_reason() {
    let pages = runbooks();
    for (name, page) in &pages {
        for word in page.split(|character: char| character.is_whitespace() || "`,;()".contains(character)) {
            if let Some(other) = word.trim_end_matches(['.', ':']).strip_suffix(".md") {
                assert!(Path::new("packaging/runbooks").join(format!("{other}.md")).exists(), "{name}: {other}.md");
            }
        }
    }
    let not_ready = read("packaging/runbooks/not-ready.md");
    for reason in &families()["studygate_not_ready"]["reason"] {
        assert!(not_ready.contains(&format!("`{reason}`")), "{reason}");
    }
    let failed = read("packaging/runbooks/pull-failed.md");
    for result in ["refused", "not_permitted", "gone", "expired"] {
        assert!(failed.contains(&format!("`{result}`")), "{result}");
    }
    let rejected = read("packaging/runbooks/reject-rate.md");
    for outcome in
        families()["studygate_notifications_total"]["outcome"].iter().filter(|outcome| *outcome != "accepted")
    {
        assert!(rejected.contains(&format!("`{outcome}`")), "{outcome}");
    }
}

/// The commands of studygate in a text: in code spans, and as lines of code.
fn commands(page: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (number, block) in page.split("```").enumerate() {
        let parts: Vec<&str> =
            if number % 2 == 1 { block.lines().collect() } else { block.split('`').skip(1).step_by(2).collect() };
        let of_ours = parts.into_iter().filter(|part| part.starts_with("studygate "));
        found.extend(of_ours.map(|part| part.split(['|', ';']).next().unwrap_or_default().trim().to_owned()));
    }
    found
}

#[test]
fn commands_of_the_pages_and_rules_exist_with_their_options() {
    let alerts = read("packaging/monitoring/alerts.yml");
    let scrape = read("packaging/monitoring/scrape.yml");
    let described = alerts.lines().filter_map(|line| line.trim().strip_prefix("description: \"studygate "));
    let described = described.map(|rest| format!("studygate {}", rest.split(" says").next().unwrap_or_default()));
    let mut all: BTreeSet<String> = runbooks().iter().flat_map(|(_, page)| commands(page)).collect();
    all.extend(described.map(|command| command.replace("{{ $labels.study }}", "S").trim_end_matches('"').to_owned()));
    all.extend(commands(&scrape));
    assert!(all.len() > 25, "{all:?}");
    for command in &all {
        let is_name = |word: &&str| word.chars().all(|character| character.is_ascii_lowercase() || character == '-');
        let words: Vec<&str> = command.split_ascii_whitespace().skip(1).collect();
        let path: Vec<&str> = words.iter().copied().take_while(is_name).filter(|word| !word.starts_with('-')).collect();
        let path = &path[..path.len().min(3)];
        let help = (1..=path.len()).rev().find_map(|length| {
            let output = Command::new(env!("CARGO_BIN_EXE_studygate")).args(&path[..length]).arg("--help").output();
            let output = output.expect("the binary runs");
            output.status.success().then(|| (length, String::from_utf8_lossy(&output.stdout).into_owned()))
        });
        let Some((length, help)) = help else { panic!("`{command}` is no command") };
        assert!(!help.contains("<COMMAND>"), "`{command}` names a group of commands alone");
        for word in &words[length..] {
            let option = word.split('=').next().unwrap_or_default();
            if option.starts_with("--") {
                assert!(
                    help.contains(&format!("{option} ")) || help.contains(&format!("{option}\n")),
                    "`{command}`: {option}"
                );
            }
        }
    }
}

#[test]
fn dashboard_can_be_imported_anywhere() {
    let dashboard: Value = serde_json::from_str(&read("packaging/monitoring/grafana.json")).expect("JSON");
    let variables = dashboard["templating"]["list"].as_array().expect("variables");
    assert!(variables.iter().any(|variable| variable["type"] == "datasource" && variable["query"] == "prometheus"));
    let panels = dashboard["panels"].as_array().expect("panels");
    let mut ids = BTreeSet::new();
    let mut places: Vec<[u64; 4]> = Vec::new();
    for panel in panels {
        let title = panel["title"].as_str().expect("a title");
        assert!(ids.insert(panel["id"].as_u64().expect("an id")), "{title}: id used twice");
        let [x, y, w, h] = ["x", "y", "w", "h"].map(|part| panel["gridPos"][part].as_u64().expect("a number"));
        assert!(x + w <= 24, "{title} is beyond the edge");
        let apart = |[x2, y2, w2, h2]: &[u64; 4]| x + w <= *x2 || x2 + w2 <= x || y + h <= *y2 || y2 + h2 <= y;
        assert!(places.iter().all(apart), "{title} lies on another panel");
        places.push([x, y, w, h]);
        if panel["type"] == "row" {
            continue;
        }
        assert_eq!(panel["datasource"]["uid"], "${datasource}", "{title}");
        let targets = panel["targets"].as_array().expect("targets");
        assert!(targets.iter().all(|target| target["datasource"]["uid"] == "${datasource}"), "{title}");
        assert!(!targets.is_empty(), "{title}");
    }
    let rows = panels.iter().filter(|panel| panel["type"] == "row").count();
    assert_eq!(rows, 5, "data, people, pulls, disk, speed");
}
