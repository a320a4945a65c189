//! Sections out of a tree, faults collected.
//!
//! Each section is read on its own and again after each fault without the faulty key, so that one start shows all faults.

use super::SERVICES;
use super::fault::{self, Fault, Faults, MAX_FAULTS};
use super::read::{self, Problems};
use super::tree::{Origin, Tree, Value};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::cell::RefCell;

/// Reads a tree section by section. A service uses [`super::load`]; a process with several services reads each one's
/// section from one tree.
#[derive(Debug)]
pub struct Reader {
    tree: Tree,
    problems: RefCell<Problems>,
    sections: Vec<String>,
    paths: Vec<String>,
}

impl Reader {
    /// Begins to read.
    #[must_use]
    pub fn new(tree: Tree) -> Self {
        Self { tree, problems: RefCell::default(), sections: Vec::new(), paths: Vec::new() }
    }

    /// The section of this name; an absent or empty one is the default. After a fault, which [`Self::finish`] reports, the
    /// returned section is a mere stand-in.
    pub fn section<T: Serialize + DeserializeOwned + Default>(&mut self, name: &str) -> T {
        self.sections.push(name.to_owned());
        if let Ok(defaults) = serde_json::to_value(T::default()) {
            paths_of(name, &defaults, &mut self.paths);
        }
        match self.tree.root.get(name) {
            None => T::default(),
            Some(node) => read::read(node, name, &self.problems).unwrap_or_default(),
        }
    }

    /// Ends the reading: refuses sections nobody reads (other services' excepted) and reports all faults.
    pub fn finish(self) -> Result<(), Faults> {
        let mut faults = self.problems.take().faults;
        if let Value::Map(entries) = &self.tree.root.value {
            for (key, node) in entries {
                let known = self.sections.iter().any(|section| section == key) || SERVICES.contains(&key.as_str());
                if !known {
                    faults.push(self.unknown_section(&node.origin, key));
                }
            }
        }
        faults.truncate(MAX_FAULTS);
        if faults.is_empty() { Ok(()) } else { Err(Faults(faults)) }
    }

    /// At the top a whole path may have been meant: `LATCHKEY_NATS_URL` lacks an underscore, `log_level` its section.
    fn unknown_section(&self, origin: &Origin, key: &str) -> Fault {
        let mut known: Vec<&str> = self.sections.iter().map(String::as_str).collect();
        known.extend(SERVICES.iter().filter(|service| !self.sections.iter().any(|section| section == *service)));
        let leaf = |path: &&str| path.rsplit('.').next() == Some(key);
        let paths = || self.paths.iter().map(String::as_str);
        match paths().find(leaf).or_else(|| fault::nearest(key, paths().chain(known.iter().copied()))) {
            Some(near) => Fault::new(origin, key, format!("unknown key, did you mean {}?", origin.spell(near))),
            None => Fault::unknown_key(origin, "", key, &known),
        }
    }
}

/// The paths of all keys below a section, from its defaults.
fn paths_of(path: &str, value: &serde_json::Value, paths: &mut Vec<String>) {
    match value {
        serde_json::Value::Object(entries) if !entries.is_empty() => {
            for (key, value) in entries {
                paths_of(&fault::join(path, key), value, paths);
            }
        }
        _ => paths.push(path.to_owned()),
    }
}
