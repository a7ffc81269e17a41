//! Chains as authorities give them and as people put them together.

use rcgen::{BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;

use super::*;

/// 2026-11-01T05:00:00Z.
const NOW: UnixSeconds = UnixSeconds(1_793_509_200);
const DAY: i64 = 86_400;

/// An authority with another below it that signs the server's certificate.
struct Authority {
    root: CertificateDer<'static>,
    intermediate: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
}

fn authority_params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::new(Vec::<String>::new()).expect("no names");
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    (params.not_before, params.not_after) = (rcgen::date_time_ymd(2020, 1, 1), rcgen::date_time_ymd(2040, 1, 1));
    params
}

fn server_params(names: &[&str]) -> CertificateParams {
    let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
    let mut params = CertificateParams::new(names).expect("names");
    params.distinguished_name.push(DnType::CommonName, "a server");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    (params.not_before, params.not_after) = (rcgen::date_time_ymd(2026, 10, 1), rcgen::date_time_ymd(2026, 12, 1));
    params
}

impl Authority {
    fn new() -> Self {
        let key = || KeyPair::generate().expect("a key");
        let (root_key, key) = (key(), key());
        let params = authority_params("a root");
        let root = params.self_signed(&root_key).expect("signed").der().clone();
        let root_issuer = Issuer::new(params, root_key);
        let params = authority_params("an intermediate");
        let intermediate = params.signed_by(&key, &root_issuer).expect("signed").der().clone();
        Self { root, intermediate, issuer: Issuer::new(params, key) }
    }

    fn signed(&self, params: &CertificateParams) -> CertificateDer<'static> {
        let key = KeyPair::generate().expect("a key");
        params.signed_by(&key, &self.issuer).expect("signed").der().clone()
    }

    fn anchors(&self) -> RootCertStore {
        let mut anchors = RootCertStore::empty();
        anchors.add(self.root.clone()).expect("a root");
        anchors
    }
}

#[track_caller]
fn check(chain: &[&CertificateDer<'static>], anchors: Option<&RootCertStore>, names: &[&str], expected: &[Finding]) {
    let chain: Vec<_> = chain.iter().map(|&one| one.clone()).collect();
    let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
    assert_eq!(findings(&chain, &Asked { now: NOW, names: &names, anchors }), expected);
}

#[test]
fn whole_chain_in_order_has_nothing_against_it_with_or_without_its_root() {
    let authority = Authority::new();
    let (leaf, anchors) = (authority.signed(&server_params(&["gate.example.org"])), authority.anchors());
    check(&[&leaf, &authority.intermediate], Some(&anchors), &["gate.example.org"], &[]);
    check(&[&leaf, &authority.intermediate, &authority.root], Some(&anchors), &[], &[]);
}

#[test]
fn missing_intermediate_is_found_where_clients_trust_public_authorities() {
    let authority = Authority::new();
    let leaf = authority.signed(&server_params(&["gate.example.org"]));
    check(&[&leaf], Some(&authority.anchors()), &[], &[Finding::Untrusted]);
    check(&[&leaf, &authority.intermediate], Some(&public_anchors()), &[], &[Finding::Untrusted]);
    check(&[&leaf], None, &[], &[]);
}

#[test]
fn wrong_order_and_strangers_are_told_apart() {
    let (authority, another) = (Authority::new(), Authority::new());
    let leaf = authority.signed(&server_params(&["gate.example.org"]));
    check(&[&leaf, &authority.root, &authority.intermediate], None, &[], &[Finding::OutOfOrder]);
    let mut params = server_params(&["gate.example.org"]);
    params.distinguished_name.push(DnType::CommonName, "another server");
    let stranger = another.signed(&params);
    check(&[&leaf, &stranger], None, &[], &[Finding::Stray]);
}

#[test]
fn names_are_held_against_the_alternative_names() {
    let authority = Authority::new();
    let check = |has: &[&str], asked: &str, is_for_it: bool| {
        let leaf = authority.signed(&server_params(has));
        let missing = vec![Finding::NameMissing(asked.to_owned())];
        let expected = if is_for_it { Vec::new() } else { missing };
        check(&[&leaf], None, &[asked], &expected);
    };
    check(&["gate.example.org"], "GATE.example.org", true);
    check(&["gate.example.org"], "example.org", false);
    check(&["*.example.org"], "gate.example.org", true);
    check(&["*.example.org"], "a.gate.example.org", false);
    check(&["*.example.org"], "example.org", false);
    check(&["192.0.2.1"], "192.0.2.1", true);
    check(&["2001:db8::1"], "2001:DB8::1", true);
    check(&["192.0.2.1"], "192.0.2.2", false);
    check(&["gate.example.org"], "192.0.2.1", false);
}

#[test]
fn certificate_without_names_or_for_clients_alone_is_told() {
    let authority = Authority::new();
    let mut params = server_params(&[]);
    check(&[&authority.signed(&params)], None, &["gate.example.org"], &[Finding::NoNames]);
    params = server_params(&["gate.example.org"]);
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    check(&[&authority.signed(&params)], None, &[], &[Finding::NotForServers]);
}

#[test]
fn times_are_held_against_the_given_one() {
    let authority = Authority::new();
    let leaf = authority.signed(&server_params(&["gate.example.org"]));
    let (begin, end) = span(std::slice::from_ref(&leaf)).expect("read");
    let at = |now| findings(std::slice::from_ref(&leaf), &Asked { now, names: &[], anchors: None });
    assert_eq!(at(begin.plus(-1)), [Finding::NotYet(begin)]);
    assert_eq!(at(begin), []);
    assert_eq!(at(end), []);
    assert_eq!(at(end.plus(1)), [Finding::Expired(end)]);
    let late = Asked { now: UnixSeconds(2_300_000_000), names: &[], anchors: Some(&authority.anchors()) };
    let chain = [leaf, authority.intermediate.clone()];
    assert_eq!(findings(&chain, &late), [Finding::Expired(end), Finding::AuthorityUntimely]);
    assert!(late.now > NOW.plus(DAY));
}

#[test]
fn what_signs_itself_is_said_to_and_not_to_be_incomplete() {
    let key = KeyPair::generate().expect("a key");
    let own = server_params(&["localhost"]).self_signed(&key).expect("signed").der().clone();
    check(&[&own], Some(&public_anchors()), &["localhost"], &[Finding::SelfSigned]);
}

#[test]
fn what_is_no_certificate_is_said_to_be_none() {
    check(&[], None, &[], &[Finding::Unreadable]);
    check(&[&CertificateDer::from(vec![0x30, 0x00])], None, &[], &[Finding::Unreadable]);
}

#[test]
fn every_finding_is_one_sentence_that_says_what_to_do() {
    let all = [
        Finding::Unreadable,
        Finding::OutOfOrder,
        Finding::WeakKey(1024),
        Finding::Expired(NOW),
        Finding::NotYet(NOW),
        Finding::AuthorityUntimely,
        Finding::NoNames,
        Finding::NameMissing("gate.example.org".to_owned()),
        Finding::NotForServers,
        Finding::Stray,
        Finding::SelfSigned,
        Finding::Untrusted,
        Finding::KeyExposed,
    ];
    for finding in all {
        let text = finding.to_string();
        assert!(!text.ends_with('.') && text.contains([':', ',']), "{text}");
    }
}
