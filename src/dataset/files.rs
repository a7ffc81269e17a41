//! Activity files: how the content of one reads, and its way into `files/<code>/<record_id>.<ext>` of a dataset.
//!
//! ```text
//! {"fileType":"FIT","activity_id":…} ‖ line feed ‖ the bytes of the file       the object itself has no line feed
//! ```
//! A content that is an object and nothing else has no file; neither have versions that are not the current one.
//!
//! Never: a file whole in memory; a byte of it in a table or in `raw/`.

use std::{
    collections::BTreeMap,
    io::{self, Write},
};

use memchr::memchr;

use crate::dataset::{
    archive::{Archive, Open},
    deidentify::Deidentify,
    filter::{Filter, Wanted},
    manifest::FileEntry,
    path::folder_of,
    source::{Beside, Content, RecordHead, Source, TypesVisitor},
};
use crate::model::{
    study::{Keep, Rules},
    summary::SummaryType,
};

/// The summary type whose records are files.
pub const ACTIVITY_FILES: &str = "activityFiles";
/// The most files that a dataset takes: each has its line in the manifest, which is read whole.
pub const FILES_MAX: usize = 250_000;

const EXTENSIONS: [(&str, &str); 3] = [("FIT", "fit"), ("TCX", "tcx"), ("GPX", "gpx")];
const OTHER_EXTENSION: &str = "bin";
const FILE_TYPE_BYTES_MAX: usize = 64;
const LINE_FEED: u8 = b'\n';

/// Visits every record of these types with its JSON object alone; of a file no more is read than that.
pub fn objects(source: &mut dyn Source, types: &[SummaryType], visit: &mut TypesVisitor<'_>) -> io::Result<()> {
    source.all_records(types, &mut |summary_type, head, content| {
        if summary_type.name() == ACTIVITY_FILES {
            visit(summary_type, head, &mut Description(content))
        } else {
            visit(summary_type, head, content)
        }
    })
}

/// Writes the files, where the study keeps them, in the order of their records.
pub fn write_files<W: Write>(source: &mut dyn Source, rules: &Rules, archive: &mut Archive<W>) -> io::Result<()> {
    let Some(deidentify) = Deidentify::new(rules, ACTIVITY_FILES).filter(|_| rules.files == Keep::Keep) else {
        return Ok(());
    };
    source.records(&SummaryType::named(ACTIVITY_FILES), &mut |head, content| {
        if !head.current {
            return Ok(());
        }
        if archive.files().len() == FILES_MAX {
            let text = format!("over {FILES_MAX} files; export fewer participants or a shorter time");
            return Err(io::Error::other(text));
        }
        let mut file = FileOf::new(head, deidentify, archive);
        content.read(&mut |piece| file.feed(piece)).and_then(|()| file.finish()).map_err(|error| head.named(error))
    })
}

/// Finds the files that [`write_files`] wrote, for records that come in the same order again.
pub struct Found<'a> {
    files: &'a [FileEntry],
}

impl<'a> Found<'a> {
    /// Among the files of a dataset, which begin with those of records.
    pub fn among(files: &'a [FileEntry]) -> Self {
        Self { files }
    }

    /// The file of the next record, where it has one.
    pub fn of(&mut self, head: &RecordHead<'_>) -> Option<&'a FileEntry> {
        let (next, rest) = self.files.split_first()?;
        let extension = next.path.strip_prefix(&stem(head)?)?;
        if !head.current || extension.contains('/') {
            return None;
        }
        self.files = rest;
        Some(next)
    }
}

/// The object at the start of a content.
struct Description<'a>(&'a mut dyn Content);

impl Content for Description<'_> {
    fn read(&mut self, piece: &mut dyn FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
        let mut is_over = false;
        let read = self.0.read(&mut |bytes| {
            let (object, file) = split(bytes);
            piece(object)?;
            if file.is_none() {
                return Ok(());
            }
            // An error is how the rest of a content is left unread.
            is_over = true;
            Err(io::Error::other("the description is over"))
        });
        if is_over { Ok(()) } else { read }
    }

    fn beside(&self) -> Beside {
        self.0.beside()
    }
}

/// What of a piece belongs to the object, and what to the file, which begins behind the first line feed.
fn split(piece: &[u8]) -> (&[u8], Option<&[u8]>) {
    match memchr(LINE_FEED, piece) {
        Some(end) => (&piece[..end], Some(&piece[end + 1..])),
        None => (piece, None),
    }
}

/// A record on its way to become a file.
struct FileOf<'a, W: Write> {
    head: &'a RecordHead<'a>,
    file_type: Vec<u8>,
    at: At<'a, W>,
}

/// How far it has come.
enum At<'a, W: Write> {
    /// In the object.
    Object(Filter<'a>, &'a mut Archive<W>),
    /// In the file.
    File(Open<'a, W>),
    /// Nowhere: an error was returned.
    Failed,
}

impl<'a, W: Write> FileOf<'a, W> {
    fn new(head: &'a RecordHead<'a>, rules: Deidentify<'a>, archive: &'a mut Archive<W>) -> Self {
        let filter = Filter::new(rules, Wanted::Paths(&["fileType"]));
        Self { head, file_type: Vec::new(), at: At::Object(filter, archive) }
    }

    fn feed(&mut self, piece: &[u8]) -> io::Result<()> {
        self.at = match std::mem::replace(&mut self.at, At::Failed) {
            At::Object(mut filter, archive) => {
                let (object, file) = split(piece);
                let file_type = &mut self.file_type;
                let mut gather = |bytes: &[u8]| {
                    let room = FILE_TYPE_BYTES_MAX.saturating_sub(file_type.len());
                    file_type.extend_from_slice(&bytes[..bytes.len().min(room)]);
                    Ok(())
                };
                filter.feed(object, &mut gather)?;
                match file {
                    None => At::Object(filter, archive),
                    Some(file) => {
                        filter.finish(&mut gather)?;
                        let mut open = archive.begin(&self.path()?)?;
                        open.write(file)?;
                        At::File(open)
                    }
                }
            }
            At::File(mut open) => {
                open.write(piece)?;
                At::File(open)
            }
            At::Failed => At::Failed,
        };
        Ok(())
    }

    fn finish(self) -> io::Result<()> {
        match self.at {
            At::Object(filter, _) => filter.finish(&mut |_| Ok(())),
            At::File(open) => open.finish(None),
            At::Failed => Ok(()),
        }
    }

    fn path(&self) -> io::Result<String> {
        let nameless = || io::Error::new(io::ErrorKind::InvalidData, "its participant's code is no name of a folder");
        Ok(format!("{}{}", stem(self.head).ok_or_else(nameless)?, extension(&self.file_type)))
    }
}

/// The path of a record's file but for its extension.
fn stem(head: &RecordHead<'_>) -> Option<String> {
    Some(format!("files/{}/{}.", folder_of(head.participant)?, head.record_id))
}

/// The extension for an object like `{"fileType":"FIT"}`.
fn extension(object: &[u8]) -> &'static str {
    let members: BTreeMap<String, serde_json::Value> = serde_json::from_slice(object).unwrap_or_default();
    let file_type = members.get("fileType").and_then(serde_json::Value::as_str).unwrap_or_default();
    let known = EXTENSIONS.iter().find(|(name, _)| name.eq_ignore_ascii_case(file_type));
    known.map_or(OTHER_EXTENSION, |(_, extension)| extension)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::open::MANIFEST_BYTES_MAX;

    #[test]
    fn manifest_of_as_many_files_as_are_taken_is_opened() {
        let path = format!("files/_{}_/{}.fit", "c".repeat(32), "r".repeat(16));
        let file = FileEntry { path, bytes: u64::MAX, sha256: "0".repeat(64), rows: None };
        let of = |count| serde_json::to_vec_pretty(&[vec![&file; count]]).expect("JSON").len();
        let files = (of(2) - of(1)) * FILES_MAX;
        assert!(u64::try_from(files).is_ok_and(|files| files < MANIFEST_BYTES_MAX * 9 / 10), "{files} bytes");
    }

    #[test]
    fn extension_is_of_the_file_type_and_of_nothing_else() {
        let check = |object: &str, expected| assert_eq!(extension(object.as_bytes()), expected, "{object}");
        check(r#"{"fileType":"FIT"}"#, "fit");
        check(r#"{"fileType":"tcx"}"#, "tcx");
        check(r#"{"fileType":"\u0047PX"}"#, "gpx");
        check(r#"{"fileType":"../fit"}"#, "bin");
        check(r#"{"fileType":7}"#, "bin");
        check("{}", "bin");
        check(r#"{"fileType":"FI"#, "bin");
        check("", "bin");
    }

    #[test]
    fn description_ends_at_the_first_line_feed_and_no_more_is_read() {
        struct Counted<'a>(&'a [u8], usize);
        impl Content for Counted<'_> {
            fn read(&mut self, piece: &mut dyn FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
                for byte in self.0 {
                    self.1 += 1;
                    piece(std::slice::from_ref(byte))?;
                }
                Ok(())
            }
        }
        let mut content = Counted(b"{\"a\":1}\nfile\nfile", 0);
        let mut read = Vec::new();
        let mut gather = |bytes: &[u8]| {
            read.extend_from_slice(bytes);
            Ok(())
        };
        Description(&mut content).read(&mut gather).expect("read");
        assert_eq!((read.as_slice(), content.1), (b"{\"a\":1}".as_slice(), 8));
    }

    #[test]
    fn error_of_the_reader_is_not_taken_for_the_end_of_the_description() {
        let mut content: &[u8] = b"{}\nfile";
        let failed = Description(&mut content).read(&mut |_| Err(io::Error::other("full")));
        assert_eq!(failed.expect_err("failed").to_string(), "full");
    }
}
