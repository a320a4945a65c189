//! What an alerter knows, and what follows from it.
//!
//! The one place where windows, looks and transitions come together: every chain's newest window, every reader's looks, and the last
//! transition of each alert, as the stream has it. It decides and does nothing else: [`Board::sweep`] and [`Board::settle`] name the
//! steps to take, the caller takes them and reports back. What is known of an alert may be out of date, since other alerters write as
//! well: the expected sequence catches that.

mod find;
mod habits;
mod parts;
mod policies;
mod readers;
mod told;

use std::collections::{BTreeMap, HashMap, HashSet};

use jiff::{SignedDuration, Timestamp};
use latchkey_contracts::{About, Chain, Feed, Object, SourceId};

use self::{find::Found, habits::Recalled};
pub use self::{
    habits::Keep,
    parts::{Ahead, Known, Lag, SeenReader, SeenStream, Sight, Step},
    policies::{Policies, SourcePolicies},
    readers::MAX_READERS,
};
use super::{
    Circumstances, Finding, Kind, chain, completeness::Audited, drift::Drifting, is_raised, lifecycle, line,
    reader::Watched, silence,
};
use crate::{
    lookup::Staleness,
    verdict::{
        self, ChainWindow, Habit, Judgement, Outcome, Policy, Watch,
        lag::Patience,
        outage::{Stage, Tally},
        rejections::Hour,
        room::Room,
    },
};

/// The most chains that are watched: what the shared list of polling duties can hold.
pub const MAX_CHAINS: usize = 100_000;

/// Kinds about a chain that rest on what others tell.
const TOLD: [Kind; 3] = [Kind::Rejections, Kind::SchemaDrift, Kind::EventsMissed];

/// What an alerter knows.
pub struct Board {
    policies: Policies,
    timing: Timing,
    /// How far the clock of the times that the board is given is ahead of NATS's, whose the times of looks are.
    ahead: Ahead,
    watched_since: Timestamp,
    chains: BTreeMap<Chain, Entry>,
    /// What of chains is refused; of those of which something is.
    refused: BTreeMap<Chain, Hour>,
    /// By stream and name.
    readers: BTreeMap<(&'static str, String), Watched>,
    /// Of streams that refuse what is too much.
    rooms: BTreeMap<&'static str, Room>,
    /// Consumers that are in use, whether or not they can be looked at.
    in_use: HashSet<Object>,
    /// Tables that somebody should refresh.
    tables: Vec<(String, Staleness)>,
    /// What was learned before this board was made, of chains that were not observed yet.
    recalled: HashMap<Chain, Recalled>,
    /// Chains of which nothing is to be kept.
    unlearned: Vec<Chain>,
    drifting: BTreeMap<Chain, Drifting>,
    audits: BTreeMap<Chain, Audited>,
    alerts: HashMap<(Kind, About), Slot>,
    silences: HashMap<About, Known>,
    /// Common causes, as of the last sweep.
    refusals: Stage,
    deaths: Stage,
    /// The same by host, where there are several.
    hosts: BTreeMap<String, Stage>,
}

/// How patient an alerter is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// After how long people are told again; `None` for never.
    pub remind_every: Option<SignedDuration>,
    /// How long readers of streams may take.
    pub reader: Patience,
    /// How often readers and streams are looked at.
    pub looks_every: SignedDuration,
    /// The least that a poll may be late before its chain is called dead.
    pub poll_grace: SignedDuration,
    /// How long what was seen must not be seen again to be over, where nobody says that it is: refused and drifting events, what an
    /// audit found, messages that were given up.
    pub settles_after: SignedDuration,
}

impl Timing {
    /// How late a look may be beyond its interval: machines are busy, and clocks differ.
    const LENIENCE: SignedDuration = SignedDuration::from_secs(5);

    /// How long a look says how things are: at most two were missed.
    #[must_use]
    pub fn fresh_for(&self) -> SignedDuration {
        self.looks_every * 3 + Self::LENIENCE
    }
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            remind_every: None,
            reader: Patience::default(),
            looks_every: SignedDuration::from_secs(30),
            poll_grace: Watch::GRACE,
            settles_after: SignedDuration::from_hours(1),
        }
    }
}

struct Entry {
    window: ChainWindow,
    /// What is learned of the feed; nothing if its policy has a fixed threshold.
    habit: Option<Box<Habit>>,
    /// When it was last kept.
    kept_at: Option<Timestamp>,
    /// When a poll last met a newer token that cannot be used.
    faulted_at: Option<Timestamp>,
    /// Whether some alert of the chain was ever raised: of all others, only alarms need looking after.
    has_alerts: bool,
}

/// One alert.
#[derive(Default)]
struct Slot {
    known: Known,
    /// What is known may be wrong: read it before anything is written.
    doubtful: bool,
    clear_since: Option<Timestamp>,
}

impl Board {
    /// A board without chains, watching from `now` on.
    #[must_use]
    pub fn new(policies: Policies, timing: Timing, now: Timestamp) -> Self {
        Self {
            policies,
            timing,
            ahead: Ahead::default(),
            watched_since: now,
            chains: BTreeMap::new(),
            refused: BTreeMap::new(),
            readers: BTreeMap::new(),
            rooms: BTreeMap::new(),
            in_use: readers::in_use([]),
            tables: Vec::new(),
            recalled: HashMap::new(),
            unlearned: Vec::new(),
            drifting: BTreeMap::new(),
            audits: BTreeMap::new(),
            alerts: HashMap::new(),
            silences: HashMap::new(),
            refusals: Stage::None,
            deaths: Stage::None,
            hosts: BTreeMap::new(),
        }
    }

    /// Takes in how far the clock of the times that the board is given is ahead of NATS's. Each stream and its readers are judged by the clock
    /// of the server that leads it.
    pub fn set_ahead(&mut self, ahead: Ahead) {
        self.ahead = ahead;
    }

    /// There was a gap in watching, or a clock was set: what looks overdue may be only unseen, and nobody knows how long it has been calm.
    pub fn watch_anew(&mut self, now: Timestamp) {
        self.watched_since = now;
        for slot in self.alerts.values_mut() {
            slot.clear_since = None;
        }
    }

    /// Takes in a chain's newest window; with the last word of one that was removed, forgets it. `false` if there is no room for another chain.
    pub fn observe(&mut self, window: ChainWindow) -> bool {
        if window.outcome == Outcome::Removed {
            self.chains.remove(&window.chain);
            self.refused.remove(&window.chain);
            self.drifting.remove(&window.chain);
            self.audits.remove(&window.chain);
            self.unlearn(window.chain);
        } else if let Some(entry) = self.chains.get_mut(&window.chain) {
            entry.learn(&window, self.policies.of_chain(&window.chain));
            let arrived = window.last_arrival_at > entry.window.last_arrival_at;
            entry.window = window;
            if arrived {
                let (chain, at) = (entry.window.chain.clone(), entry.window.last_arrival_at);
                self.tell_siblings(&chain);
                if let Some((drifting, at)) = self.drifting.get_mut(&chain).zip(at) {
                    drifting.arrived(at);
                }
            }
        } else if self.chains.len() < MAX_CHAINS {
            let chain = window.chain.clone();
            let mut kinds = chain::KINDS.into_iter().chain(TOLD);
            let has_alerts = kinds.any(|kind| self.alerts.contains_key(&(kind, About::Chain(chain.clone()))));
            let recalled = self.recalled.remove(&chain);
            let habit = self
                .policies
                .of_chain(&chain)
                .habits()
                .map(|_| recalled.map(|recalled| recalled.habit).unwrap_or_default());
            let mut entry = Entry { window: window.clone(), habit, kept_at: None, faulted_at: None, has_alerts };
            entry.learn(&window, self.policies.of_chain(&chain));
            self.chains.insert(chain, entry);
        } else {
            return false;
        }
        true
    }

    /// Takes in how fresh the tables are that somebody should refresh.
    pub fn look_at_tables(&mut self, tables: Vec<(String, Staleness)>) {
        self.tables = tables;
    }

    /// A transition has been seen, read or written. What was seen never takes the place of something newer.
    pub fn learn(&mut self, kind: Kind, about: &About, known: Known) {
        if let About::Chain(chain) = about
            && let Some(entry) = self.chains.get_mut(chain)
        {
            entry.has_alerts = true;
        }
        let slot = self.alerts.entry((kind, about.clone())).or_default();
        if slot.doubtful || known.sequence >= slot.known.sequence {
            slot.known = known;
            slot.doubtful = false;
        }
    }

    /// A silence has begun or ended.
    pub fn learn_silence(&mut self, about: About, known: Known) {
        let silence = self.silences.entry(about).or_default();
        if known.sequence >= silence.sequence {
            *silence = known;
        }
    }

    /// What is known of an alert may be wrong.
    pub fn doubt(&mut self, kind: Kind, about: &About) {
        self.alerts.entry((kind, about.clone())).or_default().doubtful = true;
    }

    /// What is said of a chain; `None` for one that was never observed.
    #[must_use]
    pub fn judge(&self, chain: &Chain, now: Timestamp) -> Option<Judgement> {
        self.chains.get(chain).map(|entry| self.judge_entry(entry, now))
    }

    /// What follows for a chain of which something new is known. What others may have in common with it waits for the next sweep.
    #[must_use]
    pub fn settle(&mut self, chain: &Chain, now: Timestamp) -> Vec<Step> {
        let mut found = Vec::new();
        let judged =
            self.feeds_of(&chain.source).map(|entry| (entry, self.judge_entry(entry, now))).collect::<Vec<_>>();
        self.find_source(&judged, now, &mut found);
        found.retain(|found| match &found.about {
            About::Chain(other) => other == chain && !found.may_be_shared(),
            _ => true,
        });
        self.steps(found, now)
    }

    /// What follows from everything.
    #[must_use]
    pub fn sweep(&mut self, now: Timestamp) -> (Vec<Step>, Sight) {
        self.forget(now);
        self.forget_recalled(now);
        let mut tally = Tally::default();
        let mut hosts: BTreeMap<&str, Tally> = BTreeMap::new();
        let (readers, streams) = (self.seen_readers(now), self.seen_streams(now));
        let line_ends_at = parts::line_ends_at(&readers, &streams);
        let mut sight = Sight { readers, streams, ..Sight::default() };
        let mut judged = Vec::with_capacity(self.chains.len());
        for (chain, entry) in &self.chains {
            let judgement = self.judge_entry(entry, now);
            tally.add(&entry.window, &judgement.poll, self.watch(), now);
            hosts.entry(&entry.window.host).or_default().add(&entry.window, &judgement.poll, self.watch(), now);
            sight.polls.push((chain.clone(), judgement.poll.as_str()));
            sight.note(&entry.window, &judgement.poll, line_ends_at);
            judged.push((entry, judgement));
        }
        let refusals = tally.refusals(self.is_raised(Kind::Outage));
        let deaths = tally.deaths(self.is_raised(Kind::PollingStopped));
        let duties = self.find_duties(&deaths, now);
        let mut found = vec![
            Found::line(Kind::Outage, line::outage(&refusals, None)),
            Found::line(Kind::PollingStopped, duties.unless_told(line::polling_stopped(&deaths))),
            Found::line(Kind::ClockSkew, line::clock_skew(sight.skew, now)),
        ];
        let stages = (refusals.stage, duties.stage(deaths.stage));
        self.hosts = self.find_hosts(hosts, refusals.stage, &mut found);
        for feeds in judged.chunk_by(|(one, _), (other, _)| one.window.chain.source == other.window.chain.source) {
            self.find_source_with(stages, feeds, now, &mut found);
        }
        (self.refusals, self.deaths) = {
            drop(judged);
            stages
        };
        self.find_drift(now, &mut found);
        self.find_audits(now, &mut found);
        self.find_readers(deaths.stage, &duties, now, &mut found);
        self.find_streams(now, &mut found);
        self.find_tables(now, &mut found);
        self.find_others(now, &mut found);
        (self.steps(found, now), sight)
    }

    fn judge_entry(&self, entry: &Entry, now: Timestamp) -> Judgement {
        let policy = self.policies.of_chain(&entry.window.chain);
        verdict::judge(&entry.window, entry.habit.as_deref(), self.watch(), now, policy)
    }

    const fn watch(&self) -> Watch {
        Watch { since: self.watched_since, grace: self.timing.poll_grace }
    }

    fn feeds_of<'a>(&'a self, source: &'a SourceId) -> impl Iterator<Item = &'a Entry> {
        let first = Chain { source: source.clone(), feed: Feed::ALL[0] };
        self.chains.range(first..).map(|(_, entry)| entry).take_while(move |entry| entry.window.chain.source == *source)
    }

    fn tell_siblings(&mut self, chain: &Chain) {
        for feed in Feed::ALL.into_iter().filter(|feed| *feed != chain.feed) {
            let sibling = self.chains.get_mut(&Chain { source: chain.source.clone(), feed });
            if let Some(habit) = sibling.and_then(|entry| entry.habit.as_mut()) {
                habit.sibling_arrived();
            }
        }
    }

    fn find_source(&self, feeds: &[(&Entry, Judgement)], now: Timestamp, found: &mut Vec<Found>) {
        self.find_source_with((self.refusals, self.deaths), feeds, now, found);
    }

    fn steps(&mut self, found: Vec<Found>, now: Timestamp) -> Vec<Step> {
        found.into_iter().filter_map(|found| self.step(found, now)).collect()
    }

    /// Nothing is read for an alert that was never raised: the watcher has seen all there are.
    fn step(&mut self, found: Found, now: Timestamp) -> Option<Step> {
        let Found { kind, about, label, finding } = found;
        let key = (kind, about);
        if !self.alerts.contains_key(&key) && !matches!(finding, Finding::Alarm(_)) {
            return None;
        }
        let muted = self.is_muted(kind, &key.1, now);
        let slot = self.alerts.entry(key.clone()).or_default();
        slot.clear_since = match finding {
            Finding::Clear => slot.clear_since.or(Some(now)),
            Finding::Alarm(_) | Finding::Unsure | Finding::Covered | Finding::Gone => None,
        };
        let around = Circumstances {
            about: &key.1,
            label: &label,
            muted,
            clear_since: slot.clear_since,
            remind_every: self.timing.remind_every,
            now,
        };
        let next = lifecycle::next(slot.known.last.as_ref(), kind, &finding, &around);
        let (doubtful, expected) = (slot.doubtful, slot.known.sequence);
        let about = key.1;
        match next {
            _ if doubtful => Some(Step::Read { kind, about }),
            Some(alert) => Some(Step::Publish { kind, about, alert: Box::new(alert), expected }),
            None => None,
        }
    }

    fn is_muted(&self, kind: Kind, about: &About, now: Timestamp) -> bool {
        let mut silences = self.silences.values().filter_map(|known| known.last.as_ref());
        silences.any(|last| silence::covers(last, kind, about, now)) || self.policies.in_maintenance(about, now)
    }

    fn is_raised(&self, kind: Kind) -> bool {
        self.is_raised_about(kind, &About::Line)
    }

    fn is_raised_about(&self, kind: Kind, about: &About) -> bool {
        let slot = self.alerts.get(&(kind, about.clone()));
        slot.and_then(|slot| slot.known.last.as_ref()).is_some_and(is_raised)
    }

    fn is_known(&self, kind: Kind, about: impl FnOnce() -> About) -> bool {
        !self.alerts.is_empty() && self.alerts.contains_key(&(kind, about()))
    }
}

impl Entry {
    fn learn(&mut self, window: &ChainWindow, policy: &Policy) {
        if window.token_fault.is_some() {
            self.faulted_at = Some(window.polled_at);
        }
        if let (Some(habit), Some((calendar, time_zone))) = (&mut self.habit, policy.habits()) {
            habit.observe(window, calendar, time_zone);
        }
    }
}

#[cfg(test)]
mod tests;
