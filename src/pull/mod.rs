//! The worker that fetches what pings announced, and hands it to the journal.
//!
//! ```text
//! queue ─ take ─▶ open, vet ─▶ (file: room on disk, mark) ─▶ GET ─▶ intake ─▶ slot free ─▶ durable ─▶ delivered
//!                    │                                        │
//!                    └── nobody may have it: dropped          └─▶ a status or a fault: `queue::plan` decides
//! ```
//! Limits: requests at once to a host are the schedule's to say; [`worker::Settings`] names the rest.
//!
//! Never: a URL in a log line; a second request for a job while one runs; a file asked for without room for it and a
//! durable mark; a job done before its data are durable.

mod hosts;
mod outcome;
mod request;
mod slot;
pub mod worker;
