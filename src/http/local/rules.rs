//! A study's rules as a request gives them: only what is named changes.
//!
//! ```json
//! {"types": ["activities"], "on_deregistration": "purge", "grace_days": 0, "location": "drop", "names": "drop",
//!  "files": "drop", "devices": "keep", "pregnancy": "keep", "unknown": "drop", "dates": "keep", "minimise": false,
//!  "retain_until": "2030-01-01", "silent_after_days": 3, "garmin": null}
//! ```
//! `types` empty or `["all"]` is every type; null takes `retain_until` and `garmin` away.

use crate::http::local::members::Members;
use crate::http::problem::Problem;
use crate::model::{
    study::{DataFate, DatesRule, Keep, LocationRule, Rules},
    time::UnixSeconds,
};

/// The members of rules.
pub(super) const KNOWN: &[&str] = &[
    "types",
    "on_deregistration",
    "grace_days",
    "location",
    "names",
    "files",
    "devices",
    "pregnancy",
    "unknown",
    "dates",
    "minimise",
    "retain_until",
    "silent_after_days",
    "garmin",
];

/// The most days of grace; contract §1.
const GRACE_DAYS_MAX: u64 = 30;

/// These rules with what the members name. Whether this version does what they ask for is decided later.
pub(super) fn changed(mut rules: Rules, members: &mut Members) -> Result<Rules, Problem> {
    if let Some(types) = members.texts("types")? {
        rules.types = if types == ["all"] { Vec::new() } else { types };
    }
    let fates = [("purge", DataFate::Purge), ("retain", DataFate::Retain)];
    set(&mut rules.on_deregistration, members.choice("on_deregistration", &fates)?);
    let locations = [("drop", LocationRule::Drop), ("coarse", LocationRule::Coarse), ("keep", LocationRule::Keep)];
    set(&mut rules.location, members.choice("location", &locations)?);
    set(&mut rules.dates, members.choice("dates", &[("keep", DatesRule::Keep), ("shift", DatesRule::Shift)])?);
    let kept = [
        ("names", &mut rules.names),
        ("files", &mut rules.files),
        ("devices", &mut rules.devices),
        ("pregnancy", &mut rules.pregnancy),
        ("unknown", &mut rules.unknown),
    ];
    for (name, rule) in kept {
        set(rule, members.choice(name, &[("keep", Keep::Keep), ("drop", Keep::Drop)])?);
    }
    set(&mut rules.minimise, members.flag("minimise")?);
    let grace = members.number("grace_days", GRACE_DAYS_MAX)?;
    set(&mut rules.grace_days, grace.and_then(|days| u8::try_from(days).ok()));
    let silent = members.number("silent_after_days", u64::from(u16::MAX))?;
    set(&mut rules.silent_after_days, silent.and_then(|days| u16::try_from(days).ok()));
    if let Some(until) = members.nullable_text("retain_until")? {
        rules.retain_until = until.map(|text| date(&text)).transpose()?;
    }
    set(&mut rules.garmin, members.nullable_text("garmin")?);
    Ok(rules)
}

fn set<T>(rule: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *rule = value;
    }
}

fn date(text: &str) -> Result<UnixSeconds, Problem> {
    let found = UnixSeconds::of_date(text).filter(|date| date.date() == text);
    found.ok_or_else(|| Problem::invalid("\"retain_until\" must be a date such as 2030-01-01."))
}
