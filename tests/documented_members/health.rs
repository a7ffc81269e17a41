//! Members of the Health API's summaries, as public integrations receive them.

use super::{
    Member, Members, PSEUDONYMS,
    Shape::{Object, Offsets, Value},
};

pub(crate) const DAILIES: Members = &[
    PSEUDONYMS,
    TIMED,
    &[
        ("calendarDate", Value),
        ("activityType", Value),
        ("steps", Value),
        ("pushes", Value),
        ("distanceInMeters", Value),
        ("pushDistanceInMeters", Value),
        ("activeTimeInSeconds", Value),
        ("activeKilocalories", Value),
        ("bmrKilocalories", Value),
        ("consumedCalories", Value),
        ("moderateIntensityDurationInSeconds", Value),
        ("vigorousIntensityDurationInSeconds", Value),
        ("floorsClimbed", Value),
        ("minHeartRateInBeatsPerMinute", Value),
        ("averageHeartRateInBeatsPerMinute", Value),
        ("maxHeartRateInBeatsPerMinute", Value),
        ("restingHeartRateInBeatsPerMinute", Value),
        ("timeOffsetHeartRateSamples", Offsets),
        ("averageStressLevel", Value),
        ("maxStressLevel", Value),
        ("stressDurationInSeconds", Value),
        ("restStressDurationInSeconds", Value),
        ("activityStressDurationInSeconds", Value),
        ("lowStressDurationInSeconds", Value),
        ("mediumStressDurationInSeconds", Value),
        ("highStressDurationInSeconds", Value),
        ("stressQualifier", Value),
        ("stepsGoal", Value),
        ("pushesGoal", Value),
        ("intensityDurationGoalInSeconds", Value),
        ("floorsClimbedGoal", Value),
        ("netKilocaloriesGoal", Value),
        ("bodyBatteryChargedValue", Value),
        ("bodyBatteryDrainedValue", Value),
    ],
];
pub(crate) const EPOCHS: Members = &[
    PSEUDONYMS,
    TIMED,
    &[
        ("activityType", Value),
        ("activeTimeInSeconds", Value),
        ("steps", Value),
        ("pushes", Value),
        ("distanceInMeters", Value),
        ("pushDistanceInMeters", Value),
        ("activeKilocalories", Value),
        ("met", Value),
        ("intensity", Value),
        ("meanMotionIntensity", Value),
        ("maxMotionIntensity", Value),
    ],
];
pub(crate) const SLEEPS: Members = &[
    PSEUDONYMS,
    TIMED,
    &[
        ("calendarDate", Value),
        ("totalNapDurationInSeconds", Value),
        ("unmeasurableSleepInSeconds", Value),
        ("deepSleepDurationInSeconds", Value),
        ("lightSleepDurationInSeconds", Value),
        ("remSleepInSeconds", Value),
        ("awakeDurationInSeconds", Value),
        ("sleepLevelsMap", Object(LEVELS)),
        ("validation", Value),
        ("timeOffsetSleepRespiration", Offsets),
        ("timeOffsetSleepSpo2", Offsets),
        ("overallSleepScore", Object(SCORE)),
        ("sleepScores", Object(SCORES)),
        ("naps", Object(NAP)),
    ],
];
pub(crate) const STRESS: Members = &[
    PSEUDONYMS,
    TIMED,
    &[
        ("calendarDate", Value),
        ("timeOffsetStressLevelValues", Offsets),
        ("timeOffsetBodyBatteryValues", Offsets),
        ("bodyBatteryDynamicFeedbackEvent", Object(FEEDBACK)),
        ("bodyBatteryActivityEvents", Object(BATTERY_EVENT)),
    ],
];
pub(crate) const HRV: Members = &[
    PSEUDONYMS,
    TIMED,
    &[("calendarDate", Value), ("lastNightAvg", Value), ("lastNight5MinHigh", Value), ("hrvValues", Offsets)],
];
pub(crate) const BLOOD_PRESSURES: Members = &[
    PSEUDONYMS,
    &[
        ("measurementTimeInSeconds", Value),
        ("measurementTimeOffsetInSeconds", Value),
        ("systolic", Value),
        ("diastolic", Value),
        ("pulse", Value),
        ("sourceType", Value),
    ],
];
pub(crate) const SNAPSHOT: Members = &[
    PSEUDONYMS,
    &[
        ("calendarDate", Value),
        ("startTimeInSeconds", Value),
        ("offsetStartTimeInSeconds", Value),
        ("durationInSeconds", Value),
        ("summaries", Object(SNAPSHOT_SUMMARY)),
    ],
];
pub(crate) const SKIN_TEMPERATURE: Members =
    &[PSEUDONYMS, TIMED, &[("calendarDate", Value), ("avgDeviationCelsius", Value)]];
pub(crate) const BODY_COMPOSITIONS: Members = &[
    PSEUDONYMS,
    &[
        ("measurementTimeInSeconds", Value),
        ("measurementTimeOffsetInSeconds", Value),
        ("muscleMassInGrams", Value),
        ("boneMassInGrams", Value),
        ("bodyWaterInPercent", Value),
        ("bodyFatInPercent", Value),
        ("bodyMassIndex", Value),
        ("weightInGrams", Value),
    ],
];
pub(crate) const USER_METRICS: Members = &[
    PSEUDONYMS,
    &[("calendarDate", Value), ("vo2Max", Value), ("vo2MaxCycling", Value), ("enhanced", Value), ("fitnessAge", Value)],
];
pub(crate) const PULSE_OX: Members =
    &[PSEUDONYMS, TIMED, &[("calendarDate", Value), ("timeOffsetSpo2Values", Offsets), ("onDemand", Value)]];
pub(crate) const RESPIRATION: Members = &[PSEUDONYMS, TIMED, &[("timeOffsetEpochToBreaths", Offsets)]];

const TIMED: &[Member] =
    &[("startTimeInSeconds", Value), ("startTimeOffsetInSeconds", Value), ("durationInSeconds", Value)];
const LEVELS: Members = &[&[
    ("deep", Object(SPAN)),
    ("light", Object(SPAN)),
    ("rem", Object(SPAN)),
    ("awake", Object(SPAN)),
    ("unmeasurable", Object(SPAN)),
]];
const SPAN: Members = &[&[("startTimeInSeconds", Value), ("endTimeInSeconds", Value)]];
const SCORE: Members = &[&[("value", Value), ("qualifierKey", Value)]];
const SCORES: Members = &[&[
    ("totalDuration", Object(SCORE)),
    ("stress", Object(SCORE)),
    ("awakeCount", Object(SCORE)),
    ("remPercentage", Object(SCORE)),
    ("restlessness", Object(SCORE)),
    ("lightPercentage", Object(SCORE)),
    ("deepPercentage", Object(SCORE)),
]];
const NAP: Members = &[&[
    ("napDurationInSeconds", Value),
    ("napStartTimeInSeconds", Value),
    ("napOffsetInSeconds", Value),
    ("napValidation", Value),
]];
const FEEDBACK: Members = &[&[("eventStartTimeInSeconds", Value), ("bodyBatteryLevel", Value)]];
const BATTERY_EVENT: Members = &[&[
    ("eventType", Value),
    ("eventStartTimeInSeconds", Value),
    ("eventStartTimeOffsetInSeconds", Value),
    ("durationInSeconds", Value),
    ("bodyBatteryImpact", Value),
    ("activityType", Value),
    ("activityName", Value),
]];
const SNAPSHOT_SUMMARY: Members = &[&[
    ("summaryType", Value),
    ("minValue", Value),
    ("maxValue", Value),
    ("avgValue", Value),
    ("epochSummaries", Offsets),
]];
