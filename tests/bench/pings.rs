//! Pings in bulk: a gateway told where callbacks may lead, and jobs brought into its queue.

use std::{
    path::Path,
    thread,
    time::{Duration, Instant},
};

use studygate::simulate::notification::Notification;
use studygate::simulate::user::{Population, User};

use crate::site::Site;
use crate::traffic::uploaded;

const PINGS_A_BODY: usize = 100;
/// Longer than so many pulls take on a slow machine.
const PATIENCE: Duration = Duration::from_secs(120);
const LOOK: Duration = Duration::from_millis(50);
const QUEUE_LENGTH: &str = "studygate_pull_queue_length";

/// Lets callbacks lead to these hosts from the next start on, and trusts this certificate there.
pub(crate) fn allow(site: &mut Site, hosts: &[String], certificate: Option<&Path>) {
    let ca = certificate.map(|file| format!("ca_file = {file:?}\n")).unwrap_or_default();
    site.edit_config(|text| format!("{text}\n[pull]\nhosts = {hosts:?}\nallow_private = true\n{ca}"));
}

/// Pings for the offers of these URLs, the first of which has the number `first`; each is for the user whose turn it is.
pub(crate) fn send(site: &Site, population: &Population, first: u64, urls: &[String]) {
    let users = population.users();
    let count = users.len() as u64;
    let whose = |number: u64| &users[usize::try_from(number % count).expect("few")];
    post(site, (first..).zip(urls).map(|(number, url)| (whose(number), number, url.clone())));
}

/// Pings a single user for so many windows at a host that gives nothing: as many jobs that wait.
pub(crate) fn send_in_vain(site: &Site, user: &User, host: &str, jobs: usize) {
    let url = |number: u64| {
        let (from, to) = uploaded(number);
        let window = format!("uploadStartTimeInSeconds={}&uploadEndTimeInSeconds={}", from.0, to.0);
        format!("https://{host}/wellness-api/rest/dailies?{window}&token={number:048x}")
    };
    post(site, (0..).take(jobs).map(|number| (user, number, url(number))));
}

fn post<'a>(site: &Site, mut pings: impl Iterator<Item = (&'a User, u64, String)>) {
    let (mut client, path) = (site.client(), site.notification_path());
    loop {
        let (mut body, mut count) = (Notification::new(), 0);
        for (user, number, url) in pings.by_ref().take(PINGS_A_BODY) {
            body = body.ping(user, "dailies", &url, uploaded(number).0);
            count += 1;
        }
        if count == 0 {
            return;
        }
        assert_eq!(client.post(&path, body.to_json().as_bytes()).expect("an answer"), 200);
    }
}

/// Waits until so many jobs are in the queue and nothing is left to be filed.
pub(crate) fn wait_until_queued(site: &Site, jobs: usize) {
    site.wait_for_metric(QUEUE_LENGTH, jobs as f64);
    site.wait_until_filed();
}

/// Waits until the queue is empty: every answer is filed. Looks seldom, to leave the gateway its time.
pub(crate) fn wait_until_empty(site: &Site) {
    let began = Instant::now();
    while site.metric(QUEUE_LENGTH) != Some(0.0) {
        assert!(began.elapsed() < PATIENCE, "pulls do not end:\n{}", site.log());
        thread::sleep(LOOK);
    }
}
