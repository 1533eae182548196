//! Evidence and expectations.

use super::*;
use crate::{EvidenceSpec, Limits};
use brownout_models::metrics::Measured;
use brownout_models::units::{Bytes, Ns};

fn evidence(keys: &str) -> String {
    day_and(&format!("[[evidence]]\nid = \"E1\"\nsays = \"it was so\"\nmetric = \"track.dropped_rate\"\n{keys}"))
}

fn read(keys: &str) -> EvidenceSpec {
    good(&evidence(keys)).evidence.remove(0)
}

fn read_of(metric: &str, keys: &str) -> EvidenceSpec {
    good(&evidence(keys).replace("track.dropped_rate", metric)).evidence.remove(0)
}

#[test]
fn an_observation_has_a_kind_and_bounds_in_base_units() {
    let share = read("observed = \"54%\"\nwithin = \"4pp\"");
    assert_eq!(share.observed, Measured::Share(0.54));
    assert!((share.low - 0.50).abs() < 1e-12 && (share.high - 0.58).abs() < 1e-12);
    assert_eq!((share.shown.as_str(), share.fitted), ("54%", false));
    assert_eq!(share.over, (Ns::ZERO, Ns::secs(33_000)));
    let relative = read("observed = \"50%\"\nwithin = \"10%\"");
    assert!((relative.tolerance - 0.05).abs() < 1e-12);
    let time = read_of("track.longest_drop", "observed = \"10min\"\nwithin = \"2min\"");
    assert_eq!((time.observed, time.low, time.high), (Measured::Duration(Ns::secs(600)), 480.0, 720.0));
    let none = read_of("track.dropped", "observed = \"0\"");
    assert_eq!((none.observed, none.low, none.high), (Measured::Count(0.0), 0.0, 0.0));
    let count = read_of("rotation.downs_mean", "observed = 3\nwithin = \"5\"");
    assert_eq!((count.low, count.high), (0.0, 8.0));
    let moment = read_of("track.failing_until", "observed = \"11:46\"\nwithin = \"1min\"");
    assert_eq!((moment.observed, moment.low), (Measured::Moment(Ns::secs(8160)), 8100.0));
    let interval = read_of("all.unavailable", "observed = [\"11:46\", \"17:50\"]\nwithin = \"2min\"");
    assert_eq!(interval.observed, Measured::Interval(Ns::secs(8160), Ns::secs(30_000)));
    assert_eq!((interval.tolerance, interval.shown.as_str()), (120.0, "11:46 to 17:50"));
}

#[test]
fn bounds_may_stand_in_for_an_observation() {
    let between = read("between = [\"50%\", \"60%\"]\nover = { from = \"10:00\", to = \"11:00\" }");
    assert!((between.low - 0.5).abs() < 1e-12 && (between.high - 0.6).abs() < 1e-12);
    assert_eq!((between.shown.as_str(), between.over.0), ("50% to 60%", Ns::secs(1800)));
}

#[test]
fn evidence_that_cannot_be_compared_is_an_error() {
    let wrong = [
        ("", "evidence `E1` does not say what was observed"),
        ("observed = \"lots\"", "an observation looks like \"54%\", \"10min\", \"11:46\" or \"3\""),
        ("observed = \"19:00\"", "19:00 is outside the day: it runs from 09:30 to 18:40"),
        ("observed = \"120%\"", "a share lies between 0% and 100%"),
        ("observed = [\"11:46\"]", "two times are expected here, such as [\"11:46\", \"17:50\"]"),
        ("observed = [\"11:46\", \"11:40\"]", "the interval must end after it starts"),
        (
            "observed = \"54%\"\nwithin = \"4pp\"\nbetween = [\"1%\", \"2%\"]",
            "evidence `E1` has both `within` and `between`",
        ),
        ("between = [\"50%\", \"3min\"]", "these are values of different kinds"),
        ("between = [\"50%\", \"3%\"]", "the lowest value comes first"),
        (
            "observed = \"54%\"\nover = { from = \"10:00\", to = \"19:00\" }",
            "19:00 is outside the day: it runs from 09:30 to 18:40",
        ),
        ("observed = \"11:46\"\nwithin = \"4pp\"", "here `within` looks like \"2min\""),
        ("observed = \"54%\"\nwithni = \"4pp\"", "unknown key `withni` in [evidence.0]"),
    ];
    for (keys, message) in wrong {
        assert_eq!(sole(&evidence(keys)), message);
    }
    let of = |metric: &str| sole(&evidence("observed = \"1%\"").replace("track.dropped_rate", metric));
    assert_eq!(of("dropped"), "a metric looks like \"track.dropped_rate\", not \"dropped\"");
    assert_eq!(of("track.droped_rate"), "no metric \"droped_rate\" of track");
    assert_eq!(of("tracks.dropped_rate"), "no calls \"tracks\" to measure");
    assert_eq!(of("track.offered"), "`track.offered` is a count, such as \"12\"");
    assert_eq!(sole(&evidence("observed = 1").replace("metric", "#metric")), "`metric` is missing in [evidence.0]");
    let share = evidence("observed = \"1%\"");
    let twice = format!("{share}{}", share.replace(DAY, ""));
    assert_eq!(sole(&twice), "two pieces of evidence have the id `E1`");
}

#[test]
fn limits_are_read() {
    let scenario = good(&DAY.replace("[clients", "limits = { events = 1000000 }\n[clients"));
    assert_eq!(scenario.limits.events, Some(1_000_000));
    let limits = good(&DAY.replace("[clients", "limits = { events = \"none\", memory = \"1GiB\" }\n[clients")).limits;
    assert_eq!((limits.events, limits.memory), (None, Some(Bytes(1 << 30))));
    assert_eq!(good(DAY).limits, Limits::default());
}

#[test]
fn a_whole_scenario_as_an_engineer_writes_it() {
    let text = include_str!("whole.scenario");
    let scenario = good(text);
    assert_eq!(scenario.design, "isolation=shared");
    assert!(scenario.evidence[0].fitted && !scenario.evidence[1].fitted);
    let count = |mark: &str| scenario.provenance.iter().filter(|p| p.mark == mark).count();
    assert_eq!((count("assumed"), count("calibrated"), count("inferred"), count("reported")), (7, 1, 4, 1));
    for axis in &scenario.axes {
        for point in &axis.points {
            assert!(good_with(text, &[], &[point]).design.contains(&format!("{}={point}", axis.name)));
        }
    }
    let windows = text.replace('\n', "\r\n");
    assert_eq!(good(&windows).plan.spec.clients.len(), 2, "line ends of Windows are line ends");
    let found = bad(&windows.replace("count   =", "cuont   ="));
    assert!(found.to_string().contains("cuont   = { value = 16, assumed = [4, 64] }\n"), "{found}");
}
