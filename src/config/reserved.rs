//! Sections that have their names and defaults but no effect in this version: anything but the defaults is refused.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use serde::Deserialize;

use crate::config::quantity;

const DAY: Duration = Duration::from_secs(86_400);

/// One `[garmin.NAME]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GarminClient {
    /// Its identifier.
    pub client_id: String,
    /// The file with its secret.
    pub client_secret: PathBuf,
    /// Its notification paths.
    #[serde(default)]
    pub paths: Vec<String>,
    /// `evaluation` or `production`.
    #[serde(default)]
    pub level: Option<String>,
    /// Where a participant gives consent.
    #[serde(default)]
    pub authorize_url: Option<String>,
    /// Where codes become tokens.
    #[serde(default)]
    pub token_url: Option<String>,
    /// The API.
    #[serde(default)]
    pub api_url: Option<String>,
}

/// All `[garmin.NAME]`, by name.
pub(super) type GarminClients = BTreeMap<String, GarminClient>;

/// `[join]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Join {
    /// The address participants see.
    pub public_url: String,
    /// Where the consent texts lie.
    pub consent_dir: PathBuf,
    /// The line Garmin asks for.
    #[serde(default)]
    pub attribution: String,
    /// How long an invitation holds.
    #[serde(default = "link_expires", deserialize_with = "quantity::span")]
    pub link_expires: Duration,
}

fn link_expires() -> Duration {
    DAY * 14
}
