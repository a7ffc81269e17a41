//! Members of the Women's Health API's summary (1.0.4 §7.1).

use super::{
    Member, Members, PSEUDONYMS,
    Shape::{Object, Value},
};

// The weight goal and the glucose readings stand in the snapshot by the table of §7.1, and beside it by the brackets
// of its first example; both places are known.
pub(crate) const CYCLE: Members = &[
    PSEUDONYMS,
    WEIGHT_AND_GLUCOSE,
    &[
        ("periodStartDate", Value),
        ("dayInCycle", Value),
        ("periodLength", Value),
        ("currentPhase", Value),
        ("currentPhaseType", Value),
        ("lengthOfCurrentPhase", Value),
        ("daysUntilNextPhase", Value),
        ("fertileWindowStart", Value),
        ("lengthOfFertileWindow", Value),
        ("predictedCycleLength", Value),
        ("isPredictedCycle", Value),
        ("cycleLength", Value),
        ("lastUpdatedTimeInSeconds", Value),
        ("hasSpecifiedCycleLength", Value),
        ("hasSpecifiedPeriodLength", Value),
        ("pregnancySnapshot", Object(&[PREGNANCY, WEIGHT_AND_GLUCOSE])),
    ],
];

const PREGNANCY: &[Member] = &[
    ("title", Value),
    ("originalDueDate", Value),
    ("dueDate", Value),
    ("pregnancyCycleStartDate", Value),
    ("numOfBabies", Value),
];

const WEIGHT_AND_GLUCOSE: &[Member] = &[
    ("weightGoalUserInput", Object(&[&[("heightInCentimeters", Value), ("weightInGrams", Value)]])),
    (
        "bloodGlucoseList",
        Object(&[&[("valueInMilligramsPerDeciliter", Value), ("logType", Value), ("reportTimestampInSeconds", Value)]]),
    ),
];
