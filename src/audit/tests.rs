//! Tests of the log on a disk that fails, is cut, and is tampered with.

mod crashes;
mod site;
mod tampering;
