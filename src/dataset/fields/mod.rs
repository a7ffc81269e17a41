//! The members that each summary type is known to have; what is not named here is unknown to the gateway.
//!
//! Sources: Activity API 1.2.3 §7 and 1.2.1 §7 (`activity`), Women's Health API 1.0.4 §7.1 (`cycle`), Health API
//! summaries as public integrations receive them (`health`). Whether a member identifies a person is not decided
//! here but in [`deidentify`](crate::dataset::deidentify).

mod activity;
mod cycle;
mod health;

/// A member: its name and what stands there.
pub type Member = (&'static str, Shape);

/// Groups of members that an object is known to have.
pub type Members = &'static [&'static [Member]];

/// What stands at a known member.
#[derive(Clone, Copy, Debug)]
pub enum Shape {
    /// A scalar, or an array of scalars: an object below it is unknown.
    Value,
    /// An object, or an array of objects, with these members.
    Object(Members),
    /// An object whose members are named by numbers (seconds since the start) and hold values.
    Offsets,
}

/// The members that the gateway itself puts in place of Garmin's identifiers.
pub const PSEUDONYMS: &[Member] =
    &[("record_id", Shape::Value), ("activity_id", Shape::Value), ("parent_record_id", Shape::Value)];

/// The known members of a summary type; `None` for a type the gateway does not know.
pub fn of(summary_type: &str) -> Option<Members> {
    Some(match summary_type {
        "activities" | "manuallyUpdatedActivities" => activity::ACTIVITY,
        "activityDetails" => activity::DETAILS,
        "activityFiles" => activity::FILES,
        "moveIQActivities" => activity::MOVE_IQ,
        "mct" => cycle::CYCLE,
        "dailies" => health::DAILIES,
        "epochs" => health::EPOCHS,
        "sleeps" => health::SLEEPS,
        "stressDetails" => health::STRESS,
        "hrv" => health::HRV,
        "bloodPressures" => health::BLOOD_PRESSURES,
        "healthSnapshot" => health::SNAPSHOT,
        "skinTemp" => health::SKIN_TEMPERATURE,
        "bodyComps" => health::BODY_COMPOSITIONS,
        "userMetrics" => health::USER_METRICS,
        "pulseox" => health::PULSE_OX,
        "allDayRespiration" => health::RESPIRATION,
        _ => return None,
    })
}

/// What is known to stand at the member `name` of the object at `path`; `None` where nothing is.
pub fn find(members: Members, path: &[Box<str>], name: &str) -> Option<Shape> {
    let mut at = Shape::Object(members);
    for step in path.iter().map(|step| &**step).chain([name]) {
        at = match at {
            Shape::Object(groups) => {
                groups.iter().flat_map(|group| group.iter()).find(|(known, _)| *known == step).map(|(_, shape)| *shape)
            }
            Shape::Offsets => is_offset(step).then_some(Shape::Value),
            Shape::Value => None,
        }?;
    }
    Some(at)
}

fn is_offset(name: &str) -> bool {
    let digits = name.strip_prefix('-').unwrap_or(name);
    (1..=9).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::summary::KNOWN;

    fn known(summary_type: &str, path: &str) -> bool {
        let mut path: Vec<Box<str>> = path.split('.').map(Into::into).collect();
        let name = path.pop().expect("a name");
        find(of(summary_type).expect("a known type"), &path, &name).is_some()
    }

    #[test]
    fn every_known_type_has_its_members() {
        for summary_type in KNOWN {
            assert!(of(summary_type.name).is_some(), "{}", summary_type.name);
        }
        assert!(of("beats").is_none());
    }

    #[test]
    fn member_is_known_at_its_own_place_alone() {
        assert!(known("activities", "durationInSeconds"));
        assert!(known("activityDetails", "summary.durationInSeconds"));
        assert!(known("activityDetails", "samples.latitudeInDegree"));
        assert!(!known("activities", "samples.latitudeInDegree"));
        assert!(!known("activities", "activityType.durationInSeconds"));
        assert!(!known("activities", "DurationInSeconds"));
    }

    #[test]
    fn sample_maps_know_numbers_alone() {
        assert!(known("dailies", "timeOffsetHeartRateSamples.15"));
        assert!(!known("dailies", "timeOffsetHeartRateSamples.owner"));
        assert!(!known("dailies", "timeOffsetHeartRateSamples.15.deep"));
    }
}
