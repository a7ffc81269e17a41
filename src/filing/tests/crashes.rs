//! A crash at any commit: what was taken is filed again from the journal, nothing is lost and nothing doubled.

use super::{NOW, Record, Site, noise, push, rows};
use crate::model::study::Rules;
use crate::model::time::UnixSeconds;
use crate::people::LinkRequest;
use crate::people::decide::{link::Target, participant::NewParticipant};
use crate::store::faulty::Fault;
use crate::telemetry::filing::RecordResult::Quarantined;

/// Everything that is stored, as text: records of participants and held connections, what is in quarantine.
fn stored(site: &Site) -> String {
    let mut lines = Vec::new();
    let directory = site.at().people.read();
    for code in ["P1", "P2", "P3"] {
        let study = directory.study("S").expect("a study").id;
        if let Some(found) = directory.participant_coded(&study, code) {
            let records = site.records_of(&found.id);
            lines.extend(records.iter().map(|record| line(code, record)));
        }
    }
    for (owner, _) in directory.held() {
        let records = site.records_of(&owner);
        lines.extend(records.iter().map(|record| line("held", record)));
    }
    let listed = site.at().quarantine.list().expect("it opens");
    lines.extend(listed.iter().map(|listed| format!("quarantine {:?} {:?}", listed.item.reason, listed.item.text)));
    lines.sort();
    lines.join("\n")
}

/// A record in one line, long ones by their beginning and length.
fn line(whose: &str, record: &Record) -> String {
    let Record { entry, data } = record;
    format!("{whose} {} {} {}", entry.summary_type, data.len(), &data[..data.len().min(60)])
}

/// Kills a copy of the site at every commit of what it does next, starts it again, gives it `more`, and compares.
fn crash_everywhere(mut site: Site, more: &str) {
    let mut undisturbed = site.copy();
    undisturbed.restart();
    undisturbed.push(more);
    undisturbed.file();
    let expected = stored(&undisturbed);
    let mut at = 1;
    loop {
        let mut failed = false;
        for fault in [Fault::Before(at), Fault::Halfway(at)] {
            let mut copy = site.copy();
            let outcome = copy.start(fault);
            failed |= outcome.is_err() || copy.try_file().is_err();
            copy.restart();
            copy.push(more);
            copy.file();
            assert_eq!(stored(&copy), expected, "{fault:?}");
            copy.restart();
            assert_eq!(stored(&copy), expected, "{fault:?}, started once more");
        }
        if !failed {
            assert!(at > 2, "there were commits to fail at");
            return;
        }
        at += 1;
    }
}

fn mixed(number: u32) -> String {
    let start = 1_790_000_000 + i64::from(number) * 400_000;
    format!(
        r#"{{"dailies":[{{"userId":"u1","summaryId":"d{number}","startTimeInSeconds":{start},"note":"{}"}},
        {{"userId":"u2","summaryId":"d{number}","startTimeInSeconds":{start}}},
        {{"userId":"u9","summaryId":"h{number}","startTimeInSeconds":{start}}}, {number}],
        "sleeps":[{{"userId":"u1","summaryId":"s{number}","startTimeInSeconds":{start}}}]}}"#,
        noise(u64::from(number), 3000),
    )
}

fn large(number: u32) -> String {
    push("activityDetails", "u2", &format!(r#""summaryId":"l{number}","x":"{}""#, noise(u64::from(number), 100_000)))
}

#[test]
fn batch_that_fails_at_any_commit_is_filed_again_from_the_journal() {
    let mut site = Site::with(&["u1", "u2"]);
    for number in 0..15 {
        site.push(&mixed(number));
        site.round();
    }
    site.push(&mixed(100));
    site.push(&large(1));
    site.push(&mixed(100));
    site.push(&mixed(101));
    site.push(&push("dailies", "u8", r#""summaryId":"another""#));
    crash_everywhere(site, &mixed(102));
}

#[test]
fn pick_up_that_fails_at_any_commit_files_what_was_held_once() {
    let mut site = Site::with(&["u1"]);
    site.receive(&push("dailies", "u3", r#""summaryId":"d1","startTimeInSeconds":1793509200,"n":1"#));
    site.receive(&push("beats", "u3", r#""summaryId":"b1""#));
    site.receive(&push("activityDetails", "u3", &format!(r#""summaryId":"l1","x":"{}""#, noise(3, 100_000))));
    let handle = site.at().people.read().held().next().expect("it is held").1.held.handle.clone();
    let link = LinkRequest { target: Target::Handle(handle), window: Default::default() };
    let new = NewParticipant { code: Some("P3".into()), ..NewParticipant::default() };
    site.at().people.add_participant("S", new, Some(link), UnixSeconds(NOW)).expect("linked");
    crash_everywhere(site, &push("dailies", "u3", r#""summaryId":"d2","n":2"#));
}

#[test]
fn pack_of_a_commit_cut_short_is_not_overwritten_by_the_next_one() {
    let mut site = Site::with(&["u1"]);
    site.push(&push("dailies", "u1", r#""summaryId":"d1","n":1"#));
    site.start(Fault::Halfway(1)).expect("started");
    site.try_file().expect_err("the commit fails when its pack is written and its end is not");
    site.restart();
    assert_eq!(site.records("S", "P1").len(), 1, "the pack is there");
    site.push(&push("dailies", "u1", r#""summaryId":"d2","n":2"#));
    site.file();
    assert_eq!(super::texts(&site.records("S", "P1")).len(), 2, "and so are both records");
}

#[test]
fn body_filed_in_several_commits_doubles_nothing_when_a_crash_comes_in_between() {
    let items: String = (0..20_000).map(|number| format!(r#",{{"userId":"u1","n":{number}}}"#)).collect();
    let held: String = (0..50).map(|number| format!(r#",{{"userId":"u9","n":{number}}}"#)).collect();
    let mut site = Site::new();
    site.study("S", Rules::default());
    site.participant("S", "P1", "u1");
    site.take(&format!(r#"{{"epochs":[1,"two"{held}{items},[3]]}}"#));
    site.start(Fault::Before(3)).expect("started");
    site.try_file().expect_err("the second part fails");
    assert!(rows(&site, &[]) > 3, "the first part is durable");
    site.restart();
    assert!(site.records("S", "P1").len() > 10_000);
    site.file();
    assert_eq!(site.records("S", "P1").len(), 20_000);
    assert_eq!(site.at().quarantine.items(), 3);
    assert_eq!(site.at().quarantine.list().expect("it opens").len(), 3);
    assert_eq!(site.counted("epochs", Quarantined), 3);
    let directory = site.at().people.read();
    let counts: Vec<_> = directory.held().map(|(_, held)| held.held.items["epochs"]).collect();
    assert_eq!(counts, [50], "what is held is counted once");
}
