//! The dataset: a signed zip inside age, tables for people and every record whole, without what names a person.
//!
//! Never: whole in memory; an identifying member that [`deidentify`] did not let pass; a half file.
//!
//! ```text
//! STUDY_NNNN_YYYY-MM-DD.zip.age
//!   files/<code>/<record_id>.fit|tcx|gpx|bin     activity files, where the study keeps them
//!   data/<table>.csv  raw/<type>.ndjson          what the study's rules leave of the records
//!   CHANGES.csv                                  what came, was revised or went since the dataset before
//!   codebook.csv  datapackage.json  README.txt   what the columns mean, how to open and verify
//!   manifest.json  manifest.sig                  path, bytes, SHA-256 and rows of all the above; Ed25519 over it
//!   SHA256SUMS                                   of every file but itself
//! ```

pub mod about;
pub mod archive;
pub mod cell;
pub mod changes;
pub mod codebook;
pub mod column;
pub mod csv;
pub mod cycle;
pub mod deidentify;
mod directory;
mod entries;
pub mod fields;
pub mod files;
pub mod filter;
pub mod format;
pub mod keyfile;
pub mod lines;
pub mod manifest;
mod ndjson;
pub mod open;
mod outputs;
mod parquet;
mod pass;
pub mod path;
mod plan;
mod press;
mod reading;
pub mod readme;
pub mod recipient;
pub mod row;
mod scalar;
pub mod scripts;
pub mod secret;
mod series;
mod sheet;
pub mod shift;
pub mod source;
pub mod spill;
mod stream;
pub mod tables;
pub mod write;
