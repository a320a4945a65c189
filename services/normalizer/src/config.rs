//! What an operator can set, and what is refused.

use std::{collections::BTreeMap, num::NonZeroUsize, path::PathBuf, thread, time::Duration};

use jiff::SignedDuration;
use latchkey_bus::Bus;
use latchkey_core::normalize::{Options, Unknown};
use serde::{Deserialize, Serialize, Serializer};

use crate::{
    metrics::Metrics,
    rulebook::{InvalidSchemas, Rulebook, Sources},
    service::Normalizer,
    tables::{InvalidTables, Learning, Tables},
};

/// The schemas that come with the program: file name and text.
pub const SHIPPED: [(&str, &str); 4] = [
    ("onepassword_sign_in_attempt.yml", include_str!("../../../schemas/onepassword_sign_in_attempt.yml")),
    ("onepassword_item_usage.yml", include_str!("../../../schemas/onepassword_item_usage.yml")),
    ("onepassword_audit_event.yml", include_str!("../../../schemas/onepassword_audit_event.yml")),
    ("onepassword_audit_event_v3.yml", include_str!("../../../schemas/onepassword_audit_event_v3.yml")),
];

/// The bounds of a look's interval: a look lists a bucket, and a repaired file should not wait for longer.
const LOOK_EVERY: (SignedDuration, SignedDuration) = (SignedDuration::from_millis(100), SignedDuration::from_mins(5));

/// The normalizer's own section of the configuration.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Pages in work at once. Each takes about ten times the size of its body in memory.
    pub concurrency: NonZeroUsize,
    /// A directory of schema files: further log types, and such that take the place of shipped ones.
    pub schemas: Option<PathBuf>,
    /// A directory of lookup tables and definitions that take the place of the bucket's.
    pub lookups: Option<PathBuf>,
    /// Whether users that events name stand in where the table `users` has no row.
    pub learn_users: bool,
    /// What becomes of fields that a schema does not declare.
    pub unknown_fields: Unknown,
    /// The same for single log types.
    pub unknown_fields_by_log_type: BTreeMap<String, Unknown>,
    /// Whether the local part of an e-mail address counts as a user's name.
    pub email_usernames: bool,
    /// How often the files of schemas and lookup tables are looked at: 100 ms to 5 min.
    #[serde(serialize_with = "show_duration")]
    pub look_every: SignedDuration,
}

/// A configuration that cannot be used. Permanent.
#[derive(Debug, thiserror::Error)]
pub enum InvalidConfig {
    /// The schemas cannot be loaded.
    #[error(transparent)]
    Schemas(#[from] InvalidSchemas),
    /// The lookup tables cannot be loaded.
    #[error("normalizer.lookups: {0}")]
    Lookups(#[from] InvalidTables),
    /// Outside of its bounds.
    #[error("normalizer.look_every: {0:#} is not between {min:#} and {max:#}", min = LOOK_EVERY.0, max = LOOK_EVERY.1)]
    LookEvery(SignedDuration),
}

impl Default for Config {
    /// Twice the processors: while one page waits for the server, another is worked on.
    fn default() -> Self {
        let processors = thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        let Options { unknown, email_usernames, .. } = Options::default();
        Self {
            concurrency: processors.saturating_mul(NonZeroUsize::MIN.saturating_add(1)),
            schemas: None,
            lookups: None,
            learn_users: true,
            unknown_fields: unknown,
            unknown_fields_by_log_type: BTreeMap::new(),
            email_usernames,
            look_every: SignedDuration::from_secs(30),
        }
    }
}

impl Config {
    /// Loads schemas and lookup tables and makes a normalizer. Nothing is taken from the bus yet.
    pub fn build(self, bus: Bus, metrics: Metrics) -> Result<Normalizer, InvalidConfig> {
        if !(LOOK_EVERY.0..=LOOK_EVERY.1).contains(&self.look_every) {
            return Err(InvalidConfig::LookEvery(self.look_every));
        }
        let look_every = Duration::try_from(self.look_every).expect("bounds are positive");
        let options =
            Options { unknown: self.unknown_fields, email_usernames: self.email_usernames, ..Options::default() };
        let sources = Sources { directory: self.schemas, unknown: self.unknown_fields_by_log_type, options };
        let rulebook = Rulebook::open(sources, metrics.clone())?;
        let learning = self.learn_users.then(Learning::default);
        let tables = Tables::open(self.lookups, &rulebook.current(), learning, metrics.clone())?;
        Ok(Normalizer::new(rulebook, tables, look_every, self.concurrency, bus, metrics))
    }
}

/// As people write it: `30s`.
fn show_duration<S: Serializer>(duration: &SignedDuration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{duration:#}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_configuration_reads_back() {
        let text = r#"{"look_every": "1m", "unknown_fields_by_log_type": {"OnePassword.ItemUsage": "drop"}}"#;
        let config: Config = serde_json::from_str(text).unwrap();
        assert_eq!(config.look_every, SignedDuration::from_mins(1));
        assert_eq!(config.unknown_fields, Unknown::Keep);
        assert_eq!(config.unknown_fields_by_log_type, [("OnePassword.ItemUsage".to_owned(), Unknown::Drop)].into());
        let again: Config = serde_json::from_value(serde_json::to_value(&config).unwrap()).unwrap();
        assert_eq!(again.look_every, config.look_every);
    }

    #[test]
    fn an_interval_outside_of_its_bounds_is_named() {
        let error = InvalidConfig::LookEvery(SignedDuration::ZERO);
        assert_eq!(error.to_string(), "normalizer.look_every: 0s is not between 100ms and 5m");
    }
}
