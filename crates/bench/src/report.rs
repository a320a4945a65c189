//! The figures as people read them.

use std::io::{self, Write};

use crate::{
    alone::Alone,
    arguments::Arguments,
    drain::{Drain, count},
    usage::Usage,
};

const MIB: f64 = 1_048_576.0;

/// One line for a drain that has just ended.
pub(crate) fn line(out: &mut impl Write, number: usize, drain: &Drain) -> io::Result<()> {
    writeln!(
        out,
        "run {number}: {:.2} s, {} events/s, {:.2} CPU-s per million; others kept {:.1} cores busy",
        drain.elapsed.as_secs_f64(),
        grouped(drain.events_per_second()),
        total_cost(drain),
        drain.others,
    )
}

/// Everything about the drain of median speed.
pub(crate) fn table(out: &mut impl Write, arguments: &Arguments, drain: &Drain) -> io::Result<()> {
    writeln!(
        out,
        "\n{} events of {} feeds in {} pages over HTTPS to files ({}): {:.2} s, {} events/s end to end",
        grouped(count(drain.events)),
        arguments.feeds.len(),
        grouped(count(drain.pages)),
        arguments.compression.as_str(),
        drain.elapsed.as_secs_f64(),
        grouped(drain.events_per_second()),
    )?;
    writeln!(out, "\n{:<14}{:>16}{:>8}{:>9}{:>12}", "process", "CPU-s/M events", "user", "kernel", "peak MiB")?;
    for (name, usage) in &drain.ours {
        row(out, name, usage, drain)?;
    }
    writeln!(out, "{:<14}{:>16.2}", "in total", total_cost(drain))?;
    row(out, "simulator", &drain.simulator, drain)?;
    let delivered = &drain.delivered;
    writeln!(
        out,
        "\nbytes: {:.0} MiB from the API, {:.0} MiB in PAGES, {:.0} MiB in EVENTS, {:.0} MiB in {} files",
        count(drain.bytes_in) / MIB,
        count(drain.bytes_pages) / MIB,
        count(drain.bytes_events) / MIB,
        count(delivered.bytes) / MIB,
        grouped(count(delivered.files)),
    )?;
    writeln!(
        out,
        "delivered: {} records, {} of them enriched, {} row ids twice",
        grouped(count(delivered.records)),
        grouped(count(delivered.enriched)),
        grouped(count(delivered.doubled)),
    )
}

/// What normalizing takes by itself.
pub(crate) fn alone(out: &mut impl Write, alone: &Alone) -> io::Result<()> {
    writeln!(
        out,
        "\nnormalizing alone, one core: {} events/s, {:.0} ns per event ({:.0} bytes in, {:.0} out)",
        grouped(alone.events_per_second),
        1e9 / alone.events_per_second,
        alone.bytes_in_per_event,
        alone.bytes_out_per_event,
    )
}

fn row(out: &mut impl Write, name: &str, usage: &Usage, drain: &Drain) -> io::Result<()> {
    let per_million = 1e6 / count(drain.events);
    writeln!(
        out,
        "{name:<14}{:>16.2}{:>8.2}{:>9.2}{:>12.1}",
        drain.cost(usage),
        usage.user.as_secs_f64() * per_million,
        usage.system.as_secs_f64() * per_million,
        count(usage.peak) / MIB,
    )
}

fn total_cost(drain: &Drain) -> f64 {
    drain.ours.iter().map(|(_, usage)| drain.cost(usage)).sum()
}

/// A whole number with commas.
fn grouped(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_numbers_are_grouped() {
        for (number, expect) in [(0.0, "0"), (999.4, "999"), (1_000.0, "1,000"), (1_234_567.0, "1,234,567")] {
            assert_eq!(grouped(number), expect);
        }
    }
}
