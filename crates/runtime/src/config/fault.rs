//! What is wrong with a configuration, in words that say what to write instead.
//!
//! A fault never repeats a value the operator gave as text: it might be a secret in the wrong place.

use super::tree::Origin;
use std::fmt;

/// Faults reported at once; a file that is wrong throughout is the wrong file.
pub const MAX_FAULTS: usize = 20;

/// Known keys listed when none is near.
const LISTED_KEYS: usize = 12;

/// How much two words must share (0 to 1) for one to be taken for the other.
const NEAR: f64 = 0.6;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Where: `latchkey.yaml:12`, `environment LATCHKEY_NATS__URL`, `--set`.
    pub place: String,
    /// The key's path: `forwarder.output`; empty for the file as a whole.
    pub path: String,
    /// What is wrong, and what to write instead.
    pub reason: String,
}

/// Everything that is wrong with a configuration: at least one fault, at most [`MAX_FAULTS`]. Permanent: starting again
/// changes nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Faults(pub Vec<Fault>);

impl Fault {
    pub(super) fn new(origin: &Origin, path: &str, reason: impl Into<String>) -> Self {
        Self { place: origin.to_string(), path: path.to_owned(), reason: reason.into() }
    }

    /// A key that no type has, beside the keys of the same map.
    pub(super) fn unknown_key(origin: &Origin, parent: &str, key: &str, known: &[&str]) -> Self {
        let reason = match nearest(key, known.iter().copied()) {
            Some(near) => format!("unknown key, did you mean {}?", origin.spell(&join(parent, near))),
            None => format!("unknown key, known here: {}", list(known)),
        };
        Self::new(origin, &join(parent, key), reason)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.place)?;
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.reason)
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, fault) in self.0.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            write!(f, "{fault}")?;
        }
        Ok(())
    }
}

/// The path of a key in the map at `parent`.
pub(super) fn join(parent: &str, key: &str) -> String {
    if parent.is_empty() { key.to_owned() } else { format!("{parent}.{key}") }
}

/// The word that was most likely meant, if any is near. Punctuation between words does not count as a difference.
pub(super) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let plain = |text: &str| text.to_lowercase().replace(['.', '-', '_'], "");
    let word = plain(word);
    known
        .into_iter()
        .map(|candidate| (strsim::normalized_damerau_levenshtein(&word, &plain(candidate)), candidate))
        .filter(|(likeness, _)| *likeness >= NEAR)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, candidate)| candidate)
}

/// Known words in a sentence.
pub(super) fn list(known: &[&str]) -> String {
    match known.len() {
        0 => "none".into(),
        1..=LISTED_KEYS => known.join(", "),
        more => format!("{} and {} more", known[..LISTED_KEYS].join(", "), more - LISTED_KEYS),
    }
}
