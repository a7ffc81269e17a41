//! What is said of an act: who did it, to which study and code.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::audit::act::Act;

/// Who did it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "by", rename_all = "kebab-case", rename_all_fields = "snake_case")]
pub enum Who {
    /// Somebody at the local socket.
    Socket {
        /// The user the asking process ran as.
        uid: u32,
        /// The user who had logged in, where the kernel kept it.
        login_uid: Option<u32>,
    },
    /// Whoever held a token of the local API.
    Token {
        /// The token's name.
        name: String,
    },
    /// A notice of Garmin's.
    Garmin,
    /// The gateway itself.
    System,
}

/// An act, and whom it concerns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// What was done.
    pub act: Act,
    /// To which study.
    pub study: Option<String>,
    /// To which participant of it.
    pub code: Option<String>,
}

/// An entry as it is read back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its number, from 1 without a gap.
    pub sequence: u64,
    /// When, RFC 3339 in UTC.
    pub at: String,
    /// Who.
    pub who: Value,
    /// The name of the act.
    pub act: String,
    /// What belongs to the act.
    #[serde(default)]
    pub details: Value,
    /// The study.
    pub study: Option<String>,
    /// The participant's code.
    pub code: Option<String>,
    /// The name of the intent that was durable before the act, where there was one.
    #[serde(default, skip_serializing)]
    pub intent: Option<String>,
}

impl Event {
    /// An act that concerns no study alone.
    pub fn new(act: Act) -> Self {
        Self { act, study: None, code: None }
    }

    /// An act on a study.
    pub fn of_study(act: Act, study: &str) -> Self {
        Self { act, study: Some(study.to_owned()), code: None }
    }

    /// An act on a participant of a study.
    pub fn of_participant(act: Act, study: &str, code: &str) -> Self {
        Self { act, study: Some(study.to_owned()), code: Some(code.to_owned()) }
    }
}
