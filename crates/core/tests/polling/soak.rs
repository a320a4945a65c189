//! A day of a hundred sources in virtual time: whatever the simulator does to a fetcher happens to the machine, again and again.
//!
//! The same throws for the same source, so a failure comes again.

use std::collections::BTreeSet;

use foldhash::quality::FixedState;
use jiff::{SignedDuration, Timestamp};

use crate::world::{Fetcher, Luck, STEP, World, start};

const SOURCES: u64 = 100;
const DAY: SignedDuration = SignedDuration::from_hours(24);

/// An event every five minutes, also on the day before, which is there at the beginning.
const SPACING: SignedDuration = SignedDuration::from_mins(5);

/// After which somebody else takes up the chain of a fetcher that died.
const LEASE: SignedDuration = SignedDuration::from_secs(30);

/// Turns that a source has at least: one a minute, but for the pauses after failures.
const TURNS: usize = 1_200;

struct Dice {
    source: u64,
    thrown: u64,
}

impl Dice {
    /// From 0 to below `end`.
    fn below(&mut self, end: u64) -> u64 {
        self.thrown += 1;
        std::hash::BuildHasher::hash_one(&FixedState::default(), (self.source, self.thrown)) % end
    }

    /// Two steps in a hundred go wrong.
    fn luck(&mut self) -> Luck {
        match self.below(1_000) {
            0 => Luck::Refuses(401, None),
            1 => Luck::Refuses(403, None),
            2 => Luck::Refuses(429, Some(20)),
            3 => Luck::Refuses(429, None),
            4 => Luck::Refuses(503, None),
            5 => Luck::Refuses(200, None),
            6 => Luck::BusFails,
            7 => Luck::Full,
            8 => Luck::TooLarge,
            9 => Luck::Poison,
            10 => Luck::AnswerLost,
            11 => Luck::Late,
            12 => Luck::Lost,
            13..16 => Luck::Crash,
            16..20 => Luck::Arrival,
            _ => Luck::Good,
        }
    }
}

/// Takes the chain's turn, now and then with a second fetcher that believes to have the chain. Returns when it is due again.
fn turn(world: &mut World, fetchers: &mut [Fetcher; 2], dice: &mut Dice) -> Timestamp {
    let mut at_work = match dice.below(50) {
        0 => vec![0, 1],
        throw => vec![usize::try_from(throw % 2).unwrap()],
    };
    let mut due = world.now() + LEASE;
    while !at_work.is_empty() {
        let index = usize::try_from(dice.below(at_work.len() as u64)).unwrap();
        let fetcher = &mut fetchers[at_work[index]];
        let delay = world.step(fetcher, dice.luck());
        world.be_at(world.now() + STEP);
        if fetcher.running.is_none() {
            at_work.swap_remove(index);
            due = world.now() + delay.map_or(LEASE, |delay| SignedDuration::try_from(delay).unwrap());
        }
    }
    due
}

/// Returns how often the chain was read again from a point in time.
fn a_day_of(source: u64) -> u32 {
    let (begin, mut turns) = (start() + DAY, 0);
    let (mut world, mut dice) = (World::new(0, SPACING), Dice { source, thrown: 0 });
    let mut fetchers = [Fetcher::default(), Fetcher::default()];
    let mut due = begin;
    while due < begin + DAY {
        world.be_at(due.max(world.now()));
        due = turn(&mut world, &mut fetchers, &mut dice);
        turns += 1;
    }
    assert!(turns >= TURNS, "source {source}: {turns} turns");

    while !world.in_flight.is_empty() {
        world.arrive();
    }
    // A cursor may have to be refused twice, and a long way be gone in several turns.
    for _ in 0..10 {
        let mut fetcher = Fetcher::default();
        world.step(&mut fetcher, Luck::Good);
        while fetcher.running.is_some() {
            world.step(&mut fetcher, Luck::Good);
        }
    }
    let stored: BTreeSet<usize> = world.unmarked().collect();
    assert_eq!(world.unmarked().count(), stored.len(), "source {source}: nothing is stored twice");
    assert!(stored.into_iter().eq(0..world.events), "source {source}: nothing is lost");
    world.checkpoint.map_or(0, |(_, history)| history.recoveries)
}

#[test]
fn a_day_of_a_hundred_sources_loses_and_doubles_nothing() {
    let recoveries: u64 = (0..SOURCES).map(|source| u64::from(a_day_of(source))).sum();
    assert!(recoveries >= SOURCES, "{recoveries} recoveries: the troubles are too few");
}
