//! The worker that pulls: from a ping in the journal to records in the store, against a server that answers by script.

mod pull_support;
mod upstream_support;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use studygate::pull::worker::Settings;
use studygate::queue::job::{End, Phase, Setback};

use pull_support::{Disk, Site, file_ping, ping};
use upstream_support::{HOST, Server, Then, answer};

const GPX: &str = r#"<?xml version="1.0"?><gpx version="1.1"><trk/></gpx>"#;

fn day(number: &str) -> String {
    format!(r#"[{{"summaryId":"x4711-{number}","startTimeInSeconds":1793500000,"durationInSeconds":60,"steps":7}}]"#)
}

fn ended(site: &Site) -> Vec<(End, Option<Setback>)> {
    let ends = site.states().into_iter().filter_map(|state| match state.phase {
        Phase::Ended(end, _) => Some((end, state.last)),
        Phase::Waiting(_) | Phase::Running | Phase::Delivered => None,
    });
    ends.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn ping_is_fetched_once_and_its_job_goes_when_the_answer_is_filed() {
    let server = Server::start(HOST, |_| (answer("200 OK", "", &day("1")), Then::Serve));
    let disk = Disk::new();
    let mut site = disk.start(&server);
    site.enrol();
    site.pull(Settings::default());
    site.receive(ping("dailies", 1, "token=T")).await;
    site.until("end of the job", |site| site.states().is_empty()).await;
    assert_eq!(site.records(), 1);
    assert_eq!(site.counted("dailies", "done"), 1);

    site.receive(ping("dailies", 1, "token=U")).await;
    site.until("end of the renewed job", |site| site.counted("dailies", "done") == 2).await;
    assert_eq!(server.heads().len(), 2, "after it is done, a window is pulled again");
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_answer_has_its_own_end() {
    let server = Server::start(HOST, |target| {
        let status = target.rsplit("status=").next().unwrap_or_default().to_owned();
        match status.as_str() {
            "200" => (answer("200 OK", "", "[]"), Then::Serve),
            "cut" => (b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n[{".to_vec(), Then::Cut),
            "broken" => (answer("200 OK", "", "{\"errorMessage\":\"\"}"), Then::Serve),
            "302" => (answer("302 Found", "Location: https://127.0.0.1/\r\n", ""), Then::Serve),
            "429" => (answer("429 Slow", "Retry-After: 1800\r\n", ""), Then::Serve),
            other => (answer(&format!("{other} Some"), "", "{}"), Then::Serve),
        }
    });
    #[track_caller]
    fn check(state: Option<(Phase, Option<Setback>)>, expected: Result<End, Setback>, status: &str) {
        match (state, expected) {
            (Some((Phase::Ended(end, _), _)), Ok(expected)) => assert_eq!(end, expected, "{status}"),
            (Some((Phase::Waiting(_) | Phase::Running, last)), Err(expected)) => {
                assert_eq!(last, Some(expected), "{status}");
            }
            (other, _) => panic!("{status} came to {other:?}"),
        }
    }
    let table = [
        ("400", Ok(End::Refused)),
        ("401", Ok(End::Refused)),
        ("403", Ok(End::Refused)),
        ("404", Ok(End::Refused)),
        ("302", Ok(End::Refused)),
        ("410", Ok(End::Gone)),
        ("412", Ok(End::NotPermitted)),
        ("429", Err(Setback::Status(429))),
        ("500", Err(Setback::Status(500))),
        ("503", Err(Setback::Status(503))),
        ("cut", Err(Setback::Cut)),
        ("broken", Err(Setback::Malformed)),
    ];
    for (status, expected) in table {
        let disk = Disk::new();
        let mut site = disk.start(&server);
        site.enrol();
        site.pull(Settings::default());
        site.receive(ping("dailies", 1, &format!("token=T&status={status}"))).await;
        site.until("answer", |site| site.states().first().is_some_and(|state| state.last.is_some())).await;
        check(site.states().first().map(|state| (state.phase, state.last)), expected, status);
        assert_eq!(site.records(), 0);
        site.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn file_that_is_held_makes_a_second_download_needless() {
    let served = AtomicUsize::new(0);
    let server = Server::start(HOST, move |_| {
        if served.fetch_add(1, Ordering::SeqCst) == 0 {
            (answer("200 OK", "", GPX), Then::Serve)
        } else {
            (answer("410 Gone", "", "{}"), Then::Serve)
        }
    });
    let disk = Disk::new();
    let mut site = disk.start(&server);
    site.enrol();
    site.pull(Settings::default());
    site.receive(file_ping("id=1&token=T")).await;
    site.until("end of the job", |site| site.states().is_empty()).await;
    assert_eq!(site.records(), 1);

    site.receive(file_ping("id=1&token=U")).await;
    site.until("second request", |site| site.counted("activityFiles", "done") == 2).await;
    assert_eq!((site.states().len(), server.heads().len()), (0, 2));
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_download_that_broke_off_is_reported_as_what_it_is() {
    let served = AtomicUsize::new(0);
    let server = Server::start(HOST, move |_| {
        if served.fetch_add(1, Ordering::SeqCst) == 0 {
            (b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n<?xml".to_vec(), Then::Cut)
        } else {
            (answer("410 Gone", "", "{}"), Then::Serve)
        }
    });
    let disk = Disk::new();
    let mut site = disk.start(&server);
    site.enrol();
    site.pull(Settings::default());
    site.receive(file_ping("id=1&token=T")).await;
    site.until("end of the job", |site| !ended(site).is_empty()).await;
    assert_eq!(ended(&site), [(End::Gone, Some(Setback::Cut))]);
    assert_eq!(server.heads().len(), 2, "it is tried again, because Garmin may not have counted it");
    site.stop().await;

    let site = disk.start(&server);
    assert_eq!(ended(&site), [(End::Gone, Some(Setback::Cut))], "a restart forgets no end");
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn answer_that_was_durable_before_a_crash_is_not_asked_for_again() {
    let server = Server::start(HOST, |_| (answer("200 OK", "", GPX), Then::Serve));
    let disk = Disk::new();
    let mut site = disk.start(&server);
    site.enrol();
    site.receive(file_ping("id=1&token=T")).await;
    site.stop_filing().await;
    site.pull(Settings::default());
    let delivered = |site: &Site| site.states().first().is_some_and(|state| state.phase == Phase::Delivered);
    site.until("delivery", delivered).await;
    site.stop().await;

    let mut site = disk.start(&server);
    site.pull(Settings::default());
    site.until("end of the job", |site| site.states().is_empty()).await;
    assert_eq!((site.records(), server.heads().len()), (1, 1));
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn request_that_a_stop_cuts_off_is_made_again_after_the_restart() {
    let served = AtomicUsize::new(0);
    let server = Server::start(HOST, move |_| {
        if served.fetch_add(1, Ordering::SeqCst) == 0 {
            (b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n[".to_vec(), Then::Hang)
        } else {
            (answer("200 OK", "", &day("1")), Then::Serve)
        }
    });
    let disk = Disk::new();
    let mut site = disk.start(&server);
    site.enrol();
    site.pull(Settings { stop_patience: Duration::from_millis(10), ..Settings::default() });
    site.receive(ping("dailies", 1, "token=T")).await;
    site.until("request", |_| server.heads().len() == 1).await;
    site.stop().await;

    let mut site = disk.start(&server);
    site.pull(Settings::default());
    site.until("end of the job", |site| site.states().is_empty()).await;
    assert_eq!((site.records(), server.heads().len()), (1, 2));
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn job_whose_time_is_over_expires_without_another_request() {
    let server = Server::start(HOST, |target| {
        if target.contains("sleeps") {
            (answer("200 OK", "", "[]"), Then::Serve)
        } else {
            (answer("429 Slow", "Retry-After: 3000\r\n", ""), Then::Serve)
        }
    });
    let disk = Disk::new();
    let mut site = disk.start(&server);
    site.enrol();
    site.pull(Settings::default());
    site.receive(ping("dailies", 1, "token=T")).await;
    site.until("answer", |site| site.counted("dailies", "again") == 1).await;
    disk.ahead(86_400);
    // Something comes, so the worker looks.
    site.receive(ping("sleeps", 1, "token=T")).await;
    site.until("end of the job", |site| !ended(site).is_empty()).await;
    assert_eq!(ended(&site), [(End::Expired, Some(Setback::Status(429)))]);
    site.until("count", |site| site.counted("dailies", "expired") == 1).await;
    let dailies = server.heads().iter().filter(|head| head.contains("dailies")).count();
    assert_eq!(dailies, 1);
    site.stop().await;
}

/// A notice that [`pull_support::USER`] permits these since then.
fn permitted(list: &str, changed: i64) -> String {
    let user = pull_support::USER;
    format!(
        r#"{{"userPermissionsChange":[{{"userId":"{user}","permissions":[{list}],"changeTimeInSeconds":{changed}}}]}}"#
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn job_that_waits_for_a_type_not_permitted_any_more_ends_without_a_request() {
    let server = Server::start(HOST, |_| (answer("200 OK", "", &day("1")), Then::Serve));
    let disk = Disk::new();
    let mut site = disk.start(&server);
    site.enrol();
    site.receive(ping("dailies", 1, "token=T")).await;
    site.receive(ping("activities", 1, "token=T")).await;
    site.receive(permitted(r#""ACTIVITY_EXPORT""#, 100)).await;
    site.pull(Settings::default());
    site.until("end of both", |site| site.records() == 1 && ended(site) == [(End::NotPermitted, None)]).await;
    assert_eq!(server.heads().len(), 1, "what is permitted was asked for, and nothing else");
    assert_eq!(site.counted("dailies", "not_permitted"), 1);

    site.receive(permitted(r#""HEALTH_EXPORT""#, 101)).await;
    site.receive(ping("dailies", 1, "token=U")).await;
    site.until("end of the renewed job", |site| site.states().is_empty()).await;
    assert_eq!(site.records(), 2);
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn answer_412_is_noted_until_a_notice_says_what_holds() {
    let server = Server::start(HOST, |_| (answer("412 Precondition Failed", "", "{}"), Then::Serve));
    let disk = Disk::new();
    let mut site = disk.start(&server);
    site.enrol();
    site.pull(Settings::default());
    site.receive(ping("sleeps", 1, "token=T")).await;
    site.until("end", |site| !ended(site).is_empty()).await;
    let known = site.permissions();
    assert_eq!(
        (known.current(), known.refused().keys().map(String::as_str).collect::<Vec<_>>()),
        (None, vec!["sleeps"])
    );
    site.stop().await;

    let site = disk.start(&server);
    assert_eq!(site.permissions(), known, "a restart knows it");
    disk.ahead(10);
    site.receive(permitted(r#""HEALTH_EXPORT""#, 100)).await;
    let told = site.permissions();
    assert!(told.refused().is_empty() && told.current().is_some_and(|told| told.granted == ["HEALTH_EXPORT"]));
    site.stop().await;
}
