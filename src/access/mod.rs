//! Who may do what: roles, what each permits, and how far it reaches.
//!
//! Whatever decides does so from the request and the rights alone, before anything is looked up: another study's name
//! and a name that does not exist are refused on the same way.
//!
//! Never: a right that is not in the matrix; a study's existence told to whom it is none of their business.

#[cfg(target_os = "linux")]
pub mod gate;
#[cfg(target_os = "linux")]
pub mod rights;
pub mod role;
mod secret;
#[cfg(target_os = "linux")]
pub mod socket;
#[cfg(target_os = "linux")]
pub mod throttle;
#[cfg(target_os = "linux")]
pub mod tokens;

#[cfg(target_os = "linux")]
pub use crate::access::gate::Gate;
pub use crate::access::secret::Secret;
