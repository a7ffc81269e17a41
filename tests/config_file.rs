//! The configuration file as an operator meets it: defaults, refusals with their place, the shipped samples.

use std::{fs, path::PathBuf, time::Duration};

use studygate::config::{Config, Environment, UnassignedPolicy};

const TLS: &str = "[ingress.tls]\ncertificate = \"c.pem\"\nprivate_key = \"k.pem\"\n";

/// A folder with one configuration file in it.
struct Site {
    _dir: tempfile::TempDir,
    file: PathBuf,
}

impl Site {
    fn new(text: &str) -> Site {
        let dir = tempfile::tempdir().expect("a folder");
        let file = dir.path().join("studygate.toml");
        fs::write(&file, text).expect("written");
        Site { _dir: dir, file }
    }

    fn load(&self) -> Result<Config, Vec<String>> {
        self.load_with(&Environment::default())
    }

    fn load_with(&self, environment: &Environment) -> Result<Config, Vec<String>> {
        let prefix = format!("{}, ", self.file.display());
        let whole_file = format!("{}: ", self.file.display());
        Config::load(&self.file, environment).map_err(|faults| {
            let texts = faults.iter().map(ToString::to_string);
            texts.map(|text| text.replace(&prefix, "").replace(&whole_file, "")).collect()
        })
    }
}

/// The file with a certificate section after it is refused with exactly this fault.
fn check_refused(text: &str, fault: &str) {
    let faults = Site::new(&format!("{text}\n{TLS}")).load().expect_err(text);
    assert_eq!(faults, [fault], "{text}");
}

#[test]
fn certificate_alone_makes_a_configuration_of_defaults() {
    let config = Site::new(TLS).load().expect("a configuration");
    assert_eq!(config.data_dir, PathBuf::from("/var/lib/studygate"));
    assert_eq!(config.ingress.listen, ["[::]:443".parse().expect("an address")]);
    assert_eq!(config.ingress.paths, ["/garmin"]);
    assert_eq!(config.ingress.max_body, 134_217_728);
    assert_eq!(config.ingress.body_deadline, Duration::from_secs(300));
    assert_eq!(config.ingress.body_min_rate, 16_384);
    assert_eq!(config.ingress.max_connections, 256);
    assert_eq!(config.local.socket, PathBuf::from("/run/studygate/studygate.sock"));
    assert_eq!(config.metrics.listen, Some("127.0.0.1:9464".parse().expect("an address")));
    assert_eq!(config.storage.disk_reserve, 268_435_456);
    assert_eq!(config.unassigned.policy, UnassignedPolicy::Hold);
    assert_eq!(config.unassigned.hold_for, Duration::from_secs(30 * 86_400));
    assert_eq!(config.unassigned.max_bytes, 1 << 30);
    assert_eq!(config.tombstones.keep_for, Duration::from_secs(90 * 86_400));
    assert_eq!(config.root_key_file(), PathBuf::from("/etc/studygate/credentials/root.key"));
}

#[test]
fn configuration_without_certificate_is_refused() {
    let faults = Site::new("[ingress]\nmax_connections = 8\n").load().expect_err("no certificate");
    assert_eq!(
        faults,
        ["line 1, column 2: a certificate is required; name certificate and private_key under [ingress.tls], or the \
          host names to have certified under [ingress.acme]"]
    );
}

#[test]
fn unknown_key_is_refused_with_the_nearest() {
    check_refused(
        "log = \"info\"\n[ingress]\nmax_bodi = \"128MiB\"",
        "line 3, column 1: the key `max_bodi` is not known here; the nearest known one is `max_body`",
    );
    check_refused(
        "[metrik]\nlisten = \"\"",
        "line 1, column 2: the key `metrik` is not known here; the nearest known one is `metrics`",
    );
}

#[test]
fn broken_toml_is_refused_where_it_breaks() {
    let faults = Site::new("log = \"info\"\ndata_dir = \n").load().expect_err("broken");
    assert_eq!(faults.len(), 1);
    assert!(faults[0].starts_with("line 2, column "), "{faults:?}");
    assert_eq!(faults[0].lines().count(), 1, "{faults:?}");
}

#[test]
fn value_of_the_wrong_kind_is_refused_where_it_stands() {
    check_refused(
        "[storage]\ndisk_reserve = \"plenty\"",
        "line 2, column 16: a size is a whole number and a unit, such as \"128MiB\" (B, KiB, MiB, GiB)",
    );
    check_refused(
        "[ingress]\nbody_deadline = \"5 weeks\"",
        "line 2, column 17: a span of time is a whole number and a unit, such as \"300s\" (s, m, h, d)",
    );
    check_refused(
        "[ingress]\nallow_from = [\"192.0.2.0/40\"]",
        "line 2, column 14: \"192.0.2.0/40\" is no network such as \"192.0.2.0/24\" or \"2001:db8::/32\"",
    );
    check_refused(
        "[ingress]\nlisten = [\"443\"]",
        "line 2, column 10: \"443\" is no address with a port, such as \"[::]:443\" or \"127.0.0.1:9464\"",
    );
}

#[test]
fn body_limit_below_what_garmin_may_send_is_refused() {
    check_refused(
        "[ingress]\nmax_body = \"99999999B\"",
        "line 2, column 1: ingress.max_body is less than the 100MB that Garmin may send; set it to 100MB or more",
    );
    let config = Site::new(&format!("[ingress]\nmax_body = \"100MB\"\n{TLS}")).load().expect("just enough");
    assert_eq!(config.ingress.max_body, 100_000_000);
}

#[test]
fn notification_path_must_be_one() {
    for (path, what) in [
        ("garmin", "must begin with \"/\""),
        ("/", "has an empty part; write it as \"/name\" or \"/name/name\""),
        ("/a//b", "has an empty part; write it as \"/name\" or \"/name/name\""),
        ("/a?b", "must be made of letters, digits, \"-\", \"_\", \".\" and \"~\" alone"),
        ("/a/../b", "must be made of letters, digits, \"-\", \"_\", \".\" and \"~\" alone"),
        ("/join", "is kept free for participants' pages; choose another"),
    ] {
        check_refused(
            &format!("[ingress]\npaths = [\"/fine\", \"{path}\"]"),
            &format!("line 2, column 1: path 2 of ingress.paths {what}"),
        );
    }
}

#[test]
fn metrics_beyond_loopback_need_a_certificate() {
    check_refused(
        "[metrics]\nlisten = \"0.0.0.0:9464\"",
        "line 2, column 1: metrics beyond loopback need a certificate and a monitor's token; name the certificate under \
         [metrics.tls], or listen on 127.0.0.1 or [::1]",
    );
    let tls = "[metrics.tls]\ncertificate = \"m.pem\"\nprivate_key = \"m.key\"\n";
    let site = Site::new(&format!("[metrics]\nlisten = \"0.0.0.0:9464\"\n{tls}{TLS}"));
    let named = site.load().expect("with a certificate").metrics.tls.expect("named").certificate;
    assert_eq!(named, site.file.with_file_name("m.pem"));
    let config = Site::new(&format!("[metrics]\nlisten = \"\"\n{TLS}")).load().expect("off");
    assert_eq!(config.metrics.listen, None);
}

#[test]
fn api_over_https_and_its_certificate_need_each_other() {
    let tls = "[local.tls]\ncertificate = \"l.pem\"\nprivate_key = \"l.key\"\n";
    check_refused(
        "[local]\nlisten = \"127.0.0.1:8444\"",
        "line 2, column 1: the API over HTTPS needs a certificate; name certificate and private_key under [local.tls]",
    );
    check_refused(
        tls,
        "line 1, column 8: [local.tls] is for local.listen, which is not set; set it, or take [local.tls] out",
    );
    let config = Site::new(&format!("[local]\nlisten = \"127.0.0.1:8444\"\n{tls}{TLS}")).load().expect("both");
    assert!(config.local.listen.is_some() && config.local.tls.is_some());
}

#[test]
fn grant_is_refused_where_it_can_mean_nothing() {
    let grant =
        |study: &str, role: &str| format!("[[local.grant]]\ngroup = \"g\"\nstudy = \"{study}\"\nrole = \"{role}\"\n");
    let fault = |text: String| Site::new(&format!("{text}{TLS}")).load().expect_err("refused").join("\n");
    assert!(
        fault(grant("*", "boss")).contains("set it to one of viewer, exporter, coordinator, auditor, monitor, admin")
    );
    assert!(fault(grant("A B", "viewer")).contains("no study's name"));
    let config = Site::new(&format!("{}{TLS}", grant("SLEEP", "coordinator"))).load().expect("a grant");
    assert_eq!(config.local.grant.len(), 1);
}

#[test]
fn tombstones_that_backups_outlive_are_refused() {
    check_refused(
        "[tombstones]\nkeep_for = \"13d\"",
        "line 2, column 1: tombstones.keep_for is less than the 14 days that backups are kept, so a restore could \
         bring a purged person back; set it to 14d or more",
    );
}

#[test]
fn brake_on_deregistrations_leaves_time_to_look_and_stops_not_everything() {
    check_refused(
        "[deregistration]\nflood_least = 0",
        "line 2, column 1: deregistration.flood_least is zero, so every notice would wait for a person; set it to 1 or \
         more",
    );
    check_refused(
        "[deregistration]\nhold_for = \"10m\"",
        "line 2, column 1: deregistration.hold_for is less than an hour, so nobody could look in time; set it to 1h or \
         more",
    );
    let text = format!("[deregistration]\nflood_share = 0.5\nflood_least = 20\nhold_for = \"24h\"\n{TLS}");
    let found = Site::new(&text).load().expect("a configuration").deregistration;
    assert_eq!((found.flood_share, found.flood_least, found.hold_for.as_secs()), (0.5, 20, 86_400));
}

#[test]
fn callbacks_lead_only_where_the_site_may_send_them() {
    check_refused(
        "[pull]\nhosts = []",
        "line 2, column 1: pull.hosts is empty: name the hosts that callbacks may lead to",
    );
    check_refused(
        "[pull]\nhosts = [\"127.0.0.1:8445\"]",
        "line 2, column 1: `127.0.0.1:8445` in pull.hosts names a port or an IP address: write a host's name alone, or \
         set pull.allow_private for a trial",
    );
    check_refused(
        "[pull]\nproxy = \"http://user:pass@proxy.site:3128\"",
        "line 2, column 1: pull.proxy must be http://host:port, without a user name, a password or a path",
    );
    check_refused(
        "[pull]\nconcurrency = 0",
        "line 2, column 1: pull.concurrency is zero, so nothing would be fetched; set it to 1 or more",
    );
    check_refused(
        "[pull]\nmax_body = \"1KiB\"",
        "line 2, column 1: pull.max_body is less than an activity file may have; set it to 1MiB or more",
    );
    let text = format!("[pull]\nproxy = \"http://proxy.site:3128\"\nca_file = \"ca.pem\"\n{TLS}");
    let site = Site::new(&text);
    let config = site.load().expect("a configuration");
    let ca = site.file.with_file_name("ca.pem");
    assert_eq!(config.pull.ca_file, ca);
    let fault = config.upstream().map(drop).expect_err("the authority is not there").to_string();
    assert!(fault.starts_with(&format!("{}: pull.ca_file cannot be read", ca.display())), "{fault}");
    fs::write(&ca, "no certificate").expect("written");
    let fault = config.upstream().map(drop).expect_err("it is no certificate").to_string();
    assert!(fault.contains("pull.ca_file holds no usable certificate"), "{fault}");
}

#[test]
fn setting_without_effect_in_this_version_is_refused() {
    let garmin = "[garmin.main]\nclient_id = \"x\"\nclient_secret = \"/s\"\n";
    let join = "[join]\npublic_url = \"https://study.example.org\"\nconsent_dir = \"/c\"\n";
    for text in [garmin, join] {
        let faults = Site::new(&format!("{text}{TLS}")).load().expect_err(text);
        assert_eq!(faults.len(), 1, "{text}: {faults:?}");
        assert!(faults[0].starts_with("line ") && faults[0].contains("not part of this version; "), "{faults:?}");
    }
}

#[test]
fn certificate_is_named_or_ordered_for_names_that_can_be_proved() {
    let faults = |text: &str| Site::new(text).load().err().unwrap_or_default();
    let good = "[ingress.acme]\ndomains = [\"Study.Example.org\", \"xn--stdie-lva.example\", \"gate\"]\n\
                contact = \"it@example.org\"\ndirectory = \"https://ca.example.org/acme/directory\"\n";
    assert_eq!(faults(good), Vec::<String>::new());
    let both = format!("{TLS}[ingress.acme]\ndomains = [\"study.example.org\"]\n");
    let told = faults(&both);
    assert!(
        told.len() == 1 && told[0].starts_with("line 5, column 1: a certificate is named in [ingress.tls]"),
        "{told:?}"
    );
    for (name, what) in [
        ("192.0.2.1", "is an address"),
        ("2001:db8::1", "is an address"),
        ("*.example.org", "is a wildcard"),
        ("", "is no host name"),
        ("a..b", "is no host name"),
        ("-a.example", "is no host name"),
        ("bücher.example", "is no host name"),
        ("https://a.example", "is no host name"),
        ("a.example:443", "is no host name"),
        ("1.2.3", "is no host name"),
    ] {
        let told = faults(&format!("[ingress.acme]\ndomains = [{name:?}]\n"));
        assert!(
            told.len() == 1 && told[0].starts_with("line 2, column 1: ") && told[0].contains(what),
            "{name}: {told:?}"
        );
    }
    for (line, what) in [
        ("contact = \"mailto:it@example.org\"", "is no e-mail address"),
        ("contact = \"it\"", "is no e-mail address"),
        ("directory = \"http://ca.example.org\"", "is no https URL"),
        ("directory = \"https://a:b@ca.example.org\"", "is no https URL"),
    ] {
        let told = faults(&format!("[ingress.acme]\ndomains = [\"study.example.org\"]\n{line}\n"));
        assert!(
            told.len() == 1 && told[0].starts_with("line 3, column 1: ") && told[0].contains(what),
            "{line}: {told:?}"
        );
    }
    let told = faults(&format!("{TLS}[ingress.acme]\ncontact = \"it@example.org\"\n"));
    assert!(told.len() == 1 && told[0].contains("ingress.acme.domains is empty"), "{told:?}");
}

#[test]
fn backups_are_kept_elsewhere_and_no_longer_than_tombstones() {
    let faults = |text: &str| Site::new(&format!("{text}{TLS}")).load().err().unwrap_or_default();
    assert!(faults("[backup]\ndir = \"/backup\"\nkeep = 90\n").is_empty());
    for (text, what) in [
        ("[backup]\nkeep = 91\n", "tombstones.keep_for is less than the 91 days"),
        ("[tombstones]\nkeep_for = \"13d\"\n", "tombstones.keep_for is less than the 14 days"),
        ("[backup]\nkeep = 0\n", "backup.keep is zero"),
        ("data_dir = \"/d\"\n[backup]\ndir = \"/d/backup\"\n", "backup.dir is within data_dir"),
    ] {
        let faults = faults(text);
        assert!(faults.len() == 1 && faults[0].contains(what), "{text}: {faults:?}");
    }
}

#[test]
fn every_fault_is_listed() {
    let text = "data_dir = \"\"\n[ingress]\nmax_connections = 0\n[backup]\nat = \"25:00\"\n";
    let faults = Site::new(text).load().expect_err("four faults");
    let lines: Vec<_> = faults.iter().filter_map(|fault| fault.split(',').next()).collect();
    assert_eq!(lines, ["line 1", "line 3", "line 2", "line 5"], "{faults:?}");
}

#[test]
fn relative_path_is_taken_from_the_folder_of_the_file() {
    let site = Site::new(&format!("data_dir = \"data\"\n[keys]\nroot_key = \"root.key\"\n{TLS}"));
    let config = site.load().expect("a configuration");
    let folder = site.file.parent().expect("a folder");
    assert_eq!(config.data_dir, folder.join("data"));
    assert_eq!(config.root_key_file(), folder.join("root.key"));
    assert_eq!(config.ingress.tls.expect("named").certificate, folder.join("c.pem"));
}

#[test]
fn root_key_comes_from_systemd_where_none_is_named() {
    let environment =
        Environment { credentials_directory: Some("/run/credentials/x".into()), ..Environment::default() };
    let config = Site::new(TLS).load_with(&environment).expect("a configuration");
    assert_eq!(config.root_key_file(), PathBuf::from("/run/credentials/x/root.key"));
    let named = Site::new(&format!("[keys]\nroot_key = \"/k\"\n{TLS}")).load_with(&environment).expect("named");
    assert_eq!(named.root_key_file(), PathBuf::from("/k"));
}

#[test]
fn root_key_in_place_of_its_file_is_refused_and_not_repeated() {
    let key = "5EC2e7d1".repeat(8);
    check_refused(
        &format!("[keys]\nroot_key = \"{key}\""),
        "line 2, column 1: keys.root_key holds a key instead of the name of its file; put the digits into a file of mode \
         0600 and name that",
    );
}

#[test]
fn log_level_of_the_environment_stands_before_the_file() {
    let environment = |log: &str| Environment { log: Some(log.to_owned()), ..Environment::default() };
    let site = Site::new(&format!("log = \"warn\"\n{TLS}"));
    assert_eq!(site.load_with(&environment("debug")).expect("a level").log, "debug");
    assert_eq!(site.load().expect("a level").log, "warn");
    site.load_with(&environment("studygate=loud")).expect_err("no level");
}

#[test]
fn missing_file_is_a_sentence_that_says_what_to_do() {
    let missing = PathBuf::from("/nonexistent/studygate.toml");
    let faults = Config::load(&missing, &Environment::default()).expect_err("missing");
    assert_eq!(
        faults[0].to_string(),
        "/nonexistent/studygate.toml: this configuration file does not exist; name one with --config, or make a trial \
         site with `studygate init DIR`"
    );
}

#[test]
fn shipped_samples_are_accepted() {
    for (name, text) in [
        ("studygate.toml", include_str!("../config/studygate.toml")),
        ("trial.toml", &include_str!("../config/trial.toml").replace("@SECRET@", "0123456789abcdef")),
    ] {
        Site::new(text).load().unwrap_or_else(|faults| panic!("{name}: {faults:?}"));
    }
}
