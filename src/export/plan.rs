//! The plan of an export: who stands in it, how they were, by which rules, and which earlier export it compares with.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::dataset::about::{Again, Lineage};
use crate::dataset::format::Format;
use crate::export::select::Scope;
use crate::model::id::OwnerId;
use crate::model::participant::{Participant, Window};
use crate::model::study::{DataFate, Rules, Study};
use crate::model::time::UnixSeconds;
use crate::people::People;
use crate::people::directory::Directory;
use crate::people::refusal::Refusal;
use crate::people::register::{Export, Member, Terms};

/// The program and its version, as manifests name it.
pub const SOFTWARE: &str = concat!("studygate ", env!("CARGO_PKG_VERSION"));

/// What of a study stands in a dataset.
#[derive(Clone, Debug)]
pub struct View {
    /// The participants as they are (or were), by code.
    pub participants: Vec<Arc<Participant>>,
    /// The rules.
    pub rules: Rules,
    /// Event times, and which versions.
    pub scope: Scope,
    /// Records up to this commit.
    pub sequence: u64,
}

/// The earlier export that a dataset compares with.
#[derive(Clone, Debug)]
pub struct Base {
    /// What of the study stood in it, of those who still take part.
    pub view: View,
    /// Who was in it, by code.
    pub members: Vec<Member>,
    /// Whether every record counts as revised since.
    pub everything_again: bool,
}

/// What is to be written.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What stands in the dataset.
    pub view: View,
    /// The version of the rules.
    pub rules_version: u32,
    /// What it compares with.
    pub base: Option<Base>,
    /// What it has to do with the datasets before it.
    pub lineage: Lineage,
    /// When what went counts as gone.
    pub noticed: UnixSeconds,
    /// Whether only the participants who were asked for are in it.
    pub some_participants: bool,
}

/// Plans the export of this number of a study.
pub fn plan(
    people: &People,
    study: &Study,
    scope: Scope,
    number: u32,
    sequence: u64,
    now: UnixSeconds,
) -> Result<Plan, Refusal> {
    let planning = Planning { people, directory: people.read(), study, number };
    match (scope.since, scope.as_of) {
        (None, None) => planning.whole(scope, sequence, now),
        (Some(since), None) if scope.is_plain() => planning.increment(since, scope.format, sequence, now),
        (None, Some(as_of)) if scope.is_plain() => planning.again(as_of),
        (Some(_), _) | (None, Some(_)) => Err(Refusal::RulesDisagree(
            "What \"since\" or \"as-of\" names decides what is in the dataset; give one of the two, and neither \
             participants nor tables nor times nor revisions.",
        )),
    }
}

struct Planning<'a> {
    people: &'a People,
    directory: Arc<Directory>,
    study: &'a Study,
    number: u32,
}

impl Planning<'_> {
    fn whole(&self, scope: Scope, sequence: u64, now: UnixSeconds) -> Result<Plan, Refusal> {
        let some_participants = !scope.participants.is_empty();
        let mut participants = self.readable();
        if let Some(code) = scope.participants.iter().find(|code| !participants.iter().any(|one| one.code == **code)) {
            return Err(Refusal::NoParticipant(code.clone(), None));
        }
        if some_participants {
            participants.retain(|participant| scope.participants.contains(&participant.code));
        }
        let before = self.before(&scope, &participants)?;
        let view = View { participants, rules: self.study.rules.clone(), scope, sequence };
        self.planned(view, before, false, some_participants, now)
    }

    fn increment(&self, since: u32, format: Format, sequence: u64, now: UnixSeconds) -> Result<Plan, Refusal> {
        let before = self.export(since)?;
        let (terms, members) = (known(&before)?, ids(&before.members));
        let (window, revisions, some_participants) = (terms.window, terms.revisions, terms.some_participants);
        let mut participants = self.readable();
        participants.retain(|participant| !some_participants || members.contains(&participant.id));
        let scope = Scope { window, revisions, tables: terms.tables.clone(), format, ..Scope::default() };
        let view = View { participants, rules: self.study.rules.clone(), scope, sequence };
        self.planned(view, Some(before), true, some_participants, now)
    }

    /// As it was: rules, windows and states of then, of those who still take part.
    fn again(&self, as_of: u32) -> Result<Plan, Refusal> {
        let export = self.export(as_of)?;
        let terms = known(&export)?.clone();
        let before = terms.changes_since.map(|number| self.export(number)).transpose()?;
        let view = self.view_of(&export, &terms)?;
        let present: HashSet<_> = view.participants.iter().map(|participant| participant.id).collect();
        let left = export.members.iter().filter(|member| !member.id.is_some_and(|id| present.contains(&id)));
        let left = left.map(|member| member.code.clone()).collect();
        let mut plan = self.planned(view, before, terms.increment, terms.some_participants, export.made)?;
        plan.rules_version = terms.rules_version;
        plan.lineage.as_of = Some(Again { number: as_of, made: export.made.to_string(), left });
        Ok(plan)
    }

    fn planned(
        &self,
        view: View,
        before: Option<Export>,
        increment: bool,
        some_participants: bool,
        noticed: UnixSeconds,
    ) -> Result<Plan, Refusal> {
        let mut lineage = Lineage { increment, ..Lineage::default() };
        let mut base = None;
        if let Some(export) = before {
            let terms = known(&export)?;
            let everything_again = !same_content(&terms.rules, &view.rules) || terms.software != SOFTWARE;
            lineage = Lineage { changes_since: Some(export.number), everything_again, ..lineage };
            base = Some(Base { view: self.view_of(&export, terms)?, members: export.members, everything_again });
        }
        let rules_version = self.study.rules_version;
        Ok(Plan { view, rules_version, base, lineage, noticed, some_participants })
    }

    /// What stood in an earlier export, of those who still take part.
    fn view_of(&self, export: &Export, terms: &Terms) -> Result<View, Refusal> {
        let mut participants = Vec::with_capacity(export.members.len());
        for id in export.members.iter().filter_map(|member| member.id) {
            if self.directory.participant(&id).is_some_and(|found| found.is_readable()) {
                participants.extend(self.people.handed_out(&id, export.number)?.map(Arc::new));
            }
        }
        participants.sort_by(|left, right| left.code.cmp(&right.code));
        let (tables, format) = (terms.tables.clone(), Format::named(&terms.format).unwrap_or_default());
        let scope = Scope { window: terms.window, revisions: terms.revisions, tables, format, ..Scope::default() };
        Ok(View { participants, rules: terms.rules.clone(), scope, sequence: terms.sequence })
    }

    /// The export before that covers the same: others compare like with unlike.
    fn before(&self, scope: &Scope, participants: &[Arc<Participant>]) -> Result<Option<Export>, Refusal> {
        let wanted: HashSet<_> = participants.iter().map(|participant| participant.id).collect();
        for number in (1..self.number).rev() {
            let export = match self.people.export(&self.study.id, number) {
                Err(Refusal::NoExport(_)) => continue,
                found => found?,
            };
            let Some(terms) = &export.terms else { return Ok(None) };
            let same_people = match (scope.participants.is_empty(), terms.some_participants) {
                (true, false) => true,
                (false, true) => ids(&export.members) == wanted,
                (true, true) | (false, false) => false,
            };
            let same_times = terms.window == scope.window && terms.revisions == scope.revisions;
            if same_people && same_times && terms.tables == scope.tables && terms.as_of.is_none() {
                return Ok(Some(export));
            }
        }
        Ok(None)
    }

    fn readable(&self) -> Vec<Arc<Participant>> {
        let mut found: Vec<_> =
            self.directory.participants(&self.study.id).filter(|one| one.is_readable()).cloned().collect();
        found.sort_by(|left, right| left.code.cmp(&right.code));
        found
    }

    fn export(&self, number: u32) -> Result<Export, Refusal> {
        self.people.export(&self.study.id, number)
    }
}

impl Plan {
    /// What the register keeps of it, but who asked for it.
    pub fn terms(&self, recipients: Vec<String>) -> Terms {
        let View { rules, scope, sequence, .. } = &self.view;
        Terms {
            sequence: *sequence,
            window: scope.window,
            some_participants: self.some_participants,
            revisions: scope.revisions,
            tables: scope.tables.clone(),
            format: scope.format.name().to_owned(),
            rules: rules.clone(),
            rules_version: self.rules_version,
            recipients,
            software: SOFTWARE.to_owned(),
            increment: self.lineage.increment,
            changes_since: self.lineage.changes_since,
            as_of: self.lineage.as_of.as_ref().map(|again| again.number),
            by: String::new(),
        }
    }
}

impl Base {
    /// The participants of the earlier export who still take part, by id.
    pub fn participants(&self) -> HashMap<OwnerId, Arc<Participant>> {
        self.view.participants.iter().map(|participant| (participant.id, Arc::clone(participant))).collect()
    }
}

impl Scope {
    /// Whether it asks for all participants, all tables, all times, and the current versions.
    fn is_plain(&self) -> bool {
        self.participants.is_empty() && self.tables.is_empty() && self.window == Window::default() && !self.revisions
    }
}

fn known(export: &Export) -> Result<&Terms, Refusal> {
    export.terms.as_ref().ok_or(Refusal::ForgottenExport(export.number))
}

fn ids(members: &[Member]) -> HashSet<OwnerId> {
    members.iter().filter_map(|member| member.id).collect()
}

/// Whether records look the same by both: which types there are is another question, and so is what happens to data.
fn same_content(left: &Rules, right: &Rules) -> bool {
    let content = |rules: &Rules| {
        let fixed = Rules::default();
        Rules {
            types: Vec::new(),
            on_deregistration: DataFate::Purge,
            grace_days: fixed.grace_days,
            minimise: false,
            retain_until: None,
            silent_after_days: fixed.silent_after_days,
            garmin: None,
            ..rules.clone()
        }
    };
    content(left) == content(right)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::study::{Keep, LocationRule};

    #[test]
    fn rules_that_shape_no_record_leave_the_content_the_same() {
        let base = Rules::default();
        let check = |changed: Rules, same: bool| assert_eq!(same_content(&base, &changed), same, "{changed:?}");
        check(Rules { types: vec!["sleeps".into()], grace_days: 9, ..base.clone() }, true);
        check(Rules { silent_after_days: 9, retain_until: Some(UnixSeconds(1)), ..base.clone() }, true);
        check(Rules { location: LocationRule::Keep, ..base.clone() }, false);
        check(Rules { unknown: Keep::Keep, ..base.clone() }, false);
    }
}
