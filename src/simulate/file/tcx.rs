//! A TCX document: one activity of one lap, by the schema TrainingCenterDatabase v2.

use std::fmt::Write as _;

use crate::simulate::activity::{Workout, kilocalories};
use crate::simulate::file::title;
use crate::simulate::track::{Degrees, Point};
use crate::simulate::user::User;

const HEAD: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
    <TrainingCenterDatabase xmlns=\"http://www.garmin.com/xmlschemas/TrainingCenterDatabase/v2\" \
    xmlns:ns3=\"http://www.garmin.com/xmlschemas/ActivityExtension/v2\" \
    xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\">\n";

/// The document of this run.
pub(super) fn written(user: &User, workout: &Workout) -> String {
    let mut text = String::with_capacity(workout.points.len() * 480 + 2048);
    text.push_str(HEAD);
    add_lap(&mut text, user, workout);
    let written = write!(
        text,
        "</Track></Lap><Notes>{}</Notes>\n\
         <Creator xsi:type=\"Device_t\"><Name>{}</Name><UnitId>{}</UnitId><ProductID>3111</ProductID>\
         <Version><VersionMajor>18</VersionMajor><VersionMinor>26</VersionMinor></Version></Creator>\n\
         </Activity></Activities></TrainingCenterDatabase>\n",
        title(user, workout),
        user.device,
        user.serial,
    );
    written.expect("a String takes all text");
    text
}

fn add_lap(text: &mut String, user: &User, workout: &Workout) {
    let (totals, start) = (&workout.totals, workout.start);
    let written = write!(
        text,
        "<Activities><Activity Sport=\"Running\"><Id>{start}</Id>\n<Lap StartTime=\"{start}\">\
         <TotalTimeSeconds>{}.0</TotalTimeSeconds><DistanceMeters>{}</DistanceMeters>\
         <MaximumSpeed>{}</MaximumSpeed><Calories>{}</Calories>\
         <AverageHeartRateBpm><Value>{}</Value></AverageHeartRateBpm>\
         <MaximumHeartRateBpm><Value>{}</Value></MaximumHeartRateBpm>\
         <Intensity>Active</Intensity><TriggerMethod>Manual</TriggerMethod>\n<Track>\n",
        totals.seconds,
        Hundredths(totals.distance_cm),
        Hundredths(totals.speed_max_cm),
        kilocalories(user, totals),
        totals.heart_rate_average,
        totals.heart_rate_max,
    );
    written.expect("a String takes all text");
    workout.points.iter().for_each(|point| add_point(text, point));
}

fn add_point(text: &mut String, point: &Point) {
    let written = writeln!(
        text,
        "<Trackpoint><Time>{}</Time><Position><LatitudeDegrees>{}</LatitudeDegrees>\
         <LongitudeDegrees>{}</LongitudeDegrees></Position><AltitudeMeters>{}.{}</AltitudeMeters>\
         <DistanceMeters>{}</DistanceMeters><HeartRateBpm><Value>{}</Value></HeartRateBpm>\
         <Extensions><ns3:TPX><ns3:Speed>{}</ns3:Speed><ns3:RunCadence>{}</ns3:RunCadence></ns3:TPX></Extensions>\
         </Trackpoint>",
        point.time,
        Degrees(point.latitude),
        Degrees(point.longitude),
        point.elevation_dm / 10,
        point.elevation_dm % 10,
        Hundredths(point.distance_cm),
        point.heart_rate,
        Hundredths(point.speed_cm),
        point.cadence / 2,
    );
    written.expect("a String takes all text");
}

/// Centimetres, written in metres.
struct Hundredths(i64);

impl std::fmt::Display for Hundredths {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{:02}", self.0 / 100, self.0 % 100)
    }
}
