//! The body of one POST: items of any users and types, put together as Garmin does.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::model::summary::{DEREGISTRATIONS, PERMISSION_CHANGES};
use crate::model::time::UnixSeconds;
use crate::simulate::file::{ACTIVITY_FILES, FileOf};
use crate::simulate::record::Record;
use crate::simulate::user::User;

/// A notification under construction.
#[derive(Clone, Debug, Default)]
pub struct Notification {
    // Member names in order of first use, each with the JSON texts of its items.
    members: Vec<(String, Vec<String>)>,
    records: Vec<Record>,
}

impl Notification {
    /// A notification without items.
    pub fn new() -> Self {
        Self::default()
    }

    /// A notification that pushes these records; each must be of a user in `users`.
    ///
    /// # Panics
    /// Where a record names a user beyond `users`.
    pub fn of(users: &[User], records: &[Record]) -> Self {
        records.iter().fold(Self::new(), |notification, record| notification.push(&users[record.user], record))
    }

    /// Adds a summary: its members beside `userId`, which comes first for every other user and last for the rest.
    pub fn push(mut self, user: &User, record: &Record) -> Self {
        let content = Value::Object(record.content.clone()).to_string();
        let inner = content.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).unwrap_or_default();
        let whose = whose(user);
        let text = match (inner.is_empty(), user.index.is_multiple_of(2)) {
            (true, _) => format!("{{{whose}}}"),
            (false, true) => format!("{{{whose},{inner}}}"),
            (false, false) => format!("{{{inner},{whose}}}"),
        };
        self.records.push(record.clone());
        self.raw(&record.summary_type, text)
    }

    /// Adds a ping: something of this type lies ready at `url`.
    pub fn ping(self, user: &User, summary_type: &str, url: &str, uploaded: UnixSeconds) -> Self {
        let item = json!({
            "userId": user.id,
            "callbackURL": url,
            "uploadStartTimeInSeconds": uploaded.0,
            "uploadEndTimeInSeconds": uploaded.0 + 300,
        });
        self.raw(summary_type, item.to_string())
    }

    /// Adds a ping for the file of an activity, with what Garmin tells of it.
    pub fn ping_file(self, user: &User, file: &FileOf, url: &str) -> Self {
        let mut item = file.record().content.clone();
        item.insert("userId".to_owned(), json!(user.id));
        item.insert("callbackURL".to_owned(), json!(url));
        self.raw(ACTIVITY_FILES, Value::Object(item).to_string())
    }

    /// Adds the notice that a user ended its registration.
    pub fn deregistration(self, user: &User) -> Self {
        let item = format!("{{{}}}", whose(user));
        self.raw(DEREGISTRATIONS, item)
    }

    /// Adds the notice that these permissions hold from now on, and no others.
    pub fn permissions(self, user: &User, permissions: &[&str], changed: UnixSeconds) -> Self {
        let item = json!({
            "userId": user.id,
            "summaryId": user.summary_id(changed.0),
            "permissions": permissions,
            "changeTimeInSeconds": changed.0,
        });
        self.raw(PERMISSION_CHANGES, item.to_string())
    }

    /// Adds an item as it stands, well-formed JSON or not: what a faulty sender would put under `member`.
    pub fn raw(mut self, member: &str, item: String) -> Self {
        match self.members.iter_mut().find(|(name, _)| name == member) {
            Some((_, items)) => items.push(item),
            None => self.members.push((member.to_owned(), vec![item])),
        }
        self
    }

    /// The records that it pushes, in order.
    pub fn records(&self) -> &[Record] {
        &self.records
    }

    /// Its body.
    pub fn to_json(&self) -> String {
        let mut text = String::from("{");
        for (place, (name, items)) in self.members.iter().enumerate() {
            let comma = if place == 0 { "" } else { "," };
            let written = write!(text, "{comma}{}:[{}]", json!(name), items.join(","));
            written.expect("a String takes all text");
        }
        text.push('}');
        text
    }
}

/// `userId`, and `userAccessToken` for every third user, as an OAuth 1 application gets it.
pub(super) fn whose(user: &User) -> String {
    let token = format!(",\"userAccessToken\":\"{}\"", user.token);
    format!("\"userId\":\"{}\"{}", user.id, if user.index.is_multiple_of(3) { &token } else { "" })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulate::record::{Density, day};
    use crate::simulate::user::Population;

    #[test]
    fn one_post_holds_several_types_of_several_users() {
        let population = Population::new(21, 3);
        let midnight = UnixSeconds(1_793_491_200);
        let records: Vec<Record> =
            population.users().iter().flat_map(|user| day(user, midnight, Density::default())).collect();
        let notification = Notification::of(population.users(), &records)
            .raw("heartbeats", r#"{"userId":"nobody"}"#.to_owned())
            .deregistration(population.user(2))
            .permissions(population.user(1), &[], midnight)
            .ping(population.user(0), "activities", "https://apis.garmin.com/x?token=t", midnight);
        let body: Value = serde_json::from_str(&notification.to_json()).expect("well-formed");
        let members = body.as_object().expect("an object");
        let items = |name: &str| members.get(name).and_then(Value::as_array).map_or(0, Vec::len);
        assert_eq!(items("dailies"), 3);
        assert_eq!((items("heartbeats"), items("deregistrations"), items("userPermissionsChange")), (1, 1, 1));
        let pushed: usize = members.keys().map(|name| items(name)).sum::<usize>() - 4;
        assert_eq!(pushed, notification.records().len());
        assert_eq!(body["dailies"][1]["userId"], population.user(1).id);
        assert_eq!(body["userPermissionsChange"][0]["permissions"], json!([]));
    }
}
