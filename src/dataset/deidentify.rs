//! De-identification: the one place that knows which members identify a person and what a study's rules leave of them.
//!
//! Tables and `raw/` both ask here. What the rules do not name: a member the gateway knows (see
//! [`fields`]) stays; one it does not know goes, unless the study keeps unknown ones, and even
//! then not where its name says that it identifies.
//!
//! Names are compared without regard to case and at every depth, since Garmin may move a member or spell it anew.

use crate::dataset::fields::{self, Members};
use crate::model::study::{Keep, LocationRule, Rules};

/// What becomes of a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Stays as it is.
    Keep,
    /// Goes, with all below it.
    Drop,
    /// Stays cut to two decimals; see [`coarse`].
    Coarse,
}

/// The rules of a study, applied to one summary type.
#[derive(Clone, Copy, Debug)]
pub struct Deidentify<'a> {
    rules: &'a Rules,
    known: Option<Members>,
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
    /// Not at all, but it tells of a pregnancy.
    TellsPregnancy,
}

impl<'a> Deidentify<'a> {
    /// The rules for the records of this type; `None` where the whole type stays out of the dataset.
    pub fn new(rules: &'a Rules, summary_type: &str) -> Option<Self> {
        let known = fields::of(summary_type);
        let stays = rules.collects(summary_type) && (known.is_some() || rules.unknown == Keep::Keep);
        stays.then_some(Self { rules, known })
    }

    /// What becomes of the member `name` of the object at `path` (the names of the enclosing objects, outermost first).
    pub fn verdict(&self, path: &[Box<str>], name: &str) -> Verdict {
        let is_known = self.known.is_some_and(|known| fields::find(known, path, name).is_some());
        if !is_known && self.rules.unknown == Keep::Drop {
            return Verdict::Drop;
        }
        let keep = |rule: Keep| if rule == Keep::Keep { Verdict::Keep } else { Verdict::Drop };
        match identifies(name) {
            None => Verdict::Keep,
            Some(Identifies::Directly) => Verdict::Drop,
            Some(Identifies::ByName) => keep(self.rules.names),
            Some(Identifies::ByDevice) => keep(self.rules.devices),
            Some(Identifies::TellsPregnancy) => keep(self.rules.pregnancy),
            Some(Identifies::ByCoordinate) => match self.rules.location {
                LocationRule::Keep => Verdict::Keep,
                LocationRule::Coarse => Verdict::Coarse,
                LocationRule::Drop => Verdict::Drop,
            },
            Some(Identifies::ByPlace) => match self.rules.location {
                LocationRule::Keep => Verdict::Keep,
                LocationRule::Coarse | LocationRule::Drop => Verdict::Drop,
            },
        }
    }
}

fn identifies(name: &str) -> Option<Identifies> {
    const DIRECTLY: &[&str] =
        &["userId", "userAccessToken", "callbackURL", "summaryId", "activityId", "parentSummaryId"];
    const PREGNANCY: &[&str] = &["pregnancySnapshot", "weightGoalUserInput", "bloodGlucoseList"];
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
    } else if is(PREGNANCY) || has("pregnan") {
        Some(Identifies::TellsPregnancy)
    } else {
        None
    }
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
        assert_eq!(verdict(&rules, "activities", "startingLatitudeInDegree"), Verdict::Coarse);
        assert_eq!(verdict(&rules, "activities", "activityName"), Verdict::Keep);
        assert_eq!(verdict(&rules, "activityDetails", "summary.deviceName"), Verdict::Drop);
        assert_eq!(verdict(&rules, "mct", "pregnancySnapshot"), Verdict::Drop);
        assert_eq!(verdict(&rules, "mct", "bloodGlucoseList"), Verdict::Drop);
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
