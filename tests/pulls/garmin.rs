//! Garmin as a test has it: what lies ready, the pings that say so, and what was fetched.

use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use ring::digest::{SHA256, digest};
use serde_json::{Value, json};
use studygate::clock::{Clock, SystemClock};
use studygate::model::time::UnixSeconds;
use studygate::simulate::callbacks::fault::Fault;
use studygate::simulate::callbacks::offer::{OfferId, Ready};
use studygate::simulate::callbacks::{Callbacks, Fetch, Settings};
use studygate::simulate::file::{self, FileType};
use studygate::simulate::markers::Markers;
use studygate::simulate::notification::Notification;
use studygate::simulate::record::{Density, Record, day};
use studygate::simulate::user::User;
use studygate::tls::generate::{Pair, self_signed};
use tokio::runtime::{Builder, Runtime};

use crate::site::{Site, files_below};

/// The first simulated day: 2026-11-01.
pub(crate) const MIDNIGHT: UnixSeconds = UnixSeconds(1_793_491_200);

/// Longer than anything takes on a slow machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// A callback server and what it gave out.
pub(crate) struct Garmin {
    pub(crate) callbacks: Arc<Callbacks>,
    certificate: String,
    urls: Mutex<Vec<String>>,
    // Goes last: the server runs in it.
    pub(crate) runtime: Runtime,
}

/// A ping that can be sent.
pub(crate) struct Ping {
    pub(crate) offer: OfferId,
    summary_type: String,
    pub(crate) item: Value,
}

impl Garmin {
    pub(crate) fn start() -> Self {
        Self::with(Settings::default())
    }

    /// A server of these settings; a slow answer rests shortly.
    pub(crate) fn with(settings: Settings) -> Self {
        Self::of(Settings { slow_pause: Duration::from_millis(20), ..settings }, &pair(), Arc::new(SystemClock))
    }

    /// A server with this certificate and clock.
    pub(crate) fn of(settings: Settings, pair: &Pair, clock: Arc<dyn Clock>) -> Self {
        let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
        let callbacks = runtime.block_on(Callbacks::start(settings, pair, clock)).expect("it listens");
        Self { callbacks: Arc::new(callbacks), certificate: pair.certificate.clone(), urls: Mutex::default(), runtime }
    }

    /// A site whose callbacks lead here, not started; `more` are further lines of `[pull]`.
    pub(crate) fn stopped_site(&self, more: &str) -> Site {
        self.stopped_site_in(&std::env::temp_dir(), more)
    }

    /// The same on the file system of `parent`.
    pub(crate) fn stopped_site_in(&self, parent: &std::path::Path, more: &str) -> Site {
        let mut site = Site::stopped_in(parent);
        site.environment.push(("STUDYGATE_LOG", "debug".to_owned()));
        site.pull_from(self.callbacks.host(), &self.certificate, more);
        site
    }

    /// The same, started.
    pub(crate) fn site(&self) -> Site {
        let mut site = self.stopped_site("");
        site.start();
        site
    }

    /// Lays an answer ready for a user's window, its first attempts spoiled by `script`; windows have numbers.
    pub(crate) fn window(
        &self,
        user: &User,
        summary_type: &str,
        number: i64,
        answer: &str,
        script: Vec<Fault>,
    ) -> Ping {
        let (from, to) = (MIDNIGHT.plus(number * 300), MIDNIGHT.plus(number * 300 + 300));
        let array = Bytes::from(answer.to_owned());
        let ready = Ready::Window { summary_type: summary_type.to_owned(), from, to, array };
        let offer = self.callbacks.offer(ready, Some(script));
        self.note(&offer.url);
        let item = json!({
            "userId": user.id,
            "callbackURL": offer.url,
            "uploadStartTimeInSeconds": from.0,
            "uploadEndTimeInSeconds": to.0,
        });
        Ping { offer: offer.id, summary_type: summary_type.to_owned(), item }
    }

    /// Lays a file of an activity ready.
    pub(crate) fn file(
        &self,
        user: &User,
        activity: &Record,
        file_type: &str,
        bytes: &[u8],
        script: Vec<Fault>,
    ) -> Ping {
        let id = activity.natural_key();
        let ready = Ready::File { id: id.clone(), bytes: Bytes::from(bytes.to_vec()) };
        let offer = self.callbacks.offer(ready, Some(script));
        self.note(&offer.url);
        Ping {
            offer: offer.id,
            summary_type: "activityFiles".to_owned(),
            item: file_item(user, activity, file_type, &offer.url),
        }
    }

    /// What was answered about an offer.
    pub(crate) fn fetches_of(&self, offer: OfferId) -> Vec<Fetch> {
        self.callbacks.fetches().into_iter().filter(|fetch| fetch.offer == Some(offer)).collect()
    }

    /// Returns once so many answers about an offer have begun.
    pub(crate) fn wait_for_fetches(&self, offer: OfferId, count: usize) {
        wait("a fetch", || self.fetches_of(offer).len() >= count);
    }

    /// What may stand nowhere in clear: the users, and the tokens of all URLs.
    pub(crate) fn markers(&self, users: &[User]) -> Markers {
        let urls = self.urls.lock().expect("no panic");
        let tokens = urls.iter().filter_map(|url| url.split_once("token="));
        tokens.fold(Markers::of(users, &[]), |markers, (_, token)| markers.with("token", token))
    }

    fn note(&self, url: &str) {
        self.urls.lock().expect("no panic").push(url.to_owned());
    }
}

/// The activities that a user's watch recorded in these days.
pub(crate) fn runs(user: &User, days: i64) -> Vec<Record> {
    let days = (0..days).flat_map(|number| day(user, MIDNIGHT.plus(number * 86_400), Density::default()));
    days.filter(|record| file::of(user, record, FileType::Fit).is_some()).collect()
}

/// A certificate for loopback.
pub(crate) fn pair() -> Pair {
    self_signed(&["127.0.0.1".to_owned()], SystemClock.now(), 30).expect("an address")
}

/// What Garmin says of an activity's file.
pub(crate) fn file_item(user: &User, activity: &Record, file_type: &str, url: &str) -> Value {
    json!({
        "userId": user.id,
        "summaryId": format!("{}-file", activity.natural_key()),
        "fileType": file_type,
        "callbackURL": url,
        "activityId": activity.content["activityId"],
        "activityType": activity.content["activityType"],
        "startTimeInSeconds": activity.content["startTimeInSeconds"],
        "manual": false,
    })
}

/// The body of one notification with these pings.
pub(crate) fn notification<'a>(pings: impl IntoIterator<Item = &'a Ping>) -> String {
    let add = |body: Notification, ping: &Ping| body.raw(&ping.summary_type, ping.item.to_string());
    pings.into_iter().fold(Notification::new(), add).to_json()
}

/// An answer with one summary; `number` tells it from the user's others, `steps` its versions apart.
pub(crate) fn answer(user: &User, number: i64, steps: i64) -> String {
    let start = UnixSeconds(MIDNIGHT.0 + number * 900);
    json!([{
        "summaryId": format!("{}-{number:x}", user.prefix),
        "startTimeInSeconds": start.0,
        "measurementTimeInSeconds": start.0,
        "startTimeOffsetInSeconds": 0,
        "steps": steps,
    }])
    .to_string()
}

/// The pulls that a person sees.
pub(crate) fn pulls(site: &Site, arguments: &[&str]) -> Vec<Value> {
    site.cli_json(&[&["pulls", "list"], arguments].concat())["pulls"].as_array().expect("a list").clone()
}

/// How many requests for a type came to this since the gateway started.
pub(crate) fn counted(site: &Site, summary_type: &str, result: &str) -> f64 {
    let series = format!("studygate_pulls_total{{result=\"{result}\",type=\"{summary_type}\"}}");
    site.metric(&series).unwrap_or_else(|| panic!("{series} is missing"))
}

/// Waits until everything that can be pulled is pulled and filed.
pub(crate) fn wait_until_pulled(site: &Site) {
    site.wait_until_filed();
    site.wait_for_metric("studygate_pull_queue_length", 0.0);
    site.wait_until_filed();
}

pub(crate) fn wait(what: &str, holds: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        thread::sleep(Duration::from_millis(10));
    }
}

/// No marker stands in the site's folder, its log, its metrics or what commands say.
pub(crate) fn assert_silent(site: &Site, markers: &Markers) {
    for file in files_below(&site.dir()) {
        let found = std::fs::read(&file).ok().and_then(|bytes| markers.found_in(&bytes));
        assert_eq!(found, None, "{}", file.display());
    }
    assert_eq!(markers.found_in(site.log().as_bytes()), None, "the log");
    let (_, metrics) = site.fetch("/metrics").expect("metrics");
    assert_eq!(markers.found_in(metrics.as_bytes()), None, "the metrics");
    for command in [&["pulls", "list", "--all"][..], &["pulls", "list", "--all", "--json"], &["status", "--json"]] {
        let output = site.run(command);
        assert!(output.status.success(), "{command:?}");
        assert_eq!(markers.found_in(&[output.stdout, output.stderr].concat()), None, "{command:?}");
    }
}

/// The SHA-256 of these bytes in hexadecimal digits.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(digest(&SHA256, bytes).as_ref())
}
