//! Members of the Activity API's summaries (1.2.3 §7.1–7.5).

use super::{
    Member, Members, PSEUDONYMS,
    Shape::{Object, Value},
};

pub(crate) const ACTIVITY: Members = &[PSEUDONYMS, SUMMARY];
pub(crate) const DETAILS: Members = &[
    PSEUDONYMS,
    &[
        ("summary", Object(ACTIVITY)),
        ("samples", Object(&[SAMPLE])),
        ("laps", Object(&[&[("startTimeInSeconds", Value)]])),
    ],
];
pub(crate) const FILES: Members = &[
    PSEUDONYMS,
    &[
        ("fileType", Value),
        ("activityType", Value),
        ("activityName", Value),
        ("activityDescription", Value),
        ("deviceName", Value),
        ("startTimeInSeconds", Value),
        ("manual", Value),
    ],
];
pub(crate) const MOVE_IQ: Members = &[
    PSEUDONYMS,
    &[
        ("calendarDate", Value),
        ("startTimeInSeconds", Value),
        ("offsetInSeconds", Value),
        ("durationInSeconds", Value),
        ("activityType", Value),
        ("activitySubType", Value),
    ],
];

const SUMMARY: &[Member] = &[
    ("startTimeInSeconds", Value),
    ("startTimeOffsetInSeconds", Value),
    ("activityName", Value),
    ("activityDescription", Value),
    ("activityType", Value),
    ("durationInSeconds", Value),
    ("pushes", Value),
    ("averageBikeCadenceInRoundsPerMinute", Value),
    ("averageHeartRateInBeatsPerMinute", Value),
    ("averageRunCadenceInStepsPerMinute", Value),
    ("averagePushCadenceInPushesPerMinute", Value),
    ("averageSpeedInMetersPerSecond", Value),
    ("averageSwimCadenceInStrokesPerMinute", Value),
    ("averagePaceInMinutesPerKilometer", Value),
    ("activeKilocalories", Value),
    ("deviceName", Value),
    ("distanceInMeters", Value),
    ("maxBikeCadenceInRoundsPerMinute", Value),
    ("maxHeartRateInBeatsPerMinute", Value),
    ("maxPaceInMinutesPerKilometer", Value),
    ("maxRunCadenceInStepsPerMinute", Value),
    ("maxPushCadenceInPushesPerMinute", Value),
    ("maxSpeedInMetersPerSecond", Value),
    ("numberOfActiveLengths", Value),
    ("startingLatitudeInDegree", Value),
    ("startingLongitudeInDegree", Value),
    ("steps", Value),
    ("totalElevationGainInMeters", Value),
    ("totalElevationLossInMeters", Value),
    ("isParent", Value),
    ("manual", Value),
    ("Manual", Value),
    ("isWebUpload", Value),
];

const SAMPLE: &[Member] = &[
    ("startTimeInSeconds", Value),
    ("latitudeInDegree", Value),
    ("longitudeInDegree", Value),
    ("elevationInMeters", Value),
    ("airTemperatureCelcius", Value),
    ("heartRate", Value),
    ("speedMetersPerSecond", Value),
    ("stepsPerMinute", Value),
    ("totalDistanceInMeters", Value),
    ("timerDurationInSeconds", Value),
    ("clockDurationInSeconds", Value),
    ("movingDurationInSeconds", Value),
    ("powerInWatts", Value),
    ("bikeCadenceInRPM", Value),
    ("directWheelchairCadence", Value),
    ("swimCadenceInStrokesPerMinute", Value),
];
