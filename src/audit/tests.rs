//! Tests of the log on a disk that fails, is cut, and is tampered with.

mod crashes;
mod kept;
mod site;
mod tampering;
