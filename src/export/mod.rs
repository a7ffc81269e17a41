//! Export: what is stored of a study, read for a dataset of it, streamed to whoever asked.
//!
//! Never: a record of a participant who has withdrawn; a whole dataset in memory; a number for an export that did not
//! complete.

pub mod difference;
pub mod job;
pub mod plan;
pub mod select;
pub mod source;
pub mod whole;
