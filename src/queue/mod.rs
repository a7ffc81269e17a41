//! The queue of pulls: pings that became jobs, durable as sealed rows, in order in memory.

pub mod job;
pub mod plan;
pub mod schedule;

use crate::model::connection::{ClientId, GarminUserId};
use crate::model::entry::Field;

/// What a job's request and its answer need: opened from a row when it is due, never kept.
pub struct Ask {
    /// The callback URL, as it stands in the ping: a bearer secret.
    pub url: Box<str>,
    /// The client that the ping came for.
    pub client: ClientId,
    /// Whose the answer is.
    pub user: GarminUserId,
    /// The ping's own text without `callbackURL`: an object.
    pub item: String,
    /// The ping's key fields, `callbackURL` left out.
    pub fields: Vec<(Field, Box<str>)>,
}
