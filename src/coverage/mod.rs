//! Coverage: what came of each participant, type and local day, from the times in the indexes alone.
//!
//! A record counts on the days that it covers by the device's own clock: its start, its offset from UTC and, where its
//! type has one, its duration. What of a day is expected is said by the type's [`Habit`](habit::Habit).
//!
//! Limits: ten years at once; a record of more than a week counts as one of a week.
//!
//! Never: the content of a record; a participant whose data may not be read.
//!
//! ```text
//! indexes ──gather──▶ local spans by type ──lay out──▶ seconds by day ──judge──▶ states by type, and of the whole day
//! ```

pub mod days;
pub mod gather;
pub mod habit;
pub mod judge;
pub mod last_seen;
pub mod report;
pub mod silence;

/// A day of a participant's calendar, counted from 1970-01-01.
pub type Day = i64;

/// Seconds of a day.
pub const DAY_S: i64 = 86_400;
/// Days of a report at most.
pub const DAYS_MAX: i64 = 3_660;
