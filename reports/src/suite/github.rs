//! Annotations: workflow commands that GitHub's runner shows beside the file and the line.

use super::{name, repeat, trouble};
use crate::text;
use brownout_lab::suite::{Case, Ended, Report};

/// One annotation per bad case, a line each; empty without any.
pub fn annotations(report: &Report) -> String {
    report.cases.iter().filter(|case| case.ended.is_bad()).map(annotation).collect()
}

fn annotation(case: &Case) -> String {
    let (file, more) = name(case);
    let line = case.line.map_or(String::new(), |line| format!(",line={line}"));
    let what = match case.ended {
        Ended::Failed => "expectation violated",
        Ended::Vacuous => "nothing shown",
        Ended::Mistaken => "mistakes in the scenario",
        Ended::Limited => "limit reached",
        _ => "broken",
    };
    let title = if more.is_empty() { what.to_string() } else { format!("{what}: {more}") };
    let message = format!("{}\nrepeat: {}", trouble(case), repeat(case));
    format!("::error file={}{line},title={}::{}\n", property(&file), property(&title), data(&message))
}

/// Text of a message: what ends a line is written as the runner reads it, and an older form of command spelled out.
fn data(text: &str) -> String {
    let lines: Vec<String> = text.lines().map(|line| text::clean(line, true).replace("##[", "\\u{23}#[")).collect();
    lines.join("\n").replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// Text of a property: what ends one is written as the runner reads it, too.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_ends_an_annotation_early() {
        assert_eq!(property("a,b:c\n::error::x 5%\u{1b}[31m"), "a%2Cb%3Ac%0A%3A%3Aerror%3A%3Ax 5%25\\u{1b}[31m");
        assert_eq!(data("a, b: c\r\nd"), "a, b: c%0Ad");
        assert_eq!(data("##[add-mask]a"), "\\u{23}#[add-mask]a");
    }
}
