//! What must hold for every kind in the list, and for stacks of any of them.

use super::*;
use crate::setting::Name;

fn layer(ticket: u32, fault: Fault) -> Layer {
    Layer { ticket, entry: Some(ticket), fault, level: 1.0 }
}

fn slow(factor: f64) -> Fault {
    Fault::Slow(Slow { store: Name::default(), factor })
}

#[test]
fn every_file_of_the_folder_is_in_the_list_under_its_own_name() {
    const MECHANISM: [&str; 7] = ["mod", "kind", "knobs", "ranges", "stack", "target", "tests"];
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/fault");
    let mut files: Vec<String> = std::fs::read_dir(folder)
        .expect("the folder is there")
        .map(|file| file.expect("a readable entry").path().file_stem().expect("a name").to_string_lossy().into_owned())
        .filter(|name| !MECHANISM.contains(&name.as_str()))
        .map(|name| name.replace('_', "-"))
        .collect();
    let mut words: Vec<String> = kinds().iter().map(|kind| kind.word.to_string()).collect();
    files.sort_unstable();
    words.sort_unstable();
    assert_eq!(files, words);
}

#[test]
fn every_kind_says_what_it_is() {
    for kind in kinds() {
        assert!(kind.doc.len() > 20 && kind.doc.ends_with('.'), "{}: {}", kind.word, kind.doc);
        assert!(kind.counts.len() > 5, "{}", kind.word);
        assert_eq!(kind.plain().word(), kind.word);
        assert!(kind.course != Course::Gradual || !kind.severities.is_empty(), "{} rises to what?", kind.word);
        for severity in kind.severities {
            let key = kind.fields.iter().find(|field| field.name == severity.key);
            assert!(key.is_some(), "{} has no key `{}`", kind.word, severity.key);
        }
    }
}

#[test]
fn a_severity_is_set_and_found_again() {
    for kind in kinds() {
        for level in [0.0, 0.3, 1.0] {
            let levels = vec![level; kind.severities.len()];
            let found = kind.plain().with_severities(&levels).severities();
            let near = found.iter().zip(&levels).all(|(a, b)| (a - b).abs() < 0.2);
            assert!(near && found.len() == levels.len(), "{}: {levels:?} became {found:?}", kind.word);
        }
    }
}

#[test]
fn overlapping_faults_compose_and_end_in_any_order() {
    let mut stack = Stack::default();
    stack.push(layer(0, slow(3.0)));
    stack.push(layer(1, Fault::Refuse(Refuse::default())));
    stack.push(layer(2, slow(3.0)));
    let seen = |stack: &Stack| {
        let knobs: StoreKnobs = stack.knobs();
        (knobs.slow, knobs.connects)
    };
    assert_eq!(seen(&stack), (9.0, Connects::Refused));
    stack.remove(0);
    assert_eq!(seen(&stack), (3.0, Connects::Refused));
    stack.set_level(2, 0.5);
    assert_eq!(seen(&stack), (2.0, Connects::Refused));
    stack.remove(1);
    assert_eq!(seen(&stack), (2.0, Connects::Accepted));
    stack.remove(2);
    assert_eq!(stack.knobs::<StoreKnobs>(), StoreKnobs::default());
}

#[test]
fn two_error_shares_fail_whatever_either_would_fail() {
    let mut stack = Stack::default();
    let half = || Fault::Error(Error { store: Name::default(), share: crate::units::Share(0.5) });
    stack.push(layer(0, half()));
    stack.push(layer(1, half()));
    assert_eq!(stack.knobs::<StoreKnobs>().error_share, 0.75);
}

#[test]
fn an_effect_counts_for_the_faults_that_would_have_had_it() {
    let mut stack = Stack::default();
    stack.push(layer(0, slow(3.0)));
    stack.push(layer(1, Fault::Refuse(Refuse::default())));
    stack.push(Layer { entry: None, ..layer(2, Fault::Refuse(Refuse::default())) });
    let mut effects = Effects(vec![0; 3]);
    stack.credit(&mut effects, |knobs: &StoreKnobs| knobs.connects == Connects::Refused);
    assert_eq!(effects.0, [0, 1, 0]);
}

/// The fields of a part's knobs that differ from those of a sound one; all fields, if `all`.
fn turned<K: Knobs + std::fmt::Debug>(knobs: &K, all: bool) -> Vec<String> {
    let fields = |knobs: &K| -> Vec<String> {
        let text = format!("{knobs:#?}");
        let mut out: Vec<String> = Vec::new();
        for line in text.lines().skip(1).filter(|line| line.starts_with("    ")) {
            match (out.last_mut(), line.starts_with("     ") || line.starts_with("    )")) {
                (Some(last), true) => last.push_str(line),
                _ => out.push(line.trim().to_string()),
            }
        }
        out
    };
    let pairs = fields(knobs).into_iter().zip(fields(&K::default()));
    let differ = pairs.filter(|(now, sound)| all || now != sound);
    differ
        .map(|(now, _)| format!("{}: {}", std::any::type_name::<K>(), now.split(':').next().unwrap_or_default()))
        .collect()
}

#[test]
fn every_knob_is_turned_by_some_fault_and_every_fault_turns_one_or_does_something_at_once() {
    let of = |fault: Option<&Fault>| -> Vec<String> {
        fn laid<K: Knobs + std::fmt::Debug>(fault: Option<&Fault>) -> Vec<String> {
            let mut knobs = K::default();
            fault.into_iter().for_each(|fault| knobs.lay(fault, 1.0));
            turned(&knobs, fault.is_none())
        }
        let server_side = [laid::<StoreKnobs>(fault), laid::<ServerKnobs>(fault), laid::<BalancerKnobs>(fault)];
        [server_side.concat(), laid::<LinkKnobs>(fault), laid::<ClientKnobs>(fault)].concat()
    };
    let mut all = of(None);
    assert!(all.len() >= 17, "{all:?}");
    // Jitter is none unless a file says so, whatever the severity.
    let jitter = Fault::Latency(Latency { jitter: crate::units::Ns::millis(1), ..Latency::default() });
    let worst = |kind: &Kind| kind.plain().with_severities(&vec![1.0; kind.severities.len()]);
    for fault in kinds().iter().map(worst).chain([jitter]) {
        let turned = of(Some(&fault));
        assert!(!turned.is_empty() || fault.onset() != Onset::Nothing, "{} does nothing", fault.word());
        all.retain(|knob| !turned.contains(knob));
    }
    assert!(all.is_empty(), "no fault turns {all:?}");
}
