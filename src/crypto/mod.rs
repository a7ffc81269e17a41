//! Keys and sealing: a sealed value opens only with its key and only at the place it was sealed for.
//!
//! Never: a long-lived key with a random nonce (every object gets a derived key of its own); a key in a log.

pub(crate) mod cipher;
pub mod digest;
pub mod key;
#[cfg(target_os = "linux")]
pub mod keyring;
#[cfg(target_os = "linux")]
pub mod root_key;
pub mod seal;
#[cfg(target_os = "linux")]
pub(crate) mod slots;
pub mod stream;
