//! What each route is: its query, body and answer, for the OpenAPI document.

pub(super) mod coverage;
pub(super) mod exports;
pub(super) mod keys;
pub(super) mod lists;
pub(super) mod participants;
pub(super) mod purges;
pub(super) mod site;
pub(super) mod studies;

use crate::http::local::schema::{Member, Schema, needed};

/// The body of what destroys.
const REASONED: Schema = Schema::Object(&[needed("reason", Schema::Reason)]);
const NO_MEMBERS: Schema = Schema::Object(&[]);
const NULL_TEXT: Schema = Schema::Nullable(&Schema::Text);
const NULL_TIME: Schema = Schema::Nullable(&Schema::Time);
const NULL_MOMENT: Schema = Schema::Nullable(&Schema::Moment);
const NULL_NAME: Schema = Schema::Nullable(&Schema::Name);
const NULL_REASON: Schema = Schema::Nullable(&Schema::Reason);
const TEXTS: Schema = Schema::List(&Schema::Text);
const ID: Member = needed("id", Schema::Name);
const NEXT: Member = needed("next", NULL_TEXT);
