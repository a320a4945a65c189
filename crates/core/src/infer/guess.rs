//! What names say: guesses, which never make a schema stricter.
//!
//! Names are compared in lower case and without separators, so that `event_time`, `eventTime` and `@eventTime` are one.

use super::seen::Traits;

/// Names of an event's own time, the likeliest first.
const EVENT_TIMES: [&str; 12] = [
    "timestamp",
    "eventtime",
    "eventtimestamp",
    "time",
    "ts",
    "datetime",
    "date",
    "occurredat",
    "loggedat",
    "published",
    "createdat",
    "created",
];

/// Last words of names of instants, units aside.
const INSTANT_WORDS: [&str; 16] = [
    "time",
    "timestamp",
    "ts",
    "date",
    "datetime",
    "at",
    "epoch",
    "created",
    "updated",
    "modified",
    "published",
    "seen",
    "expires",
    "expiry",
    "expiration",
    "login",
];

const UNIT_WORDS: [&str; 12] = [
    "s",
    "sec",
    "seconds",
    "ms",
    "millis",
    "milliseconds",
    "us",
    "micros",
    "microseconds",
    "ns",
    "nanos",
    "nanoseconds",
];

/// Objects that describe who acted: their `uuid` and `name` are an actor's.
const ACTORS: [&str; 8] =
    ["user", "actor", "actordetails", "targetuser", "principal", "caller", "initiator", "useridentity"];

/// Indicators by name alone.
const NAMES: [(&str, &[&str]); 6] = [
    (
        "username",
        &["username", "user", "login", "loginname", "accountname", "samaccountname", "userprincipalname", "useremail"],
    ),
    ("actor_id", &["actorid", "actoruuid", "userid", "useruuid", "principalid", "callerid"]),
    (
        "trace_id",
        &["traceid", "requestid", "requestuuid", "sessionid", "sessionuuid", "correlationid", "transactionid"],
    ),
    ("hostname", &["host", "hostname", "fqdn", "computername", "machinename"]),
    ("domain", &["domain", "domainname"]),
    ("serial_number", &["serial", "serialnumber"]),
];

/// Words of names of hashes. 32 hex digits may as well be a UUID.
const HASH_WORDS: [&str; 5] = ["md5", "hash", "digest", "checksum", "fingerprint"];

/// How likely a field of this name holds the event's time: the less the likelier, `None` if the name does not say so.
pub(super) fn event_time_rank(name: &str) -> Option<usize> {
    let name = plain(name);
    EVENT_TIMES.iter().position(|known| *known == name)
}

/// Whether numbers under this name may be instants.
pub(super) fn names_an_instant(name: &str) -> bool {
    let words = words(name);
    let last = words.iter().rev().find(|word| !UNIT_WORDS.contains(&word.as_str()));
    last.is_some_and(|word| INSTANT_WORDS.contains(&word.as_str()))
}

/// The indicators of texts under `name`, in an object that is called `parent`. `traits` is what all of them have in common.
pub(super) fn indicators(parent: &str, name: &str, traits: Traits) -> Vec<&'static str> {
    let by_name = by_name(&plain(parent), &plain(name));
    match (by_value(name, traits), by_name) {
        (Some(value), Some(name @ ("username" | "actor_id"))) => vec![value, name],
        (Some(value), _) => vec![value],
        (None, Some(name)) => vec![name],
        (None, None) => Vec::new(),
    }
}

fn by_value(name: &str, traits: Traits) -> Option<&'static str> {
    let words = words(name);
    let is_hash = words.iter().any(|word| HASH_WORDS.contains(&word.as_str()));
    let is_account = words.iter().any(|word| word == "account" || word == "aws");
    let found = [
        (Traits::IP, "ip", true),
        (Traits::EMAIL, "email", true),
        (Traits::URL, "url", true),
        (Traits::ARN, "aws_arn", true),
        (Traits::MAC, "mac", true),
        (Traits::SHA256, "sha256", true),
        (Traits::SHA1, "sha1", true),
        (Traits::MD5, "md5", is_hash),
        (Traits::TWELVE_DIGITS, "aws_account_id", is_account),
    ];
    found.into_iter().find(|(trait_, _, likely)| *likely && traits.has(*trait_)).map(|(_, indicator, _)| indicator)
}

fn by_name(parent: &str, name: &str) -> Option<&'static str> {
    if ACTORS.contains(&parent) {
        match name {
            "id" | "uuid" => return Some("actor_id"),
            "name" => return Some("username"),
            _ => {}
        }
    }
    NAMES.iter().find(|(_, names)| names.contains(&name)).map(|(indicator, _)| *indicator)
}

fn plain(name: &str) -> String {
    name.chars().filter(|unit| unit.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// The words of `snake_case`, `camelCase` and `kebab-case`, in lower case.
fn words(name: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut before_lower = false;
    for unit in name.chars() {
        let begins = !unit.is_alphanumeric() || (unit.is_uppercase() && before_lower);
        if begins && !word.is_empty() {
            words.push(std::mem::take(&mut word));
        }
        if unit.is_alphanumeric() {
            word.extend(unit.to_lowercase());
        }
        before_lower = unit.is_lowercase() || unit.is_numeric();
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_cut_into_words() {
        for (name, expect) in [
            ("event_time", vec!["event", "time"]),
            ("eventTimeMs", vec!["event", "time", "ms"]),
            ("@timestamp", vec!["timestamp"]),
            ("http2-host", vec!["http2", "host"]),
            ("", vec![]),
        ] {
            assert_eq!(words(name), expect, "{name}");
        }
    }

    #[test]
    fn names_of_instants_end_in_a_word_of_time() {
        for (name, expect) in [
            ("created_at", true),
            ("eventTimeMs", true),
            ("ts", true),
            ("lastSeen", true),
            ("timestamp_us", true),
            ("time_zone", false),
            ("status", false),
            ("ms", false),
            ("account_id", false),
        ] {
            assert_eq!(names_an_instant(name), expect, "{name}");
        }
    }
}
