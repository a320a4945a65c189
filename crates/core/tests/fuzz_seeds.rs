//! The laws that fuzzing looks for breaches of, on the seeds that it begins with.
//!
//! Fuzzing wants a C++ compiler and minutes; this keeps what it runs compiled and its seeds good in every run of the tests.

#[path = "../fuzz/laws.rs"]
mod laws;

use std::fs;

#[test]
fn no_seed_breaks_a_law() {
    let seeds = concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/seeds/schema_event");
    let mut run = 0;
    for seed in fs::read_dir(seeds).expect("the seeds are in the repository") {
        let path = seed.expect("an entry").path();
        laws::schema_event(&fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display())));
        run += 1;
    }
    assert!(run > 5, "{run}");
}
