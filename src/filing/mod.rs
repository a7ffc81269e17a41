//! Filing: what the journal took is split by connection and participant, sealed under their keys, and stored.
//!
//! Never: an item's fault becoming its neighbour's; a record stored under a key that is not its participant's; a
//! journal entry given up before what was filed of it is durable.
//!
//! One thread files everything, in the journal's order, and may do so again after a crash: natural key and content
//! digest decide what is new, what is a revision, what is a duplicate.

pub mod arrival;
pub mod batch;
pub mod chores;
pub mod commit;
pub mod facts;
pub mod failure;
pub mod hold;
pub mod item;
pub mod owner;
pub mod ping;
pub mod progress;
pub mod quarantine;
pub mod record;
pub mod refused;
pub mod separate;
mod stranger;
pub mod tally;
#[cfg(test)]
mod tests;
pub mod worker;
