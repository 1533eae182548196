//! Recorded calls.

use super::*;
use brownout_models::units::Ns;
use std::path::PathBuf;

/// Writes a trace where no other test does, and loads a scenario that replays it.
fn replay(name: &str, csv: &str) -> Result<Scenario, Diagnostics> {
    replay_as(name, csv, "\"calls.csv\"")
}

/// As `replay`, with the trace as a file says it.
fn replay_as(name: &str, csv: &str, trace: &str) -> Result<Scenario, Diagnostics> {
    let folder: PathBuf = std::env::temp_dir().join(format!("brownout-trace-{}-{name}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    std::fs::write(folder.join("calls.csv"), csv).expect("a file");
    let text = BARE.replace("rate = \"10/s\"", &format!("trace = {trace}"));
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
    let looks = "`t` is a number of seconds such as 12.345, not";
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

#[test]
fn columns_are_named_kinds_renamed_and_times_converted() {
    let csv = "at_ms,path,x\n1000500,POST /t,1\n1002000,GET /i,1\n1001000,POST /u,1\n999999,POST /t,1\n";
    let how = "{ file = \"calls.csv\", time = \"at_ms\", unit = \"ms\", begins = 1000000, kind = \"path\", \
               kinds = { \"POST /t\" = \"track\", \"POST /u\" = \"track\" }, shift = \"10s\" }";
    let scenario = replay_as("named", csv, how).expect("it is right");
    let shifted = [Ns::millis(9_999), Ns::millis(10_500), Ns::secs(11)];
    assert_eq!(scenario.plan.traces[0].as_deref(), Some(&shifted[..]), "what is shifted into the run is in it");
    // A file of one kind has no column for it.
    let scenario = replay_as("alone", "t\n2\n1\n", "{ file = \"calls.csv\", kind = \"none\" }").expect("it is right");
    assert_eq!(scenario.plan.traces[0].as_deref(), Some(&[Ns::secs(1), Ns::secs(2)][..]));
}

#[test]
fn a_mistake_in_a_trace_says_what_to_do_next() {
    // (rows, the trace as a file says it, what the help must say)
    let table = [
        (
            "begun_at,kind\n1,track\n",
            "\"calls.csv\"",
            "it has: begun_at, kind; trace = { file = .., time = \"..\" } names one",
        ),
        ("t,kinds\n1,track\n", "\"calls.csv\"", "did you mean `kinds`? trace = { file = .., kind = \"kinds\" }"),
        ("t,kind\n1,a\n2,b\n", "\"calls.csv\"", "its kinds: a, b; kinds = { \"a\" = \"track\" } renames one"),
        ("t,kind\n1795337513.2,track\n", "\"calls.csv\"", "the first shows 1795337513.2: `begins` says"),
        ("t,kind\n1,track\n", "{ file = \"other.csv\" }", "its path is taken from the folder of the scenario"),
    ];
    for (number, (csv, how, help)) in table.into_iter().enumerate() {
        let found = replay_as(&format!("help-{number}"), csv, how).expect_err("a mistake").to_string();
        assert!(found.contains(help), "{how}\n{found}");
    }
}

#[test]
fn a_trace_is_written_as_it_was_read() {
    use brownout_models::component::clients::Trace;
    use brownout_models::setting::Setting;
    let how = "{ file = \"calls.csv\", jitter = \"1ms\", kinds = { \"x y\" = \"track\" } }";
    let scenario = replay_as("written", "t,kind\n1,x y\n", how).expect("it is right");
    let trace = scenario.plan.spec.clients.0[0].1.trace.clone().expect("a trace");
    let again = replay_as("again", "t,kind\n1,x y\n", &trace.toml()).expect("it reads back");
    assert_eq!(again.plan.spec.clients.0[0].1.trace.clone().expect("a trace").toml(), trace.toml());
    assert!(trace.toml().contains("\"x y\" = \"track\""), "{}", trace.toml());
    assert_eq!(Trace::of("a b.csv").toml(), "\"a b.csv\"");
}
