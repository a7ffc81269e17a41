//! The account of a run: what was sent, acknowledged, pinged and fetched; what a gateway must hold because of it.

mod view;

use std::collections::{HashMap, HashSet};

use crate::model::summary::SummaryType;
use crate::simulate::callbacks::fault::Fault;
use crate::simulate::callbacks::offer::OfferId;
use crate::simulate::callbacks::{Fetch, Served};
use crate::simulate::file::FileOf;
use crate::simulate::large::Tally;
use crate::simulate::ledger::Ledger;
use crate::simulate::message::Window;
use crate::simulate::plan::Settings;
use crate::simulate::sender::Delivery;
use crate::simulate::user::Population;

/// What came of a run.
#[derive(Clone, Debug)]
pub struct Account {
    /// The users.
    pub population: Population,
    /// How each notification ended, and whether it was sent once more after its 200; in the order they ended.
    pub notifications: Vec<(Delivery, bool)>,
    /// What was pushed.
    pub pushes: Ledger,
    /// What was pinged, by window.
    pub windows: Vec<PingedWindow>,
    /// The files that were pinged.
    pub files: Vec<PingedFile>,
    /// Deregistrations and permission changes.
    pub controls: Vec<Control>,
    /// What the large body held, and whether it was answered 200.
    pub large: Option<(Tally, bool)>,
    /// Waves that waited longer than seven days on hold.
    pub waves_lost: usize,
    /// What was answered to callbacks.
    pub fetches: Vec<Fetch>,
    /// What lay ready when its user withdrew the permission for it: a gateway that obeys never asks for it.
    forbidden: HashSet<OfferId>,
    settings: Settings,
}

/// A window, pinged once or again.
#[derive(Clone, Debug)]
pub struct PingedWindow {
    /// What lay in it.
    pub window: Window,
    /// Where it lay ready.
    pub offers: Vec<OfferId>,
    /// Whether one of its pings was answered 200.
    pub is_acknowledged: bool,
}

/// A file that was pinged.
#[derive(Clone, Debug, PartialEq)]
pub struct PingedFile {
    /// The file.
    pub file: FileOf,
    /// Where it lay ready.
    pub offer: OfferId,
    /// Whether its ping was answered 200.
    pub is_acknowledged: bool,
}

/// What a user did to its connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Control {
    /// Who.
    pub user: usize,
    /// On which day of the run.
    pub day: u32,
    /// The permissions that hold since; `None` where the user left.
    pub granted: Option<Vec<String>>,
    /// Whether the notice was answered 200.
    pub is_acknowledged: bool,
}

/// How a pinged thing ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// Not yet.
    Waiting,
    /// Given whole.
    Whole,
    /// Answered in a way that forbids to ask again, or not permitted any more.
    Refused,
}

impl Account {
    pub(super) fn new(settings: &Settings, population: Population) -> Self {
        Self {
            population,
            notifications: Vec::new(),
            pushes: Ledger::default(),
            windows: Vec::new(),
            files: Vec::new(),
            controls: Vec::new(),
            large: None,
            waves_lost: 0,
            fetches: Vec::new(),
            forbidden: HashSet::new(),
            settings: settings.clone(),
        }
    }

    /// Notes a ping for a window; its place. A window that was pinged before keeps its place.
    pub(super) fn pinged(&mut self, window: Window, offer: OfferId) -> usize {
        let same = |pinged: &PingedWindow| pinged.window == window;
        let place = self.windows.iter().rposition(same).unwrap_or_else(|| {
            self.windows.push(PingedWindow { window, offers: Vec::new(), is_acknowledged: false });
            self.windows.len() - 1
        });
        self.windows[place].offers.push(offer);
        place
    }

    pub(super) fn control(&mut self, control: Control) -> usize {
        self.controls.push(control);
        self.controls.len() - 1
    }

    /// Notes that the permission for this was withdrawn.
    pub(super) fn forbid(&mut self, offer: OfferId) {
        self.forbidden.insert(offer);
    }

    /// What lies ready of this user and falls under none of these permissions.
    pub(super) fn offers_not_permitted(&self, user: usize, granted: &[&str]) -> impl Iterator<Item = OfferId> {
        let permits = |summary_type: &str| {
            let needed = SummaryType::named(summary_type).known().map(|known| known.permission.name());
            needed.is_none_or(|needed| granted.contains(&needed))
        };
        let windows = self.windows.iter().filter(move |pinged| pinged.window.user == user);
        windows.filter(move |pinged| !permits(&pinged.window.summary_type)).flat_map(|pinged| pinged.offers.clone())
    }

    /// How many acknowledged pings have no end yet; those of users who left have none to wait for.
    pub fn waiting(&self) -> usize {
        let (ends, left) = (self.ends(), self.left());
        let waits = |offers: &[OfferId]| end_of(&ends, offers) == End::Waiting;
        let windows =
            self.windows.iter().filter(|pinged| pinged.is_acknowledged && !left.contains(&pinged.window.user));
        let files = self.files.iter().filter(|file| file.is_acknowledged && !left.contains(&file.file.record().user));
        windows.filter(|pinged| waits(&pinged.offers)).count() + files.filter(|file| waits(&[file.offer])).count()
    }

    /// How many notifications were never answered 200.
    pub fn given_up(&self) -> usize {
        self.notifications.iter().filter(|(delivery, _)| delivery.failure.is_some()).count()
    }

    /// Everything that was pushed, or given whole, of those who stayed: what a dataset must hold, and no more.
    pub fn ledger(&self) -> Ledger {
        let left = self.left();
        self.whole_ledger().without(|record| left.contains(&record.user))
    }

    /// The same with those who left.
    fn whole_ledger(&self) -> Ledger {
        let mut ledger = self.pushes.clone();
        let mut order: HashMap<OfferId, usize> = HashMap::new();
        for (place, fetch) in self.fetches.iter().enumerate().filter(|(_, fetch)| fetch.is_whole) {
            order.extend(fetch.offer.map(|offer| (offer, place)));
        }
        let fetched = |pinged: &PingedWindow| pinged.offers.iter().filter_map(|offer| order.get(offer)).max().copied();
        let mut windows: Vec<_> = self.windows.iter().map(|pinged| (fetched(pinged), &pinged.window.records)).collect();
        windows.sort_by_key(|(place, _)| place.unwrap_or(usize::MAX));
        for (place, records) in windows {
            let sending = ledger.sent(records);
            if place.is_some() {
                ledger.acknowledged(sending);
            }
        }
        ledger
    }

    fn left(&self) -> HashSet<usize> {
        let left = self.controls.iter().filter(|control| control.granted.is_none() && control.is_acknowledged);
        left.map(|control| control.user).collect()
    }

    fn ends(&self) -> HashMap<OfferId, End> {
        let mut ends = HashMap::new();
        for fetch in &self.fetches {
            let Some(offer) = fetch.offer else { continue };
            let end = if fetch.is_whole { End::Whole } else { end_after(&fetch.served) };
            let known = ends.entry(offer).or_insert(end);
            if *known == End::Waiting || end == End::Whole {
                *known = end;
            }
        }
        for offer in &self.forbidden {
            let known = ends.entry(*offer).or_insert(End::Refused);
            if *known == End::Waiting {
                *known = End::Refused;
            }
        }
        ends
    }
}

/// What an answer that was not whole leaves to hope for.
fn end_after(served: &Served) -> End {
    match served {
        Served::Refused(_) | Served::Spoiled(Fault::Redirect(_) | Fault::Status(400..=428 | 430..=499)) => End::Refused,
        Served::Good | Served::Spoiled(_) => End::Waiting,
    }
}

/// How a thing ended that was pinged once or more; only the last ping counts where none brought it whole.
fn end_of(ends: &HashMap<OfferId, End>, offers: &[OfferId]) -> End {
    let of = |offer: &OfferId| ends.get(offer).copied().unwrap_or(End::Waiting);
    if offers.iter().any(|offer| of(offer) == End::Whole) {
        return End::Whole;
    }
    offers.last().map_or(End::Waiting, of)
}

impl Control {
    pub(super) fn left(user: usize, day: u32) -> Self {
        Self { user, day, granted: None, is_acknowledged: false }
    }

    pub(super) fn permits(user: usize, day: u32, granted: &[&str]) -> Self {
        let granted = granted.iter().map(ToString::to_string).collect();
        Self { user, day, granted: Some(granted), is_acknowledged: false }
    }
}
