//! Pinged jobs of one record each, fetched and filed, against the same client that fetches the same URLs and stores
//! nothing.
//!
//! Both fetch from one server in a process of its own, with the same settings and four requests at once. The clock of
//! the gateway starts when all jobs are durable and wait: until then the server's process is stopped, so that the first
//! four requests are under way and unanswered. It ends when the last answer is filed and its job's rows are gone. The
//! client is told its URLs; the gateway opens them from its rows. Before each measured stretch, both fetch a few others,
//! so that connections are open. That the queue is empty is looked for rarely, because a look at all metrics costs the
//! gateway time; it counts until the look that finds it so. Every URL has a record of its own: nothing is a duplicate.

use std::{
    fs, process,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Instant,
};

use studygate::simulate::user::Population;
use studygate::upstream::{Settings, Timeouts, Upstream, lookup::SystemLookup, rules::Rules};
use tokio::runtime::Runtime;

use crate::Effort;
use crate::callbacks::Server;
use crate::figure::{Figure, median};
use crate::machine;
use crate::pings;
use crate::process::processor_s;
use crate::site::Site;

const SEED: u64 = 6;
const PARTICIPANTS: usize = 100;
const CONCURRENCY: usize = 4;
/// More would make the server's process large.
const ROUNDS_MAX: usize = 5;
/// Fetched before each stretch.
const WARM_UP: usize = 100;

pub(crate) fn measure(effort: Effort) -> Vec<Figure> {
    let (jobs, rounds) = (effort.pulls, effort.rounds.min(ROUNDS_MAX));
    let population = Population::new(SEED, PARTICIPANTS);
    let mut site = Site::stopped_in(machine::work_dir());
    // The first round of each warms up and is not counted.
    let offers = (rounds + 1) * (WARM_UP + jobs);
    let server = Server::start(&site.scratch("callbacks.pem"), SEED, PARTICIPANTS, offers);
    pings::allow(&mut site, &[server.host().to_owned()], Some(server.certificate()));
    site.start();
    site.add_study("PULLS", &[]);
    site.add_participants("PULLS", &population);
    let client = Client::of(&server);
    let (mut ours, mut peer, mut processor) = (Vec::new(), Vec::new(), Processor::default());
    for (round, urls) in server.urls().chunks(WARM_UP + jobs).enumerate() {
        let first = (round * (WARM_UP + jobs)) as u64;
        let (drained, gateway) = drain(&site, &server, &population, first, urls);
        let (fetched, alone) = client.fetch(urls);
        if round > 0 {
            ours.push(jobs as f64 / drained);
            peer.push(jobs as f64 / fetched);
            processor.gateway += gateway;
            processor.client += alone;
        }
    }
    let ratios = ours.iter().zip(&peer).map(|(ours, peer)| ours / peer).collect();
    let (ours, peer) = (median(ours), median(peer));
    let per_job = 1e6 / (jobs * rounds) as f64;
    vec![
        Figure::told(format!("gateway: {jobs} jobs of 2 KB, fetched and filed"), ours, "/s"),
        Figure::told("client: the same URLs, nothing stored", peer, "/s"),
        Figure::at_least("gateway to client", ours / peer, "", 0.7),
        Figure::told("gateway to client, median of the rounds' ratios", median(ratios), ""),
        Figure::told("gateway: processor time a job", processor.gateway * per_job, "µs"),
        Figure::told("client: processor time a URL", processor.client * per_job, "µs"),
        Figure::at_least("records stored to jobs", site.records_stored() / offers as f64, "", 1.0),
    ]
}

/// Seconds of processor time over all rounds.
#[derive(Default)]
struct Processor {
    gateway: f64,
    client: f64,
}

/// Seconds from the release of the jobs until all are filed, and what the gateway took of the processor.
fn drain(site: &Site, server: &Server, population: &Population, first: u64, urls: &[String]) -> (f64, f64) {
    let (warm_up, urls) = urls.split_at(WARM_UP);
    pings::send(site, population, first, warm_up);
    site.wait_until_filed();
    pings::wait_until_queued(site, 0);
    server.pause();
    pings::send(site, population, first + WARM_UP as u64, urls);
    pings::wait_until_queued(site, urls.len());
    let (began, before) = (Instant::now(), processor_s(site.pid()));
    server.resume();
    pings::wait_until_empty(site);
    (began.elapsed().as_secs_f64(), processor_s(site.pid()) - before)
}

/// The gateway's own client, alone.
struct Client {
    runtime: Runtime,
    upstream: Upstream,
    rules: Rules,
}

impl Client {
    fn of(server: &Server) -> Self {
        let rules = Rules::new(&[server.host().to_owned()], true).expect("a host");
        let ca = fs::read(server.certificate()).expect("the server wrote it");
        let settings = Settings { rules: rules.clone(), ca: Some(ca), proxy: None, timeouts: Timeouts::default() };
        let upstream = Upstream::new(settings, Arc::new(SystemLookup)).expect("settings in order");
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
        Self { runtime, upstream, rules }
    }

    /// Seconds for the URLs behind those that warm up, and what that took of the processor.
    fn fetch(&self, urls: &[String]) -> (f64, f64) {
        let (warm_up, urls) = urls.split_at(WARM_UP);
        self.fetch_all(warm_up);
        let (began, before) = (Instant::now(), processor_s(process::id()));
        self.fetch_all(urls);
        (began.elapsed().as_secs_f64(), processor_s(process::id()) - before)
    }

    fn fetch_all(&self, urls: &[String]) {
        let (urls, next): (Arc<[String]>, _) = (urls.into(), Arc::new(AtomicUsize::new(0)));
        let begin = |_| {
            let (upstream, rules) = (self.upstream.clone(), self.rules.clone());
            let (urls, next) = (Arc::clone(&urls), Arc::clone(&next));
            self.runtime.spawn(async move {
                while let Some(url) = urls.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let callback = rules.vet(url).expect("a callback");
                    let mut answer = upstream.get(&callback).await.expect("an answer");
                    assert_eq!(answer.status(), 200);
                    while answer.chunk().await.expect("a whole answer").is_some() {}
                }
            })
        };
        let fetching: Vec<_> = (0..CONCURRENCY).map(begin).collect();
        self.runtime.block_on(async {
            for task in fetching {
                task.await.expect("no fetch fails");
            }
        });
    }
}
