//! Downloads of files that a gateway is killed in, and what must be there afterwards.

use std::collections::BTreeMap;

use studygate::simulate::file::{self, FileType};
use studygate::simulate::notification::Notification;
use studygate::simulate::record::Record;
use studygate::simulate::user::Population;

use crate::garmin::{file_item, pulls, runs, sha256, wait_until_pulled};
use crate::site::Site;
use crate::stages::{Stage, Stages};

/// Files of one participant, each pulled once.
pub(crate) struct Downloads {
    pub(crate) stages: Stages,
    pub(crate) site: Site,
    population: Population,
    runs: Vec<Record>,
    /// Digests of the files that must be there.
    whole: BTreeMap<String, usize>,
    broken: usize,
}

impl Downloads {
    pub(crate) fn new(seed: u64) -> Self {
        let stages = Stages::start();
        let population = Population::new(seed, 1);
        let mut site = Site::stopped();
        site.pull_from(&stages.host(), stages.certificate(), "");
        site.start();
        site.add_study("KILLS", &["--files", "keep", "--location", "keep"]);
        site.add_participants("KILLS", &population);
        let runs = runs(population.user(0), 120);
        Self { stages, site, population, runs, whole: BTreeMap::new(), broken: 0 }
    }

    /// Pings a file, which must be answered 200; its bytes.
    pub(crate) fn ping(&mut self, stage: Stage, counts: bool) -> Vec<u8> {
        let (notification, bytes) = self.next(stage, counts);
        self.site.push(&notification);
        bytes
    }

    /// A notification with a ping for the next file, and the file's bytes.
    pub(crate) fn next(&mut self, stage: Stage, counts: bool) -> (String, Vec<u8>) {
        let (user, run) = (self.population.user(0), self.runs.pop().expect("there are enough"));
        let number = self.runs.len();
        let bytes = file::of(user, &run, FileType::Fit).expect("a watch recorded it");
        let url = self.stages.offer(number, bytes.clone(), stage, counts);
        let item = file_item(user, &run, "FIT", &url);
        (Notification::new().raw("activityFiles", item.to_string()).to_json(), bytes)
    }

    /// Whether the file came, once the gateway has started again and all is settled.
    pub(crate) fn outcome(&mut self, bytes: &[u8]) -> bool {
        self.site.start();
        wait_until_pulled(&self.site);
        let listed = pulls(&self.site, &["--all"]);
        for pull in &listed {
            assert_eq!((&pull["state"], &pull["last"]), (&"gone".into(), &"Garmin's answer broke off".into()));
        }
        let came = listed.len() == self.broken;
        if came {
            self.whole.insert(sha256(bytes), bytes.len());
        } else {
            assert_eq!(listed.len(), self.broken + 1);
            self.broken += 1;
        }
        came
    }

    /// The dataset has what came, each whole and once, and nothing else.
    pub(crate) fn check(mut self) {
        let dataset = self.site.export("KILLS");
        let mut found = BTreeMap::new();
        let rows = dataset.table("activity_files");
        for row in &rows {
            let bytes = std::fs::read(dataset.folder().join(&row["file"])).expect("a file");
            found.insert(sha256(&bytes), bytes.len());
        }
        assert_eq!(rows.len(), found.len(), "each is there once");
        assert_eq!(found, self.whole);
    }
}
