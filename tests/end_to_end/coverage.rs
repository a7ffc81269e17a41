//! Coverage through the real binary: the strip, CSV, JSON, who is silent, and the metric.

use studygate::simulate::notification::Notification;
use studygate::simulate::user::Population;

use crate::days;
use crate::site::Site;

#[test]
fn simulated_days_are_received_and_who_sends_nothing_is_silent() {
    let population = Population::new(731, 2);
    let site = Site::new();
    site.add_study("SEEN", &["--silent-after", "3d"]);
    site.add_participants("SEEN", &population);
    site.push(&Notification::of(population.users(), &days(population.user(0), 3)).to_json());
    site.wait_until_filed();
    let asked = ["coverage", "--study", "SEEN", "--from", "2026-11-01", "--to", "2026-11-05"];

    let answer = site.cli_json(&asked);
    let rows = answer["participants"].as_array().expect("rows");
    let letters: Vec<_> = rows.iter().map(|row| row["days"].as_str().expect("letters")).collect();
    assert!(letters[0].starts_with('r') || letters[0].starts_with('p'), "{letters:?}");
    assert_eq!((&letters[0][3..], letters[1]), ("mm", "mmmmm"));
    assert_eq!(rows[0]["types"]["dailies"]["days"], "rrrmm");
    assert_eq!(rows[1]["last_seen"], serde_json::Value::Null);

    let shown = site.cli(&asked);
    assert!(shown.contains("P001") && shown.contains("2026-11-01") && !shown.contains('\u{1b}'), "{shown}");
    let csv = site.cli(&[&asked[..], &["--csv"]].concat());
    assert!(csv.starts_with("participant,date,day,type,state,minutes\n"), "{csv}");
    assert!(csv.contains("P000,2026-11-02,") && csv.contains("P001,2026-11-05,missing,dailies,missing,\n"), "{csv}");
    let one = site.cli(&[&asked[..], &["--participant", "P000"]].concat());
    assert!(one.contains("dailies") && !one.contains("P001"), "{one}");
    let nobody = site.run(&["coverage", "--study", "SEEN", "--participant", "P9"]);
    assert_eq!(nobody.status.code(), Some(4));

    // Everybody was added just now; three days on, nothing would have come.
    let silent = site.cli_json(&["participant", "list", "--study", "SEEN", "--silent"]);
    assert_eq!(silent["participants"], serde_json::json!([]));
    site.wait_for_metric(r#"studygate_participants_silent{study="SEEN"}"#, 0.0);
}
