//! Whatever the text, the answer is a scenario or an error: never a panic, never an endless wait.

use super::*;
use proptest::prelude::*;

/// Loads and renders; both must come back.
fn survive(text: &str, set: &[String], design: &[String]) {
    if let Err(diagnostics) = load_text("x.toml", text, Path::new("."), set, design) {
        assert!(diagnostics.count() > 0);
        let defect = diagnostics.messages().into_iter().find(|m| m.contains("defect of brownout"));
        assert_eq!(defect, None, "a panic was caught on {text:?}");
        assert!(!diagnostics.render(false).is_empty());
        diagnostics.render(true);
    }
}

#[test]
fn nesting_without_end_is_refused() {
    let arrays = format!("a = {}1{}", "[".repeat(100_000), "]".repeat(100_000));
    let tables = format!("a = {}1{}", "{a=".repeat(50_000), "}".repeat(50_000));
    let dotted = format!("{}a = 1", "a.".repeat(100_000));
    let deep: String = "a.".repeat(70);
    let both = format!("{deep}a = {}1{}", format!("{{{deep}a = ").repeat(70), "}".repeat(70));
    for text in [arrays, tables, dotted, both] {
        survive(&text, &[], &[]);
        survive(&format!("{BARE}{text}"), &[format!("clients={text}")], &[text]);
    }
    let found = bad(&format!("x = {}1{}\n{BARE}", "[".repeat(70), "]".repeat(70)));
    assert!(found.messages().contains(&"nested more than 64 deep".into()), "{found}");
}

#[test]
fn a_file_of_any_size_is_refused_before_it_is_read() {
    let text = "#".repeat((4 << 20) + 1);
    assert!(bad(&text).messages()[0].contains("larger than 4 MiB"));
}

#[test]
fn control_characters_reach_no_terminal() {
    let text = BARE.replace("sends = ", "\"\\u001b[31mred\\u009b\\u202e\" = 1\nsends = ");
    let text = format!("# \u{9b}31m\n{text}\n\"\u{9b}\u{202e}x\" = 1 # \u{202e}\n");
    let found = bad_with(&text, &["\u{1b}[0m=\u{1b}"], &["\u{1b}]0;x\u{7}"]);
    let shown = found.render(false);
    assert!(found.count() >= 3);
    assert!(!shown.chars().any(|c| c != '\n' && c.is_control() || c == '\u{202e}'), "{shown:?}");
}

#[test]
fn endless_names_are_cut() {
    let text = format!("{} = 1\n{BARE}", "x".repeat(3_000_000));
    assert_eq!(sole(&text), "a key of more than 256 bytes");
    assert!(bad(&text).render(false).chars().count() < 2000);
    let late: String = (0..60).map(|i| format!(", y{i} = 1")).collect();
    let far = format!(
        "brownout = 1\ntitle = \"x\"\nspan = \"9s\"\nclients = {{ c = {{ sends = \"{}\"{late} }} }}\n",
        "é".repeat(1_000_000)
    );
    let shown = bad(&far).render(false);
    assert!(shown.contains("my.toml:4:1000031\n"), "columns count characters, however many: {}", &shown[..300]);
    assert!(!bad(&far).render(true).is_empty());
    assert!(bad(&text).render(false).lines().next().is_some_and(|line| line.len() < 1000));
}

#[test]
fn very_many_of_anything_are_refused() {
    let points: String = (0..300).map(|i| format!("p{i} = {{}}\n")).collect();
    assert_eq!(sole(&day_and(&format!("[axes.a]\n{points}"))), "more than 200 axis points and designs");
    let notes = "[[timeline]]\nat = \"12:00\"\ndo = \"note\"\nsays = \"x\"\n".repeat(1000);
    assert_eq!(sole(&day_and(&notes)), "1001 timeline entries are more than the 1000 supported");
    let keys: String = (0..10_050).map(|i| format!("p{i} = 1\n")).collect();
    assert!(bad(&format!("{keys}{BARE}")).messages().contains(&"more than 10000 keys in one table".into()));
}

/// A text with pieces cut out, doubled or replaced.
fn mutated() -> impl Strategy<Value = String> {
    let whole = format!(
        "{DAY}[[evidence]]\nid = \"E1\"\nsays = \"x\"\nmetric = \"a.b\"\nobserved = \"54%\"\nwithin = \"4pp\"\n\
         [axes.a]\ndefault = \"x\"\nx = {{ balancer.health.fall = 2 }}\n[designs.d]\nbased_on = \"e\"\n[designs.e]\n\
         [[expect]]\nalways = \"a\"\nof = {{ a = \"x\" }}\n"
    );
    let tokens = prop::sample::select(vec![
        "",
        "=",
        "\"",
        "[",
        "]",
        "{",
        "}",
        "\n",
        ".",
        "0",
        "-1",
        "9e99",
        "\"\"",
        "\"none\"",
        "{}",
        "[]",
        "é",
        "\u{0}",
        "\r",
        "'",
        "preset",
        "value",
        "assumed",
        "= [1, 2]",
        "\"-5s\"",
        "\"99999999h\"",
        "2015-10-28",
        "based_on = \"d\"\n",
    ]);
    let edits = prop::collection::vec((any::<prop::sample::Index>(), 0_usize..12, tokens), 1..6);
    edits.prop_map(move |edits| {
        let mut chars: Vec<char> = whole.chars().collect();
        for (at, cut, token) in edits {
            let at = at.index(chars.len() + 1);
            let end = (at + cut).min(chars.len());
            chars.splice(at..end, token.chars());
        }
        chars.into_iter().collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, rng_seed: proptest::test_runner::RngSeed::Fixed(1), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_text_never_panics(text in ".{0,200}", set in "[a-z.=0-9\"{}\\[\\] ]{0,20}", design in ".{0,10}") {
        survive(&text, &[set], &[design]);
    }

    #[test]
    fn a_mutated_file_never_panics(text in mutated(), set in "(fleets|timeline|balancer)\\.[a-z0-9]{1,4}(\\.[a-z]{1,4})?=.{0,6}") {
        survive(&text, &[set], &["x".to_string()]);
    }
}
