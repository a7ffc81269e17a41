//! Deregistrations and permission changes hold before their 200.

use std::sync::atomic::Ordering;

use studygate::{lifecycle::Reason, model::connection::ClientId};

use crate::site::{Site, dailies};

const NOTICE: &str = r#"{"deregistrations":[{"userId":"gone"}]}"#;

fn obeyed(site: &Site) -> Vec<(String, String)> {
    let users = site.obeyed.users.lock().expect("no panic before");
    assert!(users.iter().all(|(client, ..)| *client == ClientId::single()));
    users.iter().map(|(_, member, user)| (member.clone(), user.clone())).collect()
}

#[tokio::test]
async fn control_items_are_applied_before_their_200() {
    let site = Site::start().await;
    let body = concat!(
        r#"{"deregistrations":[{"userId":"a"},{},7,{"userId":"b"}],"dailies":[{"userId":"c"}],"#,
        r#""userPermissionsChange":[{"userId":"d","permissions":[]}]}"#
    );
    assert_eq!(site.post(body).await.status, 200);
    let expected = [("deregistrations", "a"), ("deregistrations", "b"), ("userPermissionsChange", "d")];
    assert_eq!(obeyed(&site), expected.map(|(member, user)| (member.to_owned(), user.to_owned())));
    assert_eq!(site.stored(), 1);
    let counted = "studygate_items_total{kind=\"deregistration\",outcome=\"accepted\",type=\"other\"}";
    assert_eq!(site.metric(counted), 2.0);
}

#[tokio::test]
async fn control_items_of_a_large_body_are_applied_too() {
    let site = Site::start().await;
    let large = dailies(300_000);
    let body = format!("{},\"deregistrations\":[{{\"userId\":\"gone\"}}]}}", &large[..large.len() - 1]);
    assert_eq!(site.post(body).await.status, 200);
    assert_eq!(obeyed(&site), [("deregistrations".to_owned(), "gone".to_owned())]);
}

#[tokio::test]
async fn notice_that_cannot_be_applied_is_503_and_the_gateway_not_ready() {
    let site = Site::start().await;
    site.obeyed.fails.store(true, Ordering::SeqCst);
    let answer = site.post(NOTICE).await;
    assert_eq!(answer.status, 503);
    assert_eq!(answer.headers["retry-after"], "30");
    assert_eq!(site.readiness.reasons(), [Reason::StoreFailed]);
}

#[tokio::test]
async fn nothing_of_a_malformed_body_is_applied() {
    let site = Site::start().await;
    assert_eq!(site.post(format!("{NOTICE}x")).await.status, 400);
    assert_eq!(obeyed(&site), []);
}

#[tokio::test]
async fn notices_may_use_the_reserve_and_other_bodies_may_not() {
    let site = Site::with(|options| options.reserve = u64::MAX / 2).await;
    assert_eq!(site.post(NOTICE).await.status, 200);
    assert_eq!(obeyed(&site).len(), 1);
    let mixed = r#"{"deregistrations":[{"userId":"gone"}],"dailies":[{"userId":"u"}]}"#;
    assert_eq!(site.post(mixed).await.status, 503);
    let many = vec![r#"{"userId":"gone"}"#; 10_000].join(",");
    assert_eq!(site.post(format!("{{\"deregistrations\":[{many}]}}")).await.status, 503, "longer than 64 KiB");
    assert_eq!(obeyed(&site).len(), 1);
}
