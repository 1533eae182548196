//! Runs both collectors through the same minute and prints what they lost.

use own_collector::{Limited, Patient, loss};

fn main() -> Result<(), String> {
    for (name, loss) in [("patient", loss(1, Patient::default)?), ("limited", loss(1, Limited::default)?)] {
        println!(
            "{name}: {:.1}% of track calls and {:.1}% of identify calls failed in the outage",
            loss.track * 100.0,
            loss.identify * 100.0
        );
    }
    Ok(())
}
