//! Numbers that say how bad a fault is: from mild to extreme, and the values in between that a file can say.

use brownout_models::units::Ns;

/// In which unit a number is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Measure {
    /// A bare number: a factor.
    Factor,
    /// A part of a whole: "30%".
    Share,
    /// A whole number of things.
    Count,
    /// A length of time, in seconds here.
    Duration,
    /// So many a second.
    Rate,
    /// So many bytes.
    Size,
}

/// A number of a fault, and how far it goes.
#[derive(Clone, PartialEq, Debug)]
pub struct Knob {
    /// Its key in the file.
    pub key: String,
    /// In which unit.
    pub measure: Measure,
    /// Where it does least harm; may be the larger number.
    pub mild: f64,
    /// Where it does most.
    pub extreme: f64,
}

/// Figures that a number keeps where steps are proportions.
const FIGURES: f64 = 2.0;

impl Knob {
    /// How bad a value is, from 0 (mild) to 1 (extreme); beyond the ends, beyond these.
    pub fn badness(&self, value: f64) -> f64 {
        let (mild, extreme, value) = (self.scaled(self.mild), self.scaled(self.extreme), self.scaled(value));
        if mild == extreme { 0.0 } else { (value - mild) / (extreme - mild) }
    }

    /// The value of a badness from 0 to 1 that a file can say; the ends themselves for 0 and 1.
    pub fn at(&self, badness: f64) -> f64 {
        if badness <= 0.0 {
            return self.mild;
        }
        if badness >= 1.0 {
            return self.extreme;
        }
        let (mild, extreme) = (self.scaled(self.mild), self.scaled(self.extreme));
        let x = mild + (extreme - mild) * badness;
        self.rounded(if self.is_proportional() { libm::exp(x) } else { x })
    }

    /// A value that a file can say between two, or none where they are as close as it matters.
    pub fn between(&self, one: f64, other: f64) -> Option<f64> {
        let middle = (self.scaled(one) + self.scaled(other)) / 2.0;
        let middle = self.rounded(if self.is_proportional() { libm::exp(middle) } else { middle });
        let apart = |end: f64| libm::fabs(middle - end) > 1e-12 * libm::fabs(end);
        let (low, high) = (one.min(other), one.max(other));
        (apart(one) && apart(other) && middle > low && middle < high).then_some(middle)
    }

    /// How a file says it, as TOML.
    pub fn write(&self, value: f64) -> String {
        match self.measure {
            // A bare float must not look like a whole number.
            Measure::Factor if value.fract() == 0.0 => format!("{value:.1}"),
            Measure::Factor => plain(value),
            Measure::Share => format!("\"{}%\"", plain(value * 100.0)),
            Measure::Count => format!("{}", libm::round(value)),
            Measure::Duration => format!("\"{}\"", Ns::from_secs_f64(value)),
            Measure::Rate => format!("\"{}/s\"", plain(value)),
            Measure::Size => format!("\"{}B\"", libm::round(value)),
        }
    }

    /// How a sentence says it: "4.1x", "30%".
    pub fn say(&self, value: f64) -> String {
        match self.measure {
            Measure::Factor => format!("{}x", plain(value)),
            _ => self.write(value).trim_matches('"').to_string(),
        }
    }

    /// Whether steps are proportions: where the ends are at least tenfold apart, and of durations.
    fn is_proportional(&self) -> bool {
        let (low, high) = (self.mild.min(self.extreme), self.mild.max(self.extreme));
        low > 0.0 && high / low >= 10.0
    }

    fn scaled(&self, value: f64) -> f64 {
        if self.is_proportional() { libm::log(value.max(1e-12)) } else { value }
    }

    fn rounded(&self, value: f64) -> f64 {
        match self.measure {
            Measure::Count => libm::round(value),
            Measure::Share if !self.is_proportional() => libm::round(value * 100.0) / 100.0,
            _ => figures(value),
        }
    }
}

/// A number to two figures: 4.1, 130, 0.027.
pub fn figures(value: f64) -> f64 {
    if value == 0.0 {
        return 0.0;
    }
    let places = FIGURES - 1.0 - libm::floor(libm::log10(libm::fabs(value)));
    // By a division or a product with a power of ten that is exact, so that 4.1 is the 4.1 that a file says.
    let power = libm::pow(10.0, libm::fabs(places));
    if places >= 0.0 { libm::round(value * power) / power } else { libm::round(value / power) * power }
}

/// A number without the noise of binary fractions.
fn plain(value: f64) -> String {
    let rounded = libm::round(value * 1e6) / 1e6;
    // What a file says is kept, however small it is.
    let noise = libm::fabs(rounded - value) <= 1e-9 * libm::fabs(value);
    format!("{}", if noise { rounded } else { value })
}

/// A length of time that a file says in few figures: two up to 100 s, whole ones of ten seconds and more above; at
/// least a tenth of a second.
pub fn length(seconds: f64) -> Ns {
    Ns(libm::round(figures(seconds.max(0.1)) * 1e3) as u64 * 1_000_000)
}

/// A length between two, or none where they are as close as it matters.
pub fn length_between(one: Ns, other: Ns) -> Option<Ns> {
    let middle = length(libm::sqrt(one.as_secs().max(0.1) * other.as_secs().max(0.1)));
    (middle > one.min(other) && middle < one.max(other)).then_some(middle)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use proptest::test_runner::{Config, RngSeed};

    fn knob(measure: Measure, mild: f64, extreme: f64) -> Knob {
        Knob { key: "x".into(), measure, mild, extreme }
    }

    #[test]
    fn a_file_says_numbers_in_few_figures() {
        assert_eq!(knob(Measure::Factor, 2.0, 1000.0).write(4.1), "4.1");
        assert_eq!(knob(Measure::Share, 0.01, 1.0).write(0.29), "\"29%\"");
        assert_eq!(knob(Measure::Count, 8.0, 0.0).write(3.0), "3");
        assert_eq!(knob(Measure::Duration, 0.001, 10.0).write(0.25), "\"250ms\"");
        assert_eq!((figures(1234.0), figures(0.0273), figures(4.149)), (1200.0, 0.027, 4.1));
        assert_eq!(length(38.4), Ns::secs(38));
    }

    #[test]
    fn fewer_may_be_worse() {
        let connections = knob(Measure::Count, 20.0, 0.0);
        assert_eq!((connections.at(0.0), connections.at(0.5), connections.at(1.0)), (20.0, 10.0, 0.0));
        assert!(connections.badness(3.0) > connections.badness(5.0));
    }

    proptest! {
        #![proptest_config(Config { rng_seed: RngSeed::Fixed(1), failure_persistence: None, ..Config::default() })]

        /// Halving goes on for a bounded number of steps and stays between its ends.
        #[test]
        fn halving_ends(low in 0.5_f64..50.0, times in 1.0_f64..5000.0, share in any::<bool>()) {
            let knob = if share { knob(Measure::Share, 0.01, 1.0) } else { knob(Measure::Factor, low, low * times) };
            let (mut one, mut steps) = (knob.mild, 0);
            while let Some(middle) = knob.between(one, knob.extreme) {
                prop_assert!(knob.badness(middle) >= knob.badness(one) && knob.badness(middle) <= 1.0);
                one = middle;
                steps += 1;
                prop_assert!(steps < 60, "{one}");
            }
        }

        #[test]
        fn lengths_are_halved_between_their_ends(a in 1_u64..100_000, b in 1_u64..100_000) {
            let (a, b) = (Ns::millis(a), Ns::millis(b));
            if let Some(middle) = length_between(a, b) {
                prop_assert!(middle > a.min(b) && middle < a.max(b));
            }
        }
    }
}
