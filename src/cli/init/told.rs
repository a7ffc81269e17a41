//! What `init --system` says: before, what is going to be made; after, what to enter at Garmin and what to do next.
//!
//! On stdout stands what is entered in Garmin's endpoint tool. The notification path in it is a secret; nothing else
//! that is said is one.

use std::path::Path;

use serde_json::json;

use crate::cli::credential::Sealing;
use crate::cli::exit::Failure;
use crate::cli::init::answers::{Answers, Certificate, Setting};
use crate::cli::init::found::{CONFIGURATION, CREDENTIAL, Found, KEY_FILE, Root};
use crate::cli::init::quoted;
use crate::cli::output::{self, Form};
use crate::config::SealedBy;
use crate::model::summary::{DEREGISTRATIONS, KNOWN, PERMISSION_CHANGES};

/// Garmin gives files on request alone.
const BY_PING: &str = "activityFiles";

/// Says what is going to be made.
pub(super) fn before(found: &Found, answers: &Answers) {
    let kept = |is_kept: bool| if is_kept { " (as it stands)" } else { "" };
    let certificate = match answers.certificate.value() {
        Certificate::Files { certificate, private_key } => {
            format!("{}, {}", certificate.display(), private_key.display())
        }
        Certificate::Acme { contact, domains } => format!("by ACME for {}, contact {contact}", domains.join(", ")),
    };
    let backups = match answers.backup_dir.value() {
        Some(dir) => dir.display().to_string(),
        None => "none".to_owned(),
    };
    let escrow = match answers.recipients.len() {
        0 => "none: a lost root key loses all data".to_owned(),
        count => format!("{}, recipients: {count}", answers.escrow.display()),
    };
    output::message(&format!("  host:          {}", answers.host));
    output::message(&format!("  configuration: {CONFIGURATION}"));
    output::message(&format!("  data:          {}", found.standing.data_dir.display()));
    output::message(&format!("  certificate:   {certificate}{}", kept(is_kept(&answers.certificate))));
    output::message(&format!("  backups:       {backups}{}", kept(is_kept(&answers.backup_dir))));
    output::message(&format!("  escrow:        {escrow}"));
    if is_kept(&answers.paths) {
        output::message("  paths:         as they stand");
    }
}

/// Says what was made, what to enter at Garmin, and what comes next.
pub(super) fn after(
    answers: &Answers,
    sealing: &Sealing,
    fingerprint: &str,
    root: &Root,
    form: Form,
) -> Result<(), Failure> {
    let escrow = (!answers.recipients.is_empty()).then(|| root.at(&answers.escrow));
    let endpoints = endpoints(answers);
    let (form_of_key, key_file) = match sealing {
        Sealing::Sealed { by: SealedBy::Tpm, .. } => ("credential sealed by the TPM", root.at(CREDENTIAL)),
        Sealing::Sealed { by: SealedBy::Host, .. } => {
            ("credential sealed by this installation's key", root.at(CREDENTIAL))
        }
        Sealing::Unsealed { .. } => ("file of root's alone", root.at(KEY_FILE)),
    };
    if form == Form::Json {
        let rows = endpoints.iter().map(|[name, kind, url]| json!({ "type": name, "kind": kind, "url": url }));
        output::thing(
            form,
            &json!({
                "endpoints": rows.collect::<Vec<_>>(),
                "root_key": { "form": form_of_key, "file": key_file, "fingerprint": fingerprint },
                "escrow": escrow,
            }),
        )?;
    } else {
        let rows: Vec<_> = endpoints.into_iter().map(Vec::from).collect();
        output::message("\nEnter these in Garmin's endpoint tool, and nobody else's; the path in them is a secret:");
        output::rows(&["TYPE", "KIND", "URL"], &rows)?;
    }
    output::message(&format!("\nThe root key is a {form_of_key}: {} (fingerprint {fingerprint}).", key_file.display()));
    if let Sealing::Sealed { note: Some(why), .. } | Sealing::Unsealed { why } = sealing {
        output::message(&format!("It is not sealed better, because {why}."));
    }
    next(answers, escrow.as_deref());
    Ok(())
}

fn next(answers: &Answers, escrow: Option<&Path>) {
    let mut steps = Vec::new();
    match escrow {
        Some(file) => steps.push(format!(
            "Take {} off this machine, to where the recovery keys are not, and remove it here; then prove it once with\n   \
             `studygate keys escrow verify FILE -i KEYFILE`.",
            quoted(file)
        )),
        None => steps.push(
            "There is no escrow. Make one as soon as you can: `studygate keys escrow create --recipient age1… -o FILE`."
                .to_owned(),
        ),
    }
    if let Certificate::Files { certificate, private_key } = answers.certificate.value() {
        steps.push(format!(
            "Have {} and {} there, the key readable by the group studygate alone:\n   \
             chgrp studygate {2} && chmod 0640 {2}",
            quoted(certificate),
            quoted(private_key),
            quoted(private_key),
        ));
    }
    steps.push("systemctl daemon-reload && systemctl enable --now studygate".to_owned());
    steps.push("studygate doctor".to_owned());
    output::message("Next:");
    for (number, step) in (1..).zip(steps) {
        output::message(&format!("{number}. {step}"));
    }
}

/// What is entered where: each type, whether it is pushed or pinged, and the URL.
fn endpoints(answers: &Answers) -> Vec<[String; 3]> {
    let path = answers.paths.value().first().map_or("", String::as_str);
    let url = format!("https://{}{path}", answers.host);
    let names = KNOWN.iter().map(|known| known.name).chain([DEREGISTRATIONS, PERMISSION_CHANGES]);
    let kind = |name: &str| if name == BY_PING { "ping" } else { "push" };
    names.map(|name| [name.to_owned(), kind(name).to_owned(), url.clone()]).collect()
}

fn is_kept<T>(setting: &Setting<T>) -> bool {
    matches!(setting, Setting::Kept(_))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_has_its_row_files_by_ping_and_both_notices() {
        let answers = Answers {
            host: "study.example.org".into(),
            paths: Setting::New(vec!["/garmin/1f".into()]),
            certificate: Setting::Kept(Certificate::Files { certificate: "/c".into(), private_key: "/k".into() }),
            backup_dir: Setting::New(None),
            recipients: Vec::new(),
            escrow: "/e".into(),
        };
        let rows = endpoints(&answers);
        assert_eq!(rows.len(), KNOWN.len() + 2);
        for [name, kind, url] in rows {
            assert_eq!(url, "https://study.example.org/garmin/1f");
            assert_eq!(kind == "ping", name == BY_PING, "{name}");
        }
    }
}
