//! `demo`: the whole job on loopback, in a folder of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::cli::exit::{Exit, Failure};
use crate::cli::output;
use crate::clock::{Clock as _, SystemClock};
use crate::demo::{self, Audience, Opened, Report, Then};

/// `demo`.
#[derive(Debug, clap::Args)]
pub(super) struct Demo {
    /// Where to work, and to leave everything for a look [default: a temporary folder]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Keep the gateway running in the end, until Ctrl-C
    #[arg(long)]
    stay: bool,
}

/// The person at the terminal.
struct Person<'a> {
    dir: Option<&'a Path>,
    started: Duration,
}

/// Runs the demo in the folder that was named, or in a temporary one that is removed.
pub(super) fn run(asked: &Demo) -> Result<(), Failure> {
    let dir = asked.dir.as_deref();
    let place = dir.map_or_else(temporary, Path::to_owned);
    let empty = fs::create_dir_all(&place).and_then(|()| Ok(fs::read_dir(&place)?.next().is_none()));
    match empty {
        Ok(true) => {}
        Ok(false) => {
            let text = format!("{} is not empty, and nothing in it is touched; name a new folder", place.display());
            return Err(Failure::new(Exit::CannotCreate, text));
        }
        Err(error) => {
            let text = format!("{} cannot be made ({error}); name another folder", place.display());
            return Err(Failure::new(Exit::CannotCreate, text));
        }
    }
    let then = if asked.stay { Then::Stay } else { Then::Stop };
    let mut person = Person { dir, started: SystemClock.monotonic() };
    let outcome = demo::run(&place, then, &mut person).map_err(|text| Failure::new(Exit::Failed, text));
    if dir.is_none() {
        fs::remove_dir_all(&place)?;
    }
    outcome
}

impl Audience for Person<'_> {
    fn step(&mut self, what: &str) {
        output::message(what);
    }

    fn end(&mut self, report: &Report) -> Result<(), demo::Failure> {
        for opened in &report.datasets {
            print(opened).map_err(|failure| failure.text)?;
        }
        let seconds = SystemClock.monotonic().saturating_sub(self.started).as_secs_f64();
        output::message(&format!("done in {seconds:.1} s{}", kept(self.dir)));
        Ok(())
    }
}

fn print(Opened { title, rows }: &Opened) -> Result<(), Failure> {
    output::line("")?;
    output::line(title)?;
    output::rows(&["file", "rows", "bytes"], rows)
}

fn kept(dir: Option<&Path>) -> String {
    match dir {
        Some(dir) => {
            let dir = dir.display();
            format!("; keys, datasets and the gateway's data are in {dir}: begin with {dir}/SLEEP/README.txt")
        }
        None => "; `studygate demo --dir DIR` leaves everything for a look".to_owned(),
    }
}

fn temporary() -> PathBuf {
    std::env::temp_dir().join(format!("studygate-demo-{}", std::process::id()))
}
