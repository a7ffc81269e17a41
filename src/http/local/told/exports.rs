//! `exports`.

use crate::http::local::page::PARAMETERS;
use crate::http::local::schema::{Answered, COUNT, Member, Schema, Told, may, needed};
use crate::http::local::told::{NEXT, NULL_MOMENT, TEXTS, studies::RULES};

pub(in crate::http::local) const LIST: Told = Told::new(
    "List what was handed out",
    Answered::Json(Schema::Object(&[
        needed("exports", Schema::List(&Schema::Named("Export", &Schema::Object(MEMBERS)))),
        NEXT,
    ])),
)
.query(&[may("study", Schema::Name), PARAMETERS[0], PARAMETERS[1]]);
pub(in crate::http::local) const SHOW: Told = Told::new(
    "Show an export that was handed out",
    Answered::Json(Schema::Joined(&[MEMBERS, &[needed("codes", TEXTS), may("rules", RULES)]])),
);

const NULL_COUNT: Schema = Schema::Nullable(&COUNT);
/// Of exports that earlier versions made only what is always there is known.
const MEMBERS: &[Member] = &[
    needed("study", Schema::Text),
    needed("number", COUNT),
    needed("made", Schema::Time),
    needed("manifest_sha256", Schema::Text),
    needed("participants", COUNT),
    may("sequence", COUNT),
    may("from", NULL_MOMENT),
    may("to", NULL_MOMENT),
    may("some_participants", Schema::Flag),
    may("revisions", Schema::Flag),
    may("tables", TEXTS),
    may("format", Schema::Text),
    may("rules_version", COUNT),
    may("recipients", TEXTS),
    may("increment", Schema::Flag),
    may("changes_since", NULL_COUNT),
    may("as_of", NULL_COUNT),
    may("software", Schema::Text),
    may("by", Schema::Text),
];
