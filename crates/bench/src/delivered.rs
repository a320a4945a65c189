//! Looks at every delivered record: how many there are, and whether any came twice.
//!
//! A fast line that loses or doubles events has measured nothing. Row ids are taken by their place in the text, without parsing the
//! record: it is the line's tests that say whether records are right.

use std::{
    fs::{self, File},
    io::{BufRead, BufReader, Read},
    path::Path,
};

use anyhow::{Context, Result, ensure};
use memchr::memmem::Finder;

const KEY: &[u8] = b"\"p_row_id\":\"";
const DIGITS: usize = 32;

/// What lies in an output directory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Delivered {
    pub(crate) files: u64,
    /// On disk.
    pub(crate) bytes: u64,
    pub(crate) records: u64,
    /// Records whose row id another one has as well.
    pub(crate) doubled: u64,
    /// Records with at least one lookup table's row.
    pub(crate) enriched: u64,
}

/// Reads all files below `directory`.
pub(crate) fn count(directory: &Path) -> Result<Delivered> {
    let mut delivered = Delivered::default();
    let mut ids = Vec::new();
    walk(directory, &mut delivered, &mut ids)?;
    delivered.records = ids.len() as u64;
    ids.sort_unstable();
    ids.dedup();
    delivered.doubled = delivered.records - ids.len() as u64;
    Ok(delivered)
}

fn walk(directory: &Path, delivered: &mut Delivered, ids: &mut Vec<u128>) -> Result<()> {
    for entry in fs::read_dir(directory).with_context(|| format!("{} cannot be read", directory.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            walk(&path, delivered, ids)?;
            continue;
        }
        let file = File::open(&path).with_context(|| format!("{} cannot be read", path.display()))?;
        delivered.files += 1;
        delivered.bytes += file.metadata()?.len();
        let compressed = path.extension().is_some_and(|extension| extension == "zst");
        let text: Box<dyn Read> = if compressed { Box::new(zstd::Decoder::new(file)?) } else { Box::new(file) };
        read(BufReader::with_capacity(1 << 20, text), delivered, ids).with_context(|| path.display().to_string())?;
    }
    Ok(())
}

fn read(mut lines: impl BufRead, delivered: &mut Delivered, ids: &mut Vec<u128>) -> Result<()> {
    let (key, enrichment) = (Finder::new(KEY), Finder::new(b"\"p_enrichment\":"));
    let mut line = Vec::new();
    while lines.read_until(b'\n', &mut line)? > 0 {
        ensure!(line.last() == Some(&b'\n'), "the last line is not whole");
        let at = key.find(&line).context("a record without a row id")? + KEY.len();
        let digits = line.get(at..at + DIGITS).and_then(|digits| str::from_utf8(digits).ok());
        ids.push(digits.and_then(|digits| u128::from_str_radix(digits, 16).ok()).context("a malformed row id")?);
        delivered.enriched += u64::from(enrichment.find(&line).is_some());
        line.clear();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_and_doubles_are_counted_across_files_of_either_kind() {
        let line = |id: u128| format!("{{\"p_row_id\":\"{id:032x}\",\"p_enrichment\":{{}}}}\n");
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir(directory.path().join("day")).unwrap();
        fs::write(directory.path().join("a.ndjson"), line(1) + &line(2)).unwrap();
        let frame = zstd::encode_all((line(2) + &line(3)).as_bytes(), 1).unwrap();
        fs::write(directory.path().join("day/b.ndjson.zst"), frame).unwrap();
        let delivered = count(directory.path()).unwrap();
        assert_eq!((delivered.files, delivered.records, delivered.doubled, delivered.enriched), (2, 4, 1, 4));

        fs::write(directory.path().join("c.ndjson"), line(4).trim_end()).unwrap();
        assert!(count(directory.path()).is_err());
    }
}
