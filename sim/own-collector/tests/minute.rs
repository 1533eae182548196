//! The collectors of this example, judged as any service of one's own would be.
#![cfg(madsim)]

use own_collector::{Limited, Patient, loss};

#[test]
fn limits_keep_tracks_going_while_the_database_hangs() {
    for seed in 1..=3 {
        let (patient, limited) = (loss(seed, Patient::default).unwrap(), loss(seed, Limited::default).unwrap());
        assert!(patient.track > 0.3, "seed {seed}: without limits tracks fail with the database: {patient:?}");
        assert!(limited.track < 0.02, "seed {seed}: with limits they do not: {limited:?}");
        assert!(limited.identify > 0.9, "seed {seed}: who needs the database has none: {limited:?}");
    }
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let run = |seed| loss(seed, Limited::default).unwrap().digest;
    assert_eq!(run(4), run(4));
    assert_ne!(run(4), run(5));
}
