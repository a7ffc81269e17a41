//! The figures the gateway must reach, each measured beside its peer on the same machine in the same run.
//!
//! `cargo bench --bench figures` measures all; `cargo bench --bench figures -- small-push` one; `--quick` takes fewer
//! and shorter rounds. It needs Debian's `nginx-light`, `wrk`, `strace`, `zip`, `age` and pandas, and says which is missing.

#![expect(clippy::print_stdout, reason = "the figures are what this program is for")]

mod big_push;
mod callbacks;
mod coverage;
mod crowd;
mod dead;
mod export;
mod figure;
mod idle;
mod machine;
mod memory;
mod million;
mod nginx;
mod pings;
mod process;
mod pull_dead_upstream;
mod pull_memory;
mod pull_rate;
mod purge;
mod purge_space;
#[path = "../site/mod.rs"]
mod site;
mod slow_fsync;
mod small_push;
mod steady;
mod traffic;
mod wrk;

use std::process::ExitCode;

use self::figure::Figure;

/// How thorough a run is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Effort {
    /// Rounds of which the median is taken.
    rounds: usize,
    /// Seconds of one round of load.
    round_s: u64,
    /// Seconds of the long load.
    long_s: u64,
    /// Seconds of a look at an idle gateway.
    idle_s: u64,
    /// Summaries of the large store.
    summaries: usize,
    /// Jobs of one stretch of pulls.
    pulls: usize,
    /// Jobs that wait while memory is looked at.
    waiting: usize,
    /// Participants of the store that some of them leave.
    participants: usize,
    /// Large records of each of them.
    large: usize,
}

const FULL: Effort = Effort {
    rounds: 9,
    round_s: 5,
    long_s: 60,
    idle_s: 60,
    summaries: 1_000_000,
    pulls: 10_000,
    waiting: 80_000,
    participants: 1000,
    large: 8,
};
const QUICK: Effort = Effort {
    rounds: 3,
    round_s: 2,
    long_s: 10,
    idle_s: 30,
    summaries: 100_000,
    pulls: 2_000,
    waiting: 20_000,
    participants: 200,
    large: 4,
};

type Scenario = (&'static str, fn(Effort) -> Vec<Figure>);

const SCENARIOS: &[Scenario] = &[
    ("big-push", big_push::measure),
    ("idle", idle::measure),
    ("memory", memory::measure),
    ("small-push", small_push::measure),
    ("slow-fsync", slow_fsync::measure),
    ("pull-rate", pull_rate::measure),
    ("pull-memory", pull_memory::measure),
    ("pull-dead-upstream", pull_dead_upstream::measure),
    ("export", export::measure),
    ("million", million::measure),
    ("million-mixed", million::measure_mixed),
    ("coverage", coverage::measure),
    ("purge", purge::measure),
    ("purge-space", purge_space::measure),
];

fn main() -> ExitCode {
    // Cargo itself passes `--bench`.
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    if let Some((callbacks::ROLE, rest)) = arguments.split_first().map(|(first, rest)| (first.as_str(), rest)) {
        return callbacks::serve(rest);
    }
    let effort = if arguments.iter().any(|argument| argument == "--quick") { QUICK } else { FULL };
    let wanted: Vec<&str> = arguments.iter().filter(|name| *name != "--quick").map(String::as_str).collect();
    if let Some(unknown) = wanted.iter().find(|name| SCENARIOS.iter().all(|(known, _)| known != *name)) {
        let known: Vec<&str> = SCENARIOS.iter().map(|(name, _)| *name).collect();
        println!("There is no scenario {unknown}; choose among {}.", known.join(", "));
        return ExitCode::from(2);
    }
    println!("{}", machine::describe());
    for (name, measure) in SCENARIOS {
        if wanted.is_empty() || wanted.contains(name) {
            println!("\n{name}");
            for figure in measure(effort) {
                println!("  {figure}");
            }
        }
    }
    ExitCode::SUCCESS
}
