//! What lies ready behind callback URLs, and what a request for it is answered: no network here.
//!
//! Facts: `{"errorMessage": …}` as the body of every error; a file is given once, then 410; an expired token is 400.
//! An answer that a fault spoils does not use a file up.

use std::collections::HashMap;

use bytes::Bytes;
use ring::digest::{SHA256, digest};

use crate::model::time::UnixSeconds;
use crate::simulate::callbacks::fault::{Fault, Faults};
use crate::simulate::file::{ACTIVITY_FILES, FileOf};
use crate::simulate::random::Random;
use crate::simulate::user::User;

/// Below this path lies everything.
pub(super) const BASE: &str = "/wellness-api/rest/";
const TOKEN_DIGITS: usize = 48;

/// The place of an offer among all of its server's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OfferId(pub usize);

/// What lies ready.
#[derive(Clone, Debug)]
pub enum Ready {
    /// Summaries of one user and type that were uploaded in a window.
    Window {
        /// The key of the type in a notification.
        summary_type: String,
        /// The window's begin.
        from: UnixSeconds,
        /// Its end.
        to: UnixSeconds,
        /// A bare JSON array.
        array: Bytes,
    },
    /// The file of a user's activity, made when it is asked for.
    Recorded {
        /// Whose.
        user: User,
        /// Which.
        file: FileOf,
    },
    /// These bytes, as an activity's file.
    File {
        /// The `id` of its URL.
        id: String,
        /// The file.
        bytes: Bytes,
    },
}

/// What a request is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reply {
    Good(Bytes, &'static str),
    Spoiled(Fault, Bytes, &'static str),
    Refused(u16, &'static str),
}

/// All offers, by token; tokens are secrets, so it shows nothing of itself.
pub(super) struct Offers {
    seed: u64,
    lifetime_s: i64,
    faults: Faults,
    tokens: HashMap<String, usize>,
    offers: Vec<Offer>,
}

struct Offer {
    ready: Ready,
    until: UnixSeconds,
    script: Option<Vec<Fault>>,
    attempts: u32,
    is_used_up: bool,
    is_forbidden: bool,
}

impl Offers {
    pub(super) fn new(seed: u64, lifetime_s: i64, faults: Faults) -> Self {
        Self { seed, lifetime_s, faults, tokens: HashMap::new(), offers: Vec::new() }
    }

    /// Lays something ready; its place, and the target of its URL. With a script, the first attempts meet
    /// its faults in order, and all further none.
    pub(super) fn add(&mut self, ready: Ready, script: Option<Vec<Fault>>, now: UnixSeconds) -> (OfferId, String) {
        let place = self.offers.len();
        let token = Random::at(self.seed, &[u64::from(b't'), place as u64]).hex(TOKEN_DIGITS);
        let target = match &ready {
            Ready::Window { summary_type, from, to, .. } => format!(
                "{BASE}{}?uploadStartTimeInSeconds={}&uploadEndTimeInSeconds={}&token={token}",
                path_of(summary_type),
                from.0,
                to.0
            ),
            Ready::Recorded { file, .. } => file_target(file.activity_id(), &token),
            Ready::File { id, .. } => file_target(id, &token),
        };
        self.tokens.insert(token, place);
        let offer = Offer {
            ready,
            until: now.plus(self.lifetime_s),
            script,
            attempts: 0,
            is_used_up: false,
            is_forbidden: false,
        };
        self.offers.push(offer);
        (OfferId(place), target)
    }

    /// From now on the user does not permit this.
    pub(super) fn forbid(&mut self, id: OfferId) {
        if let Some(offer) = self.offers.get_mut(id.0) {
            offer.is_forbidden = true;
        }
    }

    /// The answer to a GET of this path and query, and whose offer it was about.
    pub(super) fn answer(&mut self, path: &str, query: &str, now: UnixSeconds) -> (Option<OfferId>, Reply) {
        let Some(resource) = path.strip_prefix(BASE) else { return (None, Reply::Refused(404, "Not found")) };
        let Some(&place) = parameter(query, "token").and_then(|token| self.tokens.get(token)) else {
            return (None, Reply::Refused(401, "Unknown token"));
        };
        let offer = &mut self.offers[place];
        let refusal = offer.refusal(resource, query, now);
        let reply = refusal.unwrap_or_else(|| {
            let attempt = offer.attempts;
            offer.attempts += 1;
            let fault = match &offer.script {
                Some(script) => usize::try_from(attempt).ok().and_then(|place| script.get(place).cloned()),
                None => self.faults.draw(attempt, Random::at(self.seed, &[place as u64, u64::from(attempt)])),
            };
            offer.serve(fault)
        });
        (Some(OfferId(place)), reply)
    }
}

impl Offer {
    fn refusal(&self, resource: &str, query: &str, now: UnixSeconds) -> Option<Reply> {
        if !self.ready.is_meant_by(resource, query) {
            return Some(Reply::Refused(400, "Invalid parameters"));
        }
        if now > self.until {
            return Some(Reply::Refused(400, "Invalid download token"));
        }
        if self.is_forbidden {
            return Some(Reply::Refused(412, "The user has not permitted this"));
        }
        self.is_used_up.then_some(Reply::Refused(410, "The file was downloaded before"))
    }

    fn serve(&mut self, fault: Option<Fault>) -> Reply {
        let (body, is_file) = match &self.ready {
            Ready::Window { array, .. } => (array.clone(), false),
            Ready::Recorded { user, file } => (Bytes::from(file.bytes(user)), true),
            Ready::File { bytes, .. } => (bytes.clone(), true),
        };
        let media = if is_file { "application/octet-stream" } else { "application/json;charset=UTF-8" };
        let is_whole = matches!(fault, None | Some(Fault::Slow));
        self.is_used_up |= is_whole && is_file;
        match fault {
            Some(fault) => Reply::Spoiled(fault, body, media),
            None => Reply::Good(body, media),
        }
    }
}

impl Ready {
    fn is_meant_by(&self, resource: &str, query: &str) -> bool {
        let says = |name, expected: &str| parameter(query, name) == Some(expected);
        match self {
            Self::Window { summary_type, from, to, .. } => {
                resource == path_of(summary_type)
                    && says("uploadStartTimeInSeconds", &from.0.to_string())
                    && says("uploadEndTimeInSeconds", &to.0.to_string())
            }
            Self::Recorded { file, .. } => resource == path_of(ACTIVITY_FILES) && says("id", file.activity_id()),
            Self::File { id, .. } => resource == path_of(ACTIVITY_FILES) && says("id", id),
        }
    }
}

fn file_target(id: &str, token: &str) -> String {
    format!("{BASE}{}?id={id}&token={token}", path_of(ACTIVITY_FILES))
}

/// A token, as it may be shown.
pub(super) fn digest_of(token: &str) -> String {
    data_encoding::HEXLOWER.encode(&digest(&SHA256, token.as_bytes()).as_ref()[..16])
}

/// The value of a query's parameter, as it stands there.
pub(super) fn parameter<'a>(query: &'a str, name: &str) -> Option<&'a str> {
    query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
}

/// The resource that a type is pulled from; most have their own name.
fn path_of(summary_type: &str) -> &str {
    match summary_type {
        ACTIVITY_FILES => "activityFile",
        "moveIQActivities" => "moveiq",
        "pulseox" => "pulseOx",
        "allDayRespiration" => "respiration",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulate::record::{Density, day};
    use crate::simulate::user::Population;

    const NOW: UnixSeconds = UnixSeconds(1_793_509_200);
    const DAY: i64 = 86_400;

    fn window(summary_type: &str) -> Ready {
        let array = Bytes::from_static(b"[]");
        Ready::Window { summary_type: summary_type.to_owned(), from: UnixSeconds(100), to: UnixSeconds(400), array }
    }

    fn file() -> Ready {
        Ready::File { id: "9007199254740993".to_owned(), bytes: Bytes::from_static(b"FILE") }
    }

    fn ask(offers: &mut Offers, target: &str, now: UnixSeconds) -> Reply {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        offers.answer(path, query, now).1
    }

    fn status(reply: &Reply) -> u16 {
        match reply {
            Reply::Refused(status, _) => *status,
            Reply::Good(..) | Reply::Spoiled(..) => 200,
        }
    }

    #[test]
    fn url_of_each_type_has_the_path_that_garmin_documents() {
        let mut offers = Offers::new(1, DAY, Faults::none());
        for (summary_type, path) in [
            ("dailies", "dailies"),
            ("moveIQActivities", "moveiq"),
            ("pulseox", "pulseOx"),
            ("allDayRespiration", "respiration"),
            ("activityDetails", "activityDetails"),
        ] {
            let (_, target) = offers.add(window(summary_type), None, NOW);
            let begin = format!("{BASE}{path}?uploadStartTimeInSeconds=100&uploadEndTimeInSeconds=400&token=");
            assert!(target.starts_with(&begin), "{target}");
            assert_eq!(status(&ask(&mut offers, &target, NOW)), 200);
        }
        let (_, target) = offers.add(file(), None, NOW);
        assert!(target.starts_with("/wellness-api/rest/activityFile?id=9007199254740993&token="), "{target}");
    }

    #[test]
    fn file_is_given_once_and_a_window_as_often_as_asked() {
        let mut offers = Offers::new(2, DAY, Faults::none());
        let (_, file) = offers.add(file(), None, NOW);
        let (_, window) = offers.add(window("dailies"), None, NOW);
        for (target, expected) in [(&file, 200), (&window, 200), (&file, 410), (&window, 200)] {
            assert_eq!(status(&ask(&mut offers, target, NOW)), expected);
        }
    }

    #[test]
    fn recorded_file_is_given_as_the_watch_wrote_it_and_once() {
        let population = Population::new(6, 1);
        let user = population.user(0);
        let days = (0..14).flat_map(|number| day(user, NOW.plus(number * DAY), Density::default()));
        let file = days.into_iter().find_map(|record| FileOf::of(user, &record)).expect("a fortnight has a run");
        let mut offers = Offers::new(6, DAY, Faults::none());
        let (_, target) = offers.add(Ready::Recorded { user: user.clone(), file: file.clone() }, None, NOW);
        let begin = format!("{BASE}activityFile?id={}&token=", file.activity_id());
        assert!(target.starts_with(&begin), "{target}");
        let other = target.replace(file.activity_id(), "1");
        assert_eq!(status(&ask(&mut offers, &other, NOW)), 400);
        let Reply::Good(bytes, media) = ask(&mut offers, &target, NOW) else { panic!("it lies ready") };
        assert_eq!((bytes, media), (Bytes::from(file.bytes(user)), "application/octet-stream"));
        assert_eq!(status(&ask(&mut offers, &target, NOW)), 410);
    }

    #[test]
    fn file_that_a_fault_spoiled_is_there_still() {
        let mut offers = Offers::new(3, DAY, Faults::none());
        let (_, target) = offers.add(file(), Some(vec![Fault::Cut, Fault::Slow]), NOW);
        assert!(matches!(ask(&mut offers, &target, NOW), Reply::Spoiled(Fault::Cut, ..)));
        assert!(matches!(ask(&mut offers, &target, NOW), Reply::Spoiled(Fault::Slow, ..)));
        assert_eq!(status(&ask(&mut offers, &target, NOW)), 410);
    }

    #[test]
    fn what_cannot_be_given_is_refused_with_garmins_status() {
        let mut offers = Offers::new(4, DAY, Faults::none());
        let (id, target) = offers.add(window("sleeps"), None, NOW);
        let check = |offers: &mut Offers, target: &str, now, expected| {
            assert_eq!(status(&ask(offers, target, now)), expected, "{target}");
        };
        check(&mut offers, &target, NOW.plus(DAY), 200);
        check(&mut offers, &target, NOW.plus(DAY + 1), 400);
        check(&mut offers, &target.replace("sleeps", "dailies"), NOW, 400);
        check(&mut offers, &target.replace("=400", "=401"), NOW, 400);
        check(&mut offers, &target.replace("token=", "token=x"), NOW, 401);
        check(&mut offers, "/wellness-api/rest/sleeps", NOW, 401);
        check(&mut offers, &target.replace("/wellness-api", ""), NOW, 404);
        offers.forbid(id);
        check(&mut offers, &target, NOW, 412);
    }

    #[test]
    fn seeded_faults_are_the_same_in_every_run() {
        let run = || {
            let mut offers = Offers::new(5, DAY, Faults::passing());
            let targets: Vec<_> = (0..60).map(|_| offers.add(window("dailies"), None, NOW).1).collect();
            let all = (0..3).flat_map(|_| targets.iter());
            all.map(|target| ask(&mut offers, target, NOW)).collect::<Vec<_>>()
        };
        let replies = run();
        assert_eq!(replies, run());
        assert!(replies[..60].iter().any(|reply| matches!(reply, Reply::Spoiled(..))));
        assert!(replies[120..].iter().all(|reply| matches!(reply, Reply::Good(..))));
    }
}
