//! Who may do what: roles, what each permits, and how far it reaches.
//!
//! Whatever decides does so from the request and the rights alone, before anything is looked up: another study's name
//! and a name that does not exist are refused on the same way.
//!
//! Never: a right that is not in the matrix; a study's existence told to whom it is none of their business.

pub mod gate;
pub mod rights;
pub mod role;
mod secret;
pub mod socket;
pub mod throttle;
pub mod tokens;

pub use crate::access::gate::Gate;
pub use crate::access::secret::Secret;
