//! Studies whose data nobody could open, or are due to go.

use crate::doctor::facts::{Facts, Gateway};
use crate::doctor::finding::Finding;
use crate::doctor::sentence::{Own, Sentence};

const STUDIES: &str = "studies";
const RECIPIENTS: &str = "recipients";
const RETENTION: &str = "retention";

pub(super) fn judge(facts: &Facts, found: &mut Vec<Finding>) {
    let Gateway::Up(running) = &facts.gateway else { return };
    if running.studies.is_empty() {
        let says = Sentence::new("there is no study yet, so that everything that comes is held");
        let remedy = Sentence::new("make one with `studygate study add NAME --recipient age1… --recipient age1…`");
        found.push(Finding::note(STUDIES, says, remedy));
        return;
    }
    let single: Vec<_> = running.studies.iter().filter(|study| study.is_open && study.recipients < 2).collect();
    if single.is_empty() {
        found.push(Finding::ok(RECIPIENTS, Sentence::new("every open study has two recipients or more")));
    } else {
        found.push(Finding::warning(
            RECIPIENTS,
            Sentence::new("studies whose datasets one key alone opens: ")
                .owns(Own::Study, single.iter().map(|study| &study.name)),
            Sentence::new(
                "add a second person's key with `studygate study set NAME --recipient …`, each of them named",
            ),
        ));
    }
    let is_due = |at| at <= facts.now;
    let due: Vec<_> = running.studies.iter().filter(|study| study.retain_until.is_some_and(is_due)).collect();
    if !due.is_empty() {
        found.push(Finding::warning(
            RETENTION,
            Sentence::new("studies whose data are due to be deleted: ")
                .owns(Own::Study, due.iter().map(|study| &study.name)),
            Sentence::new("export for the last time, then run `studygate study close NAME --data purge`"),
        ));
    }
}
