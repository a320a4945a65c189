//! What is found of everything on the board.
//!
//! Of chains, only what is an alarm and what may have to end is handed on: of thirty thousand, most have nothing to say.

use std::collections::{BTreeMap, HashSet};

use jiff::{SignedDuration, Timestamp};
use latchkey_contracts::{About, Feed, Object};

use super::{Board, Entry, TOLD};
use crate::{
    alert::{
        Finding, Kind,
        chain::{self, Shared},
        destination, drift, is_raised, line, reader,
    },
    instant,
    verdict::{
        ChainWindow, DropOff, Judgement, Poll, lag,
        outage::{self, Stage, Tally},
        rejections::{self, Refused},
        source_drop_off,
    },
};

/// How long a new watcher takes at most to read what was told before its time.
const PAST_ARRIVES_WITHIN: SignedDuration = SignedDuration::from_mins(2);

impl Board {
    /// Findings about a source and its feeds: all that are alarms, and others where an alert may have to end.
    pub(super) fn find_source_with(
        &self,
        (refusals, deaths): (Stage, Stage),
        feeds: &[(&Entry, Judgement)],
        now: Timestamp,
        found: &mut Vec<Found>,
    ) {
        let Some((first, _)) = feeds.first() else { return };
        let (source, label) = (&first.window.chain.source, &first.window.source_label);
        let polls = feeds.iter().map(|(entry, judgement)| (&entry.window, entry.habit.as_deref(), &judgement.poll));
        let whole = source_drop_off(polls, now, &self.policies.of_source(source).whole);
        // A source with one feed is that feed.
        let is_one = feeds.iter().filter(|(_, judgement)| judgement.poll != Poll::Off).count() <= 1;
        let silence = !is_one && whole.is_alarm();
        let finding = chain::find_source(label, if is_one { DropOff::Ok } else { whole });
        if matches!(finding, Finding::Alarm(_)) || self.is_known(Kind::SourceDropOff, || About::Source(source.clone()))
        {
            let about = About::Source(source.clone());
            found.push(Found { kind: Kind::SourceDropOff, about, label: label.clone(), finding });
        }
        let refusals = self.hosts.get(&first.window.host).map_or(refusals, |stage| refusals.max(*stage));
        let shared = Shared { refusals, deaths, silence };
        for (entry, judgement) in feeds {
            for kind in chain::KINDS {
                let finding = chain::find(kind, &entry.window, judgement, shared, now);
                if entry.has_alerts || matches!(finding, Finding::Alarm(_)) {
                    let (about, label) = (About::Chain(entry.window.chain.clone()), label.clone());
                    found.push(Found { kind, about, label, finding });
                }
            }
            found.extend(self.find_rejections(entry, now));
        }
    }

    fn find_rejections(&self, entry: &Entry, now: Timestamp) -> Option<Found> {
        let ChainWindow { chain, source_label, events_total, .. } = &entry.window;
        let span = self.timing.settles_after.min(rejections::SPAN);
        let refused = self.refused.get(chain).map_or(Refused::None, |hour| hour.judge(*events_total, span, now));
        let finding = self.unless_new(chain::find_rejections(&entry.window, &refused), now);
        let about = About::Chain(chain.clone());
        let asked = entry.has_alerts || matches!(finding, Finding::Alarm(_));
        asked.then(|| Found { kind: Kind::Rejections, about, label: source_label.clone(), finding })
    }

    /// Findings about hosts whose feeds are refused together, unless all are: `refusals` says how far that is. How far it is with each host.
    pub(super) fn find_hosts(
        &self,
        hosts: BTreeMap<&str, Tally>,
        refusals: Stage,
        found: &mut Vec<Found>,
    ) -> BTreeMap<String, Stage> {
        // Of one host there is nothing to tell that is not told of all. Older fetchers do not name theirs, nor do sources that rest.
        let several = hosts.keys().filter(|host| !host.is_empty()).count() > 1;
        let hosts = hosts.into_iter().filter(|(host, _)| several && !host.is_empty());
        let causes = hosts.map(|(host, tally)| {
            let raised = self.is_raised_about(Kind::Outage, &About::Object(Object::named(host)));
            let cause = tally.refusals(raised);
            let finding = match line::outage(&cause, Some(host)) {
                Finding::Alarm(_) if refusals == Stage::Standing => Finding::Unsure,
                finding => finding,
            };
            found.push(Found::object(Kind::Outage, host, finding));
            (host.to_owned(), cause.stage)
        });
        causes.collect()
    }

    /// Findings about feeds that differ from their schema, or about the schema if many do.
    pub(super) fn find_drift(&self, now: Timestamp, found: &mut Vec<Found>) {
        let settles_after = self.timing.settles_after;
        let known = self.drifting.iter().filter_map(|(chain, drifting)| Some((self.chains.get(chain)?, drifting)));
        let drifting: Vec<_> = known
            .map(|(entry, drifting)| (entry, drifting, drifting.find(&entry.window, settles_after, now)))
            .collect();
        for feed in Feed::ALL {
            let of_feed = || drifting.iter().filter(|(entry, ..)| entry.window.chain.feed == feed);
            let alarms = of_feed().filter(|(.., finding)| matches!(finding, Finding::Alarm(_)));
            let alarms: Vec<_> = alarms.map(|(_, drifting, _)| *drifting).collect();
            let log_type = feed.log_type().to_string();
            let about = About::Object(Object::named(&log_type));
            let raised = self.is_raised_about(Kind::SchemaDrift, &about);
            let common = drift::find_common(&log_type, &alarms, raised);
            let is_common = matches!(common, Finding::Alarm(_));
            for (entry, _, finding) in of_feed() {
                let ChainWindow { chain, source_label, .. } = &entry.window;
                let finding = match finding {
                    Finding::Alarm(_) if is_common => Finding::Unsure,
                    finding => finding.clone(),
                };
                let about = About::Chain(chain.clone());
                found.push(Found { kind: Kind::SchemaDrift, about, label: source_label.clone(), finding });
            }
            if raised || is_common {
                let finding = self.unless_new(common, now);
                found.push(Found { kind: Kind::SchemaDrift, about, label: log_type, finding });
            }
        }
    }

    /// Findings about what audits of feeds have met.
    pub(super) fn find_audits(&self, now: Timestamp, found: &mut Vec<Found>) {
        for (chain, audited) in &self.audits {
            let Some(entry) = self.chains.get(chain) else { continue };
            let finding = audited.find(&entry.window, self.timing.settles_after, now);
            if entry.has_alerts || matches!(finding, Finding::Alarm(_)) {
                let (about, label) = (About::Chain(chain.clone()), entry.window.source_label.clone());
                found.push(Found { kind: Kind::EventsMissed, about, label, finding });
            }
        }
    }

    /// What is clear for a watcher who may not have read everything yet is not clear.
    fn unless_new(&self, finding: Finding, now: Timestamp) -> Finding {
        let arrives_within = PAST_ARRIVES_WITHIN.min(self.timing.settles_after);
        match finding {
            Finding::Clear if now.duration_since(self.watched_since) < arrives_within => Finding::Unsure,
            finding => finding,
        }
    }

    /// What is clear about a reader for a watcher who cannot have seen what another has raised the alert for is not clear: looks are not
    /// kept over a restart, and what has left a stream is not seen again.
    fn unless_forgotten(&self, kind: Kind, reader: &str, finding: Finding, now: Timestamp) -> Finding {
        let slot = self.alerts.get(&(kind, About::Object(Object::named(reader))));
        let raised = slot.and_then(|slot| slot.known.last.as_ref()).filter(|last| is_raised(last));
        let Some((raised, Finding::Clear)) = raised.map(|raised| (raised, &finding)) else { return finding };
        let (since, raised_at) = (raised.since_unix_nano, raised.raises_unix_nano.last().copied().unwrap_or_default());
        let (since, raised_at) = (instant::from_unix_nano(since), instant::from_unix_nano(raised_at));
        let is_open = match kind {
            Kind::UnreadEvicted if raised.reason == reader::EVICTED => {
                now.duration_since(since) < self.timing.reader.loss_is_told_for
            }
            Kind::ReaderBehind | Kind::ReaderStuck | Kind::ReaderSetBack => {
                raised_at < self.watched_since && now.duration_since(self.watched_since) < lag::KEPT
            }
            _ => false,
        };
        if is_open { Finding::Unsure } else { finding }
    }

    /// Findings about streams, their readers, lookup tables and destinations.
    pub(super) fn find_parts(&self, now: Timestamp, found: &mut Vec<Found>) {
        for (name, entry) in &self.readers {
            // What the looks say is true as of the newest one, whatever has kept later ones from being taken.
            let Some(at) = entry.window.newest().map(|look| look.at) else { continue };
            let who = reader::Reader { name, stream: entry.stream, is_sink: entry.is_sink };
            for kind in reader::KINDS {
                let finding = reader::find(kind, who, &entry.window, self.timing.reader, at);
                found.push(Found::object(kind, name, self.unless_forgotten(kind, name, finding, now)));
            }
        }
        for (stream, (bytes, max_bytes)) in &self.streams {
            found.push(Found::object(Kind::StreamFilling, stream, reader::filling(stream, *bytes, *max_bytes, now)));
        }
        for (table, staleness) in self.tables.iter().flatten() {
            found.push(Found::object(Kind::LookupStale, table, reader::stale(table, *staleness, now)));
        }
        for (name, waiting) in &self.destinations {
            let (watched_since, patience) = (self.watched_since, self.timing.reader.stands_still);
            let finding = destination::failing(name, waiting.since, watched_since, patience, waiting.at);
            found.push(Found::object(Kind::DestinationFailing, name, finding));
        }
        for (consumer, given_up) in &self.given_up {
            let finding = given_up.find(consumer, self.timing.settles_after, now);
            found.push(Found::object(Kind::DeliveriesExhausted, consumer, finding));
        }
    }
}

impl Board {
    /// Alerts that are raised and that nothing was found about: others look after their condition, or there is nothing left to look
    /// at. People are reminded of them like of any other.
    pub(super) fn find_others(&self, now: Timestamp, found: &mut Vec<Found>) {
        let seen: HashSet<_> = found.iter().map(|found| (found.kind, found.about.clone())).collect();
        let raised = self
            .alerts
            .iter()
            .filter_map(|(key, slot)| Some((key, slot.known.last.as_ref().filter(|last| is_raised(last))?)));
        let others = raised.filter(|(key, _)| !seen.contains(key)).map(|((kind, about), last)| Found {
            kind: *kind,
            about: about.clone(),
            label: last.source_label.clone(),
            finding: if self.is_gone(*kind, about, now) { Finding::Clear } else { Finding::Unsure },
        });
        found.extend(others);
    }

    /// Whether the alert is about a chain or a source that is not there any more: nothing can be wrong with it. Or about what was told
    /// long before this watcher began, and not since.
    fn is_gone(&self, kind: Kind, about: &About, now: Timestamp) -> bool {
        let watched_for = now.duration_since(self.watched_since);
        match about {
            About::Chain(chain) if TOLD.contains(&kind) || chain::KINDS.contains(&kind) => {
                !self.chains.contains_key(chain)
                    || (kind == Kind::SchemaDrift && watched_for >= self.timing.settles_after)
                    || (kind == Kind::EventsMissed && watched_for >= self.timing.settles_after)
            }
            // Nobody is polled from there any more, or from nowhere else.
            About::Object(_) if kind == Kind::Outage => true,
            About::Object(_) if kind == Kind::DeliveriesExhausted => watched_for >= self.timing.settles_after,
            About::Source(source) if kind == Kind::SourceDropOff => self.feeds_of(source).next().is_none(),
            _ => false,
        }
    }
}

/// A finding, and whom it is about.
pub(super) struct Found {
    pub(super) kind: Kind,
    pub(super) about: About,
    pub(super) label: String,
    pub(super) finding: Finding,
}

impl Found {
    /// Whether it is an alarm whose cause may not be the chain's own.
    pub(super) fn may_be_shared(&self) -> bool {
        let Finding::Alarm(alarm) = &self.finding else { return false };
        match self.kind {
            Kind::PollDead => true,
            Kind::PollRefused => outage::is_common(&alarm.reason),
            _ => false,
        }
    }

    pub(super) fn line(kind: Kind, finding: Finding) -> Self {
        Self { kind, about: About::Line, label: String::new(), finding }
    }

    pub(super) fn object(kind: Kind, name: &str, finding: Finding) -> Self {
        Self { kind, about: About::Object(Object::named(name)), label: name.into(), finding }
    }
}
