//! The plans of `init --system`.

use super::*;
use crate::cli::init::found::{SAMPLE, Standing};
use crate::config::{Config, Environment, SealedBy};

fn found(text: &str, standing: Standing) -> Found {
    Found { text: text.to_owned(), standing }
}

fn untouched() -> Found {
    found(SAMPLE, Standing { data_dir: DATA_DIR.into(), ..Standing::default() })
}

fn answers() -> Answers {
    Answers {
        host: "study.example.org".into(),
        paths: Setting::New(vec!["/garmin/1f".into()]),
        certificate: Setting::New(Certificate::Files {
            certificate: "/etc/studygate/tls/fullchain.pem".into(),
            private_key: "/etc/studygate/tls/privkey.pem".into(),
        }),
        backup_dir: Setting::New(Some(BACKUPS.into())),
        recipients: Vec::new(),
        escrow: "/etc/studygate/root-key.escrow.age".into(),
    }
}

fn sealed() -> Sealing {
    Sealing::Sealed { credential: b"sealed".to_vec(), by: SealedBy::Host, note: None }
}

fn unsealed() -> Sealing {
    Sealing::Unsealed { why: "this machine has no systemd-creds".into() }
}

/// Path, mode and owner of everything planned.
fn shape(steps: &[Step]) -> Vec<(String, u32, Owner)> {
    let of = |step: &Step| match step {
        Step::Folder { path, mode, owner } => (format!("{}/", path.display()), *mode, *owner),
        Step::File { path, mode, owner, .. } => (path.display().to_string(), *mode, *owner),
    };
    steps.iter().map(of).collect()
}

fn content(steps: &[Step], named: &str) -> String {
    let of = |step: &Step| match step {
        Step::File { path, content, .. } if path.ends_with(named) => Some(content.to_vec()),
        Step::File { .. } | Step::Folder { .. } => None,
    };
    String::from_utf8(steps.iter().find_map(of).expect("planned")).expect("text")
}

#[test]
fn usual_site_is_a_configuration_an_escrow_and_a_sealed_key_in_this_order() {
    let steps = plan(&untouched(), &answers(), "c = 1\n", Some(b"age".to_vec()), ("5ec2e7", &sealed()));
    assert_eq!(
        shape(&steps),
        [
            ("/etc/studygate/".to_owned(), 0o755, Owner::Root),
            ("/etc/studygate/tls/".to_owned(), 0o750, Owner::RootForGateway),
            ("/var/backups/studygate/".to_owned(), 0o700, Owner::Gateway),
            ("/etc/studygate/studygate.toml".to_owned(), 0o640, Owner::RootForGateway),
            ("/etc/studygate/root-key.escrow.age".to_owned(), 0o600, Owner::Root),
            ("/etc/credstore.encrypted/".to_owned(), 0o700, Owner::Root),
            ("/etc/credstore.encrypted/studygate.root.key".to_owned(), 0o600, Owner::Root),
        ]
    );
    assert!(!format!("{steps:?}").contains("5ec2e7"));
    let holds_key =
        |step: &Step| matches!(step, Step::File { content, .. } if content.windows(6).any(|w| w == b"5ec2e7"));
    assert!(!steps.iter().any(holds_key), "a sealed key is nowhere in clear");
}

#[test]
fn key_that_cannot_be_sealed_is_a_file_of_root_that_the_unit_is_told_of() {
    let steps = plan(&untouched(), &answers(), "", None, ("5ec2e7", &unsealed()));
    let shape = shape(&steps);
    assert_eq!(shape[shape.len() - 2].1, 0o700);
    assert_eq!(shape[shape.len() - 1], (KEY_FILE.to_owned(), 0o600, Owner::Root));
    assert_eq!(content(&steps, "root.key"), "5ec2e7");
    assert!(content(&steps, "root-key.conf").ends_with(&format!("[Service]\nLoadCredential=root.key:{KEY_FILE}\n")));
}

#[test]
fn folders_elsewhere_are_made_and_opened_to_the_service() {
    let mut answers = answers();
    answers.backup_dir = Setting::New(Some("/srv/backups".into()));
    let found = found(SAMPLE, Standing { data_dir: "/srv/data".into(), ..Standing::default() });
    let steps = plan(&found, &answers, "", None, ("", &sealed()));
    for dir in ["/srv/backups/", "/srv/data/"] {
        let made: Vec<_> = shape(&steps).into_iter().filter(|(path, ..)| path == dir).collect();
        assert_eq!(made, [(dir.to_owned(), 0o700, Owner::Gateway)]);
    }
    let lines = "[Service]\nReadWritePaths=-/srv/data\nReadWritePaths=-/srv/backups\n";
    assert!(content(&steps, "folders.conf").ends_with(lines));
}

#[test]
fn configuration_is_the_sample_with_the_answers_in_place_and_is_taken() {
    let text = configuration(&untouched(), &answers()).expect("written");
    let config = Config::of(Path::new(CONFIGURATION), &text, &Environment::default()).expect("taken");
    assert_eq!(config.ingress.paths, ["/garmin/1f"]);
    assert_eq!(config.backup.dir, Path::new(BACKUPS));
    assert_eq!(text.lines().count(), SAMPLE.lines().count());
}

#[test]
fn certificate_by_acme_takes_the_place_of_files() {
    let mut answers = answers();
    let domains = vec!["study.example.org".to_owned()];
    answers.certificate =
        Setting::New(Certificate::Acme { contact: "it@example.org".into(), domains: domains.clone() });
    let text = configuration(&untouched(), &answers).expect("written");
    let table: toml::Table = text.parse().expect("TOML");
    assert_eq!(edit::value(&table, "ingress.tls", "certificate"), None);
    assert_eq!(edit::value(&table, "ingress.acme", "domains"), Some(&domains.into()));
    assert_eq!(edit::value(&table, "ingress.acme", "contact"), Some(&"it@example.org".into()));
}

#[test]
fn what_is_kept_is_not_touched_and_what_is_told_replaces_it() {
    let text = "[ingress]\npaths = [\"/g/1\"] # ours\n[ingress.tls]\ncertificate = \"/c\"\nprivate_key = \"/k\"\n\
                [backup]\ndir = \"/b\"\n";
    let standing = Standing { backup_dir: Some("/b".into()), data_dir: DATA_DIR.into(), ..Standing::default() };
    let mut answers = answers();
    answers.paths = Setting::Kept(vec!["/g/1".into()]);
    answers.certificate = Setting::Kept(Certificate::Files { certificate: "/c".into(), private_key: "/k".into() });
    answers.backup_dir = Setting::Kept(Some("/b".into()));
    assert_eq!(configuration(&found(text, standing.clone()), &answers).expect("written"), text);
    answers.backup_dir = Setting::New(None);
    let told = configuration(&found(text, standing), &answers).expect("written");
    assert_eq!(told, text.replace("dir = \"/b\"", "dir = \"\""));
}
