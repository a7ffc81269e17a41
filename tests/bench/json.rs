//! Speed of the JSON passes over a made-up 100 MB `activityDetails` body: `cargo bench --bench json`.
//!
//! An argument sets the megabytes: `cargo bench --bench json -- 10`.

use std::hint::black_box;
use std::time::{Duration, Instant};

use serde::de::IgnoredAny;
use studygate::json::rewrite::{Action, Rewriter, Rules};
use studygate::json::split::Splitter;

const RUNS: usize = 5;

#[expect(clippy::print_stdout, reason = "a bench prints its figures")]
fn main() {
    // Cargo passes `--bench` to a bench; without it (`cargo test --benches`) this is only tried.
    let usual = if std::env::args().any(|argument| argument == "--bench") { 100 } else { 1 };
    let megabytes = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(usual);
    let body = activity_details(megabytes * 1_000_000);
    println!("activityDetails, {:.1} MB, best of {RUNS}", body.len() as f64 / 1e6);
    let ignored = best(|| {
        let parsed: Result<IgnoredAny, _> = serde_json::from_slice(&body);
        assert!(parsed.is_ok());
    });
    report("serde_json IgnoredAny, one slice", body.len(), ignored);
    for chunk in [16 << 10, 64 << 10] {
        let time = best(|| assert!(split(&body, chunk) > 0));
        report(&format!("Splitter, chunks of {} KiB", chunk >> 10), body.len(), time);
    }
    let object = &body[r#"{"activityDetails":["#.len()..body.len() - 2];
    let samples =
        object.windows(14).position(|window| window == br#"},{"summaryId""#).map_or(object, |end| &object[..=end]);
    let time = best(|| {
        for _ in 0..object.len() / samples.len() {
            assert!(rewrite(samples, false) > 0);
        }
    });
    report("Rewriter, asked about every member", object.len() / samples.len() * samples.len(), time);
    let time = best(|| {
        for _ in 0..object.len() / samples.len() {
            assert!(rewrite(samples, true) > 0);
        }
    });
    report("Rewriter, samples kept whole", object.len() / samples.len() * samples.len(), time);
    let dailies = flat(megabytes * 1_000_000);
    let ignored = best(|| {
        let parsed: Result<IgnoredAny, _> = serde_json::from_slice(&dailies);
        assert!(parsed.is_ok());
    });
    report("flat summaries: serde_json IgnoredAny", dailies.len(), ignored);
    let time = best(|| assert!(split(&dailies, 64 << 10) > 0));
    report("flat summaries: Splitter", dailies.len(), time);
    let summary = summary_of_2_kb();
    let time = best(|| {
        for _ in 0..10_000 {
            assert!(rewrite(&summary, false) > 0);
        }
    });
    let each = time.as_secs_f64() * 1e6 / 10_000.0;
    println!("flat summary of {} bytes: Rewriter {each:>19.2} microseconds", summary.len());
}

fn split(body: &[u8], chunk: usize) -> u64 {
    let mut splitter = Splitter::new();
    let mut entries = 0;
    for chunk in body.chunks(chunk) {
        let fed = splitter.feed(chunk, &mut |entry| {
            black_box(&entry);
            entries += 1;
        });
        assert_eq!(fed, Ok(()));
    }
    assert_eq!(splitter.finish(), Ok(()));
    entries
}

/// Rules like those of filing.
struct Filing {
    samples_whole: bool,
}

impl Rules for Filing {
    fn action(&mut self, _: &[Box<str>], name: &str) -> Action {
        match name {
            "userId" | "userAccessToken" | "callbackURL" => Action::DropUndigested,
            "summaryId" | "activityId" | "parentSummaryId" => Action::Replace,
            "activityName" | "activityDescription" => Action::Divert,
            "samples" if self.samples_whole => Action::KeepWhole,
            _ => Action::Keep,
        }
    }

    fn replace(&mut self, _: &[Box<str>], _: &str, value: &str) -> Option<(String, String)> {
        Some(("record_id".to_owned(), format!("\"{:032x}\"", value.len())))
    }
}

fn rewrite(object: &[u8], samples_whole: bool) -> usize {
    let mut rewriter = Rewriter::new(Filing { samples_whole }, b"made-up for this");
    let mut bytes = 0;
    for chunk in object.chunks(64 << 10) {
        assert_eq!(rewriter.feed(chunk, &mut |piece| bytes += black_box(piece).len()), Ok(()));
    }
    assert!(rewriter.finish(&mut |piece| bytes += black_box(piece).len()).is_ok());
    bytes
}

fn best(mut run: impl FnMut()) -> Duration {
    let time = |run: &mut dyn FnMut()| {
        let start = Instant::now();
        run();
        start.elapsed()
    };
    (0..RUNS).map(|_| time(&mut run)).min().unwrap_or_default()
}

#[expect(clippy::print_stdout, reason = "a bench prints its figures")]
fn report(what: &str, bytes: usize, time: Duration) {
    println!("{what:<45} {:>6.0} MB/s", bytes as f64 / 1e6 / time.as_secs_f64());
}

/// Items of half an hour of samples each, numbers spread as a watch gives them.
fn activity_details(bytes: usize) -> Vec<u8> {
    let mut body = String::with_capacity(bytes + (1 << 20));
    body.push_str(r#"{"activityDetails":["#);
    let mut dice = Dice(7);
    let mut item = 0;
    while body.len() < bytes {
        if item > 0 {
            body.push(',');
        }
        let start = 1_790_000_000 + item * 1800;
        body.push_str(&format!(
            r#"{{"summaryId":"x{item:08}-detail","activityId":{},"userId":"made-up-user-{}","summary":{{"durationInSeconds":1800,"startTimeInSeconds":{start},"startTimeOffsetInSeconds":3600,"activityType":"RUNNING","averageHeartRateInBeatsPerMinute":147,"deviceName":"watch","distanceInMeters":5123.25}},"samples":["#,
            9_007_199_254_740_993_u64 + item,
            item % 50,
        ));
        for second in 0..1800 {
            if second > 0 {
                body.push(',');
            }
            body.push_str(&format!(
                r#"{{"startTimeInSeconds":{},"latitudeInDegree":{}.{:015},"longitudeInDegree":-{}.{:013},"elevationInMeters":{}.{},"airTemperatureCelcius":{}.0,"heartRate":{},"speedMetersPerSecond":{}.{:03},"stepsPerMinute":{}.0,"totalDistanceInMeters":{}.{:02},"timerDurationInSeconds":{second},"clockDurationInSeconds":{second},"movingDurationInSeconds":{second}}}"#,
                start + second,
                dice.below(90), dice.below(1_000_000_000_000_000),
                dice.below(180), dice.below(10_000_000_000_000),
                dice.below(3000), dice.below(100_000),
                dice.below(40), 60 + dice.below(130),
                dice.below(7), dice.below(1000),
                dice.below(200), dice.below(50_000), dice.below(100),
            ));
        }
        body.push_str(r#"],"laps":[{"startTimeInSeconds":1790000000}]}"#);
        item += 1;
    }
    body.push_str("]}");
    body.into_bytes()
}

/// Summaries of a day, some 700 bytes each.
fn flat(bytes: usize) -> Vec<u8> {
    let mut body = String::with_capacity(bytes + (1 << 20));
    body.push_str(r#"{"dailies":["#);
    let mut dice = Dice(11);
    let mut item = 0_u64;
    while body.len() < bytes {
        if item > 0 {
            body.push(',');
        }
        body.push_str(&format!(
            r#"{{"userId":"made-up-user-{}","summaryId":"x{item:08}-day","calendarDate":"2026-11-01","activityType":"WALKING","activeKilocalories":{},"bmrKilocalories":{},"steps":{},"distanceInMeters":{}.{},"durationInSeconds":86400,"activeTimeInSeconds":{},"startTimeInSeconds":{},"startTimeOffsetInSeconds":3600,"moderateIntensityDurationInSeconds":{},"vigorousIntensityDurationInSeconds":0,"floorsClimbed":{},"minHeartRateInBeatsPerMinute":{},"maxHeartRateInBeatsPerMinute":{},"averageHeartRateInBeatsPerMinute":{},"restingHeartRateInBeatsPerMinute":{},"averageStressLevel":{},"maxStressLevel":{},"stressQualifier":"balanced"}}"#,
            item % 50, dice.below(2000), dice.below(2000), dice.below(30_000), dice.below(20_000), dice.below(100),
            dice.below(20_000), 1_790_000_000 + item * 60, dice.below(9000), dice.below(40), dice.below(60),
            dice.below(190), dice.below(100), dice.below(70), dice.below(100), dice.below(100),
        ));
        item += 1;
    }
    body.push_str("]}");
    body.into_bytes()
}

fn summary_of_2_kb() -> Vec<u8> {
    let mut object = String::from(r#"{"userId":"made-up-user-1","summaryId":"x00000001-day","activityName":"morning""#);
    for member in 0_u64.. {
        if object.len() > 2030 {
            break;
        }
        object.push_str(&format!(r#","someMeasureInUnits{member:02}":{}"#, member * 7919 % 10_000));
    }
    object.push('}');
    object.into_bytes()
}

/// Repeatable numbers (xorshift).
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}
