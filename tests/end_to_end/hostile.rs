//! Bodies that are JSON and nothing else good: each is taken, filed, and stops neither the gateway nor an export.

use studygate::simulate::user::Population;

use crate::site::{Site, files_below};

/// Items that are filed for the user who takes the place of `@`.
fn items() -> Vec<String> {
    let repeated = |text: &str, count: usize| vec![text; count].join(",");
    let mut items: Vec<String> = [
        r#"{"userId":"@"}"#,
        r#"{"userId":"@","summaryId":""}"#,
        r#"{"userId":"@","summaryId":"\u0000\ud83d\ude00"}"#,
        r#"{"userId":"@","summaryId":"t1","startTimeInSeconds":9223372036854775807,"startTimeOffsetInSeconds":2147483647,"durationInSeconds":9223372036854775807}"#,
        r#"{"userId":"@","summaryId":"t2","startTimeInSeconds":-9223372036854775808,"startTimeOffsetInSeconds":-2147483648}"#,
        r#"{"userId":"@","summaryId":"t3","startTimeInSeconds":1e400,"durationInSeconds":-1e400}"#,
        r#"{"userId":"@","summaryId":"t4","startTimeInSeconds":253402300799,"startTimeOffsetInSeconds":86400}"#,
        r#"{"userId":"@","summaryId":"t5","startTimeInSeconds":-377705116800}"#,
        r#"{"userId":"@","summaryId":"t6","startTimeInSeconds":"soon","startTimeOffsetInSeconds":99999999999999999999}"#,
        r#"{"userId":"@","summaryId":"t7","calendarDate":"-009999-01-01","periodStartDate":"0000-00-00"}"#,
        r#"{"userId":"@","summaryId":"n1","activityName":{"a":[1,{"userId":"q"}]},"activityId":{"x":1},"parentSummaryId":[1]}"#,
        r#"{"userId":"@","summaryId":"n2","pregnancySnapshot":{"title":{"a":1}},"summary":{"summaryId":7}}"#,
        r#"{"userId":"@","summaryId":"n3","activityName":"half \ud800","activityDescription":"\u0000"}"#,
    ]
    .map(str::to_owned)
    .into();
    let nested = |open: &str, close: &str| format!("{}1{}", open.repeat(61), close.repeat(61));
    items.push(format!(r#"{{"userId":"@","summaryId":"d1","x":{}}}"#, nested("[", "]")));
    items.push(format!(r#"{{"userId":"@","summaryId":"d2","x":{}}}"#, nested("{\"a\":", "}")));
    items.push(format!(r#"{{"userId":"@","summaryId":"l1","activityName":"{}"}}"#, "n".repeat(400_000)));
    items.push(format!(r#"{{"userId":"@","summaryId":"l2","s":{{"activityId":{}}}}}"#, "1".repeat(600_000)));
    items.push(format!(r#"{{"userId":"@","summaryId":"l3","{}":{{"{}":1}}}}"#, "k".repeat(5000), "j".repeat(70_000)));
    items.push(format!(r#"{{"userId":"@","summaryId":"l4",{}}}"#, repeated(r#""activityName":"n""#, 3000)));
    items
}

/// Keys that no summary type has.
fn keys() -> Vec<String> {
    let mut keys =
        ["", "../../etc/passwd", "/etc/passwd", "a\\u0000b\\u001b[31m\\n", "\\ud800", "con", "ACTIVITIES", "."]
            .map(str::to_owned)
            .to_vec();
    keys.extend(["x".repeat(10_240), "é".repeat(100)]);
    keys
}

#[test]
fn hostile_bodies_stop_neither_filing_nor_an_export() {
    let population = Population::new(604, 1);
    let user = population.user(0);
    let mut site = Site::new();
    site.add_study("HOSTILE", &["--unknown", "keep", "--names", "keep"]);
    site.add_participants("HOSTILE", &population);
    for key in keys() {
        site.push(&format!(r#"{{"{key}":[{{"userId":"{}","summaryId":"s"}}]}}"#, user.id));
    }
    for item in items() {
        let item = item.replace('@', &user.id);
        for key in ["activities", "mct", "userMetrics", "beats"] {
            site.push(&format!(r#"{{"{key}":[{item}]}}"#));
        }
    }
    for body in [
        "{}",
        r#"{"activities":[]}"#,
        r#"{"activities":[{}]}"#,
        r#"{"activities":{},"dailies":null,"epochs":[1,null,"x",[]],"a":1e999999999}"#,
        r#"{"activities":[{"userId":5},{"userId":""},{"userId":null},{"userId":"a","userId":"a"}]}"#,
        r#"{"deregistrations":[{},7,{"userId":5},{"userId":"nobody"}],"userPermissionsChange":[{"permissions":"x"}]}"#,
    ] {
        site.push(body);
    }

    let dataset = site.export("HOSTILE");
    let plain = |name: &str| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte));
    let raw = files_below(&dataset.folder().join("raw"));
    assert!(raw.len() > keys().len(), "{raw:?}");
    for file in raw {
        assert!(file.file_name().and_then(|name| name.to_str()).is_some_and(plain), "{}", file.display());
    }
    let rows = dataset.table("activities");
    assert!(rows.len() >= 10, "{} rows", rows.len());
    for row in rows {
        for column in ["start_utc", "local_date", "local_time"] {
            assert!(row[column].is_empty() || row[column].starts_with(|c: char| c.is_ascii_digit()), "{row:?}");
        }
    }
    assert!(site.is_ready());
}
