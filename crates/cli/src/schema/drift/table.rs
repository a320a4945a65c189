//! Columns that line up.

use std::io::{self, Write};

use latchkey_core::normalize::drift::Noted;

use super::Place;

/// How many columns there are.
const WIDTH: usize = 6;

/// The columns that hold numbers, which stand at their right ends.
const NUMBERS: std::ops::RangeInclusive<usize> = 2..=4;

/// Rows of texts under a header.
pub(super) struct Table {
    rows: Vec<[String; WIDTH]>,
}

impl Table {
    pub(super) fn new(header: [&str; WIDTH]) -> Self {
        Self { rows: vec![header.map(str::to_owned)] }
    }

    /// A change. `word`: the new value, if it may be shown.
    pub(super) fn add(&mut self, path: &str, kind: &str, noted: &Noted<Place>, word: Option<&str>) {
        let Noted { first, last, seen } = noted;
        let sample = word.map_or_else(|| seen.sample.clone(), |word| format!("{}: {word}", seen.sample));
        let numbers = [seen.count, first.0, last.0].map(|number| number.to_string());
        let [count, first, last] = numbers;
        self.rows.push([path.to_owned(), kind.to_owned(), count, first, last, sample]);
    }

    /// Nothing if there is no row but the header.
    pub(super) fn write(&self, out: &mut impl Write) -> io::Result<()> {
        if self.rows.len() == 1 {
            return Ok(());
        }
        let longest = |column: usize| self.rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let widths: [usize; WIDTH] = std::array::from_fn(longest);
        for row in &self.rows {
            let cells = row.iter().zip(widths).enumerate().map(|(column, (cell, width))| match column {
                _ if NUMBERS.contains(&column) => format!("{cell:>width$}"),
                _ if column + 1 == WIDTH => cell.clone(),
                _ => format!("{cell:<width$}"),
            });
            writeln!(out, "{}", cells.collect::<Vec<_>>().join("  "))?;
        }
        Ok(())
    }
}
