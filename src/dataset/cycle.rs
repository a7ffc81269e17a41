//! What members of a cycle tell of a pregnancy without naming it: the phase, and counts of days that no cycle reaches.
//!
//! Facts: Women's Health API 1.0.4 §7.1 and its examples; names of phases as devices show them.

/// What a member of a cycle is, as far as it may tell of a pregnancy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CycleSign {
    /// The name of the phase.
    PhaseName,
    /// Its number.
    PhaseNumber,
    /// Days of the cycle, counted or predicted.
    Days,
}

/// The phases of a cycle without a pregnancy. A name that is not among them may be one of a pregnancy, and goes.
const PHASES: &[&str] =
    &["MENSTRUAL", "MENSTRUATION", "FOLLICULAR", "FERTILE", "FERTILE_WINDOW", "OVULATION", "OVULATORY", "LUTEAL"];
/// The highest number of such a phase; those of a pregnancy are higher.
const PHASE_MAX: u8 = 4;
/// The most days of a cycle, or of a part of it, that is not taken for a pregnancy's.
const DAYS_MAX: u8 = 90;

/// What the member of this name is.
pub fn sign(name: &str) -> Option<CycleSign> {
    match name {
        "currentPhaseType" => Some(CycleSign::PhaseName),
        "currentPhase" => Some(CycleSign::PhaseNumber),
        "dayInCycle" | "lengthOfCurrentPhase" | "daysUntilNextPhase" | "predictedCycleLength" | "cycleLength" => {
            Some(CycleSign::Days)
        }
        _ => None,
    }
}

impl CycleSign {
    /// The value, given decoded; `None` where it tells of a pregnancy, or is not understood.
    pub fn without_pregnancy(self, value: &str) -> Option<&str> {
        let within = |most: u8| value.parse().is_ok_and(|number: u8| number <= most);
        let stays = match self {
            Self::PhaseName => PHASES.iter().any(|phase| phase.eq_ignore_ascii_case(value)),
            Self::PhaseNumber => within(PHASE_MAX),
            Self::Days => within(DAYS_MAX),
        };
        stays.then_some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phases_and_days_of_a_cycle_stay_and_those_of_a_pregnancy_go() {
        let check = |sign: CycleSign, value: &str, expected: Option<&str>| {
            assert_eq!(sign.without_pregnancy(value), expected, "{value}");
        };
        check(CycleSign::PhaseName, "LUTEAL", Some("LUTEAL"));
        check(CycleSign::PhaseName, "SECOND_TRIMESTER", None);
        check(CycleSign::PhaseName, "POSTPARTUM", None);
        check(CycleSign::PhaseName, "", None);
        check(CycleSign::PhaseNumber, "4", Some("4"));
        check(CycleSign::PhaseNumber, "6", None);
        check(CycleSign::Days, "41", Some("41"));
        check(CycleSign::Days, "280", None);
        check(CycleSign::Days, "98", None);
        check(CycleSign::Days, "soon", None);
        assert_eq!(sign("periodLength"), None);
    }
}
