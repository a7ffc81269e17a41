//! What may be done with a study.

use crate::model::{
    id::StudyId,
    study::{Disagreement, Keep, Rules, Study, StudyState},
    summary::KNOWN,
    time::UnixSeconds,
};
use crate::people::{code, directory::Directory, refusal::Refusal};

/// The most recipients a study takes.
pub const RECIPIENTS_MAX: usize = 32;
/// The longest grace between a deregistration and its purge, in days.
pub const GRACE_DAYS_MAX: u8 = 30;
/// The longest time without data that may be set before a participant counts as silent, in days.
pub const SILENT_DAYS_MAX: u16 = 366;

/// A study to be added.
#[derive(Clone, Debug)]
pub struct NewStudy {
    /// Its name.
    pub name: String,
    /// Age recipients.
    pub recipients: Vec<String>,
    /// What its data follow.
    pub rules: Rules,
}

/// What is to change of a study.
#[derive(Clone, Debug, Default)]
pub struct StudyChange {
    /// Other recipients.
    pub recipients: Option<Vec<String>>,
    /// Other rules, whole.
    pub rules: Option<Rules>,
}

/// The study that is added.
pub fn add(directory: &Directory, new: NewStudy, id: StudyId, now: UnixSeconds) -> Result<Study, Refusal> {
    code::study_name(&new.name)?;
    if directory.has_study_named(&new.name) {
        return Err(Refusal::StudyExists(new.name));
    }
    Ok(Study {
        id,
        name: new.name,
        state: StudyState::Open,
        recipients: checked_recipients(new.recipients)?,
        rules: checked_rules(new.rules)?,
        rules_version: 1,
        created: now,
        exports: 0,
    })
}

/// The study with these changes; the same study, version included, where nothing differs.
///
/// A locked study takes other recipients (who may open datasets is no rule of the data), and no other rules. Dates are
/// shifted in all datasets of a study or in none: record_id would join those that are with those that are not, and tell
/// every shift.
pub fn set(study: &Study, change: StudyChange) -> Result<Study, Refusal> {
    let mut changed = study.clone();
    if let Some(rules) = change.rules {
        changed.rules = checked_rules(rules)?;
    }
    if let Some(recipients) = change.recipients {
        changed.recipients = checked_recipients(recipients)?;
    }
    match study.state {
        StudyState::Closed => return Err(Refusal::StudyClosed(study.name.clone())),
        StudyState::Locked if changed.rules != study.rules => return Err(Refusal::StudyLocked(study.name.clone())),
        StudyState::Locked | StudyState::Open => {}
    }
    if changed.rules.dates != study.rules.dates && study.exports > 0 {
        return Err(Refusal::DatesHandedOut(study.name.clone()));
    }
    if changed != *study {
        changed.rules_version = changed.rules_version.saturating_add(1);
    }
    Ok(changed)
}

/// The rules, each as `name: value`.
pub fn listed(rules: &Rules) -> Vec<String> {
    members(rules).into_iter().map(|(name, value)| format!("{name}: {value}")).collect()
}

/// The rules that differ, each as `name: value before -> value`.
pub fn changed(before: &Rules, after: &Rules) -> Vec<String> {
    let pairs = members(before).into_iter().zip(members(after));
    let differing = pairs.filter(|((_, before), (_, after))| before != after);
    differing.map(|((name, before), (_, after))| format!("{name}: {before} -> {after}")).collect()
}

/// Names and values as the gateway stores them, in one order.
fn members(rules: &Rules) -> Vec<(String, String)> {
    let Ok(serde_json::Value::Object(members)) = serde_json::to_value(rules) else { return Vec::new() };
    let text = |value: serde_json::Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    members.into_iter().map(|(name, value)| (name, text(value))).collect()
}

/// What whoever changes these rules to those must know of what was stored already, in sentences.
pub fn notes(before: &Rules, after: &Rules) -> Vec<&'static str> {
    let kept = |rules: &Rules| {
        let rules = [rules.names, rules.files, rules.devices, rules.pregnancy, rules.unknown];
        rules.map(|rule| rule == Keep::Keep)
    };
    let raised = kept(before).iter().zip(kept(after)).any(|(before, after)| after && !before)
        || after.location > before.location
        || (before.minimise && !after.minimise);
    let collects_more = KNOWN.iter().any(|known| after.collects(known.name) && !before.collects(known.name));
    let mut notes = Vec::new();
    if before.minimise && raised {
        notes.push(
            "What these rules dropped was not stored and cannot come back; what they now keep is kept from here on.",
        );
    }
    if collects_more {
        notes.push("Types that were not collected were not stored; they are collected from here on.");
    }
    if after.minimise && !before.minimise {
        notes.push("What was stored before stays stored; what the rules drop is not stored from here on.");
    }
    notes
}

/// The study, locked.
pub fn lock(study: &Study) -> Result<Study, Refusal> {
    match study.state {
        StudyState::Open => Ok(Study { state: StudyState::Locked, ..study.clone() }),
        StudyState::Locked | StudyState::Closed => Err(Refusal::NotOpen(study.name.clone())),
    }
}

/// The study, closed. Closing it again changes nothing, so that an interrupted purge can be asked for again.
pub fn close(study: &Study) -> Study {
    Study { state: StudyState::Closed, ..study.clone() }
}

/// The study after its export of this number.
pub fn exported(study: &Study, number: u32) -> Study {
    Study { exports: study.exports.max(number), ..study.clone() }
}

/// Refuses what the study does not take participants in.
pub fn takes_participants(study: &Study) -> Result<(), Refusal> {
    match study.state {
        StudyState::Open => Ok(()),
        StudyState::Locked => Err(Refusal::StudyLocked(study.name.clone())),
        StudyState::Closed => Err(Refusal::StudyClosed(study.name.clone())),
    }
}

/// Refuses what a closed study takes no more.
pub fn not_closed(study: &Study) -> Result<(), Refusal> {
    match study.state {
        StudyState::Open | StudyState::Locked => Ok(()),
        StudyState::Closed => Err(Refusal::StudyClosed(study.name.clone())),
    }
}

fn checked_recipients(recipients: Vec<String>) -> Result<Vec<String>, Refusal> {
    let mut checked: Vec<String> = Vec::new();
    for (index, text) in recipients.into_iter().enumerate() {
        let recipient: age::x25519::Recipient = text.trim().parse().map_err(|_| Refusal::BadRecipient(index + 1))?;
        let canonical = recipient.to_string();
        if !checked.contains(&canonical) {
            checked.push(canonical);
        }
    }
    match checked.len() {
        0 => Err(Refusal::NoRecipient),
        1..=RECIPIENTS_MAX => Ok(checked),
        _ => Err(Refusal::TooManyRecipients),
    }
}

fn checked_rules(rules: Rules) -> Result<Rules, Refusal> {
    let mut types = rules.types.clone();
    types.sort();
    types.dedup();
    for name in &types {
        if !KNOWN.iter().any(|known| known.name == name) {
            return Err(Refusal::UnknownType(name.chars().take(64).collect(), nearest_type(name)));
        }
    }
    if rules.garmin.is_some() {
        return Err(Refusal::NotBuilt("invitations over a Garmin client (\"garmin\")"));
    }
    if let Some(disagreement) = rules.disagreement() {
        return Err(Refusal::RulesDisagree(sentence(disagreement)));
    }
    if rules.grace_days > GRACE_DAYS_MAX {
        return Err(Refusal::OutOfBounds("\"grace\" must be 0 to 30 days; give fewer."));
    }
    if !(1..=SILENT_DAYS_MAX).contains(&rules.silent_after_days) {
        return Err(Refusal::OutOfBounds("\"silent-after\" must be 1 to 366 days; give another."));
    }
    Ok(Rules { types, ..rules })
}

fn sentence(disagreement: Disagreement) -> &'static str {
    match disagreement {
        Disagreement::FilesTellPositions => {
            "Activity files hold positions, so \"files keep\" goes with \"location keep\" alone; set both, or \"files \
             drop\"."
        }
        Disagreement::FilesTellDates => {
            "Activity files hold dates that cannot be shifted, so \"dates shift\" goes with \"files drop\" alone; set \
             both, or \"dates keep\"."
        }
        Disagreement::UnknownMayTellDates => {
            "Fields that this version does not know may hold dates, so \"dates shift\" goes with \"unknown drop\" alone; \
             set both, or \"dates keep\"."
        }
    }
}

fn nearest_type(name: &str) -> Option<&'static str> {
    let distance = |known: &str| strsim::damerau_levenshtein(&known.to_lowercase(), &name.to_lowercase());
    let nearest = KNOWN.iter().map(|known| known.name).min_by_key(|known| distance(known))?;
    // A short name is near to everything.
    let near = (name.chars().count() / 2).min(3);
    (name.len() <= 64 && distance(nearest) <= near).then_some(nearest)
}
