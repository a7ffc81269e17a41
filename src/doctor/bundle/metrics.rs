//! The metrics page, as it may leave the site: the program's own names and labels, numbers, and stand-ins for studies.

use crate::doctor::sentence::{Own, Shown, StandIns};
use crate::model::summary::KNOWN;

/// Every label of the program but `study`, whose values are its own.
const LABELS: &[&str] = &[
    "listener",
    "route",
    "method",
    "code",
    "kind",
    "type",
    "outcome",
    "result",
    "reason",
    "state",
    "part",
    "operation",
    "le",
    "version",
    "target",
];

/// Lines of the form `name{label="value",…} number`; whatever else stands there is left out.
pub(super) fn safe(page: &str, stand_ins: &mut StandIns) -> Shown {
    let lines = page.lines().filter_map(|line| sample(line, stand_ins));
    lines.fold(Shown::words(""), |page, line| page.followed_by(&line).followed_by(&Shown::words("\n")))
}

fn sample(line: &str, stand_ins: &mut StandIns) -> Option<Shown> {
    let (series, value) = line.rsplit_once(' ')?;
    let (name, labels) = series.split_once('{').map_or((series, ""), |(name, labels)| (name, labels));
    let ours = name.starts_with("studygate_") || name.starts_with("process_");
    let value = Shown::if_number(value)?;
    let mut shown = Shown::if_identifier(name).filter(|_| ours)?;
    let mut labels = labels.trim_end_matches('}');
    let mut between = "{";
    while !labels.is_empty() {
        let (label, rest) = labels.split_once("=\"")?;
        let (text, rest) = rest.split_once('"')?;
        labels = rest.trim_start_matches(',');
        let (label, text) = match label {
            "study" => (Shown::words("study"), stand_ins.of(Own::Study, text)),
            "type" => {
                let types: Vec<_> = KNOWN.iter().map(|known| known.name).collect();
                (Shown::words("type"), Shown::one_of(text, &types).unwrap_or_else(|| Shown::words("other")))
            }
            label => (Shown::one_of(label, LABELS)?, Shown::if_identifier(text)?),
        };
        shown = shown.followed_by(&Shown::words(between)).followed_by(&label).followed_by(&Shown::words("=\""));
        shown = shown.followed_by(&text).followed_by(&Shown::words("\""));
        between = ",";
    }
    let end = Shown::words(if between == "," { "} " } else { " " });
    Some(shown.followed_by(&end).followed_by(&value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn studies_have_stand_ins_and_what_is_not_the_programs_own_is_left_out() {
        let page = "# HELP studygate_x About HEART\n\
                    studygate_participants{state=\"active\",study=\"HEART\"} 3\n\
                    studygate_last_record_timestamp_seconds{study=\"HEART\"} 1.79e9\n\
                    studygate_items_total{kind=\"push\",outcome=\"accepted\",type=\"HEART\"} 1\n\
                    studygate_ready 1\n\
                    studygate_odd{host=\"gate.example.org\"} 1\n\
                    studygate_odder{state=\"HEART of stone\"} 1\n\
                    other_metric 1\nstudygate_text HEART\n";
        assert_eq!(
            safe(page, &mut StandIns::default()).as_str(),
            "studygate_participants{state=\"active\",study=\"study-1\"} 3\n\
             studygate_last_record_timestamp_seconds{study=\"study-1\"} 1.79e9\n\
             studygate_items_total{kind=\"push\",outcome=\"accepted\",type=\"other\"} 1\n\
             studygate_ready 1\n"
        );
    }
}
