//! `studies`.

use crate::http::local::page::PARAMETERS;
use crate::http::local::schema::{Answered, COUNT, Member, Schema, Told, may, needed};
use crate::http::local::told::{NEXT, NO_MEMBERS, NULL_REASON, NULL_TEXT, TEXTS};

pub(in crate::http::local) const LIST: Told =
    Told::new("List the studies", Answered::Json(Schema::Object(&[needed("studies", Schema::List(&STUDY)), NEXT])))
        .query(&PARAMETERS);
pub(in crate::http::local) const ADD: Told = Told::new("Add a study", Answered::Made(STUDY)).body(Schema::Object(&[
    needed("name", Schema::Name),
    needed("recipients", TEXTS),
    may("rules", RULES_WANTED),
]));
pub(in crate::http::local) const SHOW: Told = Told::new("Show a study", Answered::Json(STUDY));
pub(in crate::http::local) const SET: Told = Told::new("Change a study's rules or recipients", Answered::Json(NOTED))
    .body(Schema::Object(&[may("recipients", TEXTS), may("rules", RULES_WANTED)]));
pub(in crate::http::local) const LOCK: Told =
    Told::new("Let a study take no new participants", Answered::Json(STUDY)).body(NO_MEMBERS);
pub(in crate::http::local) const CLOSE: Told = Told::new("Close a study", Answered::Json(CLOSED)).body(CLOSING);

const STUDY: Schema = Schema::Named("Study", &Schema::Object(MEMBERS));
const NOTED: Schema = Schema::Joined(&[MEMBERS, &[needed("notes", TEXTS)]]);
const CLOSED: Schema = Schema::Joined(&[MEMBERS, &[needed("purged", COUNT)]]);
const CLOSING: Schema =
    Schema::Object(&[needed("data", Schema::Choice(&["keep", "purge"])), may("reason", NULL_REASON)]);
const MEMBERS: &[Member] = &[
    needed("name", Schema::Name),
    needed("state", Schema::Choice(&["open", "locked", "closed"])),
    needed("recipients", TEXTS),
    needed("rules", RULES),
    needed("rules_version", COUNT),
    needed("created", Schema::Time),
    needed("exports", COUNT),
    needed("participants", Schema::Map(&COUNT)),
];

const KEEP: Schema = Schema::Choice(&["keep", "drop"]);
const FATE: Schema = Schema::Choice(&["purge", "retain"]);
const LOCATION: Schema = Schema::Choice(&["drop", "coarse", "keep"]);
const DATES: Schema = Schema::Choice(&["keep", "shift"]);
const NULL_DATE: Schema = Schema::Nullable(&Schema::Date);
pub(super) const RULES: Schema = Schema::Named(
    "Rules",
    &Schema::Object(&[
        needed("types", TEXTS),
        needed("on_deregistration", FATE),
        needed("grace_days", COUNT),
        needed("location", LOCATION),
        needed("names", KEEP),
        needed("files", KEEP),
        needed("devices", KEEP),
        needed("pregnancy", KEEP),
        needed("unknown", KEEP),
        needed("dates", DATES),
        needed("minimise", Schema::Flag),
        needed("retain_until", NULL_DATE),
        needed("silent_after_days", COUNT),
        needed("garmin", NULL_TEXT),
    ]),
);
const RULES_WANTED: Schema = Schema::Nullable(&Schema::Named(
    "RulesWanted",
    &Schema::Object(&[
        may("types", TEXTS),
        may("on_deregistration", FATE),
        may("grace_days", Schema::Number(30)),
        may("location", LOCATION),
        may("names", KEEP),
        may("files", KEEP),
        may("devices", KEEP),
        may("pregnancy", KEEP),
        may("unknown", KEEP),
        may("dates", DATES),
        may("minimise", Schema::Flag),
        may("retain_until", NULL_DATE),
        may("silent_after_days", Schema::Number(65_535)),
        may("garmin", Schema::Null),
    ]),
));
