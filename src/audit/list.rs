//! Entries that match a filter, page by page, the oldest first.

use std::collections::BTreeSet;
use std::io::{self, BufRead, BufReader, Read};

use crate::audit::entry::Entry;
use crate::audit::folder::Piece;
use crate::audit::line::Line;
use crate::model::time::UnixSeconds;

/// Entries in one page, where no fewer are wanted.
pub const LISTED_MAX: usize = 1000;

/// Which entries are wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    /// Of this study.
    pub study: Option<String>,
    /// Of any of these studies, where not all are to be seen.
    pub within: Option<BTreeSet<String>>,
    /// Of this code.
    pub code: Option<String>,
    /// Of this act.
    pub act: Option<String>,
    /// From this second on.
    pub from: Option<UnixSeconds>,
    /// Before this second.
    pub to: Option<UnixSeconds>,
    /// Behind this entry.
    pub after: u64,
    /// So many at most.
    pub limit: usize,
}

impl Default for Filter {
    fn default() -> Self {
        let (study, within, code, act, from, to) = (None, None, None, None, None, None);
        Self { study, within, code, act, from, to, after: 0, limit: LISTED_MAX }
    }
}

/// Some entries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// They.
    pub entries: Vec<Entry>,
    /// Goes into [`Filter::after`] for the next page; `None` at the end.
    pub next: Option<u64>,
}

pub(super) fn list(pieces: Vec<Piece>, filter: &Filter) -> io::Result<Page> {
    let mut page = Page::default();
    let firsts: Vec<_> = pieces.iter().map(|piece| piece.first).collect();
    for (place, piece) in pieces.into_iter().enumerate() {
        // A piece ends before the first entry of the next one.
        if firsts.get(place + 1).copied().flatten().is_some_and(|next| next <= filter.after + 1) {
            continue;
        }
        let reader = BufReader::new(piece.file.take(piece.length));
        for raw in reader.split(b'\n') {
            // A line that was altered is no entry; verifying says where it is.
            let raw = raw?;
            let Some(entry) = Line::parse(&raw).map(|line| line.entry).filter(|entry| filter.wants(entry)) else {
                continue;
            };
            if page.entries.len() == filter.limit {
                page.next = page.entries.last().map(|entry| entry.sequence);
                return Ok(page);
            }
            page.entries.push(entry);
        }
    }
    Ok(page)
}

impl Filter {
    fn wants(&self, entry: &Entry) -> bool {
        let same = |wanted: &Option<String>, found: Option<&String>| wanted.is_none() || wanted.as_ref() == found;
        // Times of one form sort as text.
        let from = self.from.is_none_or(|from| entry.at >= from.to_string());
        let to = self.to.is_none_or(|to| entry.at < to.to_string());
        let seen = |studies: &BTreeSet<String>| entry.study.as_ref().is_some_and(|study| studies.contains(study));
        entry.sequence > self.after
            && self.within.as_ref().is_none_or(seen)
            && same(&self.study, entry.study.as_ref())
            && same(&self.code, entry.code.as_ref())
            && same(&self.act, Some(&entry.act))
            && from
            && to
    }
}
