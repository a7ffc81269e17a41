//! The whole job on loopback: a gateway in a folder, studies, simulated participants, pushes and pulls over HTTPS,
//! a dataset opened.
//!
//! Never: a way into the gateway that its users do not have; an address outside this machine.

mod site;
mod story;

use std::path::Path;

use serde_json::Value;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// What a demo showed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Of each dataset: its title, the head of its table, the table's rows.
    pub datasets: Vec<Opened>,
}

/// A dataset that was opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    /// Study, number and who signed it.
    pub title: String,
    /// File, rows and bytes of every table with rows; all activity files in one line.
    pub rows: Vec<Vec<String>>,
}

/// Why the demo ended early: one sentence.
pub type Failure = String;

/// What happens once everything was shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// The gateway stops.
    Stop,
    /// Gateway and callbacks go on until SIGINT or SIGTERM.
    Stay,
}

/// Who hears of the demo while it runs.
pub trait Audience {
    /// A step was made.
    fn step(&mut self, what: &str);

    /// Everything was shown.
    fn end(&mut self, report: &Report) -> Result<(), Failure>;
}

/// Runs the demo in this empty folder.
pub fn run(dir: &Path, then: Then, audience: &mut dyn Audience) -> Result<(), Failure> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(|cause| cause.to_string())?;
    runtime.block_on(async {
        let (site, report) = story::tell(dir, &mut |step| audience.step(step)).await?;
        audience.end(&report)?;
        if then == Then::Stay {
            let (mut interrupt, mut terminate) = (told(SignalKind::interrupt())?, told(SignalKind::terminate())?);
            audience.step(&format!(
                "the gateway goes on until Ctrl-C: notifications at {}, metrics at {}, and commands with --config {}",
                site.address(),
                site.metrics(),
                site.config_file().display()
            ));
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        }
        site.stop().await
    })
}

fn told(kind: SignalKind) -> Result<Signal, Failure> {
    signal(kind).map_err(|cause| cause.to_string())
}

/// A member of an answer as text; empty where it is none.
fn text<'a>(answer: &'a Value, member: &str) -> &'a str {
    answer.get(member).and_then(Value::as_str).unwrap_or_default()
}
