//! What a user does not permit is neither kept nor fetched, from the notice's 200 on and over restarts.

use studygate::clock::{Clock as _, SystemClock};
use studygate::model::time::UnixSeconds;
use studygate::simulate::notification::Notification;
use studygate::simulate::user::Population;

use crate::first_of;
use crate::site::{Site, code_of};

const ALL: &[&str] = &["ACTIVITY_EXPORT", "HEALTH_EXPORT", "MCT_EXPORT"];
const CHANGES: &str = "studygate_permission_changes_total";

fn counted(site: &Site, result: &str) -> f64 {
    site.metric(&format!("{CHANGES}{{result=\"{result}\"}}")).expect("the metric")
}

fn not_permitted(site: &Site, summary_type: &str) -> f64 {
    let series = format!("studygate_records_total{{result=\"not_permitted\",type=\"{summary_type}\"}}");
    site.metric(&series).expect("the metric")
}

#[test]
fn type_that_is_not_permitted_is_not_kept_whatever_order_the_changes_come_in() {
    let population = Population::new(801, 2);
    let (user, changed) = (population.user(0), SystemClock.now());
    let mut site = Site::new();
    site.add_study("PERMIT", &[]);
    site.add_participants("PERMIT", &population);
    let [first, second] = [0, 1].map(|index| first_of(&population, index, "dailies"));
    let mut later = first.clone();
    later.content.insert("summaryId".to_owned(), "x-later".into());
    let mut last = first.clone();
    last.content.insert("summaryId".to_owned(), "x-last".into());
    site.push(&Notification::of(population.users(), &[first]).to_json());

    // Off, on, off within one second and one POST; the one after is older.
    let thrice = Notification::new().permissions(user, &["ACTIVITY_EXPORT"], changed);
    let thrice = thrice.permissions(user, ALL, changed).permissions(user, &["ACTIVITY_EXPORT", "SOMETHING"], changed);
    site.push(&thrice.to_json());
    site.push(&Notification::new().permissions(user, ALL, changed.plus(-1)).to_json());
    site.push(&Notification::new().permissions(user, ALL, changed.plus(2 * 86_400)).to_json());
    site.push(&Notification::of(population.users(), &[later.clone(), second]).to_json());
    site.wait_until_filed();
    let results = ["applied", "older", "ahead", "unknown", "unreadable"].map(|result| counted(&site, result));
    assert_eq!(results, [3.0, 1.0, 1.0, 0.0, 0.0]);
    assert_eq!(not_permitted(&site, "dailies"), 1.0);
    let dataset = site.export("PERMIT");
    let kept = |number: usize| dataset.records(&code_of(number), "dailies").len();
    assert_eq!((kept(0), kept(1)), (1, 1), "what came before stays, and others know nothing of it");

    site.kill();
    site.start();
    site.push(&Notification::of(population.users(), &[later.clone()]).to_json());
    assert_eq!(site.export("PERMIT").records(&code_of(0), "dailies").len(), 1, "it holds over a restart");
    // Of two changes of one second the later arrival holds.
    site.push(&Notification::new().permissions(user, ALL, changed).to_json());
    site.push(&Notification::of(population.users(), &[later]).to_json());
    assert_eq!(site.export("PERMIT").records(&code_of(0), "dailies").len(), 2);
    site.push(&Notification::new().permissions(user, &[], changed).to_json());
    site.push(&Notification::of(population.users(), &[last]).to_json());
    assert_eq!(site.export("PERMIT").records(&code_of(0), "dailies").len(), 2, "an empty list is all withdrawn");
}

#[test]
fn ping_for_a_type_that_is_not_permitted_is_not_pulled_and_the_participant_shows_why() {
    let population = Population::new(802, 1);
    let (user, changed) = (population.user(0), UnixSeconds(1_793_491_200));
    let mut site = Site::new();
    site.add_study("PINGS", &[]);
    site.add_participants("PINGS", &population);
    let code = code_of(0);
    let shown = |site: &Site| site.cli_json(&["participant", "show", "--study", "PINGS", "--code", &code]);
    assert_eq!(shown(&site)["permissions"], serde_json::json!([]));
    site.push(&Notification::new().permissions(user, &["MCT_EXPORT"], changed).to_json());
    site.push(
        &Notification::new()
            .ping(user, "sleeps", "https://apis.garmin.com/wellness-api/rest/sleeps?token=T", changed)
            .to_json(),
    );
    site.wait_until_filed();
    assert_eq!(not_permitted(&site, "sleeps"), 1.0);
    assert_eq!(site.cli_json(&["pulls", "list", "--all"])["pulls"], serde_json::json!([]));
    for restarted in [false, true] {
        if restarted {
            site.stop();
            site.start();
        }
        let permissions = &shown(&site)["permissions"];
        assert_eq!(permissions[0]["granted"], serde_json::json!(["MCT_EXPORT"]));
        assert_eq!((&permissions[0]["link"], &permissions[0]["since"]), (&1.into(), &"2026-11-01T00:00:00Z".into()));
        assert_eq!(permissions[0]["answered_412"], serde_json::json!({}));
    }
    let text = site.cli(&["participant", "show", "--study", "PINGS", "--code", &code]);
    assert!(text.contains("MCT_EXPORT") && !text.contains(&user.id), "{text}");
}
