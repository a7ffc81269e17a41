//! `status`, `unassigned list` and `quarantine list`: what the running gateway holds.

use clap::Subcommand;
use serde_json::Value;

use crate::cli::{
    exit::Failure,
    gateway::Gateway,
    output::{self, Form, cell},
    resource::Resource,
};

/// The commands of `unassigned`.
#[derive(Debug, Subcommand)]
pub(super) enum Unassigned {
    /// List the held connections, by handle
    List,
}

/// The commands of `quarantine`.
#[derive(Debug, Subcommand)]
pub(super) enum Quarantine {
    /// List the malformed items
    List,
}

/// Prints how the gateway is.
pub(super) fn status(gateway: &Gateway, form: Form) -> Result<(), Failure> {
    output::thing(form, &gateway.get(&Resource::of(&["status"]))?)
}

/// Prints the held connections.
pub(super) fn unassigned(gateway: &Gateway, form: Form) -> Result<(), Failure> {
    let head = ["HANDLE", "DEVICE", "FIRST SEEN", "LAST SEEN", "ITEMS", "CLIENT"];
    let members = ["handle", "device", "first_seen", "last_seen", "items", "client"];
    rows(gateway, form, "unassigned", &head, &members)
}

/// Prints the malformed items.
pub(super) fn quarantine(gateway: &Gateway, form: Form) -> Result<(), Failure> {
    let head = ["NUMBER", "RECEIVED", "TYPE", "BYTES", "REASON"];
    rows(gateway, form, "quarantine", &head, &["number", "received", "type", "bytes", "reason"])
}

fn rows(gateway: &Gateway, form: Form, name: &str, head: &[&str], members: &[&str]) -> Result<(), Failure> {
    let answer = gateway.get(&Resource::of(&[name]))?;
    let items = answer[name].as_array().cloned().unwrap_or_default();
    let row = |item: &Value| members.iter().map(|member| cell(&item[*member])).collect();
    output::list(form, &answer, head, items.iter().map(row).collect())
}
