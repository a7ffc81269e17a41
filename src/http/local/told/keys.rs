//! The keys.

use crate::http::local::schema::{Answered, COUNT, Member, Schema, Told, may, needed};
use crate::http::local::told::{NULL_TEXT, NULL_TIME, TEXTS};

pub(in crate::http::local) const SHOW: Told = Told::new(
    "Show the site's public key, and what is known of the others",
    Answered::Json(Schema::Object(&[
        needed("site_key", Schema::Text),
        needed("epoch", COUNT),
        ROOT_KEY,
        needed("escrow_verified", NULL_TIME),
    ])),
);
pub(in crate::http::local) const ROTATE: Told = Told::new(
    "Replace the epoch key, and the root key where asked",
    Answered::Json(Schema::Object(&[
        needed("epoch", COUNT),
        needed("epoch_destroyed", COUNT),
        needed("bodies_filed", Schema::Flag),
        may("root_key", Schema::Text),
        may("capsules", COUNT),
        may("unreached", TEXTS),
        may("note", NULL_TEXT),
    ])),
)
.body(Schema::Object(&[may("reason", NULL_TEXT), may("root", Schema::Flag), may("key", NULL_TEXT)]));
pub(in crate::http::local) const ESCROW_CREATE: Told = Told::new("Note for whom the root key was encrypted", PROVED)
    .body(Schema::Object(&[AT, PROOF, needed("recipients", TEXTS)]));
pub(in crate::http::local) const ESCROW_VERIFY: Told =
    Told::new("Compare what an escrow holds with the root key in force", PROVED).body(Schema::Object(&[AT, PROOF]));

const PROVED: Answered = Answered::Json(Schema::Object(&[needed("in_force", Schema::Flag), ROOT_KEY]));
const ROOT_KEY: Member = needed("root_key", Schema::Text);
const AT: Member = needed("at", Schema::Number(i64::MAX as u64));
const PROOF: Member = needed("proof", Schema::Text);
