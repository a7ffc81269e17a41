//! What each route is: its query, body and answer, for the OpenAPI document.

pub(super) mod lists;
pub(super) mod participants;
pub(super) mod purges;
pub(super) mod site;
pub(super) mod studies;

use crate::http::local::schema::{Member, Schema, needed};

/// The body of what destroys.
const REASONED: Schema = Schema::Object(&[needed("reason", Schema::Text)]);
const NO_MEMBERS: Schema = Schema::Object(&[]);
const NULL_TEXT: Schema = Schema::Nullable(&Schema::Text);
const NULL_TIME: Schema = Schema::Nullable(&Schema::Time);
const TEXTS: Schema = Schema::List(&Schema::Text);
const ID: Member = needed("id", Schema::Text);
const NEXT: Member = needed("next", NULL_TEXT);
