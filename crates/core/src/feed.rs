//! How each feed is asked for and what its answers look like: one small file each.
//!
//! The files are in `crates/core/feeds` and part of the program; what is wrong with one is found by the tests, and at the first use. They
//! say what differs between feeds. What all have in common is not in them: an item's `uuid`, and its `timestamp`.

use std::sync::LazyLock;

use latchkey_contracts::Feed;
use serde::Deserialize;

/// In the order of [`Feed::ALL`].
const FILES: [(&str, &str); Feed::ALL.len()] = [
    ("sign_in_attempts.yml", include_str!("../feeds/sign_in_attempts.yml")),
    ("item_usages.yml", include_str!("../feeds/item_usages.yml")),
    ("audit_events.yml", include_str!("../feeds/audit_events.yml")),
    ("audit_events_v3.yml", include_str!("../feeds/audit_events_v3.yml")),
];

static DEFINITIONS: LazyLock<[Definition; Feed::ALL.len()]> = LazyLock::new(|| {
    FILES.map(|(name, text)| {
        Definition::read(text).unwrap_or_else(|error| panic!("crates/core/feeds/{name}, which is tested: {error}"))
    })
});

/// What a file says.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Definition {
    /// The feed it is about.
    pub feed: Feed,
    /// The log type of its items.
    pub log_type: String,
    /// 1Password's word for the feed in what a token may read.
    pub scope: String,
    /// `v2`, `v3`.
    pub api_version: String,
    /// How it is asked.
    pub method: Method,
    /// Where, without a slash in front.
    pub path: String,
    /// How a page leads to the next.
    pub paging: Paging,
    /// What the parameters of a query are called, where pages have tokens.
    pub query: Option<Query>,
    /// Where things stand in an answer.
    pub answer: Shape,
}

/// How a feed is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    /// With a query.
    Get,
    /// With JSON in the body.
    Post,
}

/// How a page leads to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Paging {
    /// Every page has a cursor, the last one too: whoever comes back with it gets what is new.
    Cursor,
    /// A page has a token for the next one if there is one. Whoever comes back asks from a point in time on
    /// ([`crate::page_token`]).
    PageToken,
}

/// The names of a query's parameters.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Query {
    /// Items per page.
    pub limit: String,
    /// The moment after which items were inserted.
    pub start: String,
    /// The moment before which they were.
    pub end: String,
    /// The token of a page.
    pub token: String,
}

/// The names of an answer's fields.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shape {
    /// The list of items.
    pub items: String,
    /// The cursor, or the token.
    pub next: String,
    /// Whether there is more, where pages have cursors.
    pub has_more: Option<String>,
    /// In an item: when 1Password had it, where pages have tokens.
    pub inserted_at: Option<String>,
}

/// Why a file defines no feed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No YAML, an unknown key, a missing one, another type.
    #[error("{0}")]
    Unreadable(String),
    /// Two lines that do not go together.
    #[error("{0}")]
    Contradiction(&'static str),
}

impl Definition {
    /// How `feed` is asked for.
    #[must_use]
    pub fn of(feed: Feed) -> &'static Self {
        &DEFINITIONS[feed as usize]
    }

    /// Reads a file.
    pub fn read(text: &str) -> Result<Self, Error> {
        let read: Self = serde_saphyr::from_str(text).map_err(|error| Error::Unreadable(error.to_string()))?;
        match read.contradiction() {
            Some(what) => Err(Error::Contradiction(what)),
            None => Ok(read),
        }
    }

    fn contradiction(&self) -> Option<&'static str> {
        let Shape { items, next, has_more, inserted_at } = &self.answer;
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'_' | b'-');
        let query = self.query.iter().flat_map(|query| [&query.limit, &query.start, &query.end, &query.token]);
        let names = [items, next, &self.scope].into_iter().chain(has_more).chain(inserted_at).chain(query);
        let checks = [
            (self.log_type != self.feed.log_type().as_str(), "log_type: not that of the feed"),
            (
                self.path.is_empty() || self.path.starts_with('/') || !self.path.bytes().all(plain),
                "path: letters, digits, '/', '_' and '-', without a slash in front",
            ),
            ({ names }.any(String::is_empty), "scope, query and answer: a name is empty"),
            (items == next || has_more.as_ref() == Some(next), "answer: two fields of one name"),
            (
                self.paging == Paging::Cursor && (self.method != Method::Post || has_more.is_none()),
                "paging: cursors go with POST and answer.has_more",
            ),
            (
                self.paging == Paging::PageToken
                    && (self.method != Method::Get || inserted_at.is_none() || self.query.is_none()),
                "paging: tokens go with GET, query and answer.inserted_at",
            ),
            (
                has_more.is_some() && (inserted_at.is_some() || self.query.is_some()),
                "answer: has_more goes with cursors, inserted_at and query with tokens",
            ),
        ];
        checks.into_iter().find_map(|(found, what)| found.then_some(what))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_feed_has_its_file() {
        for ((name, text), feed) in FILES.into_iter().zip(Feed::ALL) {
            let definition = Definition::read(text).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!((definition.feed, name), (feed, format!("{feed}.yml").as_str()));
            assert_eq!(Definition::of(feed), &definition);
        }
    }

    #[test]
    fn what_is_wrong_with_a_file_is_named() {
        let check = |file: usize, from: &str, to: &str, expect: &str| {
            let (_, text) = FILES[file];
            assert!(text.contains(from), "{from}");
            let error = Definition::read(&text.replace(from, to)).unwrap_err().to_string();
            assert!(error.contains(expect), "{to}: {error}");
        };
        check(0, "scope:", "scop:", "scop");
        check(0, "scope: signinattempts\n", "", "scope");
        check(0, "feed: sign_in_attempts", "feed: sign_ins", "sign_ins");
        check(0, "POST", "PUT", "PUT");
        check(0, "OnePassword.SignInAttempt", "OnePassword.ItemUsage", "log_type: not that of the feed");
        check(0, "path: api", "path: /api", "path: letters");
        check(0, "path: api/v2", "path: api?v2", "path: letters");
        check(0, "  items: items", "  items: ''", "a name is empty");
        check(0, "  next: cursor", "  next: items", "two fields of one name");
        check(0, "  has_more: has_more\n", "", "cursors go with POST");
        check(0, "paging: cursor", "paging: page_token", "tokens go with GET");
        check(3, "  inserted_at: insert_time\n", "", "tokens go with GET");
        check(3, "method: GET", "method: POST", "tokens go with GET");
        check(3, "token: page_token", "token: ''", "a name is empty");
        check(3, "  token: page_token", "  tokens: page_token", "tokens");
        check(3, "  next: next", "  has_more: more\n  next: next", "has_more goes with cursors");
    }

    #[test]
    fn what_is_no_yaml_is_told_with_its_line() {
        let error = Definition::read("feed: item_usages\nlog_type: [").unwrap_err().to_string();
        assert!(error.contains("line 2") || error.contains(":2:"), "{error}");
    }
}
