//! JUnit XML: a suite per file, a case per design and seed. What is vacuous is a failure of type "vacuous".

use super::{bad, name, repeat, trouble};
use crate::text;
use brownout_lab::suite::{Case, Ended, Report};
use quick_junit::{NonSuccessKind, Report as Document, TestCase, TestCaseStatus, TestSuite};
use std::time::Duration;

/// The document.
///
/// # Errors
/// Why it cannot be written; none is expected.
pub fn to_xml(report: &Report) -> Result<String, String> {
    let mut document = Document::new("brownout test");
    document.set_time(seconds(report.wall_s));
    for cases in report.cases.chunk_by(|a, b| a.file == b.file) {
        let mut suite = TestSuite::new(clean(&cases[0].file));
        if !cases[0].title.is_empty() {
            suite.add_property(("title", clean(&cases[0].title).as_str()));
        }
        suite.set_time(seconds(cases.iter().map(|case| case.wall_s).sum()));
        suite.add_test_cases(cases.iter().map(test_case));
        document.add_test_suite(suite);
    }
    document.to_string().map_err(|why| why.to_string())
}

fn test_case(case: &Case) -> TestCase {
    let (_, more) = name(case);
    let mut test = TestCase::new(clean(if more.is_empty() { "expectations" } else { &more }), status(case));
    test.set_classname(clean(&case.file)).set_time(seconds(case.wall_s));
    if !case.digest.is_empty() {
        test.add_property(("digest", case.digest.as_str()));
    }
    if case.ended.is_bad() {
        test.set_system_out(clean(&repeat(case)));
    }
    test
}

fn status(case: &Case) -> TestCaseStatus {
    let (kind, word) = match case.ended {
        Ended::Passed => return TestCaseStatus::success(),
        Ended::Skipped => {
            let mut skipped = TestCaseStatus::skipped();
            skipped.set_message(clean(&case.note));
            return skipped;
        }
        Ended::Failed => (NonSuccessKind::Failure, "violated"),
        Ended::Vacuous => (NonSuccessKind::Failure, "vacuous"),
        Ended::Mistaken => (NonSuccessKind::Error, "mistaken"),
        Ended::Limited => (NonSuccessKind::Error, "limited"),
        Ended::Broken => (NonSuccessKind::Error, "broken"),
    };
    let mut status = TestCaseStatus::non_success(kind);
    let message = match bad(case).next() {
        Some(verdict) => format!("{} {}: {}", verdict.kind, verdict.condition, verdict.why),
        None => case.note.lines().next().unwrap_or(word).to_string(),
    };
    let lines: Vec<String> = trouble(case).lines().map(clean).collect();
    status.set_type(word).set_message(clean(&message)).set_description(lines.join("\n"));
    status
}

fn clean(words: &str) -> String {
    text::clean(words, true)
}

fn seconds(time: f64) -> Duration {
    Duration::try_from_secs_f64(time.max(0.0)).unwrap_or_default()
}
