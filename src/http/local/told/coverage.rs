//! Coverage.

use crate::http::local::schema::{Answered, COUNT, Schema, Told, may, needed};
use crate::http::local::told::NULL_TIME;

pub(in crate::http::local) const SHOW: Told = Told::new(
    "Show what came of each participant, day by day",
    Answered::Json(Schema::Object(&[
        needed("study", Schema::Text),
        needed("from", Schema::Date),
        needed("to", Schema::Date),
        needed("participants", Schema::List(&Schema::Named("Coverage", &ROW))),
    ])),
)
.query(&[may("from", Schema::Date), may("to", Schema::Date), may("participant", Schema::Text)]);

const NULL_COUNT: Schema = Schema::Nullable(&COUNT);
const ROW: Schema = Schema::Object(&[
    needed("code", Schema::Text),
    needed("state", Schema::Text),
    needed("days", Schema::Text),
    needed("received_days", COUNT),
    needed("partial_days", COUNT),
    needed("missing_days", COUNT),
    needed(
        "longest_gap",
        Schema::Nullable(&Schema::Object(&[
            needed("days", COUNT),
            needed("from", Schema::Date),
            needed("to", Schema::Date),
        ])),
    ),
    needed("first_seen", NULL_TIME),
    needed("last_seen", NULL_TIME),
    needed("silent_since", NULL_TIME),
    needed("wear_minutes", NULL_COUNT),
    needed(
        "types",
        Schema::Map(&Schema::Object(&[needed("days", Schema::Text), needed("minutes", Schema::List(&NULL_COUNT))])),
    ),
]);
