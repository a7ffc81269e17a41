//! No text that names a person stands in clear on disk, in a log, a metric, a message or a dataset.

use std::fs;

use studygate::simulate::large::{LargeBody, Layout};
use studygate::simulate::markers::Markers;
use studygate::simulate::notification::Notification;
use studygate::simulate::record::Record;
use studygate::simulate::user::Population;

use crate::site::{Site, files_below};
use crate::{MIDNIGHT, days};

/// A callback URL with a token, as a ping brings it.
const CALLBACK: &str =
    "https://apis.garmin.com/wellness-api/rest/activities?uploadStartTimeInSeconds=1&token=Zq81vTkWm3";

#[test]
fn nothing_that_names_a_person_stands_in_clear_anywhere() {
    // The last user stays unknown, so that held data are searched as well.
    let population = Population::new(601, 4);
    let known = Population::new(601, 3);
    let mut site = Site::stopped();
    site.environment.push(("STUDYGATE_LOG", "debug".to_owned()));
    site.start();
    site.add_study("CLEAR", &[]);
    site.add_participants("CLEAR", &known);
    let records: Vec<Record> = population.users().iter().flat_map(|user| days(user, 4)).collect();
    let markers = || Markers::of(population.users(), &records).with("callback token", "Zq81vTkWm3");
    site.guard(markers());
    let markers = markers();
    let everywhere = |site: &Site, when: &str| {
        for file in files_below(&site.dir()) {
            // A file may go between the listing and the look.
            let found = fs::read(&file).ok().and_then(|bytes| markers.found_in(&bytes));
            assert_eq!(found, None, "{} {when}", file.display());
        }
    };

    for mixed in records.chunks(40) {
        site.push(&Notification::of(population.users(), mixed).to_json());
    }
    let notices = Notification::new()
        .ping(population.user(0), "activities", CALLBACK, MIDNIGHT)
        .ping(population.user(3), "activities", CALLBACK, MIDNIGHT)
        .permissions(population.user(1), &[], MIDNIGHT)
        .raw("dailies", format!("\"{}\"", population.user(0).id));
    site.push(&notices.to_json());
    let broken = notices.raw("dailies", format!("{{\"userId\":\"{}\",", population.user(0).id));
    assert_eq!(site.post(&broken.to_json()), 400);
    everywhere(&site, "while it is filed");
    site.wait_until_filed();
    everywhere(&site, "once it is filed");

    let mut large = Vec::new();
    LargeBody::new(population.users(), MIDNIGHT, 3_000_000, Layout::Items(900)).write_to(&mut large).expect("memory");
    site.push(&String::from_utf8(large).expect("text"));
    site.kill();
    everywhere(&site, "after a kill, its journal not filed");
    site.start();
    site.wait_until_filed();

    let commands: [&[&str]; 5] = [
        &["participant", "list", "--study", "CLEAR", "--json"],
        &["participant", "show", "--study", "CLEAR", "--code", "P000", "--json"],
        &["study", "show", "CLEAR", "--json"],
        &["unassigned", "list", "--json"],
        &["status", "--json"],
    ];
    for command in commands {
        let output = site.run(command);
        assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(markers.found_in(&[output.stdout, output.stderr].concat()), None, "{command:?}");
    }
    let (_, metrics) = site.fetch("/metrics").expect("metrics");
    assert_eq!(markers.found_in(metrics.as_bytes()), None);

    let dataset = site.export("CLEAR");
    assert!(!dataset.raw("dailies").is_empty());
    assert_eq!(dataset.marker(&markers), None);
    site.push(&Notification::new().deregistration(population.user(2)).to_json());
    assert!(site.stop().success());
    everywhere(&site, "after it stopped");
}
