//! What differs between two texts, line by line.

use std::fmt;

/// Lines that take the place of others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hunk {
    /// The first line that goes, from 1; if none does, the line behind which the new ones go.
    pub line: usize,
    /// The lines that go.
    pub old: Vec<String>,
    /// The line of the new file where the new ones begin.
    pub new_line: usize,
    /// The lines that come.
    pub new: Vec<String>,
}

/// As `diff -U0` prints it.
impl fmt::Display for Hunk {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { line, old, new_line, new } = self;
        writeln!(formatter, "@@ -{line},{} +{new_line},{} @@", old.len(), new.len())?;
        old.iter().try_for_each(|line| writeln!(formatter, "-{line}"))?;
        new.iter().try_for_each(|line| writeln!(formatter, "+{line}"))
    }
}

/// The lines that differ. Edits insert and replace whole runs of lines, so a walk that looks for the next common line is enough.
pub(super) fn between(old: &str, new: &str) -> Vec<Hunk> {
    let (old, new): (Vec<&str>, Vec<&str>) = (old.lines().collect(), new.lines().collect());
    let (mut left, mut right) = (0, 0);
    let mut hunks = Vec::new();
    while left < old.len() || right < new.len() {
        if left < old.len() && right < new.len() && old[left] == new[right] {
            left += 1;
            right += 1;
            continue;
        }
        let (gone, come) = distance(&old[left..], &new[right..]);
        let owned = |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect();
        hunks.push(Hunk {
            line: if gone == 0 { left } else { left + 1 },
            old: owned(&old[left..left + gone]),
            new_line: if come == 0 { right } else { right + 1 },
            new: owned(&new[right..right + come]),
        });
        left += gone;
        right += come;
    }
    hunks
}

/// How many lines go and come until both texts have the same line again; as few as possible.
fn distance(old: &[&str], new: &[&str]) -> (usize, usize) {
    for total in 1..=old.len() + new.len() {
        for gone in 0..=total.min(old.len()) {
            let come = total - gone;
            let meets = come <= new.len() && old.get(gone) == new.get(come) && (gone < old.len() || come == new.len());
            if meets {
                return (gone, come);
            }
        }
    }
    (old.len(), new.len())
}
