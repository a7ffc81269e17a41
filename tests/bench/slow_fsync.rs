//! 32 clients on a disk whose every fsync takes 20 ms longer: whether one fsync serves many answers.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use studygate::simulate::user::Population;

use crate::Effort;
use crate::figure::Figure;
use crate::machine;
use crate::process::children;
use crate::site::Site;
use crate::traffic::Template;

const CLIENTS: usize = 32;
const CALLS: &str = "trace=fsync,fdatasync,syncfs,sync_file_range,open,openat,openat2,pwritev2";

pub(crate) fn measure(effort: Effort) -> Vec<Figure> {
    let population = Population::new(4, CLIENTS);
    let mut site = Site::stopped_in(machine::work_dir());
    let trace = site.scratch("trace");
    let mut strace = Command::new("strace");
    strace.args(["-f", "--seccomp-bpf", "-qq", "-e", CALLS, "-e", "inject=fsync,fdatasync:delay_exit=20000", "-o"]);
    strace.arg(&trace).arg("--").arg(crate::site::binary()).arg("--config").arg(site.config_path()).arg("serve");
    site.start_as({
        strace.stdin(Stdio::null());
        strace
    });
    site.add_study("SLOW", &[]);
    site.add_participants("SLOW", &population);
    site.wait_until_filed();
    let before = fsyncs(&trace);
    let began = Instant::now();
    let answers = load(&site, &population, Duration::from_secs(2 * effort.round_s));
    let seconds = began.elapsed().as_secs_f64();
    let made = fsyncs(&trace) - before;
    site.wait_until_filed();
    let stored = site.records_stored();
    let gateway = children(site.pid());
    site.stop_by(*gateway.first().expect("strace runs the gateway"));
    let text = fs::read_to_string(&trace).expect("a trace");
    let synchronous = text
        .lines()
        .filter(|line| ["O_SYNC", "O_DSYNC", "RWF_SYNC", "RWF_DSYNC"].iter().any(|flag| line.contains(flag)));
    vec![
        Figure::at_least("answers, 32 clients", answers as f64 / seconds, "/s", 250.0),
        Figure::at_most("fsyncs to an answer", made as f64 / answers as f64, "", 0.125),
        Figure::at_least("records stored to pushes answered", stored / answers as f64, "", 1.0),
        Figure::at_most("opens and writes that are synchronous", synchronous.count() as f64, "", 0.0),
    ]
}

fn load(site: &Site, population: &Population, length: Duration) -> u64 {
    let path = site.notification_path();
    let end = Instant::now() + length;
    thread::scope(|scope| {
        let clients: Vec<_> = population
            .users()
            .iter()
            .map(|user| {
                let (mut client, path, template) = (site.client(), path.as_str(), Template::of(population, user));
                scope.spawn(move || {
                    let mut answers = 0;
                    while Instant::now() < end {
                        let body = template.body(answers);
                        assert_eq!(client.post(path, body.as_bytes()).expect("an answer"), 200);
                        answers += 1;
                    }
                    answers
                })
            })
            .collect();
        clients.into_iter().map(|client| client.join().expect("no client fails")).sum()
    })
}

/// How many fsyncs were begun so far; a call that another interrupts stands in two lines, its name with a parenthesis
/// in the first alone.
fn fsyncs(trace: &Path) -> u64 {
    let text = fs::read_to_string(trace).expect("strace is missing; install Debian's strace");
    text.lines().filter(|line| line.contains("fsync(") || line.contains("fdatasync(")).count() as u64
}
