//! One item while it streams past: which of its members are read, and what they say.

use std::ops::Range;
use std::sync::Arc;

use crate::json::text::Gathered;
use crate::model::connection::GarminUserId;
use crate::model::entry::{Entry, Field, Shape, Whose};

/// The raw bytes that a userId of the longest decoded form can take: every character as `\u....`.
const USER_ID_RAW_MAX: usize = GarminUserId::BYTES_MAX * 6;

/// What a member of an item is to the splitter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// Nothing.
    Other,
    /// `userId`.
    UserId,
    /// A key field, by its place in [`Field::NAMES`].
    Key(u8),
    /// `summary`, whose own members may be key fields.
    Summary,
}

impl Role {
    /// The longest name that has a role, in bytes.
    pub(super) const NAME_BYTES_MAX: usize = {
        let (mut longest, mut place) = (0, 0);
        while place < Field::NAMES.len() {
            if Field::NAMES[place].0.len() > longest {
                longest = Field::NAMES[place].0.len();
            }
            place += 1;
        }
        longest
    };

    /// A bit per length that a name with a role has: most names are told apart by it.
    const LENGTHS: u64 = {
        let (mut lengths, mut place) = (1 << "userId".len() | 1 << "summary".len(), 0);
        while place < Field::NAMES.len() {
            lengths |= 1 << Field::NAMES[place].0.len();
            place += 1;
        }
        lengths
    };

    /// The role of the member of this name at the top of an item.
    pub(super) fn at_top(name: &[u8]) -> Self {
        if name.len() > Self::NAME_BYTES_MAX || Self::LENGTHS >> name.len() & 1 == 0 {
            return Self::Other;
        }
        match name {
            b"userId" => Self::UserId,
            b"summary" => Self::Summary,
            _ => Field::NAMES
                .iter()
                .position(|(known, _)| known.as_bytes() == name)
                .and_then(|place| u8::try_from(place).ok())
                .map_or(Self::Other, Self::Key),
        }
    }

    /// The role of the member of this name in an item's `summary`.
    pub(super) fn in_summary(name: &[u8]) -> Self {
        let role = Self::at_top(name);
        match role.field() {
            Some(Field::StartTime | Field::Offset | Field::Duration) => role,
            _ => Self::Other,
        }
    }

    /// The key field that it is.
    pub(super) fn field(self) -> Option<Field> {
        match self {
            Self::Key(place) => Some(Field::NAMES[usize::from(place)].1),
            Self::Other | Self::UserId | Self::Summary => None,
        }
    }

    /// The bytes of its value that are read, as written; `None` where its value is not read.
    pub(super) fn raw_max(self) -> Option<usize> {
        match self {
            Self::UserId => Some(USER_ID_RAW_MAX),
            Self::Key(_) => self.field().map(Field::bytes_max),
            Self::Other | Self::Summary => None,
        }
    }
}

/// The kind of a member's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A string.
    Text,
    /// A number, `true` or `false`.
    Scalar,
    /// An array; its JSON text.
    Array,
    /// An object.
    Object,
}

/// Where a member stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Top,
    Summary,
}

struct Found {
    place: Place,
    field: Field,
    text: Box<str>,
}

/// What is known so far of the item that streams past.
#[derive(Default)]
pub(super) struct Item {
    start: u64,
    user: Option<Box<str>>,
    unreadable: bool,
    ping: bool,
    /// A bit per row of [`Field::NAMES`], at the top and in the summary.
    seen: [u32; 2],
    found: Vec<Found>,
}

impl Item {
    /// Starts an item at this offset.
    pub(super) fn begin(&mut self, start: u64) {
        self.start = start;
        self.user = None;
        (self.unreadable, self.ping) = (false, false);
        self.seen = [0; 2];
        self.found.clear();
    }

    /// Takes the value of a member that has a role; a null is no value and is not told.
    pub(super) fn take(&mut self, place: Place, role: Role, kind: Kind, text: &mut Gathered) {
        match (role, role.field()) {
            (Role::UserId, _) => self.take_user(kind, text),
            (Role::Key(row), Some(field)) => self.take_field(place, row, field, kind, text),
            _ => {}
        }
    }

    /// The item has ended at this offset.
    pub(super) fn end(&mut self, member: Arc<str>, end: u64) -> Entry {
        let at_top = |wanted: Field, found: &[Found]| {
            found.iter().any(|found| found.place == Place::Top && found.field == wanted)
        };
        let mut found = std::mem::take(&mut self.found);
        if found.iter().any(|found| found.place == Place::Summary) {
            let shadowed: Vec<bool> =
                found.iter().map(|one| one.place == Place::Summary && at_top(one.field, &found)).collect();
            let mut shadowed = shadowed.into_iter();
            found.retain(|_| !shadowed.next().unwrap_or_default());
        }
        let whose = match self.user.take() {
            _ if self.unreadable => Whose::Unreadable,
            Some(user) => Whose::User(user),
            None => Whose::Nobody,
        };
        let shape = if self.ping { Shape::Ping } else { Shape::Push };
        let fields = found.drain(..).map(|found| (found.field, found.text)).collect();
        self.found = found;
        Entry { member, span: self.start..end, shape, whose, fields }
    }

    fn take_user(&mut self, kind: Kind, text: &mut Gathered) {
        let user = text.whole().filter(|user| !user.is_empty() && user.len() <= GarminUserId::BYTES_MAX);
        match user {
            Some(user) if kind == Kind::Text && self.user.is_none() => self.user = Some(user.into()),
            _ => self.unreadable = true,
        }
    }

    fn take_field(&mut self, place: Place, row: u8, field: Field, kind: Kind, text: &mut Gathered) {
        if place == Place::Top && field == Field::CallbackUrl {
            self.ping = true;
        }
        let wanted =
            if field == Field::Permissions { kind == Kind::Array } else { matches!(kind, Kind::Text | Kind::Scalar) };
        if !wanted {
            return;
        }
        let seen = &mut self.seen[place as usize];
        let bit = 1 << row;
        if *seen & bit != 0 {
            self.unreadable = true;
            return;
        }
        *seen |= bit;
        match text.whole() {
            None => self.unreadable = true,
            Some(text) => {
                if !self.found.iter().any(|found| found.place == place && found.field == field) {
                    self.found.push(Found { place, field, text: text.into() });
                }
            }
        }
    }
}

/// An entry for what is no object at the place of an item, or no array at the place of a member's value.
pub(super) fn malformed(member: Arc<str>, shape: Shape, span: Range<u64>) -> Entry {
    Entry { member, span, shape, whose: Whose::Nobody, fields: Vec::new() }
}
