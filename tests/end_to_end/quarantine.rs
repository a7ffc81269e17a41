//! A malformed item: listed, looked at, tried again, dropped.

use serde_json::Value;

use crate::site::Site;

const ITEMS: &str = "studygate_quarantine_items";

fn listed(site: &Site) -> Vec<Value> {
    site.cli_json(&["quarantine", "list"])["quarantine"].as_array().expect("a list").clone()
}

fn text<'a>(item: &'a Value, name: &str) -> &'a str {
    item[name].as_str().unwrap_or_else(|| panic!("no text {name} in {item}"))
}

#[test]
fn malformed_item_is_listed_shown_tried_again_and_dropped() {
    let mut site = Site::new();
    let large = format!(r#"{{"summaryId":"nobodys","samples":"{}"}}"#, "secret-sample ".repeat(20_000));
    site.push(&format!(r#"{{"dailies":[{large}],"sleeps":{{"secret-sleep":1}}}}"#));
    site.wait_for_metric(ITEMS, 2.0);
    let items = listed(&site);
    let nobodys = items.iter().find(|item| item["reason"] == "nobody").expect("it is listed");
    assert_eq!((text(nobodys, "type"), nobodys["bytes"].as_u64()), ("dailies", Some(large.len() as u64)));
    assert!(nobodys["code"].is_null() && nobodys["study"].is_null());
    let (id, received) = (text(nobodys, "id").to_owned(), text(nobodys, "received").to_owned());

    let shown = site.cli_json(&["quarantine", "show", &id]);
    assert!(large.starts_with(text(&shown, "text")) && shown["text_cut"] == true);
    let file = site.scratch("item.json");
    site.cli(&["quarantine", "show", &id, "-o", file.to_str().expect("a path")]);
    assert_eq!(std::fs::read_to_string(&file).expect("written"), large);
    let sleep = items.iter().find(|item| item["reason"] == "not-an-array").expect("it is listed");
    let shown = site.cli_json(&["quarantine", "show", text(sleep, "id")]);
    assert_eq!((text(&shown, "text"), &shown["text_cut"]), (r#"{"secret-sleep":1}"#, &Value::Bool(false)));

    site.cli(&["quarantine", "retry", "--all"]);
    site.wait_until_filed();
    let again = listed(&site);
    assert_eq!(again.len(), 2, "nobody can read them still");
    let nobodys = again.iter().find(|item| item["reason"] == "nobody").expect("it came back");
    assert_eq!(text(nobodys, "received"), received);
    assert_ne!(text(nobodys, "id"), id);

    site.kill();
    site.start();
    let ids: Vec<_> = listed(&site).iter().map(|item| text(item, "id").to_owned()).collect();
    let drop = ["quarantine", "drop", ids[0].as_str(), ids[1].as_str(), "--yes", "--reason", "noise"];
    site.cli(&drop);
    assert!(listed(&site).is_empty());
    assert!(!site.log().contains("secret-"), "content is in no log");
    site.kill();
    site.start();
    assert!(listed(&site).is_empty());
}
