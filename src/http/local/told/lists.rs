//! What needs a person: held connections, refused items, failed pulls.

use crate::http::local::page::PARAMETERS;
use crate::http::local::schema::{Answered, COUNT, Member, Schema, Told, may, needed};
use crate::http::local::told::{ID, NEXT, NULL_TEXT, NULL_TIME, REASONED};

pub(in crate::http::local) const UNASSIGNED: Told = Told::new(
    "List the connections that nobody has linked",
    Answered::Json(Schema::Object(&[needed("unassigned", Schema::List(&HELD)), NEXT])),
)
.query(&PARAMETERS);
pub(in crate::http::local) const QUARANTINE: Told = Told::new(
    "List the refused items, the oldest first",
    Answered::Json(Schema::Object(&[
        needed("quarantine", Schema::List(&Schema::Named("QuarantinedItem", &Schema::Object(ITEM)))),
        NEXT,
    ])),
)
.query(&PARAMETERS);
pub(in crate::http::local) const QUARANTINE_SHOW: Told = Told::new(
    "Show a refused item with the beginning of its content",
    Answered::Json(Schema::Joined(&[
        ITEM,
        &[needed("text", Schema::Text), needed("text_cut", Schema::Flag), may("kind", Schema::Text)],
    ])),
);
pub(in crate::http::local) const QUARANTINE_CONTENT: Told =
    Told::new("Take the content of a refused item", Answered::Bytes);
pub(in crate::http::local) const QUARANTINE_RETRY: Told =
    Told::new("File a refused item once more", RETRIED).body(Schema::Object(&[may("accept", Schema::Flag)]));
pub(in crate::http::local) const QUARANTINE_DROP: Told = Told::new("Destroy a refused item", DROPPED).body(REASONED);
pub(in crate::http::local) const PULLS: Told = Told::new(
    "List the pulls that ended without data, or all",
    Answered::Json(Schema::Object(&[
        needed("pulls", Schema::List(&Schema::Named("Pull", &Schema::Object(PULL)))),
        NEXT,
    ])),
)
.query(&[may("all", Schema::Flag), PARAMETERS[0], PARAMETERS[1]]);
pub(in crate::http::local) const PULL_RETRY: Told =
    Told::new("Try a pull again at once", RETRIED).body(Schema::Object(&[]));
pub(in crate::http::local) const PULL_DROP: Told = Told::new("Give a pull up for good", DROPPED).body(REASONED);

const RETRIED: Answered = Answered::Json(Schema::Object(&[ID, needed("retried", Schema::True)]));
const DROPPED: Answered = Answered::Json(Schema::Object(&[ID, needed("dropped", Schema::True)]));
const HELD: Schema = Schema::Named(
    "HeldConnection",
    &Schema::Object(&[
        needed("handle", Schema::Text),
        needed("client", Schema::Text),
        needed("device", NULL_TEXT),
        needed("first_seen", Schema::Time),
        needed("last_seen", Schema::Time),
        needed("items", Schema::Map(&COUNT)),
    ]),
);
const ITEM: &[Member] = &[
    ID,
    needed("received", Schema::Time),
    needed("type", Schema::Text),
    needed("reason", Schema::Text),
    needed("detail", NULL_TEXT),
    needed("bytes", COUNT),
    needed("file_bytes", Schema::Nullable(&COUNT)),
    needed("study", NULL_TEXT),
    needed("code", NULL_TEXT),
    needed("unassigned", NULL_TEXT),
];
const PULL: &[Member] = &[
    ID,
    needed("type", Schema::Text),
    needed("state", Schema::Text),
    needed("received", Schema::Time),
    needed("deadline", Schema::Time),
    needed("next", NULL_TIME),
    needed("ended", NULL_TIME),
    needed("attempts", COUNT),
    needed("last", NULL_TEXT),
    needed("url", Schema::Text),
    needed(
        "for",
        Schema::List(&Schema::Object(&[
            may("study", Schema::Text),
            may("code", Schema::Text),
            may("unassigned", Schema::Text),
        ])),
    ),
];
