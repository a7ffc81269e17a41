//! The body of a notification, and what lies ready because of it.

use bytes::Bytes;
use serde_json::Value;

use crate::simulate::account::{Control, PingedFile};
use crate::simulate::callbacks::offer::Ready;
use crate::simulate::file::FileOf;
use crate::simulate::message::{Message, Part, Window};
use crate::simulate::notification::Notification;
use crate::simulate::run::{Notes, Stage};

impl Stage<'_> {
    /// The body of a notification; what it pings lies ready from now on.
    pub(super) fn compose(&mut self, day: u32, message: Message) -> (String, Notes) {
        let (mut notification, mut notes) = (Notification::new(), Notes::default());
        for part in message {
            notification = match part {
                Part::Push(record) => notification.push(self.account.population.user(record.user), &record),
                Part::Window(window) => self.ping(notification, window, &mut notes),
                Part::File(file) => self.ping_file(notification, file, &mut notes),
                Part::Deregistration(user) => {
                    notes.controls.push(self.account.control(Control::left(user, day)));
                    notification.deregistration(self.account.population.user(user))
                }
                Part::Permissions { user, granted, changed } => {
                    notes.controls.push(self.account.control(Control::permits(user, day, granted)));
                    self.forbid(user, granted);
                    notification.permissions(self.account.population.user(user), granted, changed)
                }
            };
        }
        if !notification.records().is_empty() {
            notes.pushed = Some(self.account.pushes.sent(notification.records()));
        }
        (notification.to_json(), notes)
    }

    fn ping(&mut self, notification: Notification, window: Window, notes: &mut Notes) -> Notification {
        let Some(callbacks) = &self.cast.callbacks else { return notification };
        let contents = window.records.iter().map(|record| Value::Object(record.content.clone())).collect();
        let array = Bytes::from(Value::Array(contents).to_string());
        let offer = callbacks.offer_window(&window.summary_type, window.from, window.to, array);
        let user = self.account.population.user(window.user);
        let pinged = notification.ping(user, &window.summary_type, &offer.url, window.from);
        notes.windows.push(self.account.pinged(window, offer.id));
        pinged
    }

    fn ping_file(&mut self, notification: Notification, file: FileOf, notes: &mut Notes) -> Notification {
        let Some(callbacks) = &self.cast.callbacks else { return notification };
        let user = self.account.population.user(file.record().user);
        let offer = callbacks.offer(Ready::Recorded { user: user.clone(), file: file.clone() }, None);
        let pinged = notification.ping_file(user, &file, &offer.url);
        notes.files.push(self.account.files.len());
        self.account.files.push(PingedFile { file, offer: offer.id, is_acknowledged: false });
        pinged
    }

    /// What lies ready of this user and is not among these permissions is given no more.
    fn forbid(&mut self, user: usize, granted: &[&str]) {
        let Some(callbacks) = &self.cast.callbacks else { return };
        for offer in self.account.offers_not_permitted(user, granted).collect::<Vec<_>>() {
            callbacks.forbid(offer);
            self.account.forbid(offer);
        }
    }
}
