//! Files that change while they are served.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use super::*;
use crate::tls::generate;

const NOW: UnixSeconds = UnixSeconds(1_793_509_200);
const DAY: i64 = 86_400;

/// Two files in a folder of their own.
struct Folder {
    dir: tempfile::TempDir,
    files: Files,
}

impl Folder {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let files = Files { certificate: dir.path().join("c.pem"), private_key: dir.path().join("k.pem") };
        Self { dir, files }
    }

    fn loaded(&self) -> Arc<Certificate> {
        self.write(pair(NOW, 10));
        Certificate::load(self.files.clone()).expect("loads")
    }

    fn write(&self, pair: generate::Pair) {
        fs::write(&self.files.certificate, &pair.certificate).expect("written");
        fs::write(&self.files.private_key, &*pair.private_key).expect("written");
    }
}

fn pair(begin: UnixSeconds, days: u16) -> generate::Pair {
    generate::self_signed(&["localhost".to_owned()], begin, days).expect("made")
}

fn end(certificate: &Certificate) -> UnixSeconds {
    certificate.identity().expect("there is one").not_after
}

#[test]
fn changed_files_are_noticed_and_served_after_a_reload() {
    let folder = Folder::new();
    let certificate = folder.loaded();
    assert!(!certificate.is_stale(NOW));
    let before = end(&certificate);
    folder.write(pair(NOW, 20));
    assert!(certificate.is_stale(NOW));
    assert!(matches!(certificate.reload(NOW, Haste::None), Reloaded::Changed(_)));
    assert!(!certificate.is_stale(NOW));
    assert_eq!(end(&certificate), before.plus(10 * DAY));
    assert!(matches!(certificate.reload(NOW, Haste::Asked), Reloaded::Same));
}

#[test]
fn content_that_was_written_with_its_old_time_and_length_is_noticed() {
    let folder = Folder::new();
    let certificate = folder.loaded();
    let modified = fs::metadata(&folder.files.certificate).expect("there").modified().expect("a time");
    let text = fs::read(&folder.files.certificate).expect("read");
    fs::write(&folder.files.certificate, text).expect("written");
    let file = fs::File::options().write(true).open(&folder.files.certificate).expect("opened");
    file.set_modified(modified).expect("set");
    assert!(certificate.is_stale(NOW));
    assert!(matches!(certificate.reload(NOW, Haste::None), Reloaded::Same), "it says what it said");
}

#[test]
fn links_that_lead_elsewhere_are_a_change() {
    // As Kubernetes does it: the files are links through `..data`, which is exchanged by a rename.
    let folder = Folder::new();
    let put = |name: &str, pair: &generate::Pair| {
        let version = folder.dir.path().join(name);
        fs::create_dir(&version).expect("made");
        fs::write(version.join("c.pem"), &pair.certificate).expect("written");
        fs::write(version.join("k.pem"), &*pair.private_key).expect("written");
        symlink(name, folder.dir.path().join("..new")).expect("linked");
        fs::rename(folder.dir.path().join("..new"), folder.dir.path().join("..data")).expect("exchanged");
    };
    put("..1", &pair(NOW, 10));
    symlink(Path::new("..data/c.pem"), &folder.files.certificate).expect("linked");
    symlink(Path::new("..data/k.pem"), &folder.files.private_key).expect("linked");
    let certificate = Certificate::load(folder.files.clone()).expect("loads");
    let before = end(&certificate);
    put("..2", &pair(NOW, 20));
    assert!(certificate.is_stale(NOW));
    assert!(matches!(certificate.reload(NOW, Haste::None), Reloaded::Changed(_)));
    assert_eq!(end(&certificate), before.plus(10 * DAY));
}

#[test]
fn links_that_are_exchanged_one_after_the_other_raise_no_alarm() {
    // As certbot does it: live/… has a link for each file, renewed one by one.
    let folder = Folder::new();
    let certificate = folder.loaded();
    let before = end(&certificate);
    let new = pair(NOW, 20);
    fs::write(&folder.files.certificate, &new.certificate).expect("written");
    assert!(certificate.is_stale(NOW));
    assert!(matches!(certificate.reload(NOW, Haste::None), Reloaded::Settling));
    assert_eq!(end(&certificate), before);
    assert!(!certificate.is_stale(NOW.plus(1)));
    fs::write(&folder.files.private_key, &*new.private_key).expect("written");
    assert!(certificate.is_stale(NOW.plus(1)));
    assert!(matches!(certificate.reload(NOW.plus(1), Haste::None), Reloaded::Changed(_)));
    assert_eq!(end(&certificate), before.plus(10 * DAY));
    assert!(!certificate.is_stale(NOW.plus(60)));
}

#[test]
fn broken_files_leave_the_certificate_in_use_and_are_told_once() {
    let folder = Folder::new();
    let certificate = folder.loaded();
    let before = end(&certificate);
    fs::write(&folder.files.private_key, "gone").expect("written");
    assert!(matches!(certificate.reload(NOW, Haste::None), Reloaded::Settling));
    let later = NOW.plus(SETTLE_S);
    assert!(certificate.is_stale(later), "they are looked at again once they had time to become whole");
    let told = certificate.reload(later, Haste::None);
    assert!(matches!(&told, Reloaded::Refused(why) if why.to_string().contains("holds no private key")), "{told:?}");
    assert!(!certificate.is_stale(later.plus(60)), "the same broken files are not read again and again");
    assert_eq!(end(&certificate), before);
    let asked = certificate.reload(later.plus(60), Haste::Asked);
    assert!(matches!(asked, Reloaded::Refused(_)), "who asks is told at once");
    folder.write(pair(NOW, 20));
    assert!(certificate.is_stale(later.plus(61)));
    assert!(matches!(certificate.reload(later.plus(61), Haste::None), Reloaded::Changed(_)));
}

#[test]
fn certificate_that_is_not_valid_does_not_take_the_place_of_one_that_is() {
    let folder = Folder::new();
    let certificate = folder.loaded();
    let before = end(&certificate);
    folder.write(pair(NOW.plus(-30 * DAY), 10));
    let told = certificate.reload(NOW, Haste::None);
    assert!(matches!(told, Reloaded::Refused(Refused::Untimely(Validity::Expired(_)))), "{told:?}");
    folder.write(pair(NOW.plus(5 * DAY), 10));
    let told = certificate.reload(NOW, Haste::None);
    assert!(matches!(told, Reloaded::Refused(Refused::Untimely(Validity::NotYet(_)))), "{told:?}");
    assert_eq!(end(&certificate), before);
    assert!(!certificate.is_stale(NOW.plus(DAY)));
    let begun = NOW.plus(5 * DAY);
    assert!(certificate.is_stale(begun), "once it begins it is taken, though the files stay as they are");
    assert!(matches!(certificate.reload(begun, Haste::None), Reloaded::Changed(_)));
    assert_eq!(end(&certificate), before.plus(5 * DAY));
}

#[test]
fn where_none_is_valid_the_files_decide() {
    let folder = Folder::new();
    let certificate = folder.loaded();
    let late = NOW.plus(100 * DAY);
    folder.write(pair(NOW, 20));
    assert!(matches!(certificate.reload(late, Haste::None), Reloaded::Changed(_)));
}
