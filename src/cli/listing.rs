//! `status`, `store info` and `unassigned list`: what the running gateway holds.

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

/// Prints how the gateway is.
pub(super) fn status(gateway: &Gateway, form: Form) -> Result<(), Failure> {
    output::thing(form, &gateway.get(&Resource::of(&["status"]))?)
}

/// The commands of `store`.
#[derive(Debug, Subcommand)]
pub(super) enum Store {
    /// Show how many records the store holds, what it takes on disk, and under which keys
    Info,
}

/// Prints what the store holds.
pub(super) fn store(gateway: &Gateway, form: Form) -> Result<(), Failure> {
    let mut status = gateway.get(&Resource::of(&["status"]))?;
    let parts = ["store", "journal", "keys", "disk"].map(|part| (part.to_owned(), status[part].take()));
    output::thing(form, &Value::Object(parts.into_iter().collect()))
}

/// Prints the held connections.
pub(super) fn unassigned(gateway: &Gateway, form: Form) -> Result<(), Failure> {
    let head = ["HANDLE", "DEVICE", "FIRST SEEN", "LAST SEEN", "ITEMS", "CLIENT"];
    let members = ["handle", "device", "first_seen", "last_seen", "items", "client"];
    let answer = gateway.list(&Resource::of(&["unassigned"]), "unassigned")?;
    let mut items = answer["unassigned"].as_array().cloned().unwrap_or_default();
    // For people, who look for somebody who is new: the latest seen first. Times of one form sort as text.
    items.sort_by_key(|item| std::cmp::Reverse(cell(&item["last_seen"])));
    let row = |item: &Value| members.iter().map(|member| cell(&item[*member])).collect();
    output::list(form, &answer, &head, items.iter().map(row).collect())
}
