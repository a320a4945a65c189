//! What is found of everything on the board.
//!
//! Of chains, only what is an alarm and what may have to end is handed on: of thirty thousand, most have nothing to say.

use std::collections::{BTreeMap, HashSet};

use jiff::{SignedDuration, Timestamp};
use latchkey_contracts::{
    About, Chain, Feed, Object,
    topology::{NORMALIZER, consumer_of},
};

use super::{Board, Entry, TOLD};
use crate::{
    alert::{
        Finding, Kind,
        chain::{self, Shared, TOKEN_UNUSABLE},
        drift::{self, Moment},
        is_raised, line,
        reader::{self, Role},
    },
    verdict::{
        ChainWindow, DropOff, Judgement, Poll,
        outage::{self, Stage, Tally},
        rejections::{self, Refused},
        risk::is_fault_recent,
        source_drop_off,
    },
};

/// How long a new watcher takes at most to read what was told before its time.
const PAST_ARRIVES_WITHIN: SignedDuration = SignedDuration::from_mins(2);

/// Of as many chains one may be looked up in the time in which all are walked.
const FEW: usize = 16;

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
                let finding =
                    self.unless_faulty(kind, entry, chain::find(kind, &entry.window, judgement, shared, now), now);
                if entry.has_alerts || matches!(finding, Finding::Alarm(_)) {
                    let (about, label) = (About::Chain(entry.window.chain.clone()), label.clone());
                    found.push(Found { kind, about, label, finding });
                }
            }
            found.extend(self.find_rejections(entry, now));
        }
    }

    /// That one poll has met no unusable token does not end the alert that there is one: the next may be another fetcher's. Who has not
    /// watched long enough to have met it waits as well.
    fn unless_faulty(&self, kind: Kind, entry: &Entry, finding: Finding, now: Timestamp) -> Finding {
        if kind != Kind::DataAtRisk || finding != Finding::Clear || !entry.has_alerts {
            return finding;
        }
        let told = self.alerts.get(&(kind, About::Chain(entry.window.chain.clone())));
        let told = told.and_then(|slot| slot.known.last.as_ref());
        let is_told = told.is_some_and(|last| is_raised(last) && last.reason == TOKEN_UNUSABLE);
        let seen_at = entry.faulted_at.unwrap_or(self.watched_since);
        if is_told && is_fault_recent(&entry.window, seen_at, now) { Finding::Unsure } else { finding }
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
        let moment = Moment {
            now,
            watched_since: self.watched_since,
            normalized_until: self.normalized_until(),
            settles_after: self.timing.settles_after,
        };
        let mut by_feed = Feed::ALL.map(|_| Vec::new());
        for (entry, drifting) in self.with_entries(&self.drifting) {
            by_feed[entry.window.chain.feed as usize].push((entry, drifting, drifting.stage(moment)));
        }
        for (feed, of_feed) in Feed::ALL.into_iter().zip(by_feed) {
            let differs = |stage| matches!(stage, drift::Stage::Forming | drift::Stage::Standing);
            let differ = of_feed.iter().filter(|(.., stage)| differs(*stage)).map(|(_, drifting, _)| *drifting);
            let differ: Vec<_> = differ.collect();
            let unknown = |stage| matches!(stage, drift::Stage::Unread | drift::Stage::Unsure);
            let unknown = of_feed.iter().filter(|(.., stage)| unknown(*stage)).count();
            let log_type = feed.log_type().to_string();
            let about = About::Object(Object::named(&log_type));
            let raised = self.is_raised_about(Kind::SchemaDrift, &about);
            let common = drift::find_common(&log_type, &differ, unknown, raised);
            let covered = raised || matches!(common, Finding::Alarm(_));
            for (entry, drifting, stage) in of_feed {
                let finding = match stage {
                    drift::Stage::Forming | drift::Stage::Standing if covered => Finding::Covered,
                    drift::Stage::Standing => Finding::Alarm(drifting.alarm(&entry.window)),
                    drift::Stage::Forming | drift::Stage::Unread | drift::Stage::Unsure => Finding::Unsure,
                    drift::Stage::Over => Finding::Clear,
                };
                if entry.has_alerts || matches!(finding, Finding::Alarm(_)) {
                    let ChainWindow { chain, source_label, .. } = &entry.window;
                    let about = About::Chain(chain.clone());
                    found.push(Found { kind: Kind::SchemaDrift, about, label: source_label.clone(), finding });
                }
            }
            if covered {
                let finding = self.unless_new(common, now);
                found.push(Found { kind: Kind::SchemaDrift, about, label: log_type, finding });
            }
        }
    }

    /// Up to when pages are normalized, as of the newest look; `None` if nobody has looked.
    fn normalized_until(&self) -> Option<Timestamp> {
        let look = self.readers.get(&(NORMALIZER.stream, NORMALIZER.name.to_owned()))?.window.newest()?;
        if look.lag() == 0 { Some(look.at) } else { look.oldest_at }
    }

    /// What is known of chains that are watched, with their entries. Both are in the order of chains, so that of many none is looked up.
    fn with_entries<'a, T>(&'a self, known: &'a BTreeMap<Chain, T>) -> impl Iterator<Item = (&'a Entry, &'a T)> {
        let few = known.len() < self.chains.len() / FEW;
        let mut entries = self.chains.iter().peekable();
        known.iter().filter_map(move |(chain, known)| {
            if few {
                return Some((self.chains.get(chain)?, known));
            }
            while entries.next_if(|(other, _)| *other < chain).is_some() {}
            entries.next_if(|(other, _)| *other == chain).map(|(_, entry)| (entry, known))
        })
    }

    /// Findings about what audits of feeds have met.
    pub(super) fn find_audits(&self, now: Timestamp, found: &mut Vec<Found>) {
        for (entry, audited) in self.with_entries(&self.audits) {
            let finding = audited.find(&entry.window, self.timing.settles_after, now);
            if entry.has_alerts || matches!(finding, Finding::Alarm(_)) {
                let ChainWindow { chain, source_label, .. } = &entry.window;
                let (about, label) = (About::Chain(chain.clone()), source_label.clone());
                found.push(Found { kind: Kind::EventsMissed, about, label, finding });
            }
        }
    }

    /// What is clear for a watcher who may not have read everything yet is not clear.
    fn unless_new(&self, finding: Finding, now: Timestamp) -> Finding {
        match finding {
            Finding::Clear if now.duration_since(self.watched_since) < self.past_arrives_within() => Finding::Unsure,
            finding => finding,
        }
    }

    fn past_arrives_within(&self) -> SignedDuration {
        PAST_ARRIVES_WITHIN.min(self.timing.settles_after)
    }

    /// Findings about lookup tables.
    pub(super) fn find_tables(&self, now: Timestamp, found: &mut Vec<Found>) {
        for (table, staleness) in &self.tables {
            found.push(Found::object(Kind::LookupStale, table, reader::stale(table, *staleness, now)));
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
            finding: self.find_other(*kind, about, now),
        });
        found.extend(others);
    }

    /// The alert may be about a chain, a source or a reader that is not there any more. Or about what was told long before this watcher began,
    /// and not since.
    fn find_other(&self, kind: Kind, about: &About, now: Timestamp) -> Finding {
        let watched_for = now.duration_since(self.watched_since);
        let unless = |finding, is_so| if is_so { finding } else { Finding::Unsure };
        let settled = unless(Finding::Clear, watched_for >= self.timing.settles_after);
        let is_read = watched_for >= self.past_arrives_within();
        match (about, kind) {
            (About::Chain(chain), _) if TOLD.contains(&kind) || chain::KINDS.contains(&kind) => {
                match (self.chains.contains_key(chain), kind) {
                    (false, _) => Finding::Gone,
                    (true, Kind::SchemaDrift | Kind::EventsMissed) => settled,
                    (true, _) => Finding::Unsure,
                }
            }
            (About::Source(source), Kind::SourceDropOff) => {
                unless(Finding::Gone, self.feeds_of(source).next().is_none())
            }
            // Nobody is polled from there any more, or from nowhere else.
            (About::Object(_), Kind::Outage) => Finding::Clear,
            (About::Object(_), Kind::DeliveriesExhausted) => settled,
            (About::Object(destination), Kind::DestinationFailing) => {
                let consumer = Object::named(&consumer_of(destination.as_str()));
                unless(Finding::Gone, is_read && self.is_retired(&consumer))
            }
            (About::Object(reader), _) if Role::Sink.kinds().contains(&kind) => {
                unless(Finding::Gone, is_read && self.is_retired(reader))
            }
            _ => Finding::Unsure,
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
