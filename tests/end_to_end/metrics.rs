//! The names, help texts and labels of the metrics: dashboards hang on them.

use std::collections::{BTreeMap, BTreeSet};

use studygate::simulate::notification::Notification;
use studygate::simulate::user::Population;

use crate::days;
use crate::site::Site;

/// Labels whose values are not the program's own, or too many to show.
const VALUES_NOT_SHOWN: [&str; 6] = ["code", "le", "study", "target", "type", "version"];

#[test]
fn metrics_keep_their_names_help_texts_and_labels() {
    let population = Population::new(602, 2);
    let mut site = Site::new();
    site.add_study("METRICS", &[]);
    site.add_participants("METRICS", &population);
    let records: Vec<_> = population.users().iter().flat_map(|user| days(user, 2)).collect();
    site.push(&Notification::of(population.users(), &records).to_json());
    site.wait_until_filed();
    drop(site.export("METRICS"));
    let (status, text) = site.fetch("/metrics").expect("an answer");
    assert_eq!(status, 200);
    insta::assert_snapshot!("metrics", outline(&text));
}

/// Family by family: name, kind, help text, and each label with its values where they are the program's own.
fn outline(text: &str) -> String {
    let mut families: BTreeMap<&str, (String, BTreeMap<&str, BTreeSet<&str>>)> = BTreeMap::new();
    for line in text.lines() {
        if let Some(about) = line.strip_prefix("# ") {
            let (word, about) = about.split_once(' ').expect("HELP or TYPE");
            let (name, about) = about.split_once(' ').expect("a name");
            let lines = &mut families.entry(name).or_default().0;
            lines.push_str(&format!("  {}: {about}\n", word.to_lowercase()));
            continue;
        }
        let (series, _) = line.rsplit_once(' ').expect("a value");
        let (name, labels) = series.split_once('{').unwrap_or((series, ""));
        let family = ["_bucket", "_sum", "_count"].iter().find_map(|part| name.strip_suffix(part));
        let family = family.filter(|family| families.contains_key(family)).unwrap_or(name);
        let known = &mut families.get_mut(family).expect("help comes first").1;
        for label in labels.trim_end_matches('}').split(',').filter(|label| !label.is_empty()) {
            let (label, value) = label.split_once('=').expect("a label");
            let shown = if VALUES_NOT_SHOWN.contains(&label) { "…" } else { value.trim_matches('"') };
            known.entry(label).or_default().insert(shown);
        }
    }
    let mut outline = String::new();
    for (name, (about, labels)) in families {
        outline.push_str(&format!("{name}\n{about}"));
        for (label, values) in labels {
            let values: Vec<_> = values.into_iter().collect();
            outline.push_str(&format!("  {label}: {}\n", values.join(" ")));
        }
    }
    outline
}
