//! The certificates of the listeners.

use crate::doctor::facts::{Facts, Gateway, IdentityFacts, Unusable};
use crate::doctor::finding::Finding;
use crate::doctor::judge::{DAY, as_root, days};
use crate::doctor::sentence::{Own, Sentence};
use crate::tls::chain::{Finding as Fault, Weight};

const CHECK: &str = "certificate";
const ACME: &str = "acme";
/// A hospital's authority takes its time.
const RENEW_WITHIN: i64 = 21 * DAY;
/// An order that is made by itself has long been tried by then.
const ACME_RENEWS_WITHIN: i64 = 10 * DAY;

pub(super) fn judge(facts: &Facts, found: &mut Vec<Finding>) {
    for certificate in &facts.certificates {
        let of = |says: &'static str| Sentence::new("the certificate of [").and(certificate.listener).and(says);
        match &certificate.identity {
            Err(Unusable::Forbidden) => found.push(Finding::note(CHECK, of("] may not be read by you"), as_root())),
            Err(Unusable::Wrong(cause)) => found.push(Finding::problem(
                CHECK,
                of("] cannot be used: ").own(Own::Text, cause),
                Sentence::new("see `studygate check-config`"),
            )),
            Ok(identity) => usable(facts, identity, &of, found),
        }
    }
    if facts.settings.is_acme {
        acme(facts, found);
    }
}

fn usable(facts: &Facts, identity: &IdentityFacts, of: &dyn Fn(&'static str) -> Sentence, found: &mut Vec<Finding>) {
    for fault in &identity.findings {
        found.push(match fault.weight() {
            Weight::Refused | Weight::Untimely => Finding::problem(CHECK, of("]: ").join(told(fault)), remedy(fault)),
            Weight::Warned => Finding::warning(CHECK, of("]: ").join(told(fault)), remedy(fault)),
        });
    }
    if identity.findings.iter().any(|fault| fault.weight() == Weight::Untimely) {
        return;
    }
    let ends = of("] ends at ").time(identity.not_after);
    if identity.not_after < facts.now.plus(RENEW_WITHIN) {
        let left = ends.and(", in ").number(days(facts.now, identity.not_after)).and(" days");
        found.push(Finding::warning(
            CHECK,
            left,
            Sentence::new("have it renewed; new files are taken up without a stop"),
        ));
    } else {
        found.push(Finding::ok(CHECK, ends));
    }
}

fn told(fault: &Fault) -> Sentence {
    Sentence::new(match fault {
        Fault::Unreadable => "it cannot be understood",
        Fault::OutOfOrder => "its chain stands in the wrong order",
        Fault::WeakKey(_) => "its RSA key is too short for clients",
        Fault::Expired(at) => return Sentence::new("it ended at ").time(*at),
        Fault::NotYet(at) => return Sentence::new("it begins at ").time(*at),
        Fault::AuthorityUntimely => "an authority's certificate in its chain is not valid at this time",
        Fault::NoNames => "it names no host as an alternative name, so that clients refuse it",
        Fault::NameMissing(name) => return Sentence::new("it is not for ").own(Own::Host, name),
        Fault::NotForServers => "it is not meant for servers",
        Fault::Stray => "a certificate in its chain has nothing to do with the one before it",
        Fault::SelfSigned => "it is signed by itself, which Garmin does not accept",
        Fault::Untrusted => "its chain leads to no authority that Garmin knows",
        Fault::KeyExposed => "everybody on this machine may read the file of its private key",
    })
}

fn remedy(fault: &Fault) -> Sentence {
    Sentence::new(match fault {
        Fault::Unreadable => "have it issued again",
        Fault::OutOfOrder => "put the server's own first, and below each the one that signed it",
        Fault::WeakKey(_) => "use ECDSA P-256, or RSA with 2048 bits or more",
        Fault::Expired(_) => "renew it; senders refuse it",
        Fault::NotYet(_) => "check the clock",
        Fault::AuthorityUntimely => "take the chain that came with the certificate",
        Fault::NoNames | Fault::NameMissing(_) => "have it issued for the gateway's name",
        Fault::NotForServers => "have it issued for server authentication",
        Fault::Stray => "leave out what does not belong",
        Fault::SelfSigned => "have one issued by a public authority before the study begins; for a trial it is enough",
        Fault::Untrusted => "append the authority's intermediate certificates, or use a public authority",
        Fault::KeyExposed => "run `chmod o-rwx` on it",
    })
}

fn acme(facts: &Facts, found: &mut Vec<Finding>) {
    let Gateway::Up(running) = &facts.gateway else {
        let says = Sentence::new("the gateway orders its own certificate, and does not run");
        found.push(Finding::note(ACME, says, Sentence::new("start it, then look again")));
        return;
    };
    let remedy = || Sentence::new("see `certificate` in `studygate status`, and let port 443 be reached from anywhere");
    match (running.certificate_ends, running.acme_failed) {
        (None, _) => found.push(Finding::problem(
            ACME,
            Sentence::new("no certificate has been issued yet, so that nothing is taken"),
            remedy(),
        )),
        (Some(ends), Some(at)) => found.push(Finding::warning(
            ACME,
            Sentence::new("the last order of a certificate failed at ")
                .time(at)
                .and("; the one in use ends at ")
                .time(ends),
            remedy(),
        )),
        (Some(ends), None) if ends < facts.now.plus(ACME_RENEWS_WITHIN) => found.push(Finding::warning(
            ACME,
            Sentence::new("the certificate ends at ").time(ends).and(" and was not renewed yet"),
            remedy(),
        )),
        (Some(ends), None) => {
            found.push(Finding::ok(ACME, Sentence::new("the ordered certificate ends at ").time(ends)));
        }
    }
}
