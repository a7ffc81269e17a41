//! Bodies of activity details of an exact length, up to Garmin's 100 MB and beyond, made piece by piece.
//!
//! Never: a whole body in memory.

use std::io;

use serde_json::{Value, json};

use crate::model::time::UnixSeconds;
use crate::simulate::activity::{number_of, summary};
use crate::simulate::notification::whose;
use crate::simulate::track::{Totals, Track};
use crate::simulate::user::User;

/// What Garmin's documents demand that a receiver takes, in bytes.
pub const GARMIN_MAX: u64 = 100_000_000;

/// How a large body is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// Items of this many samples each, of all users in turn.
    Items(u32),
    /// One item of the first user; its `userId` comes last.
    SingleItem,
}

/// A body of activity details, as an iterator over its pieces (each well below 1 MiB).
#[derive(Debug)]
pub struct LargeBody<'a> {
    users: &'a [User],
    midnight: UnixSeconds,
    length: u64,
    layout: Layout,
    tally: Tally,
    open: Option<Track>,
    open_samples: u32,
    ended: bool,
}

/// What a body held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Its bytes.
    pub bytes: u64,
    /// Its items.
    pub items: u64,
    /// The samples of all items together.
    pub samples: u64,
}

/// Where to stop adding: room for the longest head, sample and tail, filled with spaces at the end.
const MARGIN: u64 = 4096;
/// About the length of a sample.
const SAMPLE_BYTES: u64 = 350;
const PIECE: usize = 256 * 1024;

impl<'a> LargeBody<'a> {
    /// A body of exactly `length` bytes; shorter than 16 KiB is taken as 16 KiB.
    ///
    /// # Panics
    /// Where there is no user.
    pub fn new(users: &'a [User], midnight: UnixSeconds, length: u64, layout: Layout) -> Self {
        assert!(!users.is_empty(), "a body is somebody's");
        Self {
            users,
            midnight,
            length: length.max(4 * MARGIN),
            layout,
            tally: Tally::default(),
            open: None,
            open_samples: 0,
            ended: false,
        }
    }

    /// Writes the whole body; returns what it held.
    ///
    /// # Errors
    /// Those of `output`.
    pub fn write_to(mut self, output: &mut impl io::Write) -> io::Result<Tally> {
        for piece in &mut self {
            output.write_all(&piece)?;
        }
        Ok(self.tally)
    }

    /// What the pieces taken so far held.
    pub fn tally(&self) -> Tally {
        self.tally
    }

    fn owner(&self) -> &'a User {
        let place = self.tally.items.saturating_sub(1) % self.users.len() as u64;
        &self.users[usize::try_from(place).unwrap_or(0)]
    }

    /// How long its activities are: a sample a second.
    fn seconds(&self) -> i64 {
        match self.layout {
            Layout::Items(samples) => i64::from(samples.max(2)) - 1,
            Layout::SingleItem => i64::try_from(self.length / SAMPLE_BYTES).unwrap_or(i64::MAX),
        }
    }

    fn begin_item(&mut self, piece: &mut String) {
        self.tally.items += 1;
        let user = self.owner();
        let number = (1 << 32) + self.tally.items;
        let start = self.midnight.plus(i64::try_from(self.tally.items).unwrap_or(0) * 7200);
        let id = user.activity_id(number);
        let seconds = self.seconds();
        let planned = Track::new(user, start, seconds, number_of(&id));
        let totals = Totals::of(planned.take(usize::try_from(seconds).unwrap_or(0) + 1));
        if self.tally.items > 1 {
            piece.push(',');
        }
        let head = json!({
            "summaryId": format!("{id}-detail"),
            "activityId": user.activity_id_value(&id),
            "summary": summary(user, &id, start, &totals),
        });
        piece.push_str(head.to_string().strip_suffix('}').unwrap_or_default());
        piece.push_str(",\"samples\":[");
        self.open = Some(Track::new(user, start, seconds, number_of(&id)));
        self.open_samples = 0;
    }

    fn end_item(&mut self, piece: &mut String) {
        let start = self.midnight.plus(i64::try_from(self.tally.items).unwrap_or(0) * 7200);
        let laps: Value = json!([{"startTimeInSeconds": start.0}]);
        piece.push_str(&format!("],\"laps\":{laps},{}}}", whose(self.owner())));
        self.open = None;
    }

    fn add_sample(&mut self, piece: &mut String) {
        let Some(track) = &mut self.open else { return };
        if self.open_samples > 0 {
            piece.push(',');
        }
        piece.push_str(&track.next_point().to_sample());
        self.open_samples += 1;
        self.tally.samples += 1;
    }
}

impl Iterator for LargeBody<'_> {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        if self.ended {
            return None;
        }
        let mut piece = String::with_capacity(PIECE + 4096);
        if self.tally.bytes == 0 {
            piece.push_str("{\"activityDetails\":[");
        }
        let room = self.length - MARGIN - self.tally.bytes;
        while piece.len() < PIECE && (piece.len() as u64) < room {
            let full = matches!(self.layout, Layout::Items(samples) if self.open_samples >= samples.max(1));
            match &self.open {
                Some(_) if full => self.end_item(&mut piece),
                Some(_) => self.add_sample(&mut piece),
                None => self.begin_item(&mut piece),
            }
        }
        if piece.len() as u64 >= room {
            if self.open.is_some() {
                self.end_item(&mut piece);
            }
            let missing = self.length - self.tally.bytes - piece.len() as u64 - 2;
            piece.extend(std::iter::repeat_n(' ', usize::try_from(missing).unwrap_or(0)));
            piece.push_str("]}");
            self.ended = true;
        }
        self.tally.bytes += piece.len() as u64;
        Some(piece.into_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulate::user::Population;

    fn check(layout: Layout, length: u64, items: Option<u64>) {
        let population = Population::new(31, 3);
        let mut body = Vec::new();
        let large = LargeBody::new(population.users(), UnixSeconds(1_793_491_200), length, layout);
        let tally = large.write_to(&mut body).expect("memory takes all");
        assert_eq!((body.len() as u64, tally.bytes), (length, length));
        let parsed: Value = serde_json::from_slice(&body).expect("well-formed");
        let found = parsed["activityDetails"].as_array().expect("an array");
        assert_eq!(found.len() as u64, tally.items);
        let samples: usize = found.iter().filter_map(|item| item["samples"].as_array()).map(Vec::len).sum();
        assert_eq!(samples as u64, tally.samples);
        assert!(items.is_none_or(|items| items == tally.items), "{} items", tally.items);
        for (place, item) in found.iter().enumerate() {
            assert_eq!(item["userId"], population.user(place % 3).id);
        }
    }

    #[test]
    fn large_body_has_the_length_asked_for_and_the_items_it_counts() {
        check(Layout::Items(100), 2_000_000, None);
        check(Layout::Items(1), 300_001, None);
        check(Layout::SingleItem, 1_500_003, Some(1));
        check(Layout::SingleItem, 16_384, Some(1));
    }

    #[test]
    fn whole_item_comes_to_what_its_summary_says() {
        let population = Population::new(33, 2);
        let mut body = Vec::new();
        let large = LargeBody::new(population.users(), UnixSeconds(1_793_491_200), 300_000, Layout::Items(120));
        large.write_to(&mut body).expect("memory takes all");
        let parsed: Value = serde_json::from_slice(&body).expect("well-formed");
        let found = parsed["activityDetails"].as_array().expect("an array");
        for item in &found[..found.len() - 1] {
            let (summary, last) = (&item["summary"], item["samples"].as_array().and_then(|samples| samples.last()));
            let last = last.expect("a sample");
            assert_eq!(summary["distanceInMeters"], last["totalDistanceInMeters"]);
            assert_eq!(summary["durationInSeconds"], last["timerDurationInSeconds"]);
        }
    }

    #[test]
    fn user_of_a_single_item_comes_last() {
        let population = Population::new(32, 1);
        let mut body = Vec::new();
        let large = LargeBody::new(population.users(), UnixSeconds(0), 20_000, Layout::SingleItem);
        large.write_to(&mut body).expect("memory takes all");
        let text = String::from_utf8(body).expect("text");
        assert!(text.find("userId").expect("a user") > text.find("\"laps\"").expect("laps"));
    }
}
