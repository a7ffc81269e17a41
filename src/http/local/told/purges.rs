//! Leaving: withdrawals, purges, receipts.

use crate::http::local::page::PARAMETERS;
use crate::http::local::schema::{Answered, COUNT, Schema, Told, may, needed};
use crate::http::local::told::{ID, NEXT, NULL_REASON, NULL_TEXT, NULL_TIME, REASONED};

pub(in crate::http::local) const WITHDRAW: Told = Told::new(
    "Let a participant leave, or show what that would destroy",
    Answered::Json(Schema::Open(&[
        needed("code", Schema::Text),
        may("state", STATE),
        may("would_be", STATE),
        may("data", FATE),
        may("purge_at", NULL_TIME),
    ])),
)
.body(Schema::Object(&[
    may("reason", NULL_REASON),
    may("data", FATE),
    may("now", Schema::Flag),
    may("dry_run", Schema::Flag),
]));
pub(in crate::http::local) const RECEIPT: Told = Told::new(
    "Show the receipt of a participant who left",
    Answered::Json(Schema::Object(&[
        needed("purge", PURGE),
        needed("receipt", Schema::Any),
        needed("page", NULL_TEXT),
    ])),
);
pub(in crate::http::local) const LIST: Told = Told::new(
    "List the purges under way, or all",
    Answered::Json(Schema::Object(&[needed("purges", Schema::List(&PURGE)), NEXT])),
)
.query(&[may("all", Schema::Flag), PARAMETERS[0], PARAMETERS[1]]);
pub(in crate::http::local) const CONFIRM: Told = Told::new("Have a purge that waits begin", CONFIRMED).body(REASONED);
pub(in crate::http::local) const REJECT: Told = Told::new("Undo a purge that waits", REJECTED).body(REASONED);

const STATE: Schema = Schema::Choice(&["locked", "withdrawn"]);
const FATE: Schema = Schema::Choice(&["purge", "retain"]);
const PURGE: Schema = Schema::Named(
    "Purge",
    &Schema::Object(&[
        ID,
        needed("study", Schema::Text),
        needed("code", Schema::Text),
        needed("state", Schema::Text),
        needed("data", FATE),
        needed("started_by", Schema::Text),
        needed("requested", Schema::Time),
        needed("waits_for", NULL_TEXT),
        needed("purge_at", NULL_TIME),
        needed("bodies_pending", COUNT),
        needed("erased", NULL_TIME),
    ]),
);
const CONFIRMED: Answered = Answered::Json(Schema::Object(&[ID, needed("confirmed", Schema::True)]));
const REJECTED: Answered = Answered::Json(Schema::Object(&[ID, needed("rejected", Schema::True)]));
