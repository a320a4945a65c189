//! The figures as people read them.

use std::io::{self, Write};

use jiff::SignedDuration;

use crate::{
    alone::Alone,
    arguments::Arguments,
    drain::Drain,
    judging::{self, Judging},
    number::{count, grouped},
    side_by_side,
    silence::{self, Cell, Row},
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

/// What judging every chain takes.
pub(crate) fn judging(out: &mut impl Write, boards: &[Judging]) -> io::Result<()> {
    let (sweep, peak) = judging::BAR;
    for board in boards {
        writeln!(
            out,
            "{}: {} chains, {} alerts raised: {:.1} ms a sweep (the slowest {:.1} ms), {:.0} MiB at most",
            board.name,
            grouped(count(board.chains)),
            grouped(count(board.raised)),
            board.median.as_secs_f64() * 1_000.0,
            board.slowest.as_secs_f64() * 1_000.0,
            count(board.peak) / MIB,
        )?;
    }
    writeln!(out, "the bar: {} ms a sweep, {:.0} MiB", sweep.as_millis(), count(peak) / MIB)
}

/// False alarms and delays of each policy, by events a week.
pub(crate) fn silence(out: &mut impl Write, rows: &[Row]) -> io::Result<()> {
    let mut table = |title: &str, show: &dyn Fn(&Cell) -> String| {
        writeln!(out, "{title}")?;
        write!(out, "{:>14}", "events a week")?;
        for name in silence::NAMES {
            write!(out, "{name:>15}")?;
        }
        writeln!(out)?;
        for row in rows {
            write!(out, "{:>14}", grouped(f64::from(row.volume)))?;
            for cell in &row.cells {
                write!(out, "{:>15}", show(cell))?;
            }
            writeln!(out)?;
        }
        writeln!(out)
    };
    table("false alarms of a feed in a year", &|cell| format!("{:.1}", cell.false_alarms))?;
    table("from the cut to the alarm, median", &|cell| time(cell.delays.0))?;
    table("from the cut to the alarm, nine in ten within", &|cell| time(cell.delays.1))?;
    table("the same for cuts in office hours, median", &|cell| time(cell.at_work))?;
    table("cuts not noticed in thirty days", &|cell| cell.missed.to_string())
}

fn time(span: SignedDuration) -> String {
    format!("{} h {:02} min", span.as_hours(), span.as_mins() % 60)
}

/// What normalizing takes by itself, and how many times as fast the other ways are.
pub(crate) fn alone(out: &mut impl Write, alone: &Alone) -> io::Result<()> {
    let events = count(alone.events);
    writeln!(
        out,
        "\nnormalizing, one core: {} ({:.0} bytes in, {} out), enrichment included",
        side_by_side::speed(alone.events, alone.normalizing),
        count(alone.bytes_in) / events,
        grouped(count(alone.bytes_out) / events),
    )?;
    for (way, taken) in [
        ("splitting pages alone", alone.splitting),
        ("splitting and serde_json", alone.parsing),
        ("the plain way", alone.plainly),
    ] {
        side_by_side::line(out, way, alone.events, taken, alone.normalizing)?;
    }
    Ok(())
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn ways_are_compared_with_normalizing() {
        let alone = Alone {
            events: 1_000,
            bytes_in: 600_000,
            bytes_out: 1_500_000,
            normalizing: Duration::from_millis(2),
            splitting: Duration::from_micros(500),
            parsing: Duration::from_millis(4),
            plainly: Duration::from_millis(8),
        };
        let mut out = Vec::new();
        super::alone(&mut out, &alone).unwrap();
        let expect = "
normalizing, one core: 500,000 events/s, 2,000 ns per event (600 bytes in, 1,500 out), enrichment included
  splitting pages alone         4.00 times as fast: 2,000,000 events/s, 500 ns per event
  splitting and serde_json      0.50 times as fast: 250,000 events/s, 4,000 ns per event
  the plain way                 0.25 times as fast: 125,000 events/s, 8,000 ns per event
";
        assert_eq!(String::from_utf8(out).unwrap(), expect);
    }
}
