//! The rows of a job: the ping as it came, and beside it how far the pull has come.
//!
//! | row | written by | sealed under |
//! |---|---|---|
//! | owner ‖ pull ‖ name | filing, with the ping's body | identity key (a held connection: data key) |
//! | owner ‖ pull state ‖ name | the queue | the same |
//!
//! Everything of a ping identifies the person, and its URL is a bearer secret. A state belongs to the ping that it
//! names; a later ping for the same window leaves it without meaning.
//!
//! Never: a value in clear; two writers of one row.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use crate::crypto::key::{Key, Rng};
use crate::crypto::keyring::OwnerKeys;
use crate::crypto::seal::{self, Location};
use crate::model::connection::{ClientId, GarminUserId};
use crate::model::entry::{Entry, Field};
use crate::model::id::OwnerId;
use crate::model::summary::SummaryType;
use crate::model::time::UnixSeconds;
use crate::queue::Ask;
use crate::queue::job::{End, Job, Phase, Setback, State};
use crate::records::index::KeyDigest;
use crate::store::engine::{row, table};

/// The version of a ping's stored form; version 1 named neither user nor place.
const VERSION: u8 = 2;
const VERSION_BEFORE: u8 = 1;
/// The version of a state's stored form.
const STATE_VERSION: u8 = 1;
/// The text of a ping up to this size is kept beside its key fields, in bytes.
pub const TEXT_BYTES_MAX: u64 = 16 * 1024;

const PING: &str = "pull";
const STATE: &str = "pull state";

/// A row's key and its sealed value.
pub type Sealed = (Vec<u8>, Vec<u8>);

/// A ping as stored.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredPing {
    version: u8,
    #[serde(rename = "type")]
    summary_type: String,
    received: UnixSeconds,
    client: String,
    #[serde(default)]
    user: Option<String>,
    /// The place of its body in the journal.
    #[serde(default)]
    ping: u64,
    /// Key fields by their number; `callbackURL` is one of them.
    fields: Vec<(u8, String)>,
    /// All of it, where it is not too long.
    item: Option<String>,
}

/// How far a pull has come, as stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct StoredState {
    pub version: u8,
    /// The ping it belongs to.
    pub ping: u64,
    pub attempts: u32,
    pub begun: bool,
    pub last: Option<Setback>,
    pub ended: Option<(End, UnixSeconds)>,
    pub deadline: UnixSeconds,
}

/// A ping read back.
pub(crate) struct Ping {
    pub summary_type: SummaryType,
    pub received: UnixSeconds,
    pub ping: u64,
    pub ask: Ask,
}

/// What tells a ping from others of its connection: type, window, file; where it names neither, the URL.
pub fn parts<'a>(summary_type: &'a SummaryType, field: impl Fn(Field) -> Option<&'a str>) -> [&'a [u8]; 5] {
    let text = |wanted| field(wanted).unwrap_or_default().as_bytes();
    let window = [text(Field::UploadStart), text(Field::UploadEnd), text(Field::SummaryId)];
    let url = if window.iter().all(|part| part.is_empty()) { text(Field::CallbackUrl) } else { &[] };
    [summary_type.name().as_bytes(), window[0], window[1], window[2], url]
}

/// A ping to be stored.
pub struct NewPing<'a> {
    /// What is to be pulled.
    pub summary_type: &'a SummaryType,
    /// What was found of it.
    pub entry: &'a Entry,
    /// Its text, where it is not too long.
    pub text: &'a [u8],
    /// Whose it is.
    pub user: &'a str,
    /// The client it came for.
    pub client: &'a ClientId,
    /// When it came.
    pub received: UnixSeconds,
    /// The place of its body in the journal.
    pub ping: u64,
}

impl NewPing<'_> {
    /// Its row and what stands in it, for an owner; `None` where the owner has no key for it.
    pub fn seal(
        &self,
        owner: &OwnerId,
        name: &KeyDigest,
        keys: &OwnerKeys,
        is_held: bool,
        rng: &Rng,
    ) -> Option<Sealed> {
        let stored = StoredPing {
            version: VERSION,
            summary_type: self.summary_type.name().to_owned(),
            received: self.received,
            client: self.client.as_str().to_owned(),
            user: Some(self.user.to_owned()),
            ping: self.ping,
            fields: self.entry.fields.iter().map(|(field, text)| (*field as u8, text.to_string())).collect(),
            item: std::str::from_utf8(self.text).ok().filter(|text| !text.is_empty()).map(str::to_owned),
        };
        let value = Zeroizing::new(serde_json::to_vec(&stored).expect("text is written to memory"));
        Some((ping_row(owner, name), seal::seal(key(keys, is_held)?, at(PING, owner, name), &value, rng)))
    }
}

impl StoredState {
    /// What a restart must know of a job.
    pub(crate) fn of(job: &Job) -> Self {
        let State { phase, attempts, last, begun } = job.state;
        let ended = match phase {
            Phase::Ended(end, at) => Some((end, at)),
            Phase::Waiting(_) | Phase::Running | Phase::Delivered => None,
        };
        Self { version: STATE_VERSION, ping: job.ping, attempts, begun, last, ended, deadline: job.deadline }
    }

    pub(crate) fn seal(
        &self,
        owner: &OwnerId,
        name: &KeyDigest,
        keys: &OwnerKeys,
        is_held: bool,
        rng: &Rng,
    ) -> Option<Sealed> {
        let value = serde_json::to_vec(self).expect("plain values are written to memory");
        Some((state_row(owner, name), seal::seal(key(keys, is_held)?, at(STATE, owner, name), &value, rng)))
    }

    /// `None` where it was altered, or is of another version.
    pub(crate) fn open(
        owner: &OwnerId,
        name: &KeyDigest,
        keys: &OwnerKeys,
        is_held: bool,
        sealed: &[u8],
    ) -> Option<Self> {
        let plain = seal::open(key(keys, is_held)?, at(STATE, owner, name), sealed).ok()?;
        serde_json::from_slice(&plain).ok().filter(|state: &Self| state.version == STATE_VERSION)
    }
}

impl Ping {
    /// `None` where it was altered, its key is gone, or it names no user.
    pub(crate) fn open(
        owner: &OwnerId,
        name: &KeyDigest,
        keys: &OwnerKeys,
        is_held: bool,
        sealed: &[u8],
    ) -> Option<Self> {
        let plain = Zeroizing::new(seal::open(key(keys, is_held)?, at(PING, owner, name), sealed).ok()?);
        let stored: StoredPing = serde_json::from_slice(&plain).ok()?;
        if !matches!(stored.version, VERSION | VERSION_BEFORE) {
            return None;
        }
        let user = stored.user.or_else(|| user_of(stored.item.as_deref()?))?;
        let item = stored.item.unwrap_or_else(|| item_of(&user, &stored.fields));
        let mut url = None;
        let mut fields = Vec::with_capacity(stored.fields.len());
        for (number, text) in stored.fields {
            let field = Field::numbered(number)?;
            if field == Field::CallbackUrl {
                url = Some(text.into_boxed_str());
            } else {
                fields.push((field, text.into_boxed_str()));
            }
        }
        Some(Self {
            summary_type: SummaryType::named(&stored.summary_type),
            received: stored.received,
            ping: stored.ping,
            ask: Ask {
                url: url?,
                client: ClientId::new(&stored.client),
                user: GarminUserId::parse(&user)?,
                item,
                fields,
            },
        })
    }
}

/// The key of a ping's row.
pub(crate) fn ping_row(owner: &OwnerId, name: &KeyDigest) -> Vec<u8> {
    row(owner.as_bytes(), table::PULL, &name.0)
}

/// The key of the row that says how far its pull has come.
pub(crate) fn state_row(owner: &OwnerId, name: &KeyDigest) -> Vec<u8> {
    row(owner.as_bytes(), table::PULL_STATE, &name.0)
}

/// A held connection has no identity part; a participant without an identity key has no pings.
fn key(keys: &OwnerKeys, is_held: bool) -> Option<&Key> {
    if is_held { Some(&keys.data) } else { keys.identity.as_ref() }
}

fn at<'a>(table: &'static str, owner: &'a OwnerId, name: &'a KeyDigest) -> Location<'a> {
    Location { table, owner: owner.as_bytes(), item: &name.0 }
}

fn user_of(item: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Named {
        #[serde(rename = "userId")]
        user: String,
    }
    serde_json::from_str::<Named>(item).ok().map(|named| named.user)
}

/// A ping whose text was too long to be kept, made again of what is known of it.
fn item_of(user: &str, fields: &[(u8, String)]) -> String {
    let mut members: BTreeMap<&str, Box<RawValue>> = BTreeMap::new();
    let text = |text: &str| serde_json::value::to_raw_value(text).expect("text is written to memory");
    members.insert("userId", text(user));
    for (number, value) in fields {
        let names = Field::NAMES.iter().find(|(_, field)| *field as u8 == *number);
        if let Some((name, _)) = names {
            let number = RawValue::from_string(value.clone()).ok().filter(|raw| is_number(raw.get()));
            members.insert(name, number.unwrap_or_else(|| text(value)));
        }
    }
    serde_json::to_string(&members).expect("text is written to memory")
}

fn is_number(json: &str) -> bool {
    json.starts_with(|first: char| first == '-' || first.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use ring::rand::SystemRandom;

    use super::*;
    use crate::model::entry::{Shape, Whose};

    const OWNER: OwnerId = OwnerId::from_bytes(*b"an owner's bytes");
    const NAME: KeyDigest = KeyDigest(*b"ten bytes.");

    fn sealed(keys: &OwnerKeys, text: &[u8]) -> Vec<u8> {
        let fields = [
            (Field::CallbackUrl, "https://apis.example/wellness-api/rest/mct?token=t"),
            (Field::UploadStart, "1793509200"),
            (Field::ActivityId, "9007199254740993"),
            (Field::SummaryId, "x1-mct"),
        ];
        let entry = Entry {
            member: "mct".into(),
            span: 0..2,
            shape: Shape::Ping,
            whose: Whose::User("u".into()),
            fields: fields.map(|(field, text)| (field, text.into())).to_vec(),
        };
        let client = ClientId::single();
        let summary_type = SummaryType::named("mct");
        let received = UnixSeconds(7);
        let ping =
            NewPing { summary_type: &summary_type, entry: &entry, text, user: "u", client: &client, received, ping: 9 };
        ping.seal(&OWNER, &NAME, keys, false, &SystemRandom::new()).expect("keys are there").1
    }

    #[test]
    fn ping_is_read_back_as_it_came() {
        let keys = OwnerKeys::random(&SystemRandom::new());
        let text = br#"{"userId":"u","extra":[1]}"#;
        let ping = Ping::open(&OWNER, &NAME, &keys, false, &sealed(&keys, text)).expect("it opens");
        assert_eq!((ping.summary_type.name(), ping.received, ping.ping), ("mct", UnixSeconds(7), 9));
        assert_eq!(
            (&*ping.ask.url, ping.ask.user.expose()),
            ("https://apis.example/wellness-api/rest/mct?token=t", "u")
        );
        assert_eq!(ping.ask.item.as_bytes(), text);
        assert_eq!(ping.ask.fields.len(), 3);
    }

    #[test]
    fn ping_without_its_text_is_made_again_without_a_float() {
        let keys = OwnerKeys::random(&SystemRandom::new());
        let ping = Ping::open(&OWNER, &NAME, &keys, false, &sealed(&keys, b"")).expect("it opens");
        let again = r#"{"activityId":9007199254740993,"callbackURL":"https://apis.example/wellness-api/rest/mct?token=t","summaryId":"x1-mct","uploadStartTimeInSeconds":1793509200,"userId":"u"}"#;
        assert_eq!(ping.ask.item, again);
    }

    #[test]
    fn ping_opens_only_where_it_stands_and_with_its_owners_key() {
        let keys = OwnerKeys::random(&SystemRandom::new());
        let sealed = sealed(&keys, b"{}");
        assert!(Ping::open(&OWNER, &KeyDigest([0; 10]), &keys, false, &sealed).is_none());
        assert!(Ping::open(&OwnerId::from_bytes([0; 16]), &NAME, &keys, false, &sealed).is_none());
        assert!(Ping::open(&OWNER, &NAME, &OwnerKeys::random(&SystemRandom::new()), false, &sealed).is_none());
    }

    #[test]
    fn ping_of_the_version_before_finds_its_user_in_its_text() {
        let keys = OwnerKeys::random(&SystemRandom::new());
        let old = r#"{"version":1,"type":"mct","received":5,"client":"default","fields":[[10,"https://a.example/"]],"item":"{\"userId\":\"u1\"}"}"#;
        let key = keys.identity.as_ref().expect("a participant has one");
        let sealed = seal::seal(key, at(PING, &OWNER, &NAME), old.as_bytes(), &SystemRandom::new());
        let ping = Ping::open(&OWNER, &NAME, &keys, false, &sealed).expect("it opens");
        assert_eq!((ping.ask.user.expose(), ping.ping, &*ping.ask.url), ("u1", 0, "https://a.example/"));
    }
}
