//! The site as a whole, and datasets.

use crate::http::local::schema::{Answered, COUNT, Schema, Told, may, needed};
use crate::http::local::told::NULL_TEXT;

pub(in crate::http::local) const EXPORT: Told = Told::new("Take the encrypted dataset of a study", Answered::Bytes)
    .query(&[
        may("participant", Schema::List(&Schema::Text)),
        may("tables", Schema::Text),
        may("from", Schema::Moment),
        may("to", Schema::Moment),
        may("since", Schema::Text),
        may("as_of", Schema::Text),
        may("revisions", Schema::Flag),
        may("format", Schema::Choice(&["csv", "parquet", "ndjson"])),
    ]);
pub(in crate::http::local) const AUDIT: Told = Told::new(
    "List the audit log, the oldest entry first",
    Answered::Json(Schema::Object(&[
        needed("entries", Schema::List(&ENTRY)),
        needed("next", Schema::Nullable(&COUNT)),
    ])),
)
.query(&[
    may("study", Schema::Text),
    may("code", Schema::Text),
    may("act", Schema::Choice(crate::audit::act::NAMES)),
    may("from", Schema::Moment),
    may("to", Schema::Moment),
    may("after", COUNT),
]);
pub(in crate::http::local) const AUDIT_VERIFY: Told = Told::new(
    "Verify the whole audit log",
    Answered::Json(Schema::Open(&[
        needed("entries", COUNT),
        needed("findings", Schema::List(&Schema::Any)),
        needed("site_key", Schema::Text),
    ])),
)
.body(Schema::Object(&[]));
pub(in crate::http::local) const BACKUPS: Told = Told::new(
    "List the backups that are known of, the oldest first",
    Answered::Json(Schema::Object(&[needed("backups", Schema::List(&BACKUP))])),
);
pub(in crate::http::local) const BACKUP_NEW: Told = Told::new("Make a backup and take it", Answered::Bytes);
pub(in crate::http::local) const PURGE_LOG: Told = Told::new("Take the purge log", Answered::Bytes);
pub(in crate::http::local) const KEYS: Told =
    Told::new("Show the site's public key", Answered::Json(Schema::Object(&[needed("site_key", Schema::Text)])));
pub(in crate::http::local) const STATUS: Told =
    Told::new("Show how the gateway is", Answered::Json(Schema::Open(&[needed("ready", Schema::Flag)])));
pub(in crate::http::local) const OPENAPI: Told =
    Told::new("Show what the API is", Answered::Json(Schema::Open(&[needed("openapi", Schema::Text)])));

const BACKUP: Schema = Schema::Named(
    "Backup",
    &Schema::Object(&[
        needed("id", Schema::Text),
        needed("made_at", Schema::Time),
        needed("file", NULL_TEXT),
        needed("bytes", COUNT),
        needed("verified_at", Schema::Nullable(&Schema::Time)),
    ]),
);

const ENTRY: Schema = Schema::Named(
    "AuditEntry",
    &Schema::Object(&[
        needed("sequence", COUNT),
        needed("at", Schema::Time),
        needed("who", Schema::Any),
        needed("act", Schema::Text),
        needed("details", Schema::Any),
        needed("study", NULL_TEXT),
        needed("code", NULL_TEXT),
    ]),
);
