//! Files as sites have them, right and wrong.

use super::*;
use crate::tls::generate;

const NOW: UnixSeconds = UnixSeconds(1_793_509_200);

fn folder() -> (tempfile::TempDir, Files) {
    let dir = tempfile::tempdir().expect("a folder");
    let files = Files { certificate: dir.path().join("c.pem"), private_key: dir.path().join("k.pem") };
    let made = generate::self_signed(&["localhost".to_owned()], NOW, 10).expect("made");
    fs::write(&files.certificate, &made.certificate).expect("written");
    fs::write(&files.private_key, &*made.private_key).expect("written");
    (dir, files)
}

fn sentence(files: &Files) -> String {
    Identity::load(files).expect_err("refused").to_string()
}

#[test]
fn pair_that_belongs_together_loads_with_its_end() {
    let (_dir, files) = folder();
    let identity = Identity::load(&files).expect("loads");
    assert_eq!(identity.not_after.date(), NOW.plus(10 * 86_400).date());
    assert_eq!(identity.validity(NOW.plus(86_400)), Validity::Valid);
    assert_eq!(identity.validity(identity.not_after.plus(1)), Validity::Expired(identity.not_after));
    assert_eq!(identity.validity(identity.not_before.plus(-1)), Validity::NotYet(identity.not_before));
}

#[test]
fn each_fault_has_a_sentence_that_names_the_file_and_the_remedy() {
    let (_dir, files) = folder();
    let good = fs::read(&files.certificate).expect("read");
    fs::remove_file(&files.certificate).expect("removed");
    assert!(sentence(&files).starts_with("there is no file "));
    fs::write(&files.certificate, "no PEM at all").expect("written");
    assert!(sentence(&files).contains("holds no certificate"));
    fs::write(&files.certificate, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").expect("written");
    assert!(sentence(&files).contains("cannot be understood"));
    fs::write(&files.certificate, good).expect("written");
    fs::write(&files.private_key, "").expect("written");
    assert!(sentence(&files).ends_with("is empty: write the PEM text into it again"));
    fs::write(&files.private_key, "no PEM at all").expect("written");
    assert!(sentence(&files).contains("holds no private key"));
    let other = generate::self_signed(&["localhost".to_owned()], NOW, 10).expect("made");
    fs::write(&files.private_key, &*other.private_key).expect("written");
    assert!(sentence(&files).contains("does not belong to the first certificate"));
    fs::remove_file(&files.private_key).expect("removed");
    fs::create_dir(&files.private_key).expect("made");
    assert!(sentence(&files).starts_with("cannot read "));
}

#[test]
fn binary_files_and_encrypted_keys_are_told_as_what_they_are() {
    let (_dir, files) = folder();
    let good = Identity::load(&files).expect("loads");
    let text = fs::read(&files.certificate).expect("read");
    fs::write(&files.certificate, &good.certified.cert[0]).expect("written");
    assert!(sentence(&files).contains("c.pem is binary (DER or PKCS#12)"));
    fs::write(&files.certificate, text).expect("written");
    for encrypted in [
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n",
        "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nAAAA\n-----END RSA PRIVATE KEY-----\n",
    ] {
        fs::write(&files.private_key, encrypted).expect("written");
        assert!(sentence(&files).contains("is encrypted"), "{}", sentence(&files));
    }
}

#[test]
fn weak_key_is_refused_for_its_length() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/tls");
    let files = Files { certificate: dir.join("rsa-1024.pem"), private_key: dir.join("rsa-1024.key") };
    assert!(sentence(&files).contains("an RSA key of 1024 bits"), "{}", sentence(&files));
}

#[test]
fn key_of_a_certificate_that_is_not_the_first_is_told_as_the_wrong_order() {
    let (_dir, files) = folder();
    let own = fs::read_to_string(&files.certificate).expect("read");
    let other = generate::self_signed(&["localhost".to_owned()], NOW, 10).expect("made");
    fs::write(&files.certificate, other.certificate.clone() + &own).expect("written");
    assert!(sentence(&files).ends_with("is not the first: put the server's own first"), "{}", sentence(&files));
}

#[test]
fn key_that_everybody_may_read_is_told_and_served() {
    let (_dir, files) = folder();
    let asked = Asked { now: NOW, names: &[], anchors: None };
    for (mode, exposed) in [(0o600, false), (0o640, false), (0o644, true)] {
        fs::set_permissions(&files.private_key, fs::Permissions::from_mode(mode)).expect("set");
        let found = Identity::load(&files).expect("loads").findings(&asked);
        assert_eq!(found.contains(&Finding::KeyExposed), exposed, "{mode:o}: {found:?}");
    }
}
