//! Recorded calls.

use super::*;
use brownout_models::units::Ns;
use std::path::PathBuf;

/// Writes a trace where no other test does, and loads a scenario that replays it.
fn replay(name: &str, csv: &str) -> Result<Scenario, Diagnostics> {
    let folder: PathBuf = std::env::temp_dir().join(format!("brownout-trace-{}-{name}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    std::fs::write(folder.join("calls.csv"), csv).expect("a file");
    let text = BARE.replace("rate = \"10/s\"", "trace = \"calls.csv\"");
    let result = load_text("my.toml", &text, &folder, &[], &[]);
    std::fs::remove_dir_all(&folder).expect("the folder is ours");
    result
}

fn messages(name: &str, csv: &str) -> Vec<String> {
    replay(name, csv).expect_err("a mistake").messages()
}

#[test]
fn rows_of_the_kind_within_the_run_are_replayed_in_order() {
    let csv = "kind,t,size\ntrack,5.5,1\nother,x,1\ntrack,1.25,1\ntrack,131,1\ntrack,-1,1\ntrack,130,1\n";
    let scenario = replay("order", csv).expect("it is right");
    let expected = [Ns::millis(1250), Ns::millis(5500), Ns::secs(130)];
    assert_eq!(scenario.plan.traces[0].as_deref(), Some(&expected[..]));
    assert_eq!(scenario.plan.end, Ns::secs(130));
    assert_eq!(good(BARE).plan.traces, [None]);
}

#[test]
fn bad_rows_are_named_with_file_and_line() {
    let found = replay("rows", "t,kind\n1,track\nx,track\n2\nNaN,track\n").expect_err("a mistake");
    let looks = "`t` is seconds since the start, such as 12.345, not";
    let expected = [
        format!("calls.csv:3: {looks} \"x\""),
        "calls.csv:4: the row has no `kind`".to_string(),
        format!("calls.csv:5: {looks} \"NaN\""),
    ];
    assert_eq!(found.messages(), expected);
    assert!(found.to_string().contains("trace = \"calls.csv\""), "the caret is at the trace: {found}");
    let many: String = (0..100).map(|_| "x,track\n").collect();
    assert_eq!(messages("many", &format!("t,kind\n{many}")).len(), 6);
}

#[test]
fn a_trace_needs_its_columns_and_its_kind() {
    assert_eq!(messages("t", "time,kind\n1,track\n"), ["calls.csv:1: there is no column `t`"]);
    assert_eq!(messages("kind", "t\n1\n"), ["calls.csv:1: there is no column `kind`"]);
    assert_eq!(messages("none", "t,kind\n1,identify\n"), ["calls.csv: no row has the kind \"track\""]);
    assert_eq!(messages("empty", ""), ["calls.csv:1: there is no column `t`"]);
}

#[test]
fn a_missing_trace_is_a_mistake_at_its_name() {
    let found = bad(&BARE.replace("rate = \"10/s\"", "trace = \"no-such.csv\""));
    assert!(found.messages()[0].starts_with("cannot read trace no-such.csv: No such file"));
    assert!(found.to_string().contains("6 | trace = \"no-such.csv\"\n  |         ^^^^^^^^^^^^^"), "{found}");
}
