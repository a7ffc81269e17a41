//! Records: packed by owner, compressed, sealed, indexed by month; found again by natural key.
//!
//! Never: a record of two owners in one pack; a read without its tag; a value that names a person in the data part.
//!
//! ```text
//! row  owner ‖ R ‖ pack id   = head length ‖ sealed head [‖ sections, where they are small]
//! blob                       = magic ‖ frame ‖ sections ‖ frame ‖ sections …   (one file per commit, many owners)
//! sections                   = sealed index ‖ sealed data ‖ sealed identity
//! ```
//! A head (data key) says where the sections are, how many records they hold, of which month, and carries a Bloom
//! filter of their natural keys; heads stay in memory. The index (data key) lists the records: type, natural key,
//! content digest, times, place. Data (data key) and identity (identity key) are the records' two parts, each
//! compressed whole. Small packs are merged into packs of one month; a record over 64 KiB has a file of its own. Of a
//! blob in which little lives any more, what lives is moved into another.

pub mod bloom;
pub mod catalog;
pub mod codec;
pub mod error;
pub mod head;
pub mod index;
pub mod large;
pub mod merge;
pub mod occurrence;
pub mod pack;
mod packs;
pub mod pseudonym;
pub mod read;
#[cfg(test)]
mod tests;
pub mod tidy;
