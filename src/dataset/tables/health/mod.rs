//! The tables of the Health API, as public integrations receive its summaries.

pub(super) mod body;
pub(super) mod day;
pub(super) mod night;
pub(super) mod strain;
pub(super) mod vitals;

use super::{BY_OFFSET, BY_RECORD, CALENDAR_DATE, DURATION, IDS, OFFSET, START, TIME, head};
