//! Wall clock and calendar.

use super::*;
use brownout_models::setting::Clock;
use brownout_models::units::Ns;

fn spanning(from: &str, to: &str) -> String {
    DAY.replace("2015-10-28 09:30", from).replace("2015-10-28 18:40", to)
}

#[test]
fn times_of_the_day_count_from_the_start() {
    let scenario = good(DAY);
    let calendar = &scenario.calendar;
    assert_eq!(scenario.span, Ns::secs(33_000));
    assert_eq!(calendar.moment("11:46"), Ok(Ns::secs(8160)));
    assert_eq!(calendar.moment("11:46:30"), Ok(Ns::secs(8190)));
    assert_eq!(calendar.moment("9:30"), Ok(Ns::ZERO));
    assert_eq!(calendar.moment("2015-10-28 18:40"), Ok(Ns::secs(33_000)));
    assert_eq!(calendar.wall(Ns::secs(8160)), "2015-10-28 11:46:00");
    assert_eq!(calendar.wall(Ns::millis(8_160_250)), "2015-10-28 11:46:00.25");
    assert_eq!((calendar.clock(Ns::secs(8160)), calendar.clock(Ns::secs(8190))), ("11:46".into(), "11:46:30".into()));
    assert_eq!((calendar.zone(), calendar.zone_abbreviation().as_str()), ("America/Los_Angeles", "PDT"));
    assert_eq!(calendar.time_of_day_s(Ns::secs(60)), 34_260.0);
    assert!(calendar.has_calendar());
}

#[test]
fn without_dates_times_are_durations() {
    let scenario = good(BARE);
    let calendar = &scenario.calendar;
    assert_eq!(calendar.moment("20s"), Ok(Ns::secs(20)));
    assert_eq!((calendar.wall(Ns::secs(20)), calendar.clock(Ns::millis(1500))), ("20s".into(), "1.5s".into()));
    assert_eq!((calendar.zone(), calendar.zone_abbreviation().as_str()), ("", ""));
    assert_eq!(calendar.time_of_day_s(Ns::secs(60)), 60.0);
    assert_eq!(scenario.window, (Ns::ZERO, Ns::secs(130)));
    assert!(calendar.moment("11:46").is_err_and(|why| why.contains("since its start, such as \"20s\"")));
    assert_eq!(calendar.moment("140s"), Err("140s is outside the run: it lasts 2m10s".into()));
    assert!(calendar.moment("never").is_err() && calendar.moment("20").is_err());
}

#[test]
fn a_time_outside_the_day_is_an_error_that_states_the_day() {
    assert_eq!(sole(&DAY.replace("11:46", "19:00")), "19:00 is outside the day: it runs from 09:30 to 18:40");
    assert_eq!(sole(&DAY.replace("11:46", "08:00")), "08:00 is outside the day: it runs from 09:30 to 18:40");
    assert_eq!(
        sole(&DAY.replace("11:46", "2015-10-27 12:00")),
        "2015-10-27 12:00 is outside the day: it runs from 09:30 to 18:40"
    );
    let windowed = |w: &str| DAY.replace("[clients", &format!("window = {w}\n[clients"));
    assert_eq!(
        sole(&windowed("{ from = \"10:00\", to = \"20:00\" }")),
        "20:00 is outside the day: it runs from 09:30 to 18:40"
    );
    assert_eq!(sole(&windowed("{ from = \"12:00\", to = \"11:00\" }")), "`from` must be before `to`");
    assert!(sole(&DAY.replace("11:46", "noon")).starts_with("a time looks like \"11:46\""));
}

#[test]
fn a_time_of_day_before_the_start_belongs_to_the_next_morning() {
    let scenario = good(&spanning("2015-10-28 22:00", "2015-10-29 13:00"));
    assert_eq!(scenario.calendar.moment("01:00"), Ok(Ns::secs(3 * 3600)));
    assert_eq!(scenario.calendar.moment("22:30"), Ok(Ns::secs(1800)));
    let outside = scenario.calendar.moment("14:00").expect_err("outside");
    assert_eq!(outside, "14:00 is outside the run: it goes from 2015-10-28 22:00:00 to 2015-10-29 13:00:00");
}

#[test]
fn changes_of_the_clocks_are_known() {
    // Los Angeles, 1 November 2015: at 02:00 PDT the clocks go back to 01:00 PST.
    let autumn = good(&spanning("2015-10-31 12:00", "2015-11-01 12:00")).calendar;
    assert_eq!(autumn.moment("2015-11-01 03:00"), Ok(Ns::secs(16 * 3600)));
    assert_eq!(autumn.moment("01:30"), Ok(Ns::secs(13 * 3600 + 1800)), "the first of the two");
    let winter = good(&spanning("2015-12-01 09:30", "2015-12-01 18:40")).calendar;
    assert_eq!(winter.zone_abbreviation(), "PST");
    // 8 March 2015: 02:00 to 03:00 does not exist.
    let spring = good(&spanning("2015-03-08 00:00", "2015-03-08 12:00")).calendar;
    assert_eq!(spring.moment("02:30"), Err("02:30 does not exist: the clocks go forward over it".into()));
    assert_eq!(spring.moment("03:00"), Ok(Ns::secs(2 * 3600)));
    let unreal = bad(&spanning("2015-03-08 02:30", "2015-03-08 12:00"));
    assert_eq!(unreal.messages(), ["2015-03-08 02:30 does not exist: the clocks go forward over it"]);
}

#[test]
fn span_and_zone_must_fit_each_other() {
    assert_eq!(sole(&DAY.replace("zone = \"America/Los_Angeles\"\n", "")), "dates need a time zone: `zone` is missing");
    let found = bad(&DAY.replace("Los_Angeles", "Los_Angelos"));
    assert_eq!(found.messages(), ["no time zone \"America/Los_Angelos\""]);
    assert!(found.to_string().contains("did you mean \"America/Los_Angeles\"?"));
    assert_eq!(
        sole(&BARE.replace("span", "zone = \"UTC\"\nspan")),
        "a time zone has no meaning in a run without dates"
    );
    assert_eq!(
        sole(&spanning("2015-10-28 19:00", "2015-10-28 18:40")),
        "the run ends before it starts: 2015-10-28 18:40 is not after 2015-10-28 19:00"
    );
    assert_eq!(sole(&spanning("09:30", "2015-10-28 18:40")), "a date and time looks like \"2015-10-28 09:30\"");
    let typo = bad(&DAY.replace("to = \"2015-10-28 18:40\"", "too = \"x\""));
    assert_eq!(typo.messages(), ["`to` is missing in [span]", "unknown key `too` in [span]"], "each said once");
    assert_eq!(sole(&BARE.replace("\"130s\"", "\"0s\"")), "a run of no length shows nothing");
    assert_eq!(sole(&BARE.replace("\"130s\"", "\"none\"")), "a run must have an end");
}
