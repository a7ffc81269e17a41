//! What pulls brought, put into the journal as the worker does.

use super::{Site, known};
use crate::model::entry::Shape;

/// Files `{"dailies":[ITEM]}` as the answer to a pull for this user, who is known whatever the item holds.
pub(super) fn refused(site: &mut Site, user: &str, item: &str) {
    let body = format!(r#"{{"dailies":[{item}]}}"#);
    known::take(site, user, &body, b"", None, None);
    site.file();
}

/// Files a pulled file that is not what it was announced as.
pub(super) fn unexpected_file(site: &mut Site, user: &str, file: &[u8]) {
    pulled_file(site, user, file, Shape::UnexpectedFile);
}

/// Files a pulled file.
pub(super) fn pulled_file(site: &mut Site, user: &str, file: &[u8], shape: Shape) {
    let body = format!(r#"{{"activityFiles":[{{"userId":"{user}","summaryId":"f1","fileType":"FIT"}}]}}"#);
    known::take(site, user, &body, file, Some(shape), None);
    site.file();
}
