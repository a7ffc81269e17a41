//! Coverage of a study of 50 participants over a year, a million summaries in all: how long whoever asks waits.

use std::time::Instant;

use studygate::simulate::user::Population;

use crate::Effort;
use crate::figure::{Figure, median};
use crate::machine;
use crate::million::{Bodies, PARTICIPANTS, fill};
use crate::process::resident_mib;
use crate::site::Site;

/// A million summaries of 50 participants make a year.
const EPOCHS_A_DAY: usize = 55;
const ASKED: usize = 5;

pub(crate) fn measure(effort: Effort) -> Vec<Figure> {
    let population = Population::new(5, PARTICIPANTS);
    let mut site = Site::stopped_in(machine::work_dir());
    site.start();
    site.add_study("YEAR", &[]);
    site.add_participants("YEAR", &population);
    let (summaries, _) = fill(&site, &population, effort.summaries, EPOCHS_A_DAY, Bodies::OfOneUser);
    site.wait_until_filed();
    site.stop();
    site.start();
    site.wait_for_metric(r#"studygate_participants_silent{study="YEAR"}"#, 0.0);
    let (idle, days) = (resident_mib(site.pid()), summaries / (PARTICIPANTS * EPOCHS_A_DAY));
    let mut seconds = Vec::new();
    for _ in 0..ASKED {
        let began = Instant::now();
        let answer = site.cli_json(&["coverage", "--study", "YEAR", "--from", "2026-11-01", "--to", "2027-10-31"]);
        seconds.push(began.elapsed().as_secs_f64());
        assert_eq!(answer["participants"].as_array().map(Vec::len), Some(PARTICIPANTS));
        let minutes =
            answer["participants"][0]["types"]["epochs"]["minutes"].as_array().expect("a number a day").clone();
        let told = minutes.iter().filter(|minutes| minutes.as_u64().is_some_and(|minutes| minutes > 60)).count();
        assert!(told + 1 >= days.min(365), "{told} of {days} days are covered");
    }
    let first = seconds[0];
    let more = resident_mib(site.pid()) - idle;
    vec![
        Figure::told("summaries", summaries as f64, ""),
        Figure::told("coverage by the command, the first time", first, "s"),
        Figure::at_most("coverage by the command, median of 5", median(seconds), "s", 1.0),
        Figure::told("memory over idle, after it", more, "MiB"),
    ]
}
