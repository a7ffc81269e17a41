//! An account as JSON, so that a test can ask a gateway for exactly what is in it.
//!
//! It names users by their place and by the `userId` they were made up with, tokens by their digest. A version's digest
//! is the SHA-256 of what a dataset under default rules holds of it: its members, sorted, without spaces, and without
//! the pseudonymous ids.

use ring::digest::{SHA256, digest};
use serde_json::{Value, json};

use crate::simulate::account::{Account, End, PingedFile, PingedWindow, end_of};
use crate::simulate::callbacks::Fetch;

impl Account {
    /// The whole account.
    pub fn to_json(&self) -> Value {
        let users: Vec<Value> =
            self.population.users().iter().map(|user| self.user_json(user.index, &user.id)).collect();
        let attempts: u32 = self.notifications.iter().map(|(delivery, _)| delivery.attempts).sum();
        let large = self.large.map(|(tally, is_acknowledged)| {
            json!({"bytes": tally.bytes, "items": tally.items, "samples": tally.samples, "acknowledged": is_acknowledged})
        });
        json!({
            "seed": self.settings.seed,
            "start": self.settings.start.date(),
            "days": self.settings.days,
            "users": users,
            "notifications": {
                "sent": self.notifications.len(),
                "acknowledged": self.notifications.len() - self.given_up(),
                "given_up": self.given_up(),
                "attempts": attempts,
                "sent_again": self.notifications.iter().filter(|(_, again)| *again).count(),
                "waves_lost_on_hold": self.waves_lost,
            },
            "records": self.whole_ledger().standings(),
            "windows": self.windows_json(),
            "files": self.files_json(),
            "fetches": self.fetches.iter().map(fetch_json).collect::<Vec<_>>(),
            "large": large,
        })
    }

    fn user_json(&self, user: usize, id: &str) -> Value {
        let of_user = || self.controls.iter().filter(|control| control.user == user);
        let changes = of_user().filter_map(|control| {
            let granted = control.granted.as_ref()?;
            Some(json!({"day": control.day, "permissions": granted, "acknowledged": control.is_acknowledged}))
        });
        let left = of_user().find(|control| control.granted.is_none());
        json!({
            "user": user,
            "garmin_user": id,
            "deregistered": left.map(|left| json!({"day": left.day, "acknowledged": left.is_acknowledged})),
            "permission_changes": changes.collect::<Vec<_>>(),
        })
    }

    fn windows_json(&self) -> Vec<Value> {
        let ends = self.ends();
        let of_window = |pinged: &PingedWindow| {
            json!({
                "user": pinged.window.user,
                "type": pinged.window.summary_type,
                "from": pinged.window.from.0,
                "records": pinged.window.records.len(),
                "pings": pinged.offers.len(),
                "acknowledged": pinged.is_acknowledged,
                "end": end_of(&ends, &pinged.offers).name(),
            })
        };
        self.windows.iter().map(of_window).collect()
    }

    fn files_json(&self) -> Vec<Value> {
        let ends = self.ends();
        let of_file = |PingedFile { file, offer, is_acknowledged }: &PingedFile| {
            let user = file.record().user;
            let bytes = file.bytes(self.population.user(user));
            json!({
                "user": user,
                "activity_id": file.activity_id(),
                "type": file.file_type().name(),
                "sha256": data_encoding::HEXLOWER.encode(digest(&SHA256, &bytes).as_ref()),
                "bytes": bytes.len(),
                "acknowledged": is_acknowledged,
                "end": end_of(&ends, &[*offer]).name(),
            })
        };
        self.files.iter().map(of_file).collect()
    }
}

fn fetch_json(fetch: &Fetch) -> Value {
    json!({
        "token_digest": fetch.token_digest,
        "at": fetch.at.to_string(),
        "served": fetch.served.to_string(),
        "bytes": fetch.bytes,
        "whole": fetch.is_whole,
    })
}

impl End {
    fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Whole => "whole",
            Self::Refused => "refused",
        }
    }
}
