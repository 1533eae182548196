//! How long a fault is in force, how it rises, and how often it comes.

use crate::fault::Course;
use crate::setting::{Data, Field, Reader, Settings, Value, always};
use crate::settings;
use crate::units::Ns;

settings! {
    /// A fault that comes again and again.
    pub struct Repeat {
        /// From one beginning to the next. (time)
        pub every (required): Ns = Ns::secs(60), "10ms" ..= "720h" => always;
        /// How often in all, the first time included; none: to the end of the run.
        pub times: Option<u32> = None, 1 ..= 1000000 => always;
    }
}

settings! {
    /// How a fault is in force. An end restores what was there before, as far as other faults allow.
    pub struct Timing {
        /// How long; none: to the end of the run. (time)
        pub r#for: Option<Ns> = None, "1ms" ..= "720h" => always;
        /// Time in which it rises evenly to its severity, in sixteen steps; it counts towards `for`. (time)
        pub ramp: Ns = Ns::ZERO, "0s" ..= "720h" => always;
        /// Whether it comes again: how often, and after how long.
        pub repeat: Option<Repeat> = None => always;
    }
}

/// The keys of [`Timing`] that a fault with such a course has.
pub fn timing_fields(course: Course) -> Vec<Field> {
    let has = |field: &Field| match field.name {
        "for" => !course.ends_itself(),
        "ramp" => course == Course::Gradual,
        _ => course != Course::Job,
    };
    Timing::fields().into_iter().filter(has).collect()
}

impl Timing {
    /// Reads what an entry says of it.
    pub(super) fn of(course: Course, value: &Value, reader: &mut Reader<'_>) -> Timing {
        let mut timing = Timing::default();
        let Data::Table(table) = &value.data else { return timing };
        timing.apply(table, reader);
        let span = |key: &str| table.get(key).map_or(value.span, |value| value.span);
        if timing.r#for.is_some_and(|whole| whole < timing.ramp) {
            let message = format!("`ramp` = {} is longer than `for`", timing.ramp);
            reader.problem_with_help(span("ramp"), message, "the severity would never be reached");
        }
        if !course.ends_itself() && timing.repeat.is_some() && timing.r#for.is_none() {
            reader.problem_with_help(
                span("repeat"),
                "`repeat` needs `for`: how long it is in force each time",
                "for = \"10s\"",
            );
        }
        timing
    }
}
