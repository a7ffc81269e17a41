//! The simulator's callback server in a process of its own, so that everybody who fetches from it has the same peer.
//!
//! The bench starts itself once more; that process prints the URL of each of its offers, one a line, and serves them
//! until its standard input ends.

use std::{
    fs,
    io::{self, BufRead as _, BufReader, Write as _},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, ExitCode, Stdio},
    sync::Arc,
};

use rustix::process::{Pid, Signal, kill_process};
use studygate::clock::{Clock, SystemClock};
use studygate::simulate::{
    callbacks::{Callbacks, Settings},
    user::Population,
};
use studygate::tls::generate::self_signed;

use crate::traffic::{Small, uploaded};

/// The first argument of the process that serves; its certificate's file and three numbers follow.
pub(crate) const ROLE: &str = "--serve-callbacks";

/// A server with one record of about 2 KB behind each URL, laid out over the users of a population in turn. It ends
/// when dropped.
pub(crate) struct Server {
    process: Child,
    certificate: PathBuf,
    host: String,
    urls: Vec<String>,
}

impl Server {
    /// A server with so many offers for the users of this seed's world; its certificate goes into a file.
    pub(crate) fn start(certificate: &Path, seed: u64, users: usize, offers: usize) -> Self {
        let itself = std::env::current_exe().expect("a program knows its file");
        let mut command = Command::new(itself);
        command.arg(ROLE).arg(certificate).args([seed.to_string(), users.to_string(), offers.to_string()]);
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the bench starts again");
        let lines = BufReader::new(process.stdout.take().expect("piped")).lines();
        let mut lines = lines.map(|line| line.expect("text")).take(1 + offers);
        let host = lines.next().expect("the server tells its host");
        let urls: Vec<String> = lines.collect();
        assert_eq!(urls.len(), offers, "the server ended before it served");
        Self { process, certificate: certificate.to_owned(), host, urls }
    }

    /// `host:port` of its URLs.
    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    /// The file with its certificate.
    pub(crate) fn certificate(&self) -> &Path {
        &self.certificate
    }

    /// A URL for each offer, in order.
    pub(crate) fn urls(&self) -> &[String] {
        &self.urls
    }

    /// It sleeps: the kernel takes connections and requests for it, and nothing is answered.
    pub(crate) fn pause(&self) {
        self.signal(Signal::STOP);
    }

    /// It goes on where it was.
    pub(crate) fn resume(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.process), signal).expect("a child of ours");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Paused, it would not see that its input has ended.
        self.process.kill().expect("a child of ours");
        self.process.wait().expect("a child of ours");
    }
}

/// What the process that serves does, with the arguments behind [`ROLE`].
pub(crate) fn serve(arguments: &[String]) -> ExitCode {
    let [certificate, numbers @ ..] = arguments else { return ExitCode::from(2) };
    let numbers: Vec<u64> = numbers.iter().map(|number| number.parse().expect("a number")).collect();
    let [seed, users, offers] = numbers[..] else { return ExitCode::from(2) };
    let population = Population::new(seed, usize::try_from(users).expect("few"));
    let pair = self_signed(&["127.0.0.1".to_owned()], SystemClock.now(), 2).expect("an address");
    fs::write(certificate, &pair.certificate).expect("the file is the bench's");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let settings = Settings { listen: SocketAddr::from(([127, 0, 0, 1], 0)), seed, ..Settings::default() };
        let callbacks = Callbacks::start(settings, &pair, Arc::new(SystemClock)).await.expect("a free port");
        let users: Vec<Small> = population.users().iter().map(|user| Small::of(&population, user)).collect();
        let mut told = io::stdout().lock();
        writeln!(told, "{}", callbacks.host()).expect("the bench reads");
        for (number, user) in (0..offers).zip(users.iter().cycle()) {
            let (from, to) = uploaded(number);
            let offer = callbacks.offer_window("dailies", from, to, user.answer(number).into());
            writeln!(told, "{}", offer.url).expect("the bench reads");
        }
        told.flush().expect("the bench reads");
        let until = tokio::task::spawn_blocking(|| io::copy(&mut io::stdin().lock(), &mut io::sink()));
        until.await.expect("reading does not panic").expect("a pipe");
    });
    // Its connections, and what it remembers of them, are not worth waiting for.
    runtime.shutdown_background();
    ExitCode::SUCCESS
}
