//! Every text that names a simulated person, to be searched for where none may stand in clear.

use memchr::memmem::Finder;
use serde_json::Value;

use crate::simulate::file::FileOf;
use crate::simulate::record::Record;
use crate::simulate::user::{Cycle, User};
use crate::simulate::{cycle, record};

/// Texts that identify, each with what it is.
#[derive(Debug, Default)]
pub struct Markers {
    texts: Vec<(&'static str, Finder<'static>)>,
}

/// Members whose value, wherever it stands in a record, identifies.
const MEMBERS: &[&str] = &[
    "summaryId",
    "activityId",
    "activityName",
    "activityDescription",
    "startingLatitudeInDegree",
    "startingLongitudeInDegree",
    "latitudeInDegree",
    "longitudeInDegree",
    "title",
];

/// A shorter text would be found by chance.
const LENGTH_MIN: usize = 8;

impl Markers {
    /// The markers of these users (ids, as text and as the bytes their digits spell, tokens, summaryId prefixes,
    /// titles) and of these records (ids, names, positions).
    pub fn of(users: &[User], records: &[Record]) -> Self {
        let mut found = Self::default();
        for user in users {
            found.add("userId", user.id.as_bytes());
            found.add("userId in binary", &spelled(&user.id));
            found.add("userAccessToken", user.token.as_bytes());
            found.add("summaryId prefix", user.prefix.as_bytes());
            if user.cycle == Cycle::Pregnant {
                found.add("pregnancy title", cycle::title(user).as_bytes());
            }
        }
        for record in records {
            found.add_members(&Value::Object(record.content.clone()));
        }
        found
    }

    /// Adds what names a person inside these activity files: positions and serial numbers, as each format writes them.
    ///
    /// # Panics
    /// Where a file is of a user beyond `users`.
    pub fn with_files(mut self, users: &[User], files: &[FileOf]) -> Self {
        for file in files {
            for (what, bytes) in file.marks(&users[file.record().user]) {
                self.add(what, &bytes);
            }
            self.add_members(&Value::Object(file.record().content.clone()));
        }
        self
    }

    /// Adds a text of another kind, such as a callback URL.
    pub fn with(mut self, what: &'static str, text: &str) -> Self {
        self.add(what, text.as_bytes());
        self
    }

    /// How many texts are searched for.
    pub fn count(&self) -> usize {
        self.texts.len()
    }

    /// What kind of marker stands in these bytes, where one does; never the marker itself.
    pub fn found_in(&self, bytes: &[u8]) -> Option<&'static str> {
        self.texts.iter().find(|(_, finder)| finder.find(bytes).is_some()).map(|(what, _)| *what)
    }

    fn add(&mut self, what: &'static str, text: &[u8]) {
        if text.len() >= LENGTH_MIN && self.texts.iter().all(|(_, known)| known.needle() != text) {
            self.texts.push((what, Finder::new(text).into_owned()));
        }
    }

    fn add_members(&mut self, value: &Value) {
        match value {
            Value::Object(members) => {
                for (name, value) in members {
                    if let Some(what) = MEMBERS.iter().find(|member| *member == name) {
                        self.add(what, record::plain(value).as_bytes());
                    }
                    self.add_members(value);
                }
            }
            // Of the many samples of an activity the first three stand for all.
            Value::Array(items) => items.iter().take(3).for_each(|item| self.add_members(item)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
}

fn spelled(hex: &str) -> Vec<u8> {
    let digit = |digit: u8| (digit as char).to_digit(16).and_then(|value| u8::try_from(value).ok()).unwrap_or(0);
    hex.as_bytes().chunks_exact(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::time::UnixSeconds;
    use crate::simulate::notification::Notification;
    use crate::simulate::record::{Density, day};
    use crate::simulate::user::Population;

    #[test]
    fn markers_stand_in_the_notification_and_not_in_the_research_view() {
        let population = Population::new(51, 2);
        let midnight = UnixSeconds(1_793_491_200);
        let records: Vec<Record> = (0..6)
            .flat_map(|number| day(population.user(1), midnight.plus(number * 86_400), Density::default()))
            .collect();
        let markers = Markers::of(population.users(), &records);
        assert!(markers.count() > 20);
        for record in &records {
            let sent = Notification::of(population.users(), std::slice::from_ref(record)).to_json();
            assert_eq!(markers.found_in(sent.as_bytes()), Some("userId"));
            assert_eq!(markers.found_in(record.research_view().to_string().as_bytes()), None);
            let whole = Value::Object(record.content.clone()).to_string();
            assert!(markers.found_in(whole.as_bytes()).is_some(), "a {} has a summaryId", record.summary_type);
        }
    }

    #[test]
    fn every_file_is_found_by_its_serial_number_and_by_its_positions() {
        let population = Population::new(53, 12);
        let midnight = UnixSeconds(1_793_491_200);
        let mut kinds = std::collections::BTreeSet::new();
        for user in population.users() {
            let records = (0..4).flat_map(|number| day(user, midnight.plus(number * 86_400), Density::default()));
            for file in records.filter_map(|record| FileOf::of(user, &record)) {
                let bytes = file.bytes(user);
                for (what, mark) in file.marks(user) {
                    let alone = Markers { texts: vec![(what, Finder::new(&mark).into_owned())] };
                    assert_eq!(alone.found_in(&bytes), Some(what));
                    kinds.insert(what);
                }
                let markers = Markers::default().with_files(population.users(), &[file]);
                assert!(markers.found_in(&bytes).is_some());
            }
        }
        let wanted = ["latitude", "longitude", "position in FIT", "serial number", "serial number in FIT"];
        assert!(kinds.into_iter().eq(wanted));
    }

    #[test]
    fn user_id_is_found_in_binary_too() {
        let population = Population::new(52, 1);
        let markers = Markers::of(population.users(), &[]).with("callback URL", "https://apis.garmin.com/x?token=abc");
        let mut bytes = b"..".to_vec();
        bytes.extend(spelled(&population.user(0).id));
        assert_eq!(markers.found_in(&bytes), Some("userId in binary"));
        assert_eq!(markers.found_in(b"GET https://apis.garmin.com/x?token=abcdef"), Some("callback URL"));
    }
}
