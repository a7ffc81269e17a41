//! What is to be said of a site before anybody has to ask: findings with their remedies, what the network's keepers must
//! allow, and a bundle of it that may leave the site.
//!
//! [`look`] gathers [`facts`](facts::Facts), with the rights of whoever asks, and changes nothing; [`judge`] says what
//! they mean, purely. What the site calls its own stands apart in every [`Sentence`](sentence::Sentence), so that a
//! bundle cannot carry it away.
//!
//! Never: a change; a secret; a request to Garmin.

pub mod bundle;
pub mod facts;
pub mod finding;
pub mod firewall;
pub mod judge;
pub mod look;
pub mod sentence;
