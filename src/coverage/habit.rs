//! What is to be expected of a day, by type.
//!
//! Facts: how a type's summaries cover a day, as Garmin's Health and Activity APIs send them.

use crate::model::summary::SummaryType;

/// A day's summary covers it from 22 hours on: the day on which the clocks go forward has 23.
const WHOLE_DAY_S: u32 = 22 * 3600;
/// So much of what is measured while the watch is worn makes a day, by custom.
const WORN_DAY_S: u32 = 10 * 3600;

/// How a type's records come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Habit {
    /// One summary of each calendar day, which grows with the day.
    WholeDay,
    /// Span after span, for as long as the watch is worn.
    WhileWorn,
    /// One summary of each night; it counts on the day on which the night ends.
    Nightly,
    /// Something each day.
    Daily,
    /// Whenever it happens: no day is expected to have one.
    NowAndThen,
}

impl Habit {
    /// The habit of a type.
    pub fn of(summary_type: &SummaryType) -> Habit {
        match summary_type.name() {
            "dailies" => Self::WholeDay,
            "epochs" | "stressDetails" | "allDayRespiration" => Self::WhileWorn,
            "sleeps" | "hrv" | "skinTemp" => Self::Nightly,
            "pulseox" | "userMetrics" => Self::Daily,
            _ => Self::NowAndThen,
        }
    }

    /// Whether every day is expected to have it.
    pub fn is_expected(self) -> bool {
        self != Self::NowAndThen
    }

    /// Seconds that a day needs to count as received.
    pub fn enough(self) -> u32 {
        match self {
            Self::WholeDay => WHOLE_DAY_S,
            Self::WhileWorn => WORN_DAY_S,
            Self::Nightly | Self::Daily | Self::NowAndThen => 0,
        }
    }
}

/// Whether the type's spans tell how long the watch was worn.
pub fn tells_wear(summary_type: &SummaryType) -> bool {
    summary_type.name() == "epochs"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::summary::KNOWN;

    #[test]
    fn every_name_here_is_a_known_type() {
        let expected = KNOWN.iter().filter(|known| Habit::of(&SummaryType::named(known.name)).is_expected()).count();
        assert_eq!(expected, 9);
        assert!(KNOWN.iter().any(|known| tells_wear(&SummaryType::named(known.name))));
    }
}
