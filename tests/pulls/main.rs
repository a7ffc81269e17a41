//! From a ping to the opened dataset, through the real binary, with a simulated Garmin that answers its callbacks.

mod downloads;
mod expiry;
mod faults;
mod files;
mod garmin;
mod held;
mod kills;
mod lasting;
mod ledger;
mod purge;
mod refused;
#[path = "../site/mod.rs"]
mod site;
mod stages;
mod statuses;
