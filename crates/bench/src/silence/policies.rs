//! The policies that are compared.

use std::sync::Arc;

use anyhow::Result;
use jiff::{
    SignedDuration,
    civil::{Weekday, time},
    tz::TimeZone,
};
use latchkey_core::verdict::{BusinessHours, Calendar, Policy, Silence};

use super::company;

/// Their names, in the order of [`policies`].
pub(crate) const NAMES: [&str; 5] = ["4 h", "24 h", "4 office h", "adaptive", "adaptive+hol."];

pub(super) fn policies() -> Result<[Policy; NAMES.len()]> {
    let always = || Arc::new(Calendar::default());
    let fixed = |hours, calendar| Silence::new(SignedDuration::from_hours(hours), Silence::DEFAULT, calendar);
    let policy = |silence| Policy { drop_off: Some(silence) };
    let zone = company::time_zone()?;
    Ok([
        policy(fixed(4, always())?),
        policy(fixed(24, always())?),
        policy(fixed(4, told((8, 18), weekdays(), &zone)?)?),
        policy(fixed(24, always())?.adaptive(zone.clone())),
        policy(fixed(24, told((0, 0), every_day(), &zone)?)?.adaptive(zone)),
    ])
}

/// A calendar with the hours and all holidays of the company.
fn told((from, until): (i8, i8), days: Vec<Weekday>, time_zone: &TimeZone) -> Result<Arc<Calendar>> {
    let hours = BusinessHours {
        time_zone: time_zone.clone(),
        days,
        from: time(from, 0, 0, 0),
        until: time(until, 0, 0, 0),
        holidays: company::HOLIDAYS.to_vec(),
    };
    Ok(Arc::new(Calendar::new(Some(hours), Vec::new())?))
}

fn every_day() -> Vec<Weekday> {
    Weekday::Monday.cycle_forward().take(7).collect()
}

fn weekdays() -> Vec<Weekday> {
    Weekday::Monday.cycle_forward().take(5).collect()
}
