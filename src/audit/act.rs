//! What can be done: the closed set of acts, each with the few details that it has.
//!
//! Never: a payload, a Garmin id, a token, or anything of a person but a pseudonym.

use serde::Serialize;

macro_rules! acts {
    ($(
        #[doc = $doc:literal]
        $variant:ident = $name:literal { $($(#[doc = $field_doc:literal])+ $field:ident: $kind:ty,)* }
    )*) => {
        /// Something that was done.
        #[derive(Clone, Debug, PartialEq, Eq, Serialize)]
        #[serde(tag = "act", content = "details")]
        pub enum Act {
            $(
                #[doc = $doc]
                #[serde(rename = $name)]
                $variant { $($(#[doc = $field_doc])+ $field: $kind,)* },
            )*
        }

        /// The name of every act.
        pub const NAMES: &[&str] = &[$($name),*];

        impl Act {
            /// Its name.
            pub fn name(&self) -> &'static str {
                match self {
                    $(Self::$variant { .. } => $name,)*
                }
            }
        }
    };
}

acts! {
    /// A study was added.
    StudyAdded = "study-added" {
        /// The version of its rules.
        rules_version: u32,
        /// Its rules, each as `name: value`.
        rules: Vec<String>,
        /// SHA-256 of each recipient's text.
        recipients: Vec<String>,
    }
    /// A study's rules were set.
    StudySet = "study-set" {
        /// The version of its rules from here on.
        rules_version: u32,
        /// The rules that are others than before, each as `name: value before -> value`.
        changed: Vec<String>,
    }
    /// Others than before can open a study's datasets.
    RecipientsChanged = "recipients-changed" {
        /// SHA-256 of the text of each that there was.
        before: Vec<String>,
        /// SHA-256 of the text of each that there is.
        recipients: Vec<String>,
    }
    /// A study takes no new participants.
    StudyLocked = "study-locked" {}
    /// A study takes nothing.
    StudyClosed = "study-closed" {
        /// Whether its data are to go.
        purge: bool,
        /// Why, in a person's words.
        reason: Option<String>,
    }
    /// A participant was added.
    ParticipantAdded = "participant-added" {
        /// Whether with a connection.
        linked: bool,
    }
    /// A study's participants were listed.
    ParticipantsListed = "participants-listed" {}
    /// What came of a study's participants, day by day, was shown.
    CoverageShown = "coverage-shown" {}
    /// A participant was shown.
    ParticipantShown = "participant-shown" {}
    /// A participant's window or consent was set.
    ParticipantSet = "participant-set" {}
    /// A participant has another code.
    ParticipantRenamed = "participant-renamed" {
        /// The code from here on.
        new_code: String,
    }
    /// A connection was linked.
    ParticipantLinked = "participant-linked" {}
    /// A connection whose user had left was linked again by a deliberate act.
    LinkedDespiteWithdrawal = "linked-despite-withdrawal" {
        /// Why, in a person's words.
        reason: Option<String>,
    }
    /// A link was ended.
    ParticipantUnlinked = "participant-unlinked" {}
    /// Collection pauses.
    ParticipantPaused = "participant-paused" {}
    /// Collection goes on.
    ParticipantResumed = "participant-resumed" {}
    /// Collection ended as planned.
    ParticipantCompleted = "participant-completed" {}
    /// A participant was withdrawn by a person's decision.
    ParticipantWithdrawn = "participant-withdrawn" {
        /// Why, in a person's words.
        reason: Option<String>,
        /// Whether with all the others, at the end of the study.
        with_the_study: bool,
        /// The purge; none where it had begun before.
        purge: Option<String>,
        /// Whether the data are to be purged or retained.
        data: Option<&'static str>,
        /// Until when the participant is locked and nothing is destroyed.
        waits_until: Option<String>,
    }
    /// What a withdrawal would destroy was shown.
    WithdrawalPreviewed = "withdrawal-previewed" {}
    /// Everything held on one participant was handed out.
    ParticipantDisclosed = "participant-disclosed" {
        /// SHA-256 of the text of the recipient whom it was encrypted to.
        recipient: String,
    }
    /// A dataset is being handed out.
    ExportBegun = "export-begun" {
        /// The number it will have.
        number: u32,
        /// The export that it is an increment to.
        since: Option<u32>,
        /// The export that it makes again, by the rules of then.
        as_of: Option<u32>,
    }
    /// A dataset was handed out whole.
    ExportMade = "export-made" {
        /// Its number.
        number: u32,
        /// Its length.
        bytes: u64,
        /// SHA-256 of the encrypted file.
        sha256: String,
        /// SHA-256 of its manifest.
        manifest_sha256: String,
        /// How many participants it covers.
        participants: u64,
    }
    /// A dataset was not handed out whole.
    ExportFailed = "export-failed" {
        /// The number it would have had.
        number: u32,
    }
    /// What was handed out was listed.
    ExportsListed = "exports-listed" {}
    /// An export that was handed out was shown.
    ExportShown = "export-shown" {
        /// Its number.
        number: u32,
    }
    /// Held connections were listed.
    UnassignedListed = "unassigned-listed" {}
    /// Quarantined items were listed.
    QuarantineListed = "quarantine-listed" {}
    /// A quarantined item was shown.
    QuarantineShown = "quarantine-shown" {
        /// The item.
        item: String,
    }
    /// A quarantined item was filed once more.
    QuarantineRetried = "quarantine-retried" {
        /// The item.
        item: String,
        /// Whether as what it was announced as.
        accepted: bool,
    }
    /// A quarantined item was destroyed.
    QuarantineDropped = "quarantine-dropped" {
        /// The item.
        item: String,
        /// Why, in a person's words.
        reason: String,
    }
    /// Pulls were listed.
    PullsListed = "pulls-listed" {}
    /// A pull was tried again.
    PullRetried = "pull-retried" {
        /// The pull.
        pull: String,
    }
    /// A pull was given up.
    PullDropped = "pull-dropped" {
        /// The pull.
        pull: String,
        /// Why, in a person's words.
        reason: String,
    }
    /// A deregistration notice withdrew a participant.
    DeregistrationObeyed = "deregistration-obeyed" {
        /// Whether the same had been done before: a notice that came again, or was replayed at a start.
        repeated: bool,
        /// The purge.
        purge: Option<String>,
        /// Whether the data are to be purged or retained.
        data: Option<&'static str>,
        /// Until when the participant is locked by the study's grace and nothing is destroyed.
        waits_until: Option<String>,
    }
    /// A deregistration notice ended one of the links of a participant who has another: nothing is destroyed.
    DeregistrationEndedLink = "deregistration-ended-link" {}
    /// Notices for connections that are neither linked nor held, which touched nothing.
    DeregistrationUnknown = "deregistration-unknown" {
        /// How many.
        notices: u64,
    }
    /// A deregistration notice dropped what was held for connections that nobody had linked.
    DeregistrationDropped = "deregistration-dropped" {
        /// How many connections.
        connections: u64,
    }
    /// A deregistration notice was one of so many that its purge waits for a person; the participant is locked.
    DeregistrationHeld = "deregistration-held" {
        /// The purge.
        purge: Option<String>,
        /// Whether the data are to be purged or retained.
        data: Option<&'static str>,
        /// When it begins unless somebody rejects it.
        waits_until: Option<String>,
    }
    /// A participant changed at Garmin what may be collected.
    PermissionChanged = "permission-changed" {
        /// Whether the same held already: the notice was replayed at a start, or filed before this was entered.
        repeated: bool,
    }
    /// Purges were listed.
    PurgesListed = "purges-listed" {}
    /// A purge that waited begins by a person's decision.
    PurgeConfirmed = "purge-confirmed" {
        /// The purge.
        purge: Option<String>,
        /// Why, in a person's words.
        reason: Option<String>,
    }
    /// A purge that waited is not done, by a person's decision.
    PurgeRejected = "purge-rejected" {
        /// The purge.
        purge: Option<String>,
        /// Why, in a person's words.
        reason: Option<String>,
    }
    /// A purge began because its wait was over.
    PurgeBegun = "purge-begun" {
        /// The purge.
        purge: Option<String>,
    }
    /// A participant's data and keys were destroyed.
    PurgeCarriedOut = "purge-carried-out" {
        /// The purge.
        purge: Option<String>,
        /// Records that went.
        records: u64,
        /// Their bytes.
        bytes: u64,
        /// The epoch whose key was destroyed.
        epoch_destroyed: Option<u64>,
    }
    /// What identified a participant was destroyed, the identity key with it; the rest is retained under the code.
    DataRetained = "data-retained" {
        /// The purge.
        purge: Option<String>,
        /// Bytes of what identified the participant.
        bytes: u64,
        /// The epoch whose key was destroyed.
        epoch_destroyed: Option<u64>,
    }
    /// The database was rewritten without what a purge had deleted.
    DatabaseCompacted = "database-compacted" {
        /// The purge.
        purge: Option<String>,
    }
    /// The receipt of a purge was handed out.
    ReceiptShown = "receipt-shown" {}
    /// A token was made.
    TokenAdded = "token-added" {
        /// Its name.
        token: String,
        /// What it is to the gateway.
        role: &'static str,
        /// From when on it is refused.
        expires: Option<String>,
    }
    /// A token opens nothing any more.
    TokenRevoked = "token-revoked" {
        /// Its name.
        token: String,
        /// Why, in a person's words.
        reason: Option<String>,
    }
    /// Keys were rotated by a person's decision.
    KeysRotated = "keys-rotated" {
        /// The epoch from then on.
        epoch: u64,
        /// The fingerprint of the root key from then on, where it was replaced.
        root_key: Option<String>,
        /// What a person gave as the reason.
        reason: Option<String>,
    }
    /// The root key was encrypted to recipients, for safekeeping elsewhere.
    EscrowMade = "escrow-made" {
        /// The root key's fingerprint.
        root_key: String,
        /// SHA-256 of each recipient's text.
        recipients: Vec<String>,
    }
    /// An escrow of the root key was opened and compared with the key in force.
    EscrowVerified = "escrow-verified" {
        /// The fingerprint of the key in force.
        root_key: String,
        /// Whether it held this key.
        matches: bool,
    }
    /// A backup is being handed out.
    BackupBegun = "backup-begun" {
        /// The backup.
        backup: String,
    }
    /// A backup was made, whole.
    BackupMade = "backup-made" {
        /// The backup.
        backup: String,
        /// Its length.
        bytes: u64,
        /// Its name in the folder of backups; none where it was handed out.
        file: Option<String>,
    }
    /// A backup could not be made.
    BackupFailed = "backup-failed" {
        /// The backup, where it was begun.
        backup: Option<String>,
    }
    /// The purge log that a restore needs was handed out.
    PurgeLogHandedOut = "purge-log-handed-out" {}
    /// The data directory was restored from a backup; what came after that is lost, but for what the purge log said.
    Restored = "restored" {
        /// The backup.
        backup: String,
        /// When it was begun.
        made_at: String,
        /// Up to when the purge log said everything; none where none was there.
        purge_log_to: Option<String>,
        /// Whether it was restored though no current purge log was there.
        forced: bool,
        /// Purges since, that were carried out again.
        purges: u64,
    }
    /// This log was read.
    AuditListed = "audit-listed" {}
    /// This log was verified.
    AuditVerified = "audit-verified" {
        /// How many findings there were.
        findings: u64,
    }
    /// The gateway started.
    Started = "started" {
        /// Its version.
        version: &'static str,
        /// Whether it was stopped before; else it ended in the midst of things.
        after_stop: bool,
    }
    /// The gateway stopped.
    Stopped = "stopped" {}
    /// The head was signed.
    HeadSigned = "head-signed" {}
    /// A change was under way when the gateway ended: whether it is in force shows in what it was to change.
    Interrupted = "interrupted" {
        /// What was asked for.
        request: String,
    }
    /// The last entry was not written to its end, and was never acknowledged: what there was of it was cut off.
    TailCut = "tail-cut" {
        /// How many bytes were cut off.
        bytes: u64,
    }
    /// At the start the log was not as it had been left.
    DamageFound = "damage-found" {
        /// The last entry that is there and whole.
        whole_to: u64,
        /// The last entry that is known to have been there.
        known_to: u64,
    }
}

impl Act {
    /// Whether its entry is signed, and thus a head of the log.
    pub(super) fn is_head(&self) -> bool {
        is_head(self.name())
    }
}

/// Whether entries of this act are signed.
pub(super) fn is_head(name: &str) -> bool {
    matches!(name, "started" | "stopped" | "head-signed")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_acts_are_told_apart_and_stand_in_their_json() {
        let mut names = NAMES.to_vec();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), NAMES.len());
        let act = Act::ExportBegun { number: 7, since: None, as_of: Some(3) };
        let text = serde_json::to_string(&act).expect("JSON");
        assert_eq!(text, r#"{"act":"export-begun","details":{"number":7,"since":null,"as_of":3}}"#);
        assert_eq!(act.name(), "export-begun");
    }
}
