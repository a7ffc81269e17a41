//! `[deregistration]`: the brake on floods of notices.

use std::time::Duration;

use serde::Deserialize;

use crate::config::quantity;

/// `[deregistration]`: the brake on floods of notices.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Deregistration {
    /// Share of a client's linked participants within an hour that makes a flood, 0 to 1.
    pub flood_share: f64,
    /// And the least number of them.
    pub flood_least: u32,
    /// How long a flood waits for a person.
    #[serde(deserialize_with = "quantity::span")]
    pub hold_for: Duration,
}

impl Default for Deregistration {
    fn default() -> Self {
        Self { flood_share: 0.25, flood_least: 5, hold_for: Duration::from_secs(3 * 86_400) }
    }
}
