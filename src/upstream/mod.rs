//! The one way out: callbacks that a ping names are fetched by GET, from the hosts the site allows and from no others;
//! and the one authority that certifies the site's names, where it has one, is asked by [`Authority`].
//!
//! Limits: a URL has at most 4096 characters; connecting takes 10 s, an answer's head 60 s, the next piece of its body
//! 60 s; no redirect is followed and no request is repeated. How many bytes a body may have is the caller's to say.
//!
//! Never: an address of the site's own network (unless the site allows it); a URL, its query or an error that quotes
//! one in a log line, a `Debug` or a `Display`; a proxy, a root certificate or a crypto library that the environment
//! brings in. No other module names `reqwest`.

pub mod address;
pub mod answer;
pub mod authority;
pub mod fault;
pub mod lookup;
pub mod reach;
pub mod refusal;
pub mod rules;

mod client;
mod proxy;
mod retry_after;
mod trust;

pub use authority::Authority;
pub use client::{Error, Settings, Timeouts, Upstream};
