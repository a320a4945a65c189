//! What a table of a million rows costs: `cargo run --release -p latchkey-core --example lookup_memory`.

use std::{
    fmt::Write as _,
    fs,
    io::{self, Write as _},
    time::Instant,
};

use latchkey_core::lookup::{File, Lookups};

const ROWS: usize = 1_000_000;

/// Bytes of a page on every platform this runs on.
const PAGE: usize = 4_096;

fn main() -> io::Result<()> {
    let mut text = String::new();
    for number in 0..ROWS {
        writeln!(
            text,
            "{{\"uuid\":\"{number:026}\",\"title\":\"Item number {number}\",\"updatedAt\":\"2026-01-01T00:00:00Z\"}}"
        )
        .expect("writing to a String does not fail");
    }
    let before = resident()?;
    let started = Instant::now();
    let (lookups, report) =
        Lookups::load(&[File { name: "items.jsonl", bytes: text.as_bytes() }]).map_err(io::Error::other)?;
    let seconds = started.elapsed().as_secs_f64();
    let grown = resident()?.saturating_sub(before);
    writeln!(
        io::stdout(),
        "{} rows of {} bytes of text in {seconds:.2} s; {} bytes of memory per row, its text included ({})",
        report.tables[0].rows,
        text.len() / ROWS,
        grown / ROWS,
        lookups.version(),
    )
}

/// Memory in use, as Linux counts it.
fn resident() -> io::Result<usize> {
    let status = fs::read_to_string("/proc/self/statm")?;
    let pages = status.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok());
    Ok(pages.unwrap_or_default() * PAGE)
}
