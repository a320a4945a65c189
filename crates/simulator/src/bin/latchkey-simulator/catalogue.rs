//! `latchkey-simulator faults`: every fault as a rule of a plan, with what it does.
//!
//! The list is a plan itself: printed into a file it can be used as it stands, once the rules that are not wanted are deleted. A
//! test reads it as one and sees that no fault is missing.

use std::io::{self, Write as _};

/// The list, in YAML.
pub(crate) const CATALOGUE: &str = include_str!("faults.yml");

pub(crate) fn print() -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(CATALOGUE.as_bytes())?;
    Ok(out.flush()?)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use latchkey_simulator::{Fault, Plan};

    use super::*;

    #[test]
    fn the_catalogue_is_a_plan_that_holds_every_fault() {
        let plan = Plan::parse(CATALOGUE).unwrap();
        let listed: BTreeSet<&str> = plan.rules.iter().map(|rule| rule.fault.name()).collect();
        let known: BTreeSet<&str> = Fault::NAMES.into_iter().filter(|name| *name != "none").collect();
        assert_eq!(listed, known);
    }
}
