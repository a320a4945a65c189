//! What alerts are about: every kind with its code, its word and how much it matters.
//!
//! The word is the kind's name in subjects, messages, metrics and configuration; the code is what people say and search for, and
//! the name of the kind's page in the runbook. Neither ever changes its meaning.

use latchkey_contracts::alert::alert::Severity;

/// What an alert says is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// Nobody polls a chain.
    PollDead,
    /// A chain is polled and refused.
    PollRefused,
    /// A feed has fallen silent.
    DropOff,
    /// A source has fallen silent as a whole.
    SourceDropOff,
    /// Events of a chain will be lost, or stop coming, at a known time.
    DataAtRisk,
    /// A fetcher's clock and 1Password's differ.
    ClockSkew,
    /// Events of a chain are refused by validation.
    Rejections,
    /// Events of a chain, or of many sources, differ from their schema.
    SchemaDrift,
    /// An audit has found events that polling had not brought.
    EventsMissed,
    /// Most chains are refused for one common cause.
    Outage,
    /// Most chains are not polled.
    PollingStopped,
    /// New schemas cannot be used.
    SchemasRefused,
    /// New lookup tables cannot be used.
    LookupsRefused,
    /// A lookup table's data are too old.
    LookupStale,
    /// A stream's reader does nothing though there is work.
    ReaderStopped,
    /// A stream's reader works and falls behind.
    ReaderBehind,
    /// Some messages are never acknowledged.
    ReaderStuck,
    /// A stream's reader has gone back to what it had read.
    ReaderSetBack,
    /// Messages have left a stream before they were read.
    UnreadEvicted,
    /// A stream is nearly full.
    StreamFilling,
    /// A destination does not take notifications.
    DestinationFailing,
    /// The server has given up on delivering messages.
    DeliveriesExhausted,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 22] = [
        Self::PollDead,
        Self::PollRefused,
        Self::DropOff,
        Self::SourceDropOff,
        Self::DataAtRisk,
        Self::ClockSkew,
        Self::Rejections,
        Self::SchemaDrift,
        Self::EventsMissed,
        Self::Outage,
        Self::PollingStopped,
        Self::SchemasRefused,
        Self::LookupsRefused,
        Self::LookupStale,
        Self::ReaderStopped,
        Self::ReaderBehind,
        Self::ReaderStuck,
        Self::ReaderSetBack,
        Self::UnreadEvicted,
        Self::StreamFilling,
        Self::DestinationFailing,
        Self::DeliveriesExhausted,
    ];

    /// The kind's stable word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PollDead => "poll_dead",
            Self::PollRefused => "poll_refused",
            Self::DropOff => "drop_off",
            Self::SourceDropOff => "source_drop_off",
            Self::DataAtRisk => "data_at_risk",
            Self::ClockSkew => "clock_skew",
            Self::Rejections => "rejections",
            Self::SchemaDrift => "schema_drift",
            Self::EventsMissed => "events_missed",
            Self::Outage => "outage",
            Self::PollingStopped => "polling_stopped",
            Self::SchemasRefused => "schemas_refused",
            Self::LookupsRefused => "lookups_refused",
            Self::LookupStale => "lookup_stale",
            Self::ReaderStopped => "reader_stopped",
            Self::ReaderBehind => "reader_behind",
            Self::ReaderStuck => "reader_stuck",
            Self::ReaderSetBack => "reader_set_back",
            Self::UnreadEvicted => "unread_evicted",
            Self::StreamFilling => "stream_filling",
            Self::DestinationFailing => "destination_failing",
            Self::DeliveriesExhausted => "deliveries_exhausted",
        }
    }

    /// The kind's stable code: 1xx are about chains and sources, 2xx about the whole line, 3xx about its streams and their readers.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::PollDead => "LK101",
            Self::PollRefused => "LK102",
            Self::DropOff => "LK103",
            Self::SourceDropOff => "LK104",
            Self::DataAtRisk => "LK105",
            Self::ClockSkew => "LK106",
            Self::Rejections => "LK107",
            Self::SchemaDrift => "LK108",
            Self::EventsMissed => "LK109",
            Self::Outage => "LK201",
            Self::PollingStopped => "LK202",
            Self::SchemasRefused => "LK203",
            Self::LookupsRefused => "LK204",
            Self::LookupStale => "LK205",
            Self::ReaderStopped => "LK301",
            Self::ReaderBehind => "LK302",
            Self::ReaderStuck => "LK303",
            Self::ReaderSetBack => "LK304",
            Self::UnreadEvicted => "LK305",
            Self::StreamFilling => "LK306",
            Self::DestinationFailing => "LK307",
            Self::DeliveriesExhausted => "LK308",
        }
    }

    /// How much it matters, where a finding does not say otherwise.
    #[must_use]
    pub const fn severity(self) -> Severity {
        match self {
            Self::PollDead
            | Self::Outage
            | Self::PollingStopped
            | Self::ReaderStopped
            | Self::UnreadEvicted
            | Self::DeliveriesExhausted => Severity::Critical,
            Self::PollRefused
            | Self::DropOff
            | Self::SourceDropOff
            | Self::DataAtRisk
            | Self::ClockSkew
            | Self::Rejections
            | Self::SchemaDrift
            | Self::EventsMissed
            | Self::SchemasRefused
            | Self::LookupsRefused
            | Self::LookupStale
            | Self::ReaderBehind
            | Self::ReaderStuck
            | Self::ReaderSetBack
            | Self::StreamFilling
            | Self::DestinationFailing => Severity::Warning,
        }
    }

    /// The kind with this word or code, as people write it.
    #[must_use]
    pub fn of_text(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text || kind.code().eq_ignore_ascii_case(text))
    }

    /// The kind with this word.
    #[must_use]
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }
}

/// The severity's stable word; empty for messages of writers that knew none.
#[must_use]
pub const fn severity_word(severity: Severity) -> &'static str {
    match severity {
        Severity::Unspecified => "",
        Severity::Info => "info",
        Severity::Warning => "warning",
        Severity::Critical => "critical",
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs, path::Path};

    use super::*;

    #[test]
    fn words_and_codes_name_one_kind_each() {
        let words: BTreeSet<_> = Kind::ALL.into_iter().map(Kind::as_str).collect();
        let codes: BTreeSet<_> = Kind::ALL.into_iter().map(Kind::code).collect();
        assert_eq!((words.len(), codes.len()), (Kind::ALL.len(), Kind::ALL.len()));
        for kind in Kind::ALL {
            assert_eq!(Kind::of_word(kind.as_str()), Some(kind));
        }
        assert_eq!(Kind::of_word("silence"), None);
    }

    #[test]
    fn every_kind_has_its_page_and_every_page_its_kind() {
        let runbook = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/runbook");
        for kind in Kind::ALL {
            let path = runbook.join(format!("{}.md", kind.code()));
            let page = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            assert!(page.starts_with(&format!("# {}: `{}`\n", kind.code(), kind.as_str())), "{}", path.display());
            for heading in ["\n## What it means\n", "\n## How to see it\n", "\n## What to do\n"] {
                assert!(page.contains(heading), "{}: {heading:?} is missing", path.display());
            }
        }
        let pages = fs::read_dir(&runbook)
            .unwrap()
            .filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().starts_with("LK"));
        assert_eq!(pages.count(), Kind::ALL.len(), "a page of the runbook belongs to no kind");
    }
}
