//! What an alert is about: the whole line, a source, one of its feeds, or a part of the line.
//!
//! With the alert's kind it is the alert's identity, and so its subject. A part of the line is a consumer, a sink, a stream or a
//! lookup table, named by a token that is safe in a subject.

use std::{fmt, str::FromStr};

use crate::{Chain, InvalidSourceId, SourceId, UnknownFeed};

/// What an alert is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum About {
    /// The whole line.
    Line,
    /// A source as a whole.
    Source(SourceId),
    /// One feed of a source.
    Chain(Chain),
    /// A part of the line.
    Object(Object),
}

/// The name of a consumer, sink, stream or lookup table: 1 to 64 of `A-Z a-z 0-9 _ -`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Object(String);

impl Object {
    /// The longest name, in bytes.
    pub const MAX_LENGTH: usize = 64;

    /// The object of this name, with `-` for what a subject cannot hold.
    #[must_use]
    pub fn named(name: &str) -> Self {
        let safe = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
        let name: String =
            name.chars().take(Self::MAX_LENGTH).map(|letter| if safe(letter) { letter } else { '-' }).collect();
        Self(if name.is_empty() { "-".into() } else { name })
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl About {
    /// What an alert with these fields is about; `None` if they name nothing.
    #[must_use]
    pub fn read(source: &str, feed: &str, object: &str) -> Option<Self> {
        match (source, feed, object) {
            ("", "", "") => Some(Self::Line),
            ("", "", object) => Some(Self::Object(Object::named(object))),
            (source, "", "") => Some(Self::Source(source.parse().ok()?)),
            (source, feed, "") => Some(Self::Chain(Chain { source: source.parse().ok()?, feed: feed.parse().ok()? })),
            _ => None,
        }
    }

    /// The source's name; empty if it is about none.
    #[must_use]
    pub fn source(&self) -> &str {
        match self {
            Self::Source(source) => source.as_str(),
            Self::Chain(chain) => chain.source.as_str(),
            Self::Line | Self::Object(_) => "",
        }
    }

    /// The feed's name; empty if it is about none.
    #[must_use]
    pub fn feed(&self) -> &'static str {
        if let Self::Chain(chain) = self { chain.feed.as_str() } else { "" }
    }

    /// The object's name; empty if it is about none.
    #[must_use]
    pub fn object(&self) -> &str {
        if let Self::Object(object) = self { object.as_str() } else { "" }
    }
}

/// A text that names nothing an alert can be about.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnknownAbout {
    /// The part before the slash is no source's name.
    #[error(transparent)]
    Source(#[from] InvalidSourceId),
    /// The part behind it is no feed.
    #[error(transparent)]
    Feed(#[from] UnknownFeed),
    /// There is no text.
    #[error("it is empty: use all, a source, source/feed, or the name of a part of the line")]
    Empty,
}

impl FromStr for About {
    type Err = UnknownAbout;

    /// As people write it: `all`, `acme`, `acme/item_usages`, `PAGES`. What can be a source's name is taken for one; its alerts have the same
    /// subjects as those of an object that is called so.
    fn from_str(text: &str) -> Result<Self, UnknownAbout> {
        match text.split_once('/') {
            _ if text.is_empty() => Err(UnknownAbout::Empty),
            _ if text == "all" => Ok(Self::Line),
            Some((source, feed)) => Ok(Self::Chain(Chain { source: source.parse()?, feed: feed.parse()? })),
            None => Ok(text.parse().map_or_else(|_| Self::Object(Object::named(text)), Self::Source)),
        }
    }
}

impl fmt::Display for About {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line => formatter.write_str("all"),
            Self::Source(source) => source.fmt(formatter),
            Self::Chain(chain) => chain.fmt(formatter),
            Self::Object(object) => formatter.write_str(object.as_str()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Feed;

    #[test]
    fn what_an_alert_is_about_reads_back() {
        let source: SourceId = "acme".parse().unwrap();
        let chain = Chain { source: source.clone(), feed: Feed::ItemUsages };
        for (about, shown) in [
            (About::Line, "all"),
            (About::Source(source), "acme"),
            (About::Chain(chain), "acme/item_usages"),
            (About::Object(Object::named("PAGES")), "PAGES"),
        ] {
            assert_eq!(about.to_string(), shown);
            assert_eq!(shown.parse(), Ok(about.clone()));
            assert_eq!(About::read(about.source(), about.feed(), about.object()), Some(about));
        }
        for (source, feed, object) in
            [("", "item_usages", ""), ("A.b", "", ""), ("acme", "nonsense", ""), ("acme", "", "PAGES")]
        {
            assert_eq!(About::read(source, feed, object), None);
        }
    }

    #[test]
    fn what_names_nothing_is_refused() {
        for text in ["", "Acme/item_usages", "acme/nonsense", "/"] {
            assert!(text.parse::<About>().is_err(), "{text}");
        }
    }

    #[test]
    fn an_objects_name_is_safe_in_subjects() {
        for (name, expect) in
            [("items.jsonl", "items-jsonl"), ("1Password Translation", "1Password-Translation"), ("", "-")]
        {
            assert_eq!(Object::named(name).as_str(), expect);
        }
        assert_eq!(Object::named(&"*".repeat(99)).as_str(), "-".repeat(64));
    }
}
