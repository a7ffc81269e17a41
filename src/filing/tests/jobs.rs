//! Pings from the journal to a job, and from the filed answer to its end; renewals, restarts, rows of older versions.

use ring::rand::SystemRandom;

use super::{NOW, Site, known, leaves, rows};
use crate::crypto::seal::{Location, seal};
use crate::filing::tests::given::Record;
use crate::model::id::OwnerId;
use crate::model::pull::PullRef;
use crate::model::study::Rules;
use crate::model::time::UnixSeconds;
use crate::queue::job::{End, Job, Phase};
use crate::queue::plan::Event;
use crate::queue::schedule::Filter;
use crate::store::engine::{Batch, Engine, row, table};

const ANSWER: &str = r#"[{"summaryId":"d1","n":1}]"#;

/// A ping for the window that begins at this second.
fn ping(user: &str, window: u32, token: &str) -> String {
    let url = format!("https://apis.example/wellness-api/rest/dailies?token={token}");
    format!(
        r#"{{"dailies":[{{"userId":"{user}","callbackURL":"{url}","uploadStartTimeInSeconds":{window},"uploadEndTimeInSeconds":{}}}]}}"#,
        window + 300
    )
}

fn pull_rows(site: &Site, owner: &OwnerId, table: u8) -> usize {
    rows(site, &row(owner.as_bytes(), table, &[]))
}

/// Takes the answer to a ping into the journal: an array of dailies, all of them this user's.
fn take_answer(site: &Site, pull: PullRef, user: &str, array: &str) {
    known::take(site, user, &format!(r#"{{"dailies":{array}}}"#), b"", None, Some(pull));
}

fn take(site: &Site) -> Job {
    let job = site.at().queue.take(UnixSeconds(NOW)).expect("a job is due");
    site.at().queue.release(&job.id);
    job
}

fn url_of(site: &Site, job: &Job) -> Option<String> {
    site.at().queue.open(job).expect("rows are read").map(|ask| ask.url.into_string())
}

/// Jobs that wait, run or are delivered.
fn alive(site: &Site) -> usize {
    let counts = site.at().queue.counts();
    counts.waiting + counts.running + counts.delivered
}

fn numbers(records: &[Record]) -> Vec<&str> {
    records.iter().map(|record| record.data.as_str()).collect()
}

#[test]
fn ping_becomes_a_job_that_ends_with_the_filing_of_its_answer() {
    let mut site = Site::with(&["u1"]);
    let owner = site.id("S", "P1");
    site.receive(&ping("u1", 100, "a"));
    assert_eq!((pull_rows(&site, &owner, table::PULL), alive(&site)), (1, 1));
    let job = take(&site);
    assert!(url_of(&site, &job).expect("it opens").ends_with("token=a"));
    assert!(site.at().queue.take(UnixSeconds(NOW)).is_none(), "it runs");
    take_answer(&site, job.pull(), "u1", ANSWER);
    assert_eq!(alive(&site), 1, "what is not filed is not done");
    site.file();
    assert_eq!((pull_rows(&site, &owner, table::PULL), alive(&site)), (0, 0));
    assert_eq!(numbers(&site.records("S", "P1")), [r#"{"n":1}"#]);
    site.restart();
    assert_eq!(alive(&site), 0);
}

#[test]
fn answer_in_the_journal_at_a_kill_ends_the_job_after_the_restart() {
    let mut site = Site::with(&["u1"]);
    site.receive(&ping("u1", 100, "a"));
    let job = take(&site);
    take_answer(&site, job.pull(), "u1", ANSWER);
    site.restart();
    assert_eq!(alive(&site), 1, "the row is there until the answer is filed");
    site.file();
    assert_eq!((alive(&site), site.records("S", "P1").len()), (0, 1));
}

#[test]
fn job_of_a_person_in_two_studies_is_one_and_its_answer_is_filed_in_both() {
    let mut site = Site::with(&["u1"]);
    site.study("T", Rules::default());
    site.participant("T", "Q1", "u1");
    let owners = [site.id("S", "P1"), site.id("T", "Q1")];
    site.receive(&ping("u1", 100, "a"));
    assert_eq!((owners.map(|owner| pull_rows(&site, &owner, table::PULL)), alive(&site)), ([1, 1], 1));
    site.restart();
    assert_eq!(alive(&site), 1);
    let job = take(&site);
    assert_eq!(job.rows.len(), 2);
    take_answer(&site, job.pull(), "u1", ANSWER);
    site.file();
    assert_eq!((owners.map(|owner| pull_rows(&site, &owner, table::PULL)), alive(&site)), ([0, 0], 0));
    assert_eq!((site.records("S", "P1").len(), site.records("T", "Q1").len()), (1, 1));
}

#[test]
fn newer_ping_filed_together_with_the_answer_to_the_older_one_is_pulled_in_either_order() {
    for answer_first in [true, false] {
        let mut site = Site::with(&["u1"]);
        let owner = site.id("S", "P1");
        site.receive(&ping("u1", 100, "older"));
        let job = take(&site);
        if answer_first {
            take_answer(&site, job.pull(), "u1", ANSWER);
        }
        site.push(&ping("u1", 100, "newer"));
        if !answer_first {
            take_answer(&site, job.pull(), "u1", ANSWER);
        }
        site.round();
        assert_eq!((pull_rows(&site, &owner, table::PULL), alive(&site)), (1, 1), "{answer_first}");
        assert_eq!(site.records("S", "P1").len(), 1, "what came is kept");
        site.restart();
        let renewed = take(&site);
        assert_eq!(renewed.id, job.id);
        assert!(url_of(&site, &renewed).expect("it opens").ends_with("token=newer"), "{answer_first}");
        take_answer(&site, renewed.pull(), "u1", ANSWER);
        site.file();
        assert_eq!((pull_rows(&site, &owner, table::PULL), alive(&site)), (0, 0), "{answer_first}");
    }
}

#[test]
fn of_two_pings_for_a_window_in_one_batch_the_later_url_is_used() {
    let mut site = Site::with(&["u1"]);
    site.push(&ping("u1", 100, "older"));
    site.push(&ping("u1", 100, "newer"));
    site.push(&ping("u1", 400, "other"));
    site.round();
    assert_eq!(alive(&site), 2);
    for _ in 0..2 {
        let mut urls = Vec::new();
        while let Some(job) = site.at().queue.take(UnixSeconds(NOW)) {
            site.at().queue.release(&job.id);
            urls.push(url_of(&site, &job).expect("it opens").rsplit('=').next().expect("a token").to_owned());
        }
        urls.sort();
        assert_eq!(urls, ["newer", "other"]);
        site.restart();
    }
}

#[test]
fn end_without_data_survives_a_restart_and_a_newer_ping_begins_anew() {
    let mut site = Site::with(&["u1"]);
    let owner = site.id("S", "P1");
    site.receive(&ping("u1", 100, "a"));
    let job = take(&site);
    let refused = Event::Answered { status: 403, retry_after: None, held: false };
    site.at().queue.apply(&job.pull(), refused, UnixSeconds(NOW), 0.0).expect("written");
    assert_eq!(pull_rows(&site, &owner, table::PULL_STATE), 1);
    site.restart();
    let listed = site.at().queue.list(&Filter { ended_only: true, ..Filter::default() }, 10).expect("listed");
    assert_eq!(
        listed.iter().map(|job| job.state.phase).collect::<Vec<_>>(),
        [Phase::Ended(End::Refused, UnixSeconds(NOW))]
    );
    site.receive(&ping("u1", 100, "b"));
    let again = take(&site);
    assert_eq!((again.id, again.state.attempts), (job.id, 1));
    site.restart();
    assert_eq!(alive(&site), 1, "the older ping's end is not the newer one's");
    take_answer(&site, take(&site).pull(), "u1", ANSWER);
    site.file();
    let left = [table::PULL, table::PULL_STATE].map(|table| pull_rows(&site, &owner, table));
    assert_eq!(left, [0, 0], "both rows go");
}

#[test]
fn row_of_the_version_before_is_a_job_after_the_start_and_ends_like_any_other() {
    let mut site = Site::with(&["u1"]);
    let owner = site.id("S", "P1");
    site.receive(&ping("u1", 100, "a"));
    let mut key = Vec::new();
    let prefix = row(owner.as_bytes(), table::PULL, &[]);
    let scanned = site.memory.scan(&prefix, &mut |found, _| {
        key = found.to_vec();
        true
    });
    scanned.expect("the memory engine reads");
    let old = r#"{"version":1,"type":"dailies","received":1793509100,"client":"default","fields":[[10,"https://apis.example/wellness-api/rest/dailies?token=old"],[11,"100"],[12,"400"]],"item":"{\"userId\":\"u1\"}"}"#;
    let location = Location { table: "pull", owner: owner.as_bytes(), item: &key[prefix.len()..] };
    let keys = site.at().keyring.owner(&owner).expect("a participant has keys");
    let identity = keys.identity.as_ref().expect("a participant has one");
    let mut batch = Batch::default();
    batch.put(key.clone(), seal(identity, location, old.as_bytes(), &SystemRandom::new()));
    site.memory.commit(batch).expect("memory takes it");
    site.restart();
    let job = take(&site);
    assert_eq!((job.ping, job.received), (0, UnixSeconds(1_793_509_100)));
    assert!(url_of(&site, &job).expect("it opens").ends_with("token=old"));
    take_answer(&site, job.pull(), "u1", ANSWER);
    site.file();
    assert_eq!((pull_rows(&site, &owner, table::PULL), alive(&site)), (0, 0));
    assert_eq!(site.records("S", "P1").len(), 1);
}

#[test]
fn who_leaves_has_no_job_and_a_late_answer_is_not_kept() {
    let mut site = Site::with(&["u1", "u2"]);
    let owner = site.id("S", "P1");
    site.receive(&ping("u1", 100, "a"));
    site.receive(&ping("u1", 400, "b"));
    site.receive(&ping("u2", 100, "c"));
    let running = std::iter::from_fn(|| site.at().queue.take(UnixSeconds(NOW)))
        .find(|job| job.rows.iter().all(|(whose, _)| *whose == owner))
        .expect("one of them runs");
    site.receive(&leaves("u1"));
    assert_eq!(url_of(&site, &running), None);
    take_answer(&site, running.pull(), "u1", ANSWER);
    site.file();
    assert_eq!((pull_rows(&site, &owner, table::PULL), alive(&site)), (0, 1));
    assert_eq!(rows(&site, owner.as_bytes()), 0);
    site.restart();
    assert_eq!(alive(&site), 1, "the other's job is there");
}
