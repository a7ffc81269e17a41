//! What Garmin sends through the days of a population: in which order, mixed with whose, pushed or pinged.
//!
//! A day has waves. What stands in one wave may be sent in any order and at once; a later wave waits for the earlier.
//! So of two versions of a record it is always known which came first.

use std::collections::BTreeMap;

use crate::model::summary::{KNOWN, Permission, SummaryType};
use crate::model::time::UnixSeconds;
use crate::simulate::file::{ACTIVITY_FILES, FileOf};
use crate::simulate::message::{Part, Wave, Window, mixed, shuffle};
use crate::simulate::random::Random;
use crate::simulate::record::{Density, Record, day};
use crate::simulate::user::Population;

pub(super) const DAY_S: i64 = 86_400;
/// The length of a window of uploads, in seconds.
const WINDOW_S: i64 = 300;
/// How many days late data are late, at most.
const LATE_DAYS_MAX: u64 = 3;

/// How data come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// As pushes alone; no files.
    Push,
    /// As pings alone, files among them.
    Ping,
    /// Of each user and type in one of the two ways; files as pings.
    Mixed,
}

/// What days are played, and how.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What everything comes from.
    pub seed: u64,
    /// Midnight of the first day.
    pub start: UnixSeconds,
    /// How many days.
    pub days: u32,
    /// The types to send; `None` for all.
    pub types: Option<Vec<String>>,
    /// How data come.
    pub mode: Mode,
    /// How much a day holds.
    pub density: Density,
    /// At most this many items are in one notification.
    pub items_max: usize,
    /// What happens beside the plain course, in per mille.
    pub oddities: Oddities,
    /// The last users of the population, this many, deregister after two thirds of the days.
    pub deregistered: usize,
    /// The first users, this many, withdraw the permission for health data after a third of the days and give it
    /// again after two thirds.
    pub permission_changes: usize,
}

/// How often, in per mille, what every receiver must expect happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Oddities {
    /// Records that come days late.
    pub late: u64,
    /// Records of which a later version follows the same day.
    pub revised: u64,
    /// Records whose later version comes before the earlier one.
    pub out_of_order: u64,
    /// Windows that are pinged again.
    pub pinged_again: u64,
    /// Types of a user without data for the day, whose window is pinged all the same.
    pub empty: u64,
}

impl Settings {
    /// All types of these days, pushed and pinged, with nobody leaving.
    pub fn new(seed: u64, start: UnixSeconds, days: u32) -> Self {
        Self {
            seed,
            start,
            days,
            types: None,
            mode: Mode::Mixed,
            density: Density::default(),
            items_max: 25,
            oddities: Oddities::default(),
            deregistered: 0,
            permission_changes: 0,
        }
    }
}

impl Default for Oddities {
    fn default() -> Self {
        Self { late: 30, revised: 60, out_of_order: 20, pinged_again: 30, empty: 20 }
    }
}

const ALL: &[&str] = &["ACTIVITY_EXPORT", "HEALTH_EXPORT", "MCT_EXPORT"];
const WITHOUT_HEALTH: &[&str] = &["ACTIVITY_EXPORT", "MCT_EXPORT"];

/// The days that are still to come.
pub struct Plan {
    settings: Settings,
    population: Population,
    number: u32,
    late: BTreeMap<u32, Vec<Record>>,
}

/// The records of a day, by when they come.
#[derive(Default)]
struct Sorted {
    /// The files of the day's activities: each once, whatever becomes of the activity.
    files: Vec<FileOf>,
    first: Vec<Record>,
    then: Vec<Record>,
}

impl Plan {
    /// The plan of a population.
    pub fn new(settings: Settings, population: Population) -> Self {
        Self { settings, population, number: 0, late: BTreeMap::new() }
    }

    /// The waves of the next day; `None` after the last.
    pub fn next_day(&mut self) -> Option<Vec<Wave>> {
        if self.number >= self.settings.days {
            return None;
        }
        let number = self.number;
        self.number += 1;
        let midnight = self.settings.start.plus(i64::from(number) * DAY_S);
        let mut random = Random::at(self.settings.seed, &[u64::from(b'p'), u64::from(number)]);
        let sorted = self.sorted(number, midnight, &mut random);
        // Uploads of a day fall into the next; each wave has windows of its own.
        let uploaded = midnight.plus(DAY_S);
        let mut first: Vec<Part> = sorted.files.into_iter().map(Part::File).collect();
        first.extend(self.parts(sorted.first, uploaded));
        shuffle(&mut first, &mut random);
        let again = self.again(&first, &mut random);
        first.extend(self.empty(&first, number, uploaded, &mut random));
        let mut then = self.parts(sorted.then, uploaded.plus(WINDOW_S));
        shuffle(&mut then, &mut random);
        then.extend(again);
        let controls = self.controls(number, uploaded);
        let waves = [first, then, controls].into_iter().filter(|parts| !parts.is_empty());
        Some(waves.map(|parts| mixed(parts, self.settings.items_max, &mut random)).collect())
    }

    /// The day after which something happens that is set for this many thirds of all days.
    fn after(&self, thirds: u32) -> u32 {
        (self.settings.days * thirds / 3).saturating_sub(1)
    }

    fn has_left(&self, user: usize, number: u32) -> bool {
        let stay = self.population.users().len().saturating_sub(self.settings.deregistered);
        user >= stay && number > self.after(2)
    }

    fn permits(&self, user: usize, summary_type: &str, number: u32) -> bool {
        let known = SummaryType::named(summary_type).known();
        let is_health = known.is_some_and(|known| known.permission == Permission::Health);
        let withdrawn = number > self.after(1) && number <= self.after(2);
        !(is_health && withdrawn && user < self.settings.permission_changes)
    }

    fn is_sent(&self, summary_type: &str) -> bool {
        self.settings.types.as_ref().is_none_or(|types| types.iter().any(|wanted| wanted == summary_type))
    }

    /// Whether a user's records of a type are pinged; the same through the whole run, so that pushes and answers
    /// never overtake each other.
    fn is_pinged(&self, user: usize, summary_type: &str) -> bool {
        match self.settings.mode {
            Mode::Push => false,
            Mode::Ping => true,
            Mode::Mixed => {
                let name = summary_type.bytes().fold(0_u64, |sum, byte| sum.wrapping_mul(31) + u64::from(byte));
                Random::at(self.settings.seed, &[u64::from(b'w'), user as u64, name]).chance(50)
            }
        }
    }

    /// What comes on a day, in which order: its own records and those that are late by now.
    fn sorted(&mut self, number: u32, midnight: UnixSeconds, random: &mut Random) -> Sorted {
        let mut sorted = Sorted::default();
        let mut own = Vec::new();
        for user in self.population.users().iter().filter(|user| !self.has_left(user.index, number)) {
            own.extend(day(user, midnight, self.settings.density));
        }
        let late = self.late.remove(&number).unwrap_or_default();
        sorted.first.extend(late.into_iter().filter(|record| self.comes(record, number)));
        own.retain(|record| self.comes(record, number));
        if self.settings.mode != Mode::Push && self.is_sent(ACTIVITY_FILES) {
            let file = |record: &Record| FileOf::of(self.population.user(record.user), record);
            sorted.files.extend(own.iter().filter_map(file));
        }
        for record in own {
            let Oddities { late, revised, out_of_order, .. } = self.settings.oddities;
            let ranks = record.revised(1).rank() > record.rank();
            // Which of two answers arrives last is the gateway's choice, so only ranked versions are pinged.
            let takes_versions = ranks || !self.is_pinged(record.user, &record.summary_type);
            let draw = random.below(1000);
            if draw < late {
                let days = 1 + u32::try_from(random.below(LATE_DAYS_MAX)).unwrap_or(0);
                self.late.entry((number + days).min(self.settings.days - 1)).or_default().push(record);
            } else if draw < late + revised && takes_versions {
                sorted.then.push(record.revised(1));
                sorted.first.push(record);
            } else if draw < late + revised + out_of_order && ranks {
                sorted.first.push(record.revised(1));
                sorted.then.push(record);
            } else {
                sorted.first.push(record);
            }
        }
        // On the last day nothing can be later.
        sorted.first.extend(self.late.remove(&number).unwrap_or_default());
        sorted
    }

    fn comes(&self, record: &Record, number: u32) -> bool {
        !self.has_left(record.user, number) && self.permits(record.user, &record.summary_type, number)
    }

    /// The items for these records: pushes and windows.
    fn parts(&self, records: Vec<Record>, from: UnixSeconds) -> Vec<Part> {
        let mut parts = Vec::new();
        let mut windows: BTreeMap<(usize, String), Vec<Record>> = BTreeMap::new();
        for record in records {
            if !self.is_sent(&record.summary_type) {
                continue;
            }
            if self.is_pinged(record.user, &record.summary_type) {
                windows.entry((record.user, record.summary_type.clone())).or_default().push(record);
            } else {
                parts.push(Part::Push(record));
            }
        }
        for ((user, summary_type), records) in windows {
            // An answer for `mct` holds one summary at most; others hold all of the window.
            let size = if summary_type == "mct" { 1 } else { records.len() };
            parts.extend((0..).zip(records.chunks(size)).map(|(place, records)| {
                let (summary_type, from) = (summary_type.clone(), from.plus(place));
                Part::Window(Window { user, summary_type, from, to: from.plus(WINDOW_S), records: records.to_vec() })
            }));
        }
        parts
    }

    /// Windows that are pinged a second time.
    fn again(&self, parts: &[Part], random: &mut Random) -> Vec<Part> {
        let share = self.settings.oddities.pinged_again;
        let windows = parts.iter().filter(|part| matches!(part, Part::Window(_)));
        windows.filter(|_| random.below(1000) < share).cloned().collect()
    }

    /// Windows in which nothing lies, of users and types that have none of the day.
    fn empty(&self, parts: &[Part], number: u32, from: UnixSeconds, random: &mut Random) -> Vec<Part> {
        let mut empty = Vec::new();
        let names = KNOWN.iter().map(|known| known.name).filter(|name| *name != ACTIVITY_FILES && self.is_sent(name));
        for name in names {
            for user in (0..self.population.users().len()).filter(|user| self.is_pinged(*user, name)) {
                let has = |part: &Part| matches!(part, Part::Window(w) if w.user == user && w.summary_type == name);
                let may = !self.has_left(user, number) && self.permits(user, name, number);
                if random.below(1000) < self.settings.oddities.empty && may && !parts.iter().any(has) {
                    let (summary_type, to) = (name.to_owned(), from.plus(WINDOW_S));
                    empty.push(Part::Window(Window { user, summary_type, from, to, records: Vec::new() }));
                }
            }
        }
        empty
    }

    /// What users do to their connection at the end of a day.
    fn controls(&self, number: u32, changed: UnixSeconds) -> Vec<Part> {
        let count = self.population.users().len();
        let (withdraw, give) = (self.after(1), self.after(2));
        let mut parts = Vec::new();
        for user in 0..self.settings.permission_changes.min(count) {
            if number == give {
                parts.push(Part::Permissions { user, granted: ALL, changed });
            } else if number == withdraw {
                parts.push(Part::Permissions { user, granted: WITHOUT_HEALTH, changed });
            }
        }
        if number == self.after(2) {
            parts.extend((count.saturating_sub(self.settings.deregistered)..count).map(Part::Deregistration));
        }
        parts
    }
}

#[cfg(test)]
mod tests;
