//! Each state and what comes next; each event and what it changes.

use super::*;

/// 2026-11-01T05:00:00Z.
const NOW: UnixSeconds = UnixSeconds(1_793_509_200);
const DAY: i64 = 86_400;

fn wanted() -> Wanted {
    Wanted::new(&["Study.example.org".to_owned()], "it@example.org", "https://ca.example/directory")
}

fn key() -> PrivateKey {
    PrivateKey::of_pkcs8(b"key")
}

fn registered() -> State {
    let Wanted { directory, contact, .. } = wanted();
    let account = Some(Account { directory, key: key(), id: Some("id".to_owned()), contact });
    State { account, ..State::default() }
}

fn ordered(standing: Standing) -> State {
    after(registered(), Event::Ordered("url".to_owned(), key(), standing), &wanted(), NOW, 0.5)
}

fn issued() -> State {
    let (begin, end) = (NOW.plus(-3600), NOW.plus(-3600 + 90 * DAY));
    after(ordered(Standing::Valid), Event::Issued("chain".to_owned(), begin, end), &wanted(), NOW, 0.5)
}

fn renews_at(state: &State) -> UnixSeconds {
    state.certificate.as_ref().expect("it was issued").renew_at
}

#[test]
fn each_state_has_its_next_step() {
    let no_id = |mut state: State| {
        state.account.as_mut().expect("an account").id = None;
        state
    };
    let other_contact = |mut state: State| {
        state.account.as_mut().expect("an account").contact = String::new();
        state
    };
    let told = after(ordered(Standing::Pending), Event::Stands(Standing::Told, None), &wanted(), NOW, 0.5);
    let processing = after(ordered(Standing::Ready), Event::Stands(Standing::Processing, Some(7)), &wanted(), NOW, 0.5);
    for (state, at, expected) in [
        (State::default(), NOW, Next::Do(Task::MakeKey)),
        (no_id(registered()), NOW, Next::Do(Task::Register)),
        (other_contact(registered()), NOW, Next::Do(Task::SetContact)),
        (registered(), NOW, Next::Do(Task::Order)),
        (ordered(Standing::Unknown), NOW, Next::Do(Task::Look)),
        (ordered(Standing::Pending), NOW, Next::Do(Task::Prove)),
        (told.clone(), NOW, Next::Wait(NOW.plus(1))),
        (told, NOW.plus(1), Next::Do(Task::Look)),
        (ordered(Standing::Ready), NOW, Next::Do(Task::Finalize)),
        (processing.clone(), NOW.plus(6), Next::Wait(NOW.plus(7))),
        (processing, NOW.plus(7), Next::Do(Task::Look)),
        (ordered(Standing::Valid), NOW, Next::Do(Task::Download)),
        (issued(), NOW, Next::Wait(renews_at(&issued()))),
        (issued(), renews_at(&issued()), Next::Do(Task::Order)),
    ] {
        assert_eq!(next(&state, &wanted(), at), expected, "{state:?}");
    }
}

#[test]
fn other_names_or_another_authority_are_ordered_at_once_and_the_old_certificate_stays() {
    let other_names = Wanted { domains: vec!["other.example.org".to_owned()], ..wanted() };
    assert_eq!(next(&issued(), &other_names, NOW), Next::Do(Task::Order));
    let elsewhere = Wanted { directory: "https://other.example/directory".to_owned(), ..wanted() };
    assert_eq!(next(&issued(), &elsewhere, NOW), Next::Do(Task::MakeKey));
    let state = after(issued(), Event::KeyMade(key()), &elsewhere, NOW, 0.5);
    assert_eq!(state.certificate, issued().certificate);
    assert_eq!(next(&ordered(Standing::Ready), &other_names, NOW), Next::Do(Task::Order));
}

#[test]
fn renewal_is_drawn_around_two_thirds_of_the_life() {
    for (random, percent) in [(0.0, 62.0), (0.5, 66.0), (0.999, 69.992)] {
        let at = renewal(NOW, NOW.plus(90 * DAY), random);
        let part = (at.0 - NOW.0) as f64 / (90 * DAY) as f64 * 100.0;
        assert!((part - percent).abs() < 0.01, "{random}: {part}");
    }
}

#[test]
fn what_an_authority_asks_for_is_waited_for_and_nothing_is_asked_before() {
    let asked = Event::Failed(Fault::Limited, Some(2 * DAY));
    let state = after(ordered(Standing::Pending), asked, &wanted(), NOW, 0.0);
    assert_eq!(next(&state, &wanted(), NOW), Next::Wait(NOW.plus(2 * DAY)));
    assert_eq!(next(&state, &wanted(), NOW.plus(2 * DAY)), Next::Do(Task::Look));
    let year = after(registered(), Event::Failed(Fault::Limited, Some(365 * DAY)), &wanted(), NOW, 0.0);
    assert_eq!(next(&year, &wanted(), NOW), Next::Wait(NOW.plus(ASKED_MAX_S)));
}

#[test]
fn next_try_that_a_wrong_clock_set_far_ahead_is_none() {
    let state = after(registered(), Event::Failed(Fault::Slow, None), &wanted(), NOW.plus(4000 * DAY), 0.0);
    assert_eq!(next(&state, &wanted(), NOW), Next::Do(Task::Order));
}

#[test]
fn waits_grow_and_the_authority_is_not_asked_often() {
    let unproven = || Fault::Unproven("study.example.org".to_owned(), Problem::Connection);
    for (fault, first_hour_max, day_max) in
        [(unproven(), 4, 10), (Fault::Way(crate::upstream::fault::Fault::Unreachable), 9, 60)]
    {
        let (mut state, mut at, mut tries) = (registered(), NOW, Vec::new());
        while at < NOW.plus(2 * DAY) {
            tries.push(at);
            state = after(state, Event::Failed(fault.clone(), None), &wanted(), at, 0.0);
            let Next::Wait(next) = next(&state, &wanted(), at) else { panic!("no wait after {fault:?}") };
            assert!(next > at);
            at = next;
        }
        let within = |seconds: i64| tries.iter().filter(|at| at.0 < NOW.0 + seconds).count();
        assert!(within(3600) <= first_hour_max, "{fault:?}: {} in the first hour", within(3600));
        assert!(within(DAY) <= day_max, "{fault:?}: {} in the first day", within(DAY));
    }
}

#[test]
fn failure_keeps_what_may_still_come_to_something() {
    let way = Fault::Way(crate::upstream::fault::Fault::Broken);
    for (fault, order_stays, account_stays) in [
        (way, true, true),
        (Fault::Unavailable(503), true, true),
        (Fault::Storage, true, true),
        (Fault::Refused(Problem::Nonce), true, true),
        (Fault::Unfit("another key".to_owned()), false, true),
        (Fault::Unproven("study.example.org".to_owned(), Problem::Dns), false, true),
        (Fault::Refused(Problem::Request), false, true),
        (Fault::Refused(Problem::NoAccount), false, false),
    ] {
        let state = after(ordered(Standing::Ready), Event::Failed(fault.clone(), None), &wanted(), NOW, 0.5);
        assert_eq!(state.order.is_some(), order_stays, "{fault:?}");
        assert_eq!(state.account.is_some(), account_stays, "{fault:?}");
        assert_eq!((state.failures, state.failed), (1, Some((NOW, fault.to_string()))));
    }
}

#[test]
fn order_that_is_never_done_fails_and_is_looked_at_again_later() {
    let mut state = after(ordered(Standing::Pending), Event::Stands(Standing::Told, None), &wanted(), NOW, 0.5);
    let mut looks = 0;
    while state.failures == 0 {
        state = after(state, Event::Stands(Standing::Pending, None), &wanted(), NOW, 0.5);
        looks += 1;
    }
    assert_eq!(looks, LOOKS_MAX);
    assert_eq!(state.failed.expect("it failed").1, Fault::Slow.to_string());
    assert!(state.order.is_some());
}

#[test]
fn success_ends_what_failed_before() {
    let failed = after(ordered(Standing::Valid), Event::Failed(Fault::Slow, None), &wanted(), NOW, 0.5);
    let event = Event::Issued("chain".to_owned(), NOW, NOW.plus(90 * DAY));
    let state = after(failed, event, &wanted(), NOW, 0.5);
    assert_eq!((state.failures, state.next_try, state.failed, state.order), (0, None, None, None));
    assert_eq!(state.account, registered().account);
}

#[test]
fn no_key_is_in_anything_that_is_printed() {
    let text = format!("{:?}", issued());
    let key = data_encoding::HEXLOWER.encode(b"key");
    assert!(!text.contains(&key), "{text}");
    assert!(serde_json::to_string(&issued()).expect("JSON").contains(&key));
}
