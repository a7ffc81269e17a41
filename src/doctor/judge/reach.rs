//! Whether the gateway runs, whether its listeners answer, and whether Garmin's hosts can be reached.

use crate::doctor::facts::{Facts, Gateway, Look, Outcome};
use crate::doctor::finding::Finding;
use crate::doctor::judge::as_root;
use crate::doctor::sentence::{Own, Sentence};
use crate::upstream::reach::Unreached;

const GATEWAY: &str = "gateway";
const LISTENER: &str = "listener";
const OUTWARD: &str = "garmin_hosts";

pub(super) fn judge(facts: &Facts, found: &mut Vec<Finding>) {
    found.push(gateway(facts));
    let runs = !matches!(facts.gateway, Gateway::Down);
    for listener in &facts.listeners {
        let of = |says: &'static str| {
            Sentence::new("the listener of [")
                .and(listener.listener)
                .and("] on ")
                .own(Own::Host, listener.address)
                .and(says)
        };
        match listener.outcome {
            Outcome::Answers if runs => found.push(Finding::ok(LISTENER, of(" answers"))),
            Outcome::Answers => found.push(Finding::warning(
                LISTENER,
                of(" answers, though no gateway runs that this configuration names"),
                Sentence::new("find out what listens there with `ss -tlnp`"),
            )),
            Outcome::OtherCertificate => found.push(Finding::warning(
                LISTENER,
                of(" shows another certificate than its file has"),
                Sentence::new("see the gateway's log for why it was not taken up, or send it SIGHUP"),
            )),
            Outcome::NoTls => found.push(Finding::problem(
                LISTENER,
                of(" is taken by something that speaks no TLS"),
                Sentence::new("find out what listens there with `ss -tlnp`"),
            )),
            Outcome::NoConnection if runs => found.push(Finding::problem(
                LISTENER,
                of(" accepts no connection"),
                Sentence::new("see the gateway's log, and the machine's own firewall"),
            )),
            Outcome::NoConnection => {}
        }
    }
    for outward in &facts.outward {
        let host = |says: &'static str| Sentence::new("").own(Own::Host, &outward.host).and(says);
        found.push(match outward.outcome {
            Ok(()) => Finding::ok(OUTWARD, host(" can be reached")),
            Err(why) => Finding::warning(OUTWARD, host(" cannot be reached: ").join(told(why)), remedy(why)),
        });
    }
}

fn gateway(facts: &Facts) -> Finding {
    match &facts.gateway {
        Gateway::Up(running) if running.other_version => Finding::warning(
            GATEWAY,
            Sentence::new("the gateway that runs is of another version than this program"),
            Sentence::new("restart it, so that the installed version runs"),
        ),
        Gateway::Up(_) => Finding::ok(GATEWAY, Sentence::new("the gateway runs and answers")),
        // Before its first start a site misses nothing yet.
        Gateway::Down if facts.format == Look::Absent => Finding::warning(
            GATEWAY,
            Sentence::new("no gateway runs yet, so that what only it knows was not looked at"),
            Sentence::new("start it, then run `studygate doctor` again"),
        ),
        Gateway::Down => Finding::problem(
            GATEWAY,
            Sentence::new("no gateway runs, so that what Garmin sends is not taken, nor was looked at what it knows"),
            Sentence::new("see its log for why it ended, and start it; Garmin sends again, after growing waits"),
        ),
        Gateway::Forbidden => {
            Finding::note(GATEWAY, Sentence::new("a gateway runs, but you may not use its socket"), as_root())
        }
        Gateway::Broken => Finding::problem(
            GATEWAY,
            Sentence::new("something listens on the socket, but does not answer as a gateway does"),
            Sentence::new("see the gateway's log, and restart it"),
        ),
    }
}

fn told(why: Unreached) -> Sentence {
    Sentence::new(match why {
        Unreached::Settings => "the settings of [pull] cannot be used",
        Unreached::NoName => "its name is not found",
        Unreached::NotPublic => "its name leads to an address that is not public",
        Unreached::NoConnection => "nothing accepts a connection there",
        Unreached::NoProxyName => "the proxy's name is not found",
        Unreached::NoProxy => "the proxy does not answer",
        Unreached::ProxyRefuses(status) => {
            return Sentence::new("the proxy refuses to connect to it (status ").number(u64::from(status)).and(")");
        }
        Unreached::NotTrusted => "what answers there shows a certificate that nobody trusts",
        Unreached::NoTls => "what answers there breaks off or speaks no TLS",
    })
}

fn remedy(why: Unreached) -> Sentence {
    Sentence::new(match why {
        Unreached::Settings => "see `studygate check-config`",
        Unreached::NoName | Unreached::NoProxyName => {
            "let this machine ask a name server that knows it, or set pull.proxy; see `studygate doctor --firewall`"
        }
        Unreached::NotPublic => "have the name server give Garmin's own address; a proxy belongs into pull.proxy",
        Unreached::NoConnection | Unreached::NoProxy | Unreached::ProxyRefuses(_) | Unreached::NoTls => {
            "have the firewall or proxy allow what `studygate doctor --firewall` lists; only pings and files need it"
        }
        Unreached::NotTrusted => {
            "a proxy that opens TLS needs the site's own authority in pull.ca_file, or an exception"
        }
    })
}
