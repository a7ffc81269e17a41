//! What pulls brought, put into the journal as the worker does.

use super::{NOW, Site};
use crate::journal::Header;
use crate::json::split::Splitter;
use crate::model::connection::ClientId;
use crate::model::entry::{Entry, Field, Shape, Whose};
use crate::model::time::UnixSeconds;

/// Files `{"dailies":[ITEM]}` as the answer to a pull for this user, who is known whatever the item holds.
pub(super) fn refused(site: &mut Site, user: &str, item: &str) {
    let body = format!(r#"{{"dailies":[{item}]}}"#);
    take_known(site, user, &body, b"", None);
    site.file();
}

/// Files a pulled file that is not what it was announced as.
pub(super) fn unexpected_file(site: &mut Site, user: &str, file: &[u8]) {
    pulled_file(site, user, file, Shape::UnexpectedFile);
}

/// Files a pulled file.
pub(super) fn pulled_file(site: &mut Site, user: &str, file: &[u8], shape: Shape) {
    let body = format!(r#"{{"activityFiles":[{{"userId":"{user}","summaryId":"f1","fileType":"FIT"}}]}}"#);
    take_known(site, user, &body, file, Some(shape));
    site.file();
}

fn take_known(site: &Site, user: &str, body: &str, file: &[u8], shape: Option<Shape>) {
    let mut entries: Vec<Entry> = Vec::new();
    let mut splitter = Splitter::new();
    splitter.feed(body.as_bytes(), &mut |entry| entries.push(entry)).expect("JSON");
    let mut spool = site.at().journal.spool().expect("a spool");
    spool.write(body.as_bytes()).expect("written");
    spool.write(file).expect("written");
    for mut entry in entries {
        entry.whose = Whose::User(user.into());
        if let Some(shape) = shape {
            entry.shape = shape;
            entry.fields.push((Field::FileBytes, file.len().to_string().into()));
        }
        spool.entry(&entry).expect("written");
    }
    spool.commit(Header { received: UnixSeconds(NOW), client: ClientId::single(), pull: None }).expect("durable");
}
