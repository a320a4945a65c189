//! What was delivered to a directory, compared with what exists.
//!
//! Differences are counted and named by a few examples only: a failing test says what kind of thing is wrong, and does not drown it in
//! identifiers.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    fmt::Display,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, ensure};
use latchkey_contracts::Feed;
use latchkey_simulator::Simulator;
use serde::{Deserialize, de::DeserializeOwned};

use crate::ACCOUNT;

/// How many examples a message names.
const EXAMPLES: usize = 3;

/// What tells one delivered event from another.
#[derive(Debug, Deserialize)]
struct Key {
    uuid: String,
    p_row_id: String,
    p_log_type: String,
}

/// All visible objects of a directory and the events in them.
#[derive(Debug, Default)]
pub struct Delivered {
    /// The objects.
    pub objects: BTreeSet<PathBuf>,
    by_log_type: BTreeMap<String, Vec<String>>,
    row_ids: Vec<String>,
}

impl Delivered {
    /// Reads every object. Each is whole: rightly named, in its log type's folder, and made of lines that are JSON.
    pub fn read(output: &Path) -> Result<Self> {
        let mut delivered = Self { objects: objects(output)?, ..Self::default() };
        for object in &delivered.objects {
            ensure!(well_named(object), "{} is no name of an object", object.display());
            for Key { uuid, p_row_id, p_log_type } in records::<Key>(object)? {
                let folder = object.strip_prefix(output)?.iter().next();
                ensure!(folder == Some(p_log_type.as_ref()), "{} holds a {p_log_type}", object.display());
                delivered.by_log_type.entry(p_log_type).or_default().push(uuid);
                delivered.row_ids.push(p_row_id);
            }
        }
        Ok(delivered)
    }

    /// Events in all objects.
    #[must_use]
    pub fn events(&self) -> usize {
        self.row_ids.len()
    }

    /// Fails unless every event of the account is there, and each once, as far as the usual feeds tell.
    pub fn check(&self, simulator: &Simulator) -> Result<()> {
        Feed::USUAL.into_iter().try_for_each(|feed| self.check_feed(simulator, feed))?;
        self.check_once()
    }

    /// Fails unless every event of one feed is there, and nothing else under its log type.
    pub fn check_feed(&self, simulator: &Simulator, feed: Feed) -> Result<()> {
        let exist = simulator.dataset(ACCOUNT, feed.as_str().parse()?)?;
        let exist: BTreeSet<&str> = exist.iter().map(|entry| entry.uuid.as_str()).collect();
        let log_type = feed.log_type().to_string();
        let here = self.by_log_type.get(&log_type).map_or(&[][..], Vec::as_slice);
        compare(&exist, here).with_context(|| format!("{feed}: delivered differs from what exists"))
    }

    /// Fails if a row id is there twice.
    pub fn check_once(&self) -> Result<()> {
        let mut seen = HashSet::new();
        let twice: Vec<_> = self.row_ids.iter().filter(|id| !seen.insert(id.as_str())).collect();
        ensure!(twice.is_empty(), "{} row ids are there twice, such as {}", twice.len(), few(&twice));
        Ok(())
    }
}

/// The objects that are visible; none if there is no directory yet.
pub fn objects(output: &Path) -> Result<BTreeSet<PathBuf>> {
    let mut found = BTreeSet::new();
    let mut folders = vec![output.to_owned()];
    while let Some(folder) = folders.pop() {
        if !folder.is_dir() {
            continue;
        }
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if is_visible(&path) {
                found.insert(path);
            }
        }
    }
    Ok(found)
}

/// The records of one object, compressed or not.
pub fn records<T: DeserializeOwned>(object: &Path) -> Result<Vec<T>> {
    let mut bytes = fs::read(object)?;
    if object.extension().is_some_and(|extension| extension == "zst") {
        bytes = zstd::decode_all(bytes.as_slice()).with_context(|| object.display().to_string())?;
    }
    ensure!(bytes.ends_with(b"\n"), "{} ends in the middle of a line", object.display());
    bytes
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        // The line itself may hold names and addresses, and serde's message may quote it.
        .map(|line| serde_json::from_slice(line).ok().with_context(|| format!("no record in {}", object.display())))
        .collect()
}

fn is_visible(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.ends_with(".ndjson") || name.ends_with(".ndjson.zst")
}

/// `<20 digits>-<20 digits>.<hex>.ndjson`, with `.zst` or without.
fn well_named(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let mut parts = name.splitn(3, '.');
    let (range, epoch, suffix) = (parts.next(), parts.next(), parts.next());
    let digits = |text: &str| text.len() == 20 && text.bytes().all(|byte| byte.is_ascii_digit());
    range.and_then(|range| range.split_once('-')).is_some_and(|(first, last)| digits(first) && digits(last))
        && epoch.is_some_and(|epoch| !epoch.is_empty() && epoch.bytes().all(|byte| byte.is_ascii_hexdigit()))
        && matches!(suffix, Some("ndjson" | "ndjson.zst"))
}

fn compare(exist: &BTreeSet<&str>, here: &[String]) -> Result<()> {
    let found: BTreeSet<&str> = here.iter().map(String::as_str).collect();
    let lost: Vec<_> = exist.difference(&found).collect();
    let strange: Vec<_> = found.difference(exist).collect();
    let doubled = here.len() - found.len();
    ensure!(
        lost.is_empty() && strange.is_empty() && doubled == 0,
        "of {} events, {} are missing ({}), {} are unknown ({}), {doubled} are there again",
        exist.len(),
        lost.len(),
        few(&lost),
        strange.len(),
        few(&strange),
    );
    Ok(())
}

fn few<T: Display>(things: &[T]) -> String {
    things.iter().take(EXAMPLES).map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_are_counted_and_a_few_are_named() {
        let check = |exist: &[&str], here: &[&str], expect: &str| {
            let here: Vec<String> = here.iter().map(ToString::to_string).collect();
            let found = compare(&exist.iter().copied().collect(), &here).err().map(|error| error.to_string());
            assert_eq!(found.unwrap_or_default(), expect);
        };
        check(&[], &[], "");
        check(&["a", "b"], &["b", "a"], "");
        check(&["a", "b"], &["a"], "of 2 events, 1 are missing (b), 0 are unknown (), 0 are there again");
        check(&["a"], &["a", "a"], "of 1 events, 0 are missing (), 0 are unknown (), 1 are there again");
        check(
            &["a", "b", "c", "d"],
            &["e"],
            "of 4 events, 4 are missing (a, b, c), 1 are unknown (e), 0 are there again",
        );
    }

    #[test]
    fn a_row_id_twice_is_found() {
        let delivered =
            |ids: &[&str]| Delivered { row_ids: ids.iter().map(ToString::to_string).collect(), ..Delivered::default() };
        assert!(delivered(&["1", "2"]).check_once().is_ok());
        assert_eq!(
            delivered(&["1", "2", "1"]).check_once().unwrap_err().to_string(),
            "1 row ids are there twice, such as 1"
        );
    }

    #[test]
    fn only_whole_objects_count() {
        let check = |name: &str, visible: bool, good: bool| {
            let path = Path::new("OnePassword.ItemUsage/2026-01-02").join(name);
            assert_eq!((is_visible(&path), well_named(&path)), (visible, good), "{name}");
        };
        check("00000000000000000001-00000000000000000002.6922d0fd.ndjson", true, true);
        check("00000000000000000001-00000000000000000002.6922d0fd.ndjson.zst", true, true);
        check("00000000000000000001-00000000000000000002.6922d0fd.ndjson#1", false, false);
        check("staged.ndjson", true, false);
        check("1-2.6922d0fd.ndjson", true, false);
        check("00000000000000000001-00000000000000000002.6922d0fd.tmp.ndjson", true, false);
    }
}
