//! What may be done with a participant.

use crate::model::{
    id::OwnerId,
    participant::{Bound, Consent, Lock, Participant, ParticipantState, Window},
    study::Study,
    time::UnixSeconds,
};
use crate::people::{
    code,
    decide::study::{not_closed, takes_participants},
    directory::Directory,
    refusal::Refusal,
};

/// The longest consent version, in characters.
pub const CONSENT_CHARS_MAX: usize = 64;

/// A participant to be added.
#[derive(Clone, Debug, Default)]
pub struct NewParticipant {
    /// The code; one is made where there is none.
    pub code: Option<String>,
    /// The time the study collects for.
    pub window: Window,
    /// The consent given.
    pub consent: Option<Consent>,
}

/// What is to change of a participant; the inner `None` clears.
#[derive(Clone, Debug, Default)]
pub struct ParticipantChange {
    /// Where the window begins.
    pub from: Option<Option<Bound>>,
    /// Where it ends.
    pub to: Option<Option<Bound>>,
    /// The consent given.
    pub consent: Option<Option<Consent>>,
}

/// A step of a participant's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing is collected from then on.
    Pause,
    /// It is again.
    Resume,
    /// The participant took part to the end.
    Complete,
}

/// The participant of a study who has this code.
pub fn find<'a>(directory: &'a Directory, study: &Study, code: &str) -> Result<&'a Participant, Refusal> {
    let shown = || code.chars().take(code::NAME_CHARS_MAX).collect::<String>();
    match directory.participant_coded(&study.id, code) {
        Some(found) if found.code == code => Ok(found),
        Some(found) => Err(Refusal::NoParticipant(shown(), Some(found.code.clone()))),
        None if directory.retired(&study.id).iter().any(|retired| retired.code == code) => Err(Refusal::Withdrawn),
        None if code::is_mistyped(&study.name, code) => Err(Refusal::MistypedCode(shown())),
        None => Err(Refusal::NoParticipant(shown(), None)),
    }
}

/// As [`find`], where the participant has not withdrawn and the study is not closed.
pub fn find_changeable<'a>(directory: &'a Directory, study: &Study, code: &str) -> Result<&'a Participant, Refusal> {
    let participant = find(directory, study, code)?;
    not_closed(study)?;
    if let Some(lock) = participant.lock {
        return Err(Refusal::Locked(lock.until));
    }
    match participant.state {
        ParticipantState::Withdrawn | ParticipantState::Retained => Err(Refusal::Withdrawn),
        ParticipantState::Active | ParticipantState::Paused | ParticipantState::Completed => Ok(participant),
    }
}

/// The participant that is added. `random` makes a code where none is given.
pub fn add(
    directory: &Directory,
    study: &Study,
    new: NewParticipant,
    id: OwnerId,
    random: [u8; 16],
    now: UnixSeconds,
) -> Result<Participant, Refusal> {
    takes_participants(study)?;
    checked_window(&new.window)?;
    let code = match new.code {
        Some(code) => unused(directory, study, code)?,
        None => unused(directory, study, code::made(&study.name, random)).map_err(|_| Refusal::Exhausted)?,
    };
    Ok(Participant {
        id,
        study: study.id,
        code,
        state: ParticipantState::Active,
        window: new.window,
        pauses: Vec::new(),
        consent: new.consent.map(checked_consent).transpose()?,
        added: now,
        lock: None,
        shift: None,
    })
}

/// The participant with these changes.
pub fn set(participant: &Participant, change: ParticipantChange) -> Result<Participant, Refusal> {
    let mut changed = participant.clone();
    if let Some(from) = change.from {
        changed.window.from = from;
    }
    if let Some(to) = change.to {
        changed.window.to = to;
    }
    checked_window(&changed.window)?;
    if let Some(consent) = change.consent {
        changed.consent = consent.map(checked_consent).transpose()?;
    }
    Ok(changed)
}

/// The participant under another code of the same study. The same code in another letter case is free to take.
pub fn rename(
    directory: &Directory,
    study: &Study,
    participant: &Participant,
    new_code: String,
) -> Result<Participant, Refusal> {
    let same = code::folded(&new_code) == code::folded(&participant.code);
    let code = match same {
        true => code::code(&new_code)?.to_owned(),
        false => unused(directory, study, new_code)?,
    };
    Ok(Participant { code, ..participant.clone() })
}

/// The participant after this step at this time.
pub fn step(participant: &Participant, step: Step, at: UnixSeconds) -> Result<Participant, Refusal> {
    use ParticipantState::{Active, Completed, Paused, Retained, Withdrawn};
    let mut after = participant.clone();
    match (step, participant.state) {
        (_, Withdrawn | Retained) => return Err(Refusal::Withdrawn),
        (Step::Pause, Active) => {
            let ends = participant.pauses.iter().filter_map(|pause| pause.to.map(Bound::in_utc));
            if let Some(end) = ends.max().filter(|end| at < *end) {
                return Err(Refusal::PauseOverlaps(end));
            }
            after.pauses.push(Window { from: Some(at.into()), to: None });
            after.state = Paused;
        }
        (Step::Pause, state) => return Err(Refusal::WrongState(state, "there is nothing to pause")),
        (Step::Resume, Paused) => {
            if let Some(open) = after.pauses.iter_mut().find(|pause| pause.to.is_none()) {
                open.to = Some(at.into());
                checked_window(open)?;
            }
            after.state = Active;
        }
        (Step::Resume, state) => return Err(Refusal::WrongState(state, "there is nothing to resume")),
        (Step::Complete, Active | Paused) => {
            let at = Bound::At(at);
            after.window.to = Some(after.window.to.map_or(at, |to| to.earlier(at)));
            checked_window(&after.window)?;
            after.state = Completed;
        }
        (Step::Complete, Completed) => {
            return Err(Refusal::WrongState(Completed, "there is nothing to complete"));
        }
    }
    Ok(after)
}

/// The participant, withdrawn: nothing is collected or exported any more.
pub fn withdrawn(participant: &Participant) -> Participant {
    Participant { state: ParticipantState::Withdrawn, lock: None, ..participant.clone() }
}

/// The participant, resting until a purge; `None` takes the lock away.
pub fn locked(participant: &Participant, lock: Option<Lock>) -> Participant {
    Participant { lock, ..participant.clone() }
}

/// The participant after what identified them is destroyed.
pub fn retained(participant: &Participant) -> Participant {
    Participant { state: ParticipantState::Retained, lock: None, ..participant.clone() }
}

/// Refuses a window that holds no second.
pub fn checked_window(window: &Window) -> Result<(), Refusal> {
    if window.is_backwards() { Err(Refusal::EmptyWindow) } else { Ok(()) }
}

fn unused(directory: &Directory, study: &Study, code: String) -> Result<String, Refusal> {
    code::code(&code)?;
    if directory.participant_coded(&study.id, &code).is_some() {
        return Err(Refusal::CodeTaken(code));
    }
    let folded = code::folded(&code);
    if directory.retired(&study.id).iter().any(|retired| code::folded(&retired.code) == folded) {
        return Err(Refusal::CodeRetired(code));
    }
    Ok(code)
}

fn checked_consent(consent: Consent) -> Result<Consent, Refusal> {
    let fits = |text: &str| (1..=CONSENT_CHARS_MAX).contains(&text.chars().count()) && !text.contains(char::is_control);
    if !fits(&consent.version) {
        return Err(Refusal::OutOfBounds("The consent version must be 1 to 64 printable characters; give another."));
    }
    if UnixSeconds::of_date(&consent.date).is_none() {
        return Err(Refusal::OutOfBounds("The consent date must be a date such as 2026-11-01; give another."));
    }
    Ok(consent)
}
