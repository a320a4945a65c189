//! How often silence is called a drop-off that is none, and how soon one that is.
//!
//! Years of a made-up company, by seed: people work from eight to six on weekdays in Berlin, a little in the evenings and at weekends,
//! hardly on ten holidays a year and half as much around Christmas; events come in sittings of several, minutes apart. The feed
//! is polled every five minutes and judged by the rules that an alerter has. After eight weeks of learning, a year of false alarms is counted;
//! and at random moments of that year the feed is cut off, in a copy of what was learned by then, and the time to the alarm is taken.

mod company;
mod policies;

use anyhow::Result;
use jiff::{SignedDuration, Timestamp};
use latchkey_contracts::{Chain, Feed};
use latchkey_core::verdict::{ChainWindow, Habit, Outcome, Policy, Watch, judge};

pub(crate) use self::policies::NAMES;
use self::{company::Company, policies::policies};
use crate::number::count;

/// Events a week.
const VOLUMES: [u32; 4] = [10_000, 1_500, 200, 20];

/// Companies of each volume.
const SEEDS: u64 = 5;

/// Seldom for a feed, and as often as a slot ends: what lies between changes no verdict by more than that.
const POLL: SignedDuration = SignedDuration::from_mins(5);
const LEARNING: SignedDuration = SignedDuration::from_hours(8 * 7 * 24);
const YEAR: SignedDuration = SignedDuration::from_hours(52 * 7 * 24);

/// Cuts in a year: at an odd interval, so that they fall on every hour of the week.
const CUT_EVERY: SignedDuration = SignedDuration::from_mins(101 * 60 + 17);

/// Who has noticed nothing by then never will.
const PATIENCE: SignedDuration = SignedDuration::from_hours(30 * 24);

/// What a policy made of all companies of one volume.
#[derive(Debug)]
pub(crate) struct Row {
    /// Events a week.
    pub(crate) volume: u32,
    /// For each of [`NAMES`].
    pub(crate) cells: Vec<Cell>,
}

#[derive(Debug)]
pub(crate) struct Cell {
    /// Of one feed in a year.
    pub(crate) false_alarms: f64,
    /// From the cut to the alarm: the median, and what nine in ten stay below.
    pub(crate) delays: (SignedDuration, SignedDuration),
    /// The median of those cuts that fall into the office's hours.
    pub(crate) at_work: SignedDuration,
    /// Cuts that were not noticed in thirty days.
    pub(crate) missed: usize,
}

pub(crate) fn run() -> Result<Vec<Row>> {
    VOLUMES.into_iter().map(row).collect()
}

fn row(volume: u32) -> Result<Row> {
    let begin: Timestamp = "2026-01-05T00:00:00Z".parse()?;
    let companies: Vec<_> =
        (0..SEEDS).map(|seed| Company::new(seed, volume, begin, LEARNING + YEAR)).collect::<Result<_>>()?;
    let cells = policies()?.iter().map(|policy| cell(&companies, policy, begin)).collect::<Result<_>>()?;
    Ok(Row { volume, cells })
}

fn cell(companies: &[Company], policy: &Policy, begin: Timestamp) -> Result<Cell> {
    let (mut alarms, mut delays, mut at_work) = (0_u32, Vec::new(), Vec::new());
    let zone = company::time_zone()?;
    for company in companies {
        let mut feed = Watched::new(policy, begin)?;
        let (mut was_alarm, mut next_cut) = (false, begin + LEARNING);
        for arrivals in company.by_poll(POLL) {
            feed.poll(arrivals > 0);
            let is_alarm = feed.is_alarm();
            if feed.now > begin + LEARNING {
                alarms += u32::from(is_alarm && !was_alarm);
                if feed.now >= next_cut {
                    next_cut += CUT_EVERY;
                    // Nobody can tell a cut from the false alarm that it falls into.
                    if !is_alarm {
                        delays.push(feed.cut());
                        at_work.extend(company::is_at_work(&zone, feed.now).then(|| delays[delays.len() - 1]));
                    }
                }
            }
            was_alarm = is_alarm;
        }
    }
    let missed = delays.iter().filter(|delay| **delay >= PATIENCE).count();
    Ok(Cell {
        false_alarms: f64::from(alarms) / count(companies.len() as u64),
        delays: (quantile(&mut delays, 5), quantile(&mut delays, 9)),
        at_work: quantile(&mut at_work, 5),
        missed,
    })
}

fn quantile(delays: &mut [SignedDuration], tenths: usize) -> SignedDuration {
    delays.sort_unstable();
    delays.get(delays.len() * tenths / 10).copied().unwrap_or(PATIENCE)
}

/// A feed as an alerter sees it.
#[derive(Clone)]
struct Watched<'a> {
    policy: &'a Policy,
    habit: Option<Habit>,
    window: ChainWindow,
    now: Timestamp,
}

impl<'a> Watched<'a> {
    fn new(policy: &'a Policy, begin: Timestamp) -> Result<Self> {
        let window = ChainWindow {
            chain: Chain { source: "acme".parse()?, feed: Feed::SignInAttempts },
            source_label: String::new(),
            polled_at: begin,
            next_poll_at: begin + POLL,
            first_polled_at: begin,
            last_success_at: Some(begin),
            last_arrival_at: Some(begin),
            consecutive_failures: 0,
            outcome: Outcome::Quiet,
            events_total: 0,
            token_expires_at: None,
            clock_skew: None,
            position_at: None,
            host: String::new(),
            token_fault: None,
        };
        Ok(Self { policy, habit: policy.habits().map(|_| Habit::default()), window, now: begin })
    }

    fn poll(&mut self, arrived: bool) {
        self.now += POLL;
        let window = &mut self.window;
        (window.polled_at, window.next_poll_at) = (self.now, self.now + POLL);
        window.last_success_at = Some(self.now);
        if arrived {
            window.last_arrival_at = Some(self.now);
        }
        if let (Some(habit), Some((calendar, time_zone))) = (&mut self.habit, self.policy.habits()) {
            habit.observe(&self.window, calendar, time_zone);
        }
    }

    fn is_alarm(&self) -> bool {
        let habit = self.habit.as_ref();
        judge(&self.window, habit, Watch::since(self.window.first_polled_at), self.now, self.policy).drop_off.is_alarm()
    }

    /// How long it takes until a feed that is cut off now is missed.
    fn cut(&self) -> SignedDuration {
        let mut feed = self.clone();
        while !feed.is_alarm() && feed.now < self.now + PATIENCE {
            feed.poll(false);
        }
        feed.now.duration_since(self.now)
    }
}
