//! JSON as a stream: split into items while it arrives, rewritten member by member, digested; never whole in memory.
//!
//! Never: building a document tree; turning a number into a float.
//!
//! `lex` (eight bytes at a time) < `scan` (the grammar, push-fed) < `split`, `rewrite` and `walk`, which read its tokens.

mod digest;
mod divert;
pub mod entry_codec;
mod fault;
mod item;
mod lex;
mod name;
pub mod rewrite;
mod rules;
mod scan;
mod skip;
pub mod split;
mod text;
mod token;
mod utf8;
pub mod walk;
