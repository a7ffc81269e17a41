//! Pings and the rows of their jobs: whatever the worker and a person do meanwhile, what was acknowledged is pulled.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use super::held::link_held;
use super::{NOW, Site, push, rows};
use crate::clock::Clock as _;
use crate::model::participant::Window;
use crate::model::study::Rules;
use crate::model::time::UnixSeconds;
use crate::queue::job::{Job, URL_LIFE_S};
use crate::queue::plan::Event;
use crate::store::engine::{Batch, Compacted, Engine, Error, GoOn, row, table};
use crate::telemetry::filing::RecordResult::OutsideWindow;

/// A ping for a window.
fn ping(user: &str, token: &str) -> String {
    ping_of(1, user, token)
}

fn ping_of(window: u32, user: &str, token: &str) -> String {
    let url = format!("https://apis.example/wellness-api/rest/dailies?token={token}");
    push("dailies", user, &format!(r#""uploadStartTimeInSeconds":{window},"callbackURL":"{url}""#))
}

/// The next job that is due, and the URL it would be asked for under.
fn due(site: &Site) -> Option<(Job, Option<Box<str>>)> {
    let queue = &site.at().queue;
    let job = queue.take(site.clock.now())?;
    let ask = queue.open(&job).expect("the rows are read");
    Some((job, ask.map(|ask| ask.url)))
}

fn token(url: Option<Box<str>>) -> Option<String> {
    url.and_then(|url| url.split_once("token=").map(|(_, token)| token.to_owned()))
}

/// An engine that says when it has committed, and waits a while for what is done about it.
struct Telling {
    engine: Arc<dyn Engine>,
    committed: Mutex<Option<(Sender<()>, Receiver<()>)>>,
    commits: AtomicU64,
}

impl Engine for Telling {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        self.engine.get(key)
    }

    fn scan(&self, prefix: &[u8], each: &mut dyn FnMut(&[u8], &[u8]) -> bool) -> Result<(), Error> {
        self.engine.scan(prefix, each)
    }

    fn scan_from(&self, first: &[u8], each: &mut dyn FnMut(&[u8], &[u8]) -> bool) -> Result<(), Error> {
        self.engine.scan_from(first, each)
    }

    fn commit(&self, batch: Batch) -> Result<(), Error> {
        self.engine.commit(batch)?;
        self.commits.fetch_add(1, Ordering::AcqRel);
        let told = self.committed.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some((committed, done)) = told {
            committed.send(()).expect("somebody listens");
            // Whoever must wait for this commit to be known does not answer.
            let _is_answered = done.recv_timeout(Duration::from_millis(200)).is_ok();
        }
        Ok(())
    }

    fn bytes(&self) -> u64 {
        self.engine.bytes()
    }

    fn live_bytes(&self) -> Result<u64, Error> {
        self.engine.live_bytes()
    }

    fn compact(&self, room: u64, go_on: GoOn<'_>) -> Result<Compacted, Error> {
        self.engine.compact(room, go_on)
    }
}

impl Telling {
    /// The site is started on such an engine.
    fn start(site: &mut Site) -> Arc<Self> {
        let engine = Arc::clone(&site.memory) as _;
        let telling = Arc::new(Self { engine, committed: Mutex::default(), commits: AtomicU64::default() });
        site.start_on(Arc::clone(&telling) as _).expect("started");
        telling
    }
}

#[test]
fn ping_that_is_filed_while_the_one_before_is_given_up_stays() {
    let mut site = Site::with(&["u1"]);
    let (committed, is_committed) = channel();
    let (done, is_done) = channel();
    let telling = Telling::start(&mut site);
    site.receive(&ping("u1", "first"));
    let (first, _) = due(&site).expect("a job");
    site.push(&ping("u1", "second"));
    *telling.committed.lock().expect("no panic before") = Some((committed, is_done));
    let queue = Arc::clone(&site.at().queue);
    let given_up = thread::spawn(move || {
        is_committed.recv().expect("filing commits");
        queue.apply(&first.pull(), Event::Dropped, UnixSeconds(NOW), 0.0).expect("applied");
        queue.release(&first.id);
        // Nobody may wait for it any more.
        let _is_awaited = done.send(()).is_ok();
    });
    site.file();
    given_up.join().expect("no panic");
    let (_, url) = due(&site).expect("the job of the second ping");
    assert_eq!(token(url).as_deref(), Some("second"));
}

#[test]
fn ping_of_one_study_is_pulled_though_a_later_one_was_for_another_that_is_left() {
    let mut site = Site::new();
    site.study("S", Rules::default());
    site.study("T", Rules::default());
    let until = Window { from: None, to: Some(UnixSeconds(NOW + 10).into()) };
    site.participant_within("S", "P1", "u1", Window::default(), until);
    let other = site.participant("T", "Q1", "u1");
    site.receive(&ping("u1", "both"));
    site.wait(8 * 86_400);
    site.receive(&ping("u1", "other"));
    site.at().queue.forget(&other);
    let (_, url) = due(&site).expect("a job");
    assert_eq!(token(url).as_deref(), Some("both"));
}

#[test]
fn ping_that_came_while_the_clock_was_ahead_is_pulled_once_it_is_right() {
    for restarts in [false, true] {
        let mut site = Site::with(&["u1"]);
        site.wait(31_536_000);
        site.receive(&ping("u1", "early"));
        assert!(site.at().queue.take(UnixSeconds(NOW + 31_535_000)).is_none(), "its time has not come");
        site.wait(-31_536_000);
        if restarts {
            site.restart();
        }
        let (job, url) = due(&site).expect("it is due");
        assert_eq!(token(url).as_deref(), Some("early"));
        assert_eq!(job.deadline, UnixSeconds(NOW).plus(URL_LIFE_S));
        site.receive(&ping("u1", "later"));
        site.at().queue.release(&job.id);
        site.at().queue.apply(&job.pull(), Event::Dropped, UnixSeconds(NOW), 0.0).expect("applied");
        let (_, url) = due(&site).expect("the later ping is due");
        assert_eq!(token(url).as_deref(), Some("later"));
    }
}

#[test]
fn ping_of_a_file_is_kept_by_when_its_activity_began() {
    let mut site = Site::new();
    site.study("S", Rules::default());
    let until = Window { from: None, to: Some(UnixSeconds(NOW + 10).into()) };
    site.participant_within("S", "P1", "u1", Window::default(), until);
    site.wait(20);
    for (number, start) in [(1, NOW + 9), (2, NOW + 11)] {
        let url = "https://apis.example/wellness-api/rest/activityFile?id=1&token=T";
        let rest = format!(r#""summaryId":"f{number}","startTimeInSeconds":{start},"callbackURL":"{url}""#);
        site.receive(&push("activityFiles", "u1", &rest));
    }
    assert_eq!((site.at().queue.counts().waiting, site.counted("activityFiles", OutsideWindow)), (1, 1));
}

#[test]
fn jobs_that_ended_long_ago_go_in_one_commit() {
    let mut site = Site::with(&["u1"]);
    let telling = Telling::start(&mut site);
    for window in 0..50 {
        site.push(&ping_of(window, "u1", "T"));
    }
    site.file();
    let queue = Arc::clone(&site.at().queue);
    while let Some((job, _)) = due(&site) {
        let refused = Event::Answered { status: 403, retry_after: None, held: false };
        queue.apply(&job.pull(), refused, site.clock.now(), 0.0).expect("applied");
        queue.release(&job.id);
    }
    assert_eq!(queue.expire(UnixSeconds(NOW)).expect("nothing yet"), 0);
    let before = telling.commits.load(Ordering::Acquire);
    assert_eq!(queue.expire(UnixSeconds(NOW + 1)).expect("deleted"), 50);
    assert_eq!(telling.commits.load(Ordering::Acquire), before + 1);
    let owner = site.id("S", "P1");
    for table in [table::PULL, table::PULL_STATE] {
        assert_eq!(rows(&site, &row(owner.as_bytes(), table, &[])), 0);
    }
}

#[test]
fn ping_that_was_held_does_not_displace_a_newer_one() {
    let mut site = Site::with(&[]);
    site.receive(&ping("u3", "held"));
    site.wait(10);
    link_held(&site, "P3");
    site.push(&ping("u3", "newer"));
    site.file();
    for restarted in [false, true] {
        if restarted {
            site.restart();
        }
        let (job, url) = due(&site).expect("a job");
        assert_eq!((token(url).as_deref(), job.received), (Some("newer"), UnixSeconds(NOW + 10)));
        assert!(due(&site).is_none());
    }
}
