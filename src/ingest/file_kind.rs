//! What a pulled activity file is, told by its content while it streams past.

use crate::ingest::{fit::Fit, xml::Xml};

/// The form of an activity file. Source: Activity API 1.2.3, "Activity Files".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// Garmin's binary form.
    Fit,
    /// XML: Training Center.
    Tcx,
    /// XML: GPS Exchange.
    Gpx,
}

impl FileKind {
    /// The kind that a `fileType` names, in whatever letter case; `None` for another.
    pub fn parse(file_type: &str) -> Option<Self> {
        let is = |name: &str| file_type.eq_ignore_ascii_case(name);
        match file_type {
            _ if is("FIT") => Some(Self::Fit),
            _ if is("TCX") => Some(Self::Tcx),
            _ if is("GPX") => Some(Self::Gpx),
            _ => None,
        }
    }
}

/// Reads a file piece by piece, in constant memory.
pub(crate) struct FileCheck {
    fit: Fit,
    xml: Xml,
}

impl FileCheck {
    /// At the start of a file.
    pub(crate) fn new() -> Self {
        Self { fit: Fit::new(), xml: Xml::new() }
    }

    /// The next bytes.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.fit.push(bytes);
        self.xml.push(bytes);
    }

    /// What the whole file is; `None` where it is none of the known kinds, damaged or cut.
    pub(crate) fn found(&self) -> Option<FileKind> {
        if self.fit.is_whole() {
            return Some(FileKind::Fit);
        }
        match self.xml.root()? {
            b"TrainingCenterDatabase" => Some(FileKind::Tcx),
            b"gpx" => Some(FileKind::Gpx),
            _ => None,
        }
    }
}
