//! De-identification: the one place that knows which members identify a person or are a time, and what a study's rules
//! leave of them.
//!
//! Tables, `raw/`, files and, for studies that minimise, filing ask here. What the rules do not name: a member the
//! gateway knows (see [`fields`]) stays; one it does not know goes, unless the study keeps unknown ones, and even then
//! not where its name says that it identifies.
//!
//! Names are compared without regard to case and at every depth, since Garmin may move a member or spell it anew.
//!
//! What identifies: Activity API 1.2.3 and Women's Health API 1.0.4, the summaries' field tables.

use crate::dataset::cycle::{self, CycleSign};
use crate::dataset::fields::{self, Members};
use crate::model::shift::Shift;
use crate::model::study::{DatesRule, Keep, LocationRule, Rules};

/// What becomes of a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Stays as it is.
    Keep,
    /// Goes, with all below it.
    Drop,
    /// Stays where its value is a scalar, as [`Deidentify::changed`] leaves it.
    Change(Change),
}

/// What is done to a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// A coordinate is cut to two decimals; see [`coarse`].
    Coarse,
    /// A time is moved by the participant's shift.
    Move(Moment),
    /// It goes where it tells of a pregnancy.
    Unpregnant(CycleSign),
}

/// A value after its change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed {
    /// As a table has it; it needs no escapes.
    pub text: String,
    /// Whether it is a number.
    pub is_number: bool,
}

/// How a member tells a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// Seconds since 1970.
    Seconds,
    /// `2026-11-01`.
    Date,
}

/// Which part of what is stored a member belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Secrets, and whose it is: none.
    Nowhere,
    /// What names the person: the identity part.
    Identity(Named),
    /// The identity part, and a pseudonym in the data part.
    Pseudonym,
    /// The data part.
    Data,
}

/// What a member of the identity part is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Named {
    /// An identifier of Garmin's.
    ByGarmin,
    /// Words of a person's, which come out again where a study keeps names.
    ByPerson,
}

/// The rules of a study, applied to one summary type.
#[derive(Clone, Copy, Debug)]
pub struct Deidentify<'a> {
    rules: &'a Rules,
    known: Option<Members>,
    is_cycle: bool,
}

/// How a member identifies a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Identifies {
    /// By Garmin's own identifiers or secrets: never in a dataset.
    Directly,
    /// By a name or a description that a person wrote.
    ByName,
    /// By a coordinate.
    ByCoordinate,
    /// By a place that is no single coordinate, so that it cannot be made coarse.
    ByPlace,
    /// By the device.
    ByDevice,
}

const DIRECTLY: &[&str] = &["userId", "userAccessToken", "callbackURL", "summaryId", "activityId", "parentSummaryId"];
const PREGNANCY: &[&str] = &["pregnancySnapshot", "weightGoalUserInput", "bloodGlucoseList"];
const SECONDS: &[&str] = &[
    "startTimeInSeconds",
    "endTimeInSeconds",
    "measurementTimeInSeconds",
    "lastUpdatedTimeInSeconds",
    "reportTimestampInSeconds",
    "eventStartTimeInSeconds",
    "napStartTimeInSeconds",
];
const DATES: &[&str] = &["calendarDate", "periodStartDate", "originalDueDate", "dueDate", "pregnancyCycleStartDate"];

/// Which part of what is stored the member `name` of the object at `path` belongs to, whatever the study's rules.
pub fn part(path: &[Box<str>], name: &str) -> Part {
    match name {
        "userId" | "userAccessToken" | "callbackURL" => Part::Nowhere,
        "summaryId" => Part::Identity(Named::ByGarmin),
        "activityName" | "activityDescription" => Part::Identity(Named::ByPerson),
        "title" if path.last().is_some_and(|parent| &**parent == "pregnancySnapshot") => {
            Part::Identity(Named::ByPerson)
        }
        "activityId" | "parentSummaryId" => Part::Pseudonym,
        _ => Part::Data,
    }
}

/// Whether what was set apart under this path (names joined by dots) is a person's own words.
pub fn is_persons_words(path: &str) -> bool {
    let mut steps: Vec<Box<str>> = path.split('.').map(Into::into).collect();
    steps.pop().is_some_and(|name| part(&steps, &name) == Part::Identity(Named::ByPerson))
}

/// How a member of this name tells a time; `None` for every other.
pub fn moment(name: &str) -> Option<Moment> {
    let is = |names: &[&str]| names.iter().any(|known| known.eq_ignore_ascii_case(name));
    if is(SECONDS) {
        Some(Moment::Seconds)
    } else if is(DATES) {
        Some(Moment::Date)
    } else {
        None
    }
}

impl<'a> Deidentify<'a> {
    /// The rules for the records of this type; `None` where the whole type stays out of the dataset.
    pub fn new(rules: &'a Rules, summary_type: &str) -> Option<Self> {
        let known = fields::of(summary_type);
        let stays = rules.collects(summary_type) && (known.is_some() || rules.unknown == Keep::Keep);
        stays.then_some(Self { rules, known, is_cycle: summary_type == "mct" })
    }

    /// What becomes of the member `name` of the object at `path` (the names of the enclosing objects, outermost first)
    /// in a dataset.
    pub fn verdict(&self, path: &[Box<str>], name: &str) -> Verdict {
        let stored = self.stored(path, name);
        match moment(name) {
            Some(moment) if stored == Verdict::Keep && self.rules.dates == DatesRule::Shift => {
                Verdict::Change(Change::Move(moment))
            }
            Some(_) | None => stored,
        }
    }

    /// As [`verdict`](Self::verdict), for what a study that minimises stores: times stay as they are.
    pub fn stored(&self, path: &[Box<str>], name: &str) -> Verdict {
        let is_known = self.known.is_some_and(|known| fields::find(known, path, name).is_some());
        if !is_known && self.rules.unknown == Keep::Drop {
            return Verdict::Drop;
        }
        let keep = |rule: Keep| if rule == Keep::Keep { Verdict::Keep } else { Verdict::Drop };
        if self.rules.pregnancy == Keep::Drop && tells_pregnancy(path, name) {
            return Verdict::Drop;
        }
        match identifies(name) {
            None if self.is_cycle && self.rules.pregnancy == Keep::Drop => {
                cycle::sign(name).map_or(Verdict::Keep, |sign| Verdict::Change(Change::Unpregnant(sign)))
            }
            None => Verdict::Keep,
            Some(Identifies::Directly) => Verdict::Drop,
            Some(Identifies::ByName) => keep(self.rules.names),
            Some(Identifies::ByDevice) => keep(self.rules.devices),
            Some(Identifies::ByCoordinate) => match self.rules.location {
                LocationRule::Keep => Verdict::Keep,
                LocationRule::Coarse => Verdict::Change(Change::Coarse),
                LocationRule::Drop => Verdict::Drop,
            },
            Some(Identifies::ByPlace) => match self.rules.location {
                LocationRule::Keep => Verdict::Keep,
                LocationRule::Coarse | LocationRule::Drop => Verdict::Drop,
            },
        }
    }

    /// What stands in the place of a scalar, given as decoded text; `None` where the member goes.
    pub fn changed(&self, change: Change, value: &str, shift: Option<Shift>) -> Option<Changed> {
        let (text, is_number) = match change {
            Change::Coarse => (coarse(value)?, true),
            Change::Move(Moment::Seconds) => (shift?.seconds(value)?, true),
            Change::Move(Moment::Date) => (shift?.date(value)?, false),
            Change::Unpregnant(sign) => (sign.without_pregnancy(value)?.to_owned(), sign != CycleSign::PhaseName),
        };
        Some(Changed { text, is_number })
    }
}

impl Changed {
    /// Its JSON text.
    pub fn json(&self) -> String {
        if self.is_number { self.text.clone() } else { format!("\"{}\"", self.text) }
    }
}

fn identifies(name: &str) -> Option<Identifies> {
    let is = |names: &[&str]| names.iter().any(|known| known.eq_ignore_ascii_case(name));
    let has = |part: &str| contains(name, part);
    if is(DIRECTLY) || has("token") || has("email") {
        Some(Identifies::Directly)
    } else if has("latitude") || has("longitude") || is(&["lat", "lon", "lng"]) {
        Some(Identifies::ByCoordinate)
    } else if has("location") || has("polyline") || has("geo") {
        Some(Identifies::ByPlace)
    } else if has("device") || has("serial") {
        Some(Identifies::ByDevice)
    } else if ends(name, "name") || ends(name, "description") || ends(name, "title") {
        Some(Identifies::ByName)
    } else {
        None
    }
}

/// Whether the member, or one that encloses it, is of a pregnancy.
fn tells_pregnancy(path: &[Box<str>], name: &str) -> bool {
    let tells =
        |name: &str| PREGNANCY.iter().any(|known| known.eq_ignore_ascii_case(name)) || contains(name, "pregnan");
    tells(name) || path.iter().any(|name| tells(name))
}

fn contains(name: &str, part: &str) -> bool {
    name.as_bytes().windows(part.len()).any(|window| window.eq_ignore_ascii_case(part.as_bytes()))
}

fn ends(name: &str, part: &str) -> bool {
    name.len() >= part.len() && name.as_bytes()[name.len() - part.len()..].eq_ignore_ascii_case(part.as_bytes())
}

/// A decimal number cut (not rounded) to two decimals, digit by digit; `None` for what is no JSON number.
pub fn coarse(number: &str) -> Option<String> {
    let (sign, unsigned) = number.strip_prefix('-').map_or(("", number), |rest| ("-", rest));
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (unsigned, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    // Coordinates have three whole digits at most; a longer or larger number is none.
    if !digits(whole) || !digits(fraction) || exponent.abs() > 40 || mantissa.len() > 40 {
        return None;
    }
    let all = format!("{whole}{fraction}");
    let point = i32::try_from(whole.len()).ok()? + exponent;
    let digit = |place: i32| {
        usize::try_from(place).ok().and_then(|place| all.as_bytes().get(place)).map_or('0', |b| *b as char)
    };
    let whole: String = (0..point).map(digit).collect();
    let whole = whole.trim_start_matches('0');
    let text = format!("{}.{}{}", if whole.is_empty() { "0" } else { whole }, digit(point), digit(point + 1));
    Some(if text == "0.00" { text } else { format!("{sign}{text}") })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(rules: &Rules, summary_type: &str, path: &str) -> Verdict {
        let mut path: Vec<Box<str>> = path.split('.').map(Into::into).collect();
        let name = path.pop().expect("a name");
        Deidentify::new(rules, summary_type).expect("the type stays").verdict(&path, &name)
    }

    #[test]
    fn default_rules_leave_measurements_and_drop_what_identifies() {
        let rules = Rules::default();
        for kept in ["durationInSeconds", "deviceName", "activity_id", "record_id", "parent_record_id"] {
            assert_eq!(verdict(&rules, "activities", kept), Verdict::Keep, "{kept}");
        }
        for dropped in ["summaryId", "activityName", "startingLatitudeInDegree", "userId", "callbackURL", "novelty"] {
            assert_eq!(verdict(&rules, "activities", dropped), Verdict::Drop, "{dropped}");
        }
        assert_eq!(verdict(&rules, "activityDetails", "samples.longitudeInDegree"), Verdict::Drop);
        assert_eq!(verdict(&rules, "mct", "pregnancySnapshot.title"), Verdict::Drop);
        assert_eq!(verdict(&rules, "mct", "pregnancySnapshot.dueDate"), Verdict::Keep);
        assert_eq!(verdict(&rules, "stressDetails", "bodyBatteryActivityEvents.activityId"), Verdict::Drop);
    }

    #[test]
    fn unknown_members_that_identify_go_even_where_unknown_ones_stay() {
        let rules = Rules { unknown: Keep::Keep, devices: Keep::Drop, ..Rules::default() };
        assert_eq!(verdict(&rules, "activities", "novelty"), Verdict::Keep);
        for dropped in
            ["USERID", "summaryid", "nested.userId", "courseName", "startPolyline", "endLatitude", "deviceSerial"]
        {
            assert_eq!(verdict(&rules, "activities", dropped), Verdict::Drop, "{dropped}");
        }
    }

    #[test]
    fn each_rule_governs_its_members() {
        let rules = Rules {
            location: LocationRule::Coarse,
            names: Keep::Keep,
            devices: Keep::Drop,
            pregnancy: Keep::Drop,
            ..Rules::default()
        };
        assert_eq!(verdict(&rules, "activities", "startingLatitudeInDegree"), Verdict::Change(Change::Coarse));
        assert_eq!(verdict(&rules, "activities", "activityName"), Verdict::Keep);
        assert_eq!(verdict(&rules, "activityDetails", "summary.deviceName"), Verdict::Drop);
        assert_eq!(verdict(&rules, "mct", "pregnancySnapshot"), Verdict::Drop);
        assert_eq!(verdict(&rules, "mct", "bloodGlucoseList"), Verdict::Drop);
        assert_eq!(verdict(&rules, "mct", "pregnancySnapshot.title"), Verdict::Drop, "though names are kept");
        let phase = Verdict::Change(Change::Unpregnant(CycleSign::PhaseName));
        assert_eq!(verdict(&rules, "mct", "currentPhaseType"), phase);
        let both = Rules { names: Keep::Keep, ..Rules::default() };
        assert_eq!(verdict(&both, "mct", "pregnancySnapshot.title"), Verdict::Keep);
    }

    #[test]
    fn every_time_of_every_type_is_moved_where_dates_are_shifted_and_stored_as_it_is() {
        let rules = Rules { dates: DatesRule::Shift, ..Rules::default() };
        let moved = |moment| Verdict::Change(Change::Move(moment));
        assert_eq!(verdict(&rules, "activityDetails", "samples.startTimeInSeconds"), moved(Moment::Seconds));
        assert_eq!(verdict(&rules, "sleeps", "sleepLevelsMap.deep.endTimeInSeconds"), moved(Moment::Seconds));
        assert_eq!(verdict(&rules, "mct", "pregnancySnapshot.dueDate"), moved(Moment::Date));
        assert_eq!(verdict(&rules, "dailies", "durationInSeconds"), Verdict::Keep);
        let of_dailies = Deidentify::new(&rules, "dailies").expect("known");
        assert_eq!(of_dailies.stored(&[], "calendarDate"), Verdict::Keep);
    }

    #[test]
    fn every_known_member_that_sounds_like_a_time_is_one_or_is_a_span_of_time() {
        const SOUNDS: &[&str] = &["time", "date", "stamp", "inseconds"];
        const SPANS: &[&str] = &["offset", "duration", "activetime", "sleepinseconds", "centimeters"];
        fn check(members: &fields::Tree, found: &mut usize) {
            for (name, shape) in members.iter() {
                let lower = name.to_ascii_lowercase();
                let has = |parts: &[&str]| parts.iter().any(|part| lower.contains(part));
                if has(SOUNDS) {
                    assert_eq!(moment(name).is_none(), has(SPANS), "{name} sounds like a time: say whether it is one");
                    *found += 1;
                }
                if let fields::Shape::Object(members) = shape {
                    check(members, found);
                }
            }
        }
        let mut found = 0;
        crate::model::summary::KNOWN.iter().for_each(|known| {
            check(fields::of(known.name).expect("a known type"), &mut found);
        });
        assert!(found > 30, "{found}");
    }

    #[test]
    fn changed_value_is_what_the_rule_leaves_or_nothing() {
        let rules = Rules::default();
        let deidentify = Deidentify::new(&rules, "mct").expect("known");
        let shift = Shift::try_from(1).ok();
        let check = |change, value, shift, expected: Option<&str>| {
            assert_eq!(deidentify.changed(change, value, shift).map(|changed| changed.json()).as_deref(), expected);
        };
        check(Change::Move(Moment::Date), "2026-11-08", shift, Some("\"2026-11-01\""));
        check(Change::Move(Moment::Date), "next week", shift, None);
        check(Change::Move(Moment::Date), "2026-11-08", None, None);
        check(Change::Move(Moment::Seconds), "1793534400", shift, Some("1792929600"));
        check(Change::Move(Moment::Seconds), "1793534400", None, None);
        check(Change::Unpregnant(CycleSign::PhaseName), "SECOND_TRIMESTER", shift, None);
        check(Change::Coarse, "51.0567", None, Some("51.05"));
    }

    #[test]
    fn unknown_or_uncollected_type_stays_out() {
        assert!(Deidentify::new(&Rules::default(), "beats").is_none());
        let keep = Rules { unknown: Keep::Keep, ..Rules::default() };
        assert!(Deidentify::new(&keep, "beats").is_some());
        let narrow = Rules { types: vec!["mct".into()], ..Rules::default() };
        assert!(Deidentify::new(&narrow, "activities").is_none());
    }

    #[test]
    fn coarse_cuts_digits_and_never_rounds() {
        let check = |number, expected: Option<&str>| assert_eq!(coarse(number).as_deref(), expected, "{number}");
        check("51.053232522681355", Some("51.05"));
        check("-114.06980217604339", Some("-114.06"));
        check("7", Some("7.00"));
        check("-0.001", Some("0.00"));
        check("1.0E-5", Some("0.00"));
        check("1.23456E2", Some("123.45"));
        check("0.129", Some("0.12"));
        check("null", None);
        check("", None);
        check("1e999999", None);
        check("51.05 N", None);
    }
}
