//! What the local API shows of studies, participants and held connections.
//!
//! Never: a userId, a digest of a connection, an internal id.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::model::{
    participant::{Consent, Participant, ParticipantState, Window},
    study::{DataFate, DatesRule, Keep, LocationRule, Rules, Study, StudyState},
    time::UnixSeconds,
};
use crate::people::{
    change::{KnownLink, Retired},
    directory::Directory,
    held::Held,
    permissions::Permissions,
    refusal::state_name,
    standing::is_current,
};

/// A study.
#[derive(Serialize)]
pub(super) struct StudyView<'a> {
    name: &'a str,
    state: &'static str,
    recipients: &'a [String],
    rules: RulesView<'a>,
    rules_version: u32,
    created: String,
    exports: u32,
    participants: BTreeMap<&'static str, usize>,
}

/// A study's rules.
#[derive(Serialize)]
pub(super) struct RulesView<'a> {
    types: &'a [String],
    on_deregistration: &'static str,
    grace_days: u8,
    location: &'static str,
    names: &'static str,
    files: &'static str,
    devices: &'static str,
    pregnancy: &'static str,
    unknown: &'static str,
    dates: &'static str,
    minimise: bool,
    retain_until: Option<String>,
    silent_after_days: u16,
    garmin: Option<&'a str>,
}

/// A participant; of one who was erased only the code and the times of it.
#[derive(Serialize)]
pub(super) struct ParticipantView<'a> {
    code: &'a str,
    state: &'static str,
    from: Option<String>,
    to: Option<String>,
    pauses: Vec<WindowView>,
    consent: Option<&'a Consent>,
    added: Option<String>,
    erased: Option<String>,
    links: Vec<LinkView<'a>>,
    permissions: Vec<PermissionsView<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    locked_until: Option<String>,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    silent: Option<SilentView>,
}

/// Since when a participant is silent, and what was covered last.
#[derive(Serialize)]
struct SilentView {
    silent_since: String,
    last_seen: Option<String>,
}

/// What a link's user permits, where anything was told. `since` is Garmin's time, `told` the gateway's.
#[derive(Serialize)]
struct PermissionsView<'a> {
    link: usize,
    granted: Option<&'a [String]>,
    since: Option<String>,
    told: Option<String>,
    answered_412: BTreeMap<&'a str, String>,
}

#[derive(Serialize)]
struct WindowView {
    from: Option<String>,
    to: Option<String>,
}

#[derive(Serialize)]
struct LinkView<'a> {
    number: usize,
    client: &'a str,
    #[serde(flatten)]
    window: WindowView,
    current: bool,
}

/// A held connection.
#[derive(Serialize)]
pub(super) struct HeldView<'a> {
    handle: &'a str,
    client: &'a str,
    device: Option<&'a str>,
    first_seen: String,
    last_seen: String,
    items: &'a BTreeMap<String, u64>,
}

impl<'a> StudyView<'a> {
    pub(super) fn new(directory: &Directory, study: &'a Study) -> Self {
        let states = [
            ParticipantState::Active,
            ParticipantState::Paused,
            ParticipantState::Completed,
            ParticipantState::Withdrawn,
            ParticipantState::Retained,
        ];
        let mut participants: BTreeMap<_, _> = states.into_iter().map(|state| (state_name(state), 0)).collect();
        for participant in directory.participants(&study.id) {
            *participants.entry(state_name(participant.state)).or_default() += 1;
        }
        *participants.entry(state_name(ParticipantState::Withdrawn)).or_default() += directory.retired(&study.id).len();
        Self {
            name: &study.name,
            state: match study.state {
                StudyState::Open => "open",
                StudyState::Locked => "locked",
                StudyState::Closed => "closed",
            },
            recipients: &study.recipients,
            rules: RulesView::new(&study.rules),
            rules_version: study.rules_version,
            created: study.created.to_string(),
            exports: study.exports,
            participants,
        }
    }
}

impl<'a> RulesView<'a> {
    pub(super) fn new(rules: &'a Rules) -> Self {
        Self {
            types: &rules.types,
            on_deregistration: match rules.on_deregistration {
                DataFate::Purge => "purge",
                DataFate::Retain => "retain",
            },
            grace_days: rules.grace_days,
            location: match rules.location {
                LocationRule::Drop => "drop",
                LocationRule::Coarse => "coarse",
                LocationRule::Keep => "keep",
            },
            names: kept(rules.names),
            files: kept(rules.files),
            devices: kept(rules.devices),
            pregnancy: kept(rules.pregnancy),
            unknown: kept(rules.unknown),
            dates: match rules.dates {
                DatesRule::Keep => "keep",
                DatesRule::Shift => "shift",
            },
            minimise: rules.minimise,
            retain_until: rules.retain_until.map(UnixSeconds::date),
            silent_after_days: rules.silent_after_days,
            garmin: rules.garmin.as_deref(),
        }
    }
}

impl<'a> ParticipantView<'a> {
    pub(super) fn present(directory: &'a Directory, participant: &'a Participant, now: UnixSeconds) -> Self {
        if let Some(lock) = participant.lock {
            return Self { locked_until: Some(lock.until.to_string()), ..Self::bare(&participant.code, "locked") };
        }
        if participant.state == ParticipantState::Withdrawn {
            return Self::bare(&participant.code, state_name(participant.state));
        }
        let links = directory.links(&participant.id).iter().zip(1..);
        let permissions = links.clone().filter_map(|(known, number)| {
            Some(PermissionsView::new(number, directory.permissions(&participant.id, &known.digest)?))
        });
        let window = WindowView::new(&participant.window);
        Self {
            code: &participant.code,
            state: state_name(participant.state),
            from: window.from,
            to: window.to,
            pauses: participant.pauses.iter().map(WindowView::new).collect(),
            consent: participant.consent.as_ref(),
            added: Some(participant.added.to_string()),
            erased: None,
            links: links.map(|(known, number)| LinkView::new(known, number, now)).collect(),
            locked_until: None,
            silent: None,
            permissions: permissions.collect(),
        }
    }

    pub(super) fn erased(retired: &'a Retired) -> Self {
        let bare = Self::bare(&retired.code, state_name(ParticipantState::Withdrawn));
        Self { erased: Some(retired.at.to_string()), ..bare }
    }

    /// Nothing but who it is and that they have left.
    fn bare(code: &'a str, state: &'static str) -> Self {
        Self {
            code,
            state,
            from: None,
            to: None,
            pauses: Vec::new(),
            consent: None,
            added: None,
            erased: None,
            links: Vec::new(),
            locked_until: None,
            silent: None,
            permissions: Vec::new(),
        }
    }

    /// The same, told as silent since then.
    pub(super) fn silent(self, since: UnixSeconds, last_seen: Option<UnixSeconds>) -> Self {
        let last_seen = last_seen.map(|time| time.to_string());
        Self { silent: Some(SilentView { silent_since: since.to_string(), last_seen }), ..self }
    }

    pub(super) fn code(&self) -> &str {
        self.code
    }
}

impl<'a> LinkView<'a> {
    fn new(known: &'a KnownLink, number: usize, now: UnixSeconds) -> Self {
        let window = &known.link.window;
        Self {
            number,
            client: known.link.client.as_str(),
            window: WindowView::new(window),
            current: is_current(window, now),
        }
    }
}

impl<'a> PermissionsView<'a> {
    fn new(link: usize, known: &'a Permissions) -> Self {
        let current = known.current();
        Self {
            link,
            granted: current.map(|told| told.granted.as_slice()),
            since: current.map(|told| told.changed.to_string()),
            told: current.map(|told| told.came.received.to_string()),
            answered_412: known.refused().iter().map(|(name, at)| (name.as_str(), at.to_string())).collect(),
        }
    }
}

impl WindowView {
    fn new(window: &Window) -> Self {
        Self { from: window.first(), to: window.last() }
    }
}

impl<'a> HeldView<'a> {
    pub(super) fn new(held: &'a Held) -> Self {
        Self {
            handle: &held.handle,
            client: held.client.as_str(),
            device: held.device.as_deref(),
            first_seen: held.first_seen.to_string(),
            last_seen: held.last_seen.to_string(),
            items: &held.items,
        }
    }
}

fn kept(keep: Keep) -> &'static str {
    match keep {
        Keep::Keep => "keep",
        Keep::Drop => "drop",
    }
}
