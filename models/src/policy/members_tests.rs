//! Who may be chosen, and who is in rotation.

use super::*;
use crate::policy::balance::Algorithm;
use crate::policy::fail_open::FailOpenBelow;
use crate::policy::max_fails::MaxFails;
use crate::policy::observe::{Observe, OnError};
use crate::policy::outlier::Outlier;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

const FIRST: u32 = 3;
const FAILED: Verdict = Verdict::Answered { status: 500, retried: true };
const GOOD: Verdict = Verdict::Answered { status: 200, retried: false };

fn rules(health: &HealthCheck) -> Rules<'_> {
    Rules { health, redispatch: Redispatch::Haproxy, redraws: 0, max_connections: None, ties: Ties::InTurn }
}

fn by(algorithm: Algorithm, salt: u64) -> Choice {
    Choice { algorithm, salt, number: 0, avoid: None, distinct: true, keys: None, redraw: 0 }
}

/// The server that a call gets, its draws aside, with so many connections to each.
fn choose(members: &mut Members, rules: Rules<'_>, tried: Option<&Tried>, now: Ns, load: [u32; 3]) -> Option<u32> {
    let by = by(Algorithm::LeastRequests, 1);
    members.choose(rules, by, tried, now, |server| load[(server - FIRST) as usize])
}

/// What a server is from now on, if that is new.
fn settle(members: &mut Members, health: &HealthCheck, server: u32, now: Ns) -> Option<bool> {
    match members.settle(health, server, now) {
        Settling::Now(servers) => servers.filter_map(|server| members.apply(health, server, now)).last(),
        Settling::Nothing | Settling::At(_) => None,
    }
}

fn fails(members: &mut Members, health: &HealthCheck, server: u32, times: usize, at: Ns) -> Judged {
    let judged = (0..times).map(|_| members.on_call(health, server, FAILED, at)).last().unwrap_or_default();
    settle(members, health, server, at);
    members.settle_fail_open(health);
    judged
}

#[test]
fn who_may_be_chosen() {
    let plain = HealthCheck::default();
    let nginx = HealthCheck { max_fails: Some(MaxFails::default()), ..HealthCheck::default() };
    let open = HealthCheck { fail_open_below: Some(FailOpenBelow::Count(2)), ..HealthCheck::default() };
    let now = Ns::secs(100);

    // Room, and nothing else, where nothing else matters.
    let limited = Rules { max_connections: Some(2), ..rules(&plain) };
    let mut members = Members::new(limited, FIRST, 3);
    assert_eq!(choose(&mut members, limited, None, now, [2, 1, 2]), Some(4));
    assert_eq!(choose(&mut members, limited, None, now, [2, 2, 2]), None);
    assert!(!members.none_can_serve(limited), "one may have room soon");

    // Whom checks or operators have out gets nothing, unless so few are left that health is ignored; whom operators
    // hold out gets nothing then either.
    for (health, with_one_up, with_none_held) in [(&plain, 5, 5), (&open, 3, 4)] {
        let mut members = Members::new(rules(health), FIRST, 3);
        for server in [3, 4] {
            (0..3).for_each(|_| members.on_check(health, server, 500));
            settle(&mut members, health, server, now);
            members.settle_fail_open(health);
        }
        assert_eq!(choose(&mut members, rules(health), None, now, [0, 1, 2]), Some(with_one_up));
        members.hold_out(3, true);
        members.settle_fail_open(health);
        assert_eq!(choose(&mut members, rules(health), None, now, [0, 1, 2]), Some(with_none_held));
    }

    // nginx's peers: out after a failure, one trial once they have rested, and no waiting for room.
    let mut members = Members::new(rules(&nginx), FIRST, 3);
    let judged = fails(&mut members, &nginx, 3, 1, now);
    assert_eq!(choose(&mut members, rules(&nginx), None, now, [0, 1, 2]), Some(4));
    let rested = judged.reopens_at.unwrap();
    assert_eq!(rested, Ns::secs(111), "a second after fail_timeout, in whole seconds");
    members.reopens(&nginx, 3, rested);
    assert_eq!(settle(&mut members, &nginx, 3, rested), Some(true));
    assert_eq!(choose(&mut members, rules(&nginx), None, rested, [0, 1, 2]), Some(3));
    members.on_chosen(&nginx, 3, rested);
    assert_eq!(choose(&mut members, rules(&nginx), None, rested, [0, 1, 2]), Some(4), "one call at a time");
    assert!(members.none_can_serve(rules(&nginx)));

    // Where a call goes on to servers that it has not tried.
    let untried = Rules { redispatch: Redispatch::Untried, ..rules(&plain) };
    let (mut members, mut tried) = (Members::new(untried, FIRST, 3), Tried::default());
    for should_be in [Some(3), Some(4), Some(5), None] {
        let is = choose(&mut members, untried, Some(&tried), now, [0, 1, 2]);
        assert_eq!(is, should_be);
        is.into_iter().for_each(|server| tried.add(server));
    }
    assert!(members.none_can_serve(untried));
}

#[test]
fn a_server_that_is_back_has_a_small_share_and_those_from_the_start_have_theirs() {
    let health = HealthCheck { slow_start: Some(Ns::secs(10)), ..HealthCheck::default() };
    let mut members = Members::new(rules(&health), FIRST, 3);
    (0..3).for_each(|_| members.on_check(&health, 3, 0));
    assert_eq!(settle(&mut members, &health, 3, Ns::secs(1)), Some(false));
    (0..2).for_each(|_| members.on_check(&health, 3, 200));
    assert_eq!(settle(&mut members, &health, 3, Ns::secs(2)), Some(true));
    let full = |members: &Members, at| [3, 4, 5].map(|server| members.is_fully_up(server, Ns::secs(at)));
    assert_eq!((full(&members, 3), full(&members, 12)), ([false, true, true], [true, true, true]));
    // Least requests per weight: a tenth of the weight with one connection is as ten.
    assert_eq!(choose(&mut members, rules(&health), None, Ns::secs(3), [1, 5, 6]), Some(4));
    assert_eq!(members.easing.as_ref().unwrap().weight(0, Ns::secs(3)), FULL_WEIGHT / 10);
    members.ease_nobody_in();
    assert_eq!(full(&members, 3), [true, true, true]);
}

#[test]
fn calls_take_a_server_out_and_a_passed_check_or_time_brings_it_back() {
    let (now, outlier) = (Ns::secs(5), Outlier { max_share: crate::units::Share(0.5), ..Outlier::default() });
    let envoy = HealthCheck { outlier: Some(outlier), ..HealthCheck::default() };
    let mut members = Members::new(rules(&envoy), FIRST, 3);
    assert_eq!(fails(&mut members, &envoy, 4, 5, now), Judged::default());
    assert!(!members.is_in_rotation(4) && members.let_in() == 3);
    // A check that does not pass ends nothing; one that passes does (Envoy).
    members.on_check(&envoy, 4, 500);
    assert_eq!(settle(&mut members, &envoy, 4, now), None);
    members.on_check(&envoy, 4, 200);
    assert_eq!(settle(&mut members, &envoy, 4, now), Some(true));
    fails(&mut members, &envoy, 4, 5, now);
    let concerned: Vec<Vec<u32>> = (1..=7).map(|n| members.sweep(&envoy, now.plus(Ns::secs(10 * n)))).collect();
    assert_eq!(concerned.iter().position(|who| who == &[4]), Some(5), "twice the base time: {concerned:?}");

    // nginx never takes a lone server out, and before 1.11.5 forgets when none is left.
    let old = MaxFails { reset_all: true, ..MaxFails::default() };
    let nginx = HealthCheck { max_fails: Some(old), ..HealthCheck::default() };
    let mut lone = Members::new(rules(&nginx), FIRST, 1);
    assert_eq!(fails(&mut lone, &nginx, 3, 9, now), Judged::default());
    assert!(lone.is_in_rotation(3));
    let mut two = Members::new(rules(&nginx), FIRST, 2);
    for server in [3, 4] {
        fails(&mut two, &nginx, server, 1, now);
    }
    assert_eq!(two.in_rotation(), 0);
    assert!(two.on_nobody(&nginx));
    assert_eq!([3, 4].map(|server| settle(&mut two, &nginx, server, now)), [Some(true); 2]);

    // HAProxy's observe: a row of errors is a failed check, and the next one comes sooner, if there are any.
    let observe = Observe { errors: 2, on_error: OnError::MarkDown, ..Observe::default() };
    for enabled in [true, false] {
        let health = HealthCheck {
            observe: Some(observe.clone()),
            fast_interval: Some(Ns::millis(100)),
            enabled,
            ..HealthCheck::default()
        };
        let mut members = Members::new(rules(&health), FIRST, 2);
        assert_eq!(members.on_call(&health, 3, FAILED, now), Judged::default());
        let judged = members.on_call(&health, 3, FAILED, now);
        assert_eq!(judged.check_within, enabled.then_some(Ns::millis(100)));
        assert_eq!(settle(&mut members, &health, 3, now), Some(false), "and without checks nothing brings it back");
    }
}

#[test]
fn what_is_forgotten_is_said_and_a_death_counts_where_readiness_is_of_the_process() {
    let now = Ns::secs(9);
    let nginx = HealthCheck { max_fails: Some(MaxFails::default()), ..HealthCheck::default() };
    let mut members = Members::new(rules(&nginx), FIRST, 3);
    (0..3).for_each(|_| members.on_check(&nginx, 3, 0));
    fails(&mut members, &nginx, 4, 1, now);
    assert_eq!(members.forget(&nginx), [true, true, false]);
    assert_eq!(members.forget(&nginx), [false; 3]);
    for (follows_process, should_be) in [(true, Some(false)), (false, None)] {
        let health = HealthCheck { follows_process, ..HealthCheck::default() };
        let mut members = Members::new(rules(&health), FIRST, 2);
        members.on_death(&health, 4);
        assert_eq!(settle(&mut members, &health, 4, now), should_be);
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 256, failure_persistence: None, rng_seed: RngSeed::Fixed(1), ..ProptestConfig::default()
    })]

    /// Whatever happens in whatever order: those in rotation are those that say so, those held out are not among
    /// them, none is chosen that may not be, and each change reported is one.
    #[test]
    fn rotation_is_what_all_agree_on(
        which in 0..4_usize,
        events in prop::collection::vec((0..8_u8, FIRST..FIRST + 4, 0..3_u64), 1..200),
    ) {
        let outlier = Outlier { max_share: crate::units::Share(0.5), ..Outlier::default() };
        let health = HealthCheck {
            max_fails: (which == 1).then(MaxFails::default),
            outlier: (which == 2).then_some(outlier),
            fail_open_below: (which == 3).then_some(FailOpenBelow::Share(0.5)),
            slow_start: (which == 3).then_some(Ns::secs(2)),
            ..HealthCheck::default()
        };
        let (rules, mut now) = (rules(&health), Ns::ZERO);
        let mut members = Members::new(rules, FIRST, 4);
        for (event, server, seconds) in events {
            now = now.plus(Ns::secs(seconds));
            match event {
                0 | 1 => members.on_check(&health, server, if event == 0 { 200 } else { 500 }),
                2 | 3 => drop(members.on_call(&health, server, if event == 2 { GOOD } else { FAILED }, now)),
                4 => members.hold_out(server, seconds > 0),
                5 => members.reopens(&health, server, now),
                6 => drop(members.sweep(&health, now)),
                _ => drop(members.forget(&health)),
            }
            for server in members.servers() {
                let before = members.is_in_rotation(server);
                prop_assert_eq!(settle(&mut members, &health, server, now).unwrap_or(before), members.is_in_rotation(server));
                prop_assert!(settle(&mut members, &health, server, now).is_none(), "settled");
                prop_assert!(!(members.is_in_rotation(server) && members.members[members.at(server)].is_held));
            }
            members.settle_fail_open(&health);
            prop_assert!(members.settle_fail_open(&health).is_none());
            let up: Vec<u32> = members.servers().filter(|server| members.is_in_rotation(*server)).collect();
            prop_assert_eq!(members.rotation.servers(), &up[..]);
            let by = by(Algorithm::RoundRobin, 7);
            let chosen = members.choose(rules, by, None, now, |_| 0);
            let open = members.fails_open();
            if let Some(server) = chosen {
                let member = &members.members[members.at(server)];
                prop_assert!(if open { !member.is_held } else { member.in_rotation }, "{:?}", members);
                members.on_chosen(&health, server, now);
            } else if which != 1 {
                prop_assert!(if open { members.let_in() == 0 } else { up.is_empty() }, "somebody could serve");
            }
        }
    }
}
