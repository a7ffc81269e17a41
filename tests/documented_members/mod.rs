//! The members of every summary type as its API document lists them, written down apart from the tables.
//!
//! Sources: Activity API 1.2.3 §7 and 1.2.1 §7 (`activity`), Women's Health API 1.0.4 §7.1 (`cycle`), Health API
//! summaries as public integrations receive them (`health`).

mod activity;
mod cycle;
mod health;

/// A member: its name and what stands there.
pub(crate) type Member = (&'static str, Shape);

/// Groups of members that an object has.
pub(crate) type Members = &'static [&'static [Member]];

/// What stands at a member.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Shape {
    /// A scalar.
    Value,
    /// An object, or an array of objects, with these members.
    Object(Members),
    /// An object whose members are named by numbers (seconds since the start) and hold values.
    Offsets,
}

/// The members that the gateway itself puts in place of Garmin's identifiers.
pub(crate) const PSEUDONYMS: &[Member] =
    &[("record_id", Shape::Value), ("activity_id", Shape::Value), ("parent_record_id", Shape::Value)];

/// The members of every summary type.
pub(crate) const ALL: &[(&str, Members)] = &[
    ("activities", activity::ACTIVITY),
    ("manuallyUpdatedActivities", activity::ACTIVITY),
    ("activityDetails", activity::DETAILS),
    ("activityFiles", activity::FILES),
    ("moveIQActivities", activity::MOVE_IQ),
    ("mct", cycle::CYCLE),
    ("dailies", health::DAILIES),
    ("epochs", health::EPOCHS),
    ("sleeps", health::SLEEPS),
    ("stressDetails", health::STRESS),
    ("hrv", health::HRV),
    ("bloodPressures", health::BLOOD_PRESSURES),
    ("healthSnapshot", health::SNAPSHOT),
    ("skinTemp", health::SKIN_TEMPERATURE),
    ("bodyComps", health::BODY_COMPOSITIONS),
    ("userMetrics", health::USER_METRICS),
    ("pulseox", health::PULSE_OX),
    ("allDayRespiration", health::RESPIRATION),
];
