//! `simulate`: Garmin's side alone, against any gateway, with a ledger of what was sent, acknowledged and fetched.

mod certificate;

use std::{
    fs::{File, OpenOptions},
    io::{self, IsTerminal as _, Write as _},
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use clap::{Args, ValueEnum};

use crate::cli::exit::{Exit, Failure};
use crate::cli::output;
use crate::client::connection::Error;
use crate::client::trust::Trust;
use crate::clock::{Clock as _, SystemClock};
use crate::model::summary::KNOWN;
use crate::model::time::UnixSeconds;
use crate::simulate::account::Account;
use crate::simulate::callbacks::fault::Faults;
use crate::simulate::callbacks::{self, Callbacks};
use crate::simulate::plan;
use crate::simulate::run::{Cast, Progress, Settings, play};
use crate::simulate::sender::{self, Sender, Target};
use crate::simulate::user::Population;

const DAY_S: i64 = 86_400;
const MEGABYTE: u64 = 1_000_000;
/// Where redirects of `--faults=all` lead: nobody may come there.
const ELSEWHERE: &str = "https://127.0.0.1:1/wellness-api/rest/dailies";

/// What to play, and to whom.
#[derive(Debug, Args)]
pub(super) struct Simulate {
    /// The gateway's notification URL, such as https://127.0.0.1:8443/garmin
    #[arg(long, value_name = "URL", required_unless_present = "list_users")]
    to: Option<String>,
    /// The gateway's certificate, or its authority's
    #[arg(long, value_name = "FILE", required_unless_present = "list_users")]
    ca: Option<PathBuf>,
    /// How many users
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    users: u32,
    /// How many days
    #[arg(long, value_name = "N", default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..=3650))]
    days: u32,
    /// The first day [default: so that the last one is yesterday]
    #[arg(long, value_name = "DATE")]
    start: Option<String>,
    /// Only these summary types, with commas between
    #[arg(long, value_name = "a,b,…", value_delimiter = ',')]
    types: Option<Vec<String>>,
    /// How data come
    #[arg(long, value_name = "MODE", default_value = "push")]
    mode: Mode,
    /// What everything is made from: the same number gives the same users and data
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// How many notifications are begun in a second [default: as many as the gateway takes]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    rate: Option<u32>,
    /// How many requests are under way at once
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=256))]
    concurrency: u16,
    /// Give a notification up after this many attempts without a 200
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1000))]
    attempts: u32,
    /// The garmin-client-id header [default: none]
    #[arg(long, value_name = "ID", default_value = "", hide_default_value = true)]
    client_id: String,
    /// Where callbacks are answered; not with --mode push
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8445")]
    callbacks: SocketAddr,
    /// How callback URLs name that address [default: as it is]
    #[arg(long, value_name = "NAME:PORT")]
    callback_host: Option<String>,
    /// The callback server's certificate, for the gateway's pull.ca_file; made where it does not exist, with its key
    /// beside it in FILE.key
    #[arg(long, value_name = "FILE", required_if_eq_any([("mode", "ping"), ("mode", "mixed")]))]
    callback_certificate: Option<PathBuf>,
    /// Answer callbacks badly now and then: in ways that pass, or in all ways
    #[arg(long, value_name = "KIND", num_args = 0..=1, require_equals = true, default_missing_value = "passing")]
    faults: Option<FaultKind>,
    /// The last users, this many, deregister after two thirds of the days
    #[arg(long, value_name = "N", default_value_t = 0)]
    deregister: usize,
    /// The first users, this many, withdraw the permission for health data for the middle third of the days
    #[arg(long, value_name = "N", default_value_t = 0)]
    permission_changes: usize,
    /// Put the endpoint on hold after the first day, for this many days, and send what waited at once
    #[arg(long, value_name = "DAYS", default_value_t = 0)]
    hold: u32,
    /// Send a body of activity details of this many megabytes after the first day
    #[arg(long, value_name = "MB", value_parser = clap::value_parser!(u64).range(1..=1000))]
    large: Option<u64>,
    /// End when nothing was fetched for this many seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    quiet: u64,
    /// Where the ledger goes; a file that exists is left alone [default: standard output]
    #[arg(long, value_name = "FILE")]
    ledger: Option<PathBuf>,
    /// Only print the Garmin ids of the users, one a line, as participant add --garmin-user takes them
    #[arg(long)]
    list_users: bool,
}

/// How data come.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Mode {
    /// Pushed; no files
    Push,
    /// Pinged, files among them
    Ping,
    /// Of each user and type in one of both ways
    Mixed,
}

/// Which faults callbacks have.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum FaultKind {
    /// Those after which the same request succeeds
    Passing,
    /// Refusals, truncated answers and redirects too
    All,
}

/// Plays, and tells what came of it.
pub(super) fn run(simulate: &Simulate) -> Result<(), Failure> {
    let settings = settings(simulate)?;
    if simulate.list_users {
        let population = Population::new(settings.plan.seed, settings.users);
        return population.users().iter().try_for_each(|user| output::line(&user.id));
    }
    let target = target(simulate)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let account = runtime.block_on(async {
        // First what the gateway must be told: it may be waiting for the certificate to start at all.
        let callbacks = callbacks(simulate).await?;
        target.try_out().await.map_err(|error| unreachable(&error))?;
        let ledger = simulate.ledger.as_deref().map(create).transpose()?;
        let cast = Cast { sender: sender(simulate, target), callbacks };
        let mut meter = Meter { days: simulate.days, is_shown: io::stderr().is_terminal() };
        let account = play(&settings, cast, &mut |progress| meter.show(progress)).await;
        meter.end();
        Ok::<_, Failure>((account, ledger))
    });
    let (account, ledger) = account?;
    write_ledger(&account, simulate.ledger.as_deref().zip(ledger))?;
    tell_end(&account)
}

fn settings(simulate: &Simulate) -> Result<Settings, Failure> {
    let today = SystemClock.now().0.div_euclid(DAY_S) * DAY_S;
    let start = match &simulate.start {
        Some(text) => UnixSeconds::of_date(text)
            .ok_or_else(|| usage(format!("`{text}` is no date; write the first day as 2026-11-01")))?,
        None => UnixSeconds(today - i64::from(simulate.days) * DAY_S),
    };
    let unknown = simulate.types.iter().flatten().find(|name| KNOWN.iter().all(|known| known.name != **name));
    if let Some(name) = unknown {
        let names: Vec<_> = KNOWN.iter().map(|known| known.name).collect();
        return Err(usage(format!("`{name}` is no summary type; name some of {}", names.join(", "))));
    }
    let plan = plan::Settings {
        types: simulate.types.clone(),
        mode: match simulate.mode {
            Mode::Push => plan::Mode::Push,
            Mode::Ping => plan::Mode::Ping,
            Mode::Mixed => plan::Mode::Mixed,
        },
        deregistered: simulate.deregister,
        permission_changes: simulate.permission_changes,
        ..plan::Settings::new(simulate.seed, start, simulate.days)
    };
    Ok(Settings {
        plan,
        users: usize::try_from(simulate.users).unwrap_or(usize::MAX),
        per_second: simulate.rate,
        sent_again: 30,
        on_hold: 1..simulate.hold.saturating_add(1),
        large_bytes: simulate.large.map(|megabytes| megabytes * MEGABYTE),
        quiet: Duration::from_secs(simulate.quiet),
    })
}

fn target(simulate: &Simulate) -> Result<Target, Failure> {
    let (url, ca) = simulate.to.as_deref().zip(simulate.ca.as_deref()).expect("both are required by the command line");
    let pem = std::fs::read(ca).map_err(|error| certificate::unreadable(ca, &error))?;
    let trust = Trust::roots(&pem).map_err(|error| usage(format!("{}: {error}", ca.display())))?;
    Target::of(url, trust).map_err(|error| usage(format!("--to is {error}")))
}

fn sender(simulate: &Simulate, target: Target) -> Arc<Sender> {
    let settings = sender::Settings {
        attempts_max: simulate.attempts,
        client_id: simulate.client_id.clone(),
        concurrency: usize::from(simulate.concurrency),
        seed: simulate.seed,
        ..sender::Settings::default()
    };
    Arc::new(Sender::new(target, settings))
}

/// The callback server, where one is needed, and what the gateway must be told of it.
async fn callbacks(simulate: &Simulate) -> Result<Option<Arc<Callbacks>>, Failure> {
    let Some(file) = simulate.callback_certificate.as_deref().filter(|_| !matches!(simulate.mode, Mode::Push)) else {
        return Ok(None);
    };
    let host = simulate.callback_host.clone().unwrap_or_else(|| simulate.callbacks.to_string());
    let pair = certificate::pair(file, &host, SystemClock.now())?;
    let settings = callbacks::Settings {
        listen: simulate.callbacks,
        host: simulate.callback_host.clone(),
        seed: simulate.seed,
        faults: match simulate.faults {
            None => Faults::none(),
            Some(FaultKind::Passing) => Faults::passing(),
            Some(FaultKind::All) => Faults::all(ELSEWHERE),
        },
        ..callbacks::Settings::default()
    };
    let started = Callbacks::start(settings, &pair, Arc::new(SystemClock)).await;
    let callbacks = started.map_err(|error| Failure::new(Exit::Failed, error.to_string()))?;
    output::message("The gateway fetches what is pinged where its configuration says:");
    output::message(&format!("[pull]\nhosts = [\"{}\"]\nallow_private = true", callbacks.host()));
    output::message(&format!("ca_file = \"{}\"", std::path::absolute(file)?.display()));
    Ok(Some(Arc::new(callbacks)))
}

fn create(path: &Path) -> Result<File, Failure> {
    OpenOptions::new().write(true).create_new(true).open(path).map_err(|error| {
        let text = format!("{} cannot be made ({error}); name another file with --ledger", path.display());
        Failure::new(Exit::CannotCreate, text)
    })
}

fn write_ledger(account: &Account, to: Option<(&Path, File)>) -> Result<(), Failure> {
    let text = format!("{:#}", account.to_json());
    let Some((path, mut file)) = to else { return output::line(&text) };
    file.write_all(text.as_bytes()).and_then(|()| file.write_all(b"\n")).map_err(|error| {
        let text = format!("{} cannot be written ({error}); make room or name another disk", path.display());
        Failure::new(Exit::Storage, text)
    })
}

fn tell_end(account: &Account) -> Result<(), Failure> {
    let (all, given_up) = (account.notifications.len(), account.given_up());
    if given_up > 0 {
        let text = format!("{given_up} of {all} notifications were never answered 200; see the gateway's log");
        return Err(Failure::new(Exit::Failed, text));
    }
    output::message(&format!("{all} notifications were answered 200"));
    match account.waiting() {
        0 => Ok(()),
        waiting => {
            let text = format!("{waiting} pings were not followed; check the gateway's [pull] and what it logs");
            Err(Failure::new(Exit::Failed, text))
        }
    }
}

fn unreachable(error: &Error) -> Failure {
    let exit = match error {
        Error::Unreachable(..) | Error::Broken | Error::TooLong => Exit::Unreachable,
        Error::BadName(_) | Error::BadRequest => Exit::Usage,
        Error::Tls(_) => Exit::Failed,
    };
    Failure::new(exit, error.to_string())
}

fn usage(text: String) -> Failure {
    Failure::new(Exit::Usage, text)
}

/// Progress, on a terminal alone.
struct Meter {
    days: u32,
    is_shown: bool,
}

impl Meter {
    fn show(&mut self, Progress { days, notifications, waiting }: Progress) {
        let waits = if waiting > 0 { format!(", {waiting} pings not followed yet") } else { String::new() };
        let text = format!("\rday {days} of {}: {notifications} notifications{waits}\x1b[K", self.days);
        // Progress that cannot be shown is no reason to stop.
        if self.is_shown && io::stderr().lock().write_all(text.as_bytes()).is_err() {}
    }

    fn end(&self) {
        if self.is_shown {
            output::message("");
        }
    }
}
