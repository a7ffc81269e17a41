//! Whom a test's bodies name: gathered as they are sent, to be searched for in the gateway's log.

use std::sync::{Mutex, PoisonError};

use serde_json::Value;
use studygate::simulate::markers::Markers;
use studygate::simulate::user::User;

/// Members of an item whose value names somebody.
const MEMBERS: [&str; 6] =
    ["userId", "userAccessToken", "summaryId", "activityName", "startingLatitudeInDegree", "callbackURL"];

/// Larger bodies name too many; their users are known from elsewhere.
const BODY_BYTES_MAX: usize = 64 << 10;

/// Enough for every test but those of load.
const NAMED_MAX: usize = 2000;

/// Everybody who was named so far.
#[derive(Debug, Default)]
pub(crate) struct Named(Mutex<Markers>);

impl Named {
    /// A user was told to the gateway.
    pub(crate) fn user(&self, user: &User) {
        self.add(|markers| markers.with("userId", &user.id).with("userAccessToken", &user.token));
    }

    /// A body is sent to the gateway; what cannot be read as one names nobody.
    pub(crate) fn body(&self, text: &str) {
        if text.len() > BODY_BYTES_MAX {
            return;
        }
        let Ok(Value::Object(lists)) = serde_json::from_str(text) else { return };
        let items = lists.values().filter_map(Value::as_array).flatten();
        for (name, value) in items.filter_map(Value::as_object).flatten() {
            let Some(what) = MEMBERS.iter().find(|member| *member == name) else { continue };
            let text = match value {
                Value::String(text) => text.clone(),
                Value::Number(number) => number.to_string(),
                Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => continue,
            };
            // Of a URL the token is the secret.
            let secret = text.split_once("token=").map_or(text.as_str(), |(_, token)| token);
            self.add(|markers| markers.with(what, secret));
        }
    }

    /// What kind of text that names somebody stands in these bytes.
    pub(crate) fn found_in(&self, bytes: &[u8]) -> Option<&'static str> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).found_in(bytes)
    }

    fn add(&self, add: impl FnOnce(Markers) -> Markers) {
        let mut markers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if markers.count() < NAMED_MAX {
            *markers = add(std::mem::take(&mut *markers));
        }
    }
}
