//! Silences: alerts that nobody is to be told of for a while.
//!
//! A silence is a message of ALERTS like the transitions it mutes, on a subject of its own, so every alerter learns of it in the
//! same way and at the same time. It covers a source, one of its feeds, an object or everything, and all kinds or some. A second
//! one for the same replaces the first.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use latchkey_contracts::{
    About,
    alert::{
        Alert,
        alert::{Change, State},
    },
};

use super::{Kind, is_raised};
use crate::instant;

/// The word that stands where an alert's kind does.
pub const WORD: &str = "silence";

/// The longest silence: what lasts longer belongs into the configuration, where others see it.
pub const MAX: SignedDuration = SignedDuration::from_hours(30 * 24);

/// The longest note and name of a person, in characters.
pub const MAX_TEXT: usize = 300;

/// Who silences what until when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Silence<'a> {
    /// What it covers.
    pub about: &'a About,
    /// Which kinds; none for all.
    pub kinds: &'a [Kind],
    /// Its beginning: now, or a later moment.
    pub from: Timestamp,
    /// Its end.
    pub until: Timestamp,
    /// Who wants it.
    pub by: &'a str,
    /// Why.
    pub note: &'a str,
}

impl Silence<'_> {
    /// The message that begins it, after the last one on its subject.
    #[must_use]
    pub fn begin(&self, previous: Option<&Alert>, now: Timestamp) -> Alert {
        // Whoever names one twice means it once.
        let kinds: BTreeSet<_> = self.kinds.iter().copied().collect();
        Alert {
            kind: WORD.into(),
            source: self.about.source().into(),
            feed: self.about.feed().into(),
            object: self.about.object().into(),
            state: State::Raised.into(),
            change: Change::Raised.into(),
            since_unix_nano: instant::to_unix_nano(now),
            judged_at_unix_nano: instant::to_unix_nano(now),
            generation: previous.map_or(0, |alert| alert.generation) + 1,
            muted: true,
            acknowledged_by: self.by.into(),
            note: self.note.into(),
            silenced_from_unix_nano: instant::to_unix_nano(self.from),
            silenced_until_unix_nano: instant::to_unix_nano(self.until),
            silenced_kinds: kinds.into_iter().map(|kind| kind.as_str().to_owned()).collect(),
            ..Alert::default()
        }
    }
}

/// The message that ends a silence before its time; `None` if it is over.
#[must_use]
pub fn end(last: &Alert, now: Timestamp) -> Option<Alert> {
    is_open(last, now).then(|| Alert {
        state: State::Resolved.into(),
        change: Change::Resolved.into(),
        judged_at_unix_nano: instant::to_unix_nano(now),
        silenced_until_unix_nano: instant::to_unix_nano(now),
        ..last.clone()
    })
}

/// Whether a silence holds or is to come.
#[must_use]
pub fn is_open(silence: &Alert, now: Timestamp) -> bool {
    is_raised(silence) && now < instant::from_unix_nano(silence.silenced_until_unix_nano)
}

/// Whether a silence holds.
#[must_use]
pub fn holds(silence: &Alert, now: Timestamp) -> bool {
    is_open(silence, now) && instant::from_unix_nano(silence.silenced_from_unix_nano) <= now
}

/// Whether a silence holds and covers the alert of `kind` about this.
#[must_use]
pub fn covers(silence: &Alert, kind: Kind, about: &About, now: Timestamp) -> bool {
    let everything = silence.source.is_empty() && silence.object.is_empty();
    // An object that is called like a source, a sink say, may be silenced by either.
    let named = |name: &str| !name.is_empty() && (name == about.source() || name == about.object());
    holds(silence, now)
        && (everything || named(&silence.source) || named(&silence.object))
        && (silence.feed.is_empty() || silence.feed == about.feed())
        && (silence.silenced_kinds.is_empty() || silence.silenced_kinds.iter().any(|word| word == kind.as_str()))
}

#[cfg(test)]
mod tests {
    use latchkey_contracts::{Chain, Feed, Object};

    use super::*;
    use crate::verdict::samples::at;

    fn source(name: &str) -> About {
        About::Source(name.parse().unwrap())
    }

    fn chain(name: &str, feed: Feed) -> About {
        About::Chain(Chain { source: name.parse().unwrap(), feed })
    }

    fn silence(about: &About, kinds: &[Kind]) -> Alert {
        Silence { about, kinds, from: at(0), until: at(100), by: "Ada", note: "moving" }.begin(None, at(0))
    }

    #[test]
    fn a_silence_covers_what_it_names() {
        let (usages, audit) = (chain("acme", Feed::ItemUsages), chain("acme", Feed::AuditEvents));
        let (other, normalizer) = (chain("other", Feed::ItemUsages), About::Object(Object::named("normalizer")));
        let everything = [&usages, &audit, &other, &normalizer, &About::Line];
        for (silence, expect) in [
            (silence(&About::Line, &[]), [true, true, true, true, true]),
            (silence(&source("acme"), &[]), [true, true, false, false, false]),
            (silence(&usages, &[]), [true, false, false, false, false]),
            (silence(&source("normalizer"), &[]), [false, false, false, true, false]),
            (silence(&normalizer, &[]), [false, false, false, true, false]),
            (silence(&source("acme"), &[Kind::DropOff]), [true, true, false, false, false]),
            (silence(&source("acme"), &[Kind::PollDead]), [false; 5]),
        ] {
            let found = everything.map(|about| covers(&silence, Kind::DropOff, about, at(99)));
            assert_eq!(found, expect, "{silence:?}");
        }
        let twice = silence(&About::Line, &[Kind::PollDead, Kind::DropOff, Kind::PollDead]);
        assert_eq!(twice.silenced_kinds, ["poll_dead", "drop_off"]);
    }

    #[test]
    fn a_silence_ends_by_itself_or_before_its_time() {
        let first = silence(&source("acme"), &[]);
        let covers = |silence: &Alert, now| covers(silence, Kind::DropOff, &source("acme"), at(now));
        assert!(covers(&first, 99));
        assert!(!covers(&first, 100));
        let ended = end(&first, at(50)).unwrap();
        assert!(!covers(&ended, 51));
        assert_eq!(end(&ended, at(60)), None);
        assert_eq!(end(&first, at(100)), None);
        let again = Silence { about: &source("acme"), kinds: &[], from: at(150), until: at(200), by: "Ada", note: "" };
        assert_eq!(again.begin(Some(&ended), at(150)).generation, 2);
    }

    #[test]
    fn a_silence_may_be_planned() {
        let planned = Silence { about: &source("acme"), kinds: &[], from: at(50), until: at(100), by: "Ada", note: "" };
        let planned = planned.begin(None, at(0));
        let covers = |now| covers(&planned, Kind::DropOff, &source("acme"), at(now));
        assert_eq!([covers(49), covers(50), covers(99), covers(100)], [false, true, true, false]);
        assert!(is_open(&planned, at(49)) && !is_open(&planned, at(100)));
        // It can be called off before it begins.
        assert!(!is_open(&end(&planned, at(20)).unwrap(), at(60)));
        // Older writers knew no later beginning.
        assert!(holds(&Alert { silenced_from_unix_nano: 0, ..planned }, at(1)));
    }
}
