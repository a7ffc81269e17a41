//! A run as a watch samples it: one point a second, each a step from the one before.
//!
//! Whole numbers, and of floats only what IEEE 754 rounds alike everywhere, keep it the same on every machine.

use std::fmt::{Display, Formatter, Result, Write as _};

use crate::model::time::UnixSeconds;
use crate::simulate::habits::Habits;
use crate::simulate::random::Random;
use crate::simulate::user::User;

/// Metres of a degree of latitude.
const DEGREE_M: f64 = 111_195.0;

/// What a watch knows in one second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Point {
    /// Since the start.
    pub(super) seconds: i64,
    pub(super) time: UnixSeconds,
    /// Billionths of a degree.
    pub(super) latitude: i64,
    /// Billionths of a degree.
    pub(super) longitude: i64,
    pub(super) elevation_dm: i64,
    pub(super) temperature: i64,
    pub(super) heart_rate: i64,
    /// Centimetres a second.
    pub(super) speed_cm: i64,
    /// Steps a minute, an even number: files count pairs of steps.
    pub(super) cadence: i64,
    pub(super) distance_cm: i64,
}

/// The points of a run, without end: past its planned seconds the runner strolls on.
#[derive(Debug)]
pub(super) struct Track {
    random: Random,
    start: i64,
    planned: i64,
    seconds: i64,
    home: (f64, f64),
    heading: (f64, f64),
    loop_cm: i64,
    pace_cm: i64,
    speed_cm: i64,
    distance_cm: i64,
    resting: i64,
    reserve: i64,
    /// 64ths of a beat a minute.
    heart: i64,
    ground_dm: i64,
    hill_dm: i64,
    temperature: i64,
}

impl Track {
    /// The run that starts then, is planned for so many seconds, and is the user's at this place of its life.
    pub(super) fn new(user: &User, start: UnixSeconds, planned: i64, place: u64) -> Self {
        let habits = Habits::of(user);
        let mut random = user.random(&[u64::from(b'k'), place]);
        let (along, _) = circle(random.below(1000) as f64 / 1000.0);
        let across = (1.0 - along * along).max(0.0).sqrt();
        let pace_cm = habits.pace_cm * random.between(92, 108) / 100;
        Self {
            start: start.0,
            planned: planned.max(1),
            seconds: 0,
            home: (user.latitude, user.longitude),
            heading: (along, across),
            loop_cm: random.between(250_000, 480_000),
            pace_cm,
            speed_cm: pace_cm / 2,
            distance_cm: 0,
            resting: habits.resting,
            reserve: habits.heart_rate_max() - habits.resting,
            heart: (habits.resting + 25) * 64,
            ground_dm: random.between(200, 4000),
            hill_dm: random.between(30, 260),
            temperature: random.between(4, 24),
            random,
        }
    }

    /// The next second's point; the first one is where the user lives.
    pub(super) fn next_point(&mut self) -> Point {
        let draw = self.random.bits();
        let part = |shift: u32, width: i64| {
            let bits = i64::try_from((draw >> shift) & 0xffff).unwrap_or(0);
            (bits * width) >> 16
        };
        let seconds = self.seconds;
        self.seconds += 1;
        let percent = (seconds * 100 / self.planned).min(100);
        let (effort, speed_goal) = match percent {
            94.. => (44, self.pace_cm * 78 / 100),
            ..6 => (62, self.pace_cm * 88 / 100),
            _ => (64 + percent / 6, self.pace_cm),
        };
        if seconds > 0 {
            self.speed_cm = (self.speed_cm + (speed_goal - self.speed_cm) / 8 + part(0, 25) - 12).clamp(80, 600);
            self.distance_cm += self.speed_cm;
            let heart_goal = (self.resting + self.reserve * effort / 100) * 64;
            self.heart += (heart_goal - self.heart) / 48 + part(16, 97) - 48;
        }
        let (latitude, longitude) = self.place(part(32, 9000) - 4500);
        Point {
            seconds,
            time: UnixSeconds(self.start + seconds),
            latitude,
            longitude,
            elevation_dm: self.ground_dm + self.climb(),
            temperature: self.temperature + (seconds / 1800).min(6),
            heart_rate: (self.heart / 64).clamp(40, self.resting + self.reserve),
            speed_cm: self.speed_cm,
            cadence: (118 + self.speed_cm * 14 / 100 + part(48, 5)) / 2 * 2,
            distance_cm: self.distance_cm,
        }
    }

    /// Where on its round the runner is: a circle through the start, with `sway` billionths of a degree of GPS noise.
    fn place(&self, sway: i64) -> (i64, i64) {
        let billionths = |degrees: f64| (degrees * 1e9).round() as i64;
        if self.seconds == 1 {
            return (billionths(self.home.0), billionths(self.home.1));
        }
        let turned = (self.distance_cm % self.loop_cm) as f64 / self.loop_cm as f64;
        let radius_m = self.loop_cm as f64 / 100.0 / std::f64::consts::TAU;
        let (cosine, sine) = circle(turned);
        let (forward, aside) = (radius_m * sine, radius_m * (1.0 - cosine));
        let north = forward * self.heading.0 - aside * self.heading.1;
        let east = forward * self.heading.1 + aside * self.heading.0;
        let (narrowed, _) = circle(self.home.0.abs() / 360.0);
        let latitude = billionths(self.home.0 + north / DEGREE_M) + sway;
        (latitude, billionths(self.home.1 + east / (DEGREE_M * narrowed)) - sway)
    }

    /// Decimetres above the start: once up the hill and down again in a round.
    fn climb(&self) -> i64 {
        let half = self.loop_cm / 2;
        let way = self.distance_cm % self.loop_cm;
        self.hill_dm * way.min(self.loop_cm - way) / half
    }
}

impl Iterator for Track {
    type Item = Point;

    fn next(&mut self) -> Option<Point> {
        Some(self.next_point())
    }
}

impl Point {
    /// Its JSON text as a sample of activity details.
    pub(super) fn to_sample(self) -> String {
        let mut text = String::with_capacity(360);
        let written = write!(
            text,
            "{{\"startTimeInSeconds\":{},\"latitudeInDegree\":{},\"longitudeInDegree\":{},\
             \"elevationInMeters\":{}.{},\"airTemperatureCelcius\":{}.0,\"heartRate\":{},\
             \"speedMetersPerSecond\":{}.{:02},\"stepsPerMinute\":{}.0,\"totalDistanceInMeters\":{}.{:02},\
             \"timerDurationInSeconds\":{seconds},\"clockDurationInSeconds\":{seconds},\
             \"movingDurationInSeconds\":{seconds}}}",
            self.time.0,
            Degrees(self.latitude),
            Degrees(self.longitude),
            self.elevation_dm / 10,
            self.elevation_dm % 10,
            self.temperature,
            self.heart_rate,
            self.speed_cm / 100,
            self.speed_cm % 100,
            self.cadence,
            self.distance_cm / 100,
            self.distance_cm % 100,
            seconds = self.seconds,
        );
        written.expect("a String takes all text");
        text
    }
}

/// Cosine and sine of a part of a full turn from 0 to 1, true to 0.2 % (the rational approximation of Bhaskara I).
fn circle(turned: f64) -> (f64, f64) {
    let half_wave = |x: f64| {
        let area = x * (0.5 - x);
        4.0 * area / (0.3125 - area)
    };
    let sine = |x: f64| if x < 0.5 { half_wave(x) } else { -half_wave(x - 0.5) };
    let quarter_on = turned + 0.25;
    (sine(if quarter_on >= 1.0 { quarter_on - 1.0 } else { quarter_on }), sine(turned))
}

/// Billionths of a degree, written in degrees.
pub(super) struct Degrees(pub(super) i64);

impl Display for Degrees {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let size = self.0.unsigned_abs();
        write!(f, "{sign}{}.{:09}", size / 1_000_000_000, size % 1_000_000_000)
    }
}

/// What the points of a run come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Totals {
    pub(super) seconds: i64,
    pub(super) distance_cm: i64,
    pub(super) heart_rate_average: i64,
    pub(super) heart_rate_max: i64,
    pub(super) speed_max_cm: i64,
    pub(super) cadence_average: i64,
    pub(super) cadence_max: i64,
    pub(super) steps: i64,
    pub(super) ascent_dm: i64,
    pub(super) descent_dm: i64,
}

impl Totals {
    /// Those of a run of these points; all zero where there is none.
    pub(super) fn of(points: impl IntoIterator<Item = Point>) -> Self {
        let (mut totals, mut count, mut beats, mut cadence) = (Self::default(), 0, 0, 0);
        let mut before: Option<Point> = None;
        for point in points {
            count += 1;
            beats += point.heart_rate;
            cadence += point.cadence;
            let climbed = before.map_or(0, |before| point.elevation_dm - before.elevation_dm);
            totals.ascent_dm += climbed.max(0);
            totals.descent_dm += (-climbed).max(0);
            totals.heart_rate_max = totals.heart_rate_max.max(point.heart_rate);
            totals.speed_max_cm = totals.speed_max_cm.max(point.speed_cm);
            totals.cadence_max = totals.cadence_max.max(point.cadence);
            (totals.seconds, totals.distance_cm) = (point.seconds, point.distance_cm);
            before = Some(point);
        }
        totals.steps = cadence / 60;
        totals.heart_rate_average = (beats + count / 2) / count.max(1);
        totals.cadence_average = cadence / count.max(1) / 2 * 2;
        totals
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulate::user::Population;

    fn metres(one: &Point, other: &Point) -> f64 {
        let north = (one.latitude - other.latitude) as f64 * 1e-9 * DEGREE_M;
        let narrowed = (one.latitude as f64 * 1e-9).to_radians().cos();
        let east = (one.longitude - other.longitude) as f64 * 1e-9 * DEGREE_M * narrowed;
        north.hypot(east)
    }

    #[test]
    fn positions_move_as_fast_as_the_speed_says() {
        for user in Population::new(61, 6).users() {
            let points: Vec<Point> = Track::new(user, UnixSeconds(0), 2400, 7).take(2401).collect();
            for pair in points.chunks_exact(60) {
                let (moved, measured) = (metres(&pair[0], &pair[59]), pair[59].distance_cm - pair[0].distance_cm);
                assert!((moved - measured as f64 / 100.0).abs() < 12.0, "{moved} m for {measured} cm");
            }
        }
    }

    #[test]
    fn heart_rate_rises_and_falls_again() {
        for user in Population::new(62, 6).users() {
            let points: Vec<Point> = Track::new(user, UnixSeconds(0), 2400, 7).take(2401).collect();
            let (first, late, last) = (points[0].heart_rate, points[2200].heart_rate, points[2400].heart_rate);
            assert!(late > first + 25 && late > last + 10, "{first} {late} {last}");
        }
    }
}
