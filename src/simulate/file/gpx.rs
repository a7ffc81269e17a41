//! A GPX 1.1 document: one track of one segment, with Garmin's extension for heart rate, cadence and temperature.

use std::fmt::Write as _;

use crate::simulate::activity::Workout;
use crate::simulate::file::title;
use crate::simulate::track::{Degrees, Point};
use crate::simulate::user::User;

/// The document of this run.
pub(super) fn written(user: &User, workout: &Workout) -> String {
    let mut text = String::with_capacity(workout.points.len() * 320 + 1024);
    let written = write!(
        text,
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <gpx version=\"1.1\" creator=\"{}\" xmlns=\"http://www.topografix.com/GPX/1/1\" \
         xmlns:ns3=\"http://www.garmin.com/xmlschemas/TrackPointExtension/v1\">\n\
         <metadata><time>{}</time></metadata>\n<trk><name>{}</name><type>running</type><trkseg>\n",
        user.device,
        workout.start,
        title(user, workout),
    );
    written.expect("a String takes all text");
    workout.points.iter().for_each(|point| add_point(&mut text, point));
    text.push_str("</trkseg></trk></gpx>\n");
    text
}

fn add_point(text: &mut String, point: &Point) {
    let written = writeln!(
        text,
        "<trkpt lat=\"{}\" lon=\"{}\"><ele>{}.{}</ele><time>{}</time><extensions><ns3:TrackPointExtension>\
         <ns3:atemp>{}.0</ns3:atemp><ns3:hr>{}</ns3:hr><ns3:cad>{}</ns3:cad>\
         </ns3:TrackPointExtension></extensions></trkpt>",
        Degrees(point.latitude),
        Degrees(point.longitude),
        point.elevation_dm / 10,
        point.elevation_dm % 10,
        point.time,
        point.temperature,
        point.heart_rate,
        point.cadence / 2,
    );
    written.expect("a String takes all text");
}
