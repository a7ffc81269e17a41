//! `studies/{study}/participants`.

use crate::http::local::page::PARAMETERS;
use crate::http::local::schema::{Answered, COUNT, Member, Schema, Told, may, needed};
use crate::http::local::told::{NEXT, NULL_MOMENT, NULL_NAME, NULL_REASON, NULL_TEXT, NULL_TIME, TEXTS};

pub(in crate::http::local) const LIST: Told = Told::new(
    "List a study's participants",
    Answered::Json(Schema::Object(&[needed("participants", Schema::List(&PARTICIPANT)), NEXT])),
)
.query(&[may("silent", Schema::Text), PARAMETERS[0], PARAMETERS[1]]);
pub(in crate::http::local) const ADD: Told = Told::new("Add a participant", Answered::Made(PARTICIPANT))
    .body(Schema::Joined(&[CONNECTION, &[may("code", NULL_NAME), may("consent", CONSENT)]]));
pub(in crate::http::local) const SHOW: Told = Told::new("Show a participant", Answered::Json(SHOWN));
pub(in crate::http::local) const SET: Told =
    Told::new("Change a participant's window or consent", Answered::Json(PARTICIPANT)).body(Schema::Object(&[
        may("from", NULL_MOMENT),
        may("to", NULL_MOMENT),
        may("consent", CONSENT),
    ]));
pub(in crate::http::local) const DISCLOSE: Told =
    Told::new("Take everything that is held on a participant, encrypted", Answered::Bytes)
        .query(&[needed("recipient", Schema::Text)]);
pub(in crate::http::local) const RENAME: Told =
    Told::new("Give a participant another code", CHANGED).body(Schema::Object(&[needed("new_code", Schema::Name)]));
pub(in crate::http::local) const LINK: Told =
    Told::new("Link a connection to a participant", CHANGED).body(Schema::Object(CONNECTION));
pub(in crate::http::local) const UNLINK: Told = Told::new("End a link of a participant", CHANGED)
    .body(Schema::Object(&[may("at", NULL_MOMENT), may("link", Schema::Number(4_294_967_295))]));
pub(in crate::http::local) const PAUSE: Told = Told::new("Pause collection", CHANGED).body(AT);
pub(in crate::http::local) const RESUME: Told = Told::new("Resume collection", CHANGED).body(AT);
pub(in crate::http::local) const COMPLETE: Told = Told::new("End collection as planned", CHANGED).body(AT);

const CHANGED: Answered = Answered::Json(PARTICIPANT);
const AT: Schema = Schema::Object(&[may("at", NULL_MOMENT)]);
const CONSENT: Schema = Schema::Nullable(&Schema::Named(
    "Consent",
    &Schema::Object(&[needed("version", Schema::Text), needed("date", Schema::Text)]),
));
const CONNECTION: &[Member] = &[
    may("garmin_user", NULL_TEXT),
    may("unassigned", NULL_NAME),
    may("client", NULL_TEXT),
    may("from", NULL_MOMENT),
    may("to", NULL_MOMENT),
    may("despite_withdrawal", Schema::Flag),
    may("reason", NULL_REASON),
];

const PARTICIPANT: Schema = Schema::Named("Participant", &Schema::Object(MEMBERS));
const SHOWN: Schema = Schema::Joined(&[MEMBERS, &[may("purge", Schema::Any), may("receipt", Schema::Any)]]);
const STATES: &[&str] = &["active", "paused", "completed", "withdrawn", "retained", "locked"];
const MEMBERS: &[Member] = &[
    needed("code", Schema::Name),
    needed("state", Schema::Choice(STATES)),
    needed("from", NULL_MOMENT),
    needed("to", NULL_MOMENT),
    needed("pauses", Schema::List(&WINDOW)),
    needed("consent", CONSENT),
    needed("added", NULL_TIME),
    needed("erased", NULL_TIME),
    needed("links", Schema::List(&LINKED)),
    needed("permissions", Schema::List(&PERMITTED)),
    may("locked_until", Schema::Time),
    may("silent_since", Schema::Time),
    may("last_seen", NULL_TIME),
];
const WINDOW: Schema = Schema::Object(&[needed("from", NULL_MOMENT), needed("to", NULL_MOMENT)]);
const LINKED: Schema = Schema::Object(&[
    needed("number", COUNT),
    needed("client", Schema::Text),
    needed("from", NULL_MOMENT),
    needed("to", NULL_MOMENT),
    needed("current", Schema::Flag),
]);
const PERMITTED: Schema = Schema::Object(&[
    needed("link", COUNT),
    needed("granted", Schema::Nullable(&TEXTS)),
    needed("since", NULL_TIME),
    needed("told", NULL_TIME),
    needed("answered_412", Schema::Map(&Schema::Time)),
]);
