//! JSON as a stream: split into items while it arrives, rewritten member by member, digested; never whole in memory.
//!
//! Never: building a document tree; turning a number into a float.

pub mod rewrite;
pub mod split;
