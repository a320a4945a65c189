//! Nothing is lost and nothing comes twice, whoever is killed.
//!
//! `LATCHKEY_KILLS=50` kills that often instead of six times; `LATCHKEY_SEED` repeats the order of an earlier run.

use std::{env, time::Duration};

use latchkey_bus::server::{self, Scratch};
use latchkey_simulator::{Fault, Simulator};
use latchkey_tests::{ACCOUNT, Delivered, Line, Nats, Service, Settings, company, existing, keep_busy, until};
use rand::{Rng, SeedableRng, rngs::StdRng, seq::SliceRandom};

/// Kills without [`KILLS_VARIABLE`].
const KILLS: usize = 6;

const KILLS_VARIABLE: &str = "LATCHKEY_KILLS";
const SEED_VARIABLE: &str = "LATCHKEY_SEED";

/// How long the line may take to go on after a kill: a dead fetcher's chains are leased to it for 30 s, and machines are busy.
const RECOVERY_LIMIT: Duration = Duration::from_secs(150);

/// Slows each page down, so that the line works for as long as there are kills to come.
const PACE: Duration = Duration::from_millis(100);

/// The most pages between the moment at which the line is seen to work again and the next kill.
const MOST_PAGES_BETWEEN: u64 = 24;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Victim {
    Service(Service),
    NatsServer,
}

const VICTIMS: [Victim; 5] = [
    Victim::Service(Service::Normalizer),
    Victim::Service(Service::Alerter),
    Victim::Service(Service::Forwarder),
    Victim::NatsServer,
    Victim::Service(Service::Fetcher),
];

#[tokio::test]
async fn each_process_may_die_in_the_middle() {
    // The normalizer's open pages come again after a minute: killed first, they come while the others recover.
    survive(&VICTIMS, &mut StdRng::seed_from_u64(1)).await;
}

#[tokio::test]
async fn random_deaths_in_a_row_lose_and_double_nothing() {
    let kills = number(KILLS_VARIABLE).map_or(KILLS, |kills| usize::try_from(kills).unwrap());
    let seed = number(SEED_VARIABLE).unwrap_or_else(rand::random);
    tell(&format!("{KILLS_VARIABLE}={kills} {SEED_VARIABLE}={seed}"));
    let mut random = StdRng::seed_from_u64(seed);
    let mut victims = Vec::new();
    while victims.len() < kills {
        // Dealt from shuffled decks: any order, and everybody gets their share.
        let mut deck = VICTIMS;
        deck.shuffle(&mut random);
        victims.extend(deck);
    }
    survive(&victims[..kills], &mut random).await;
}

async fn survive(victims: &[Victim], random: &mut StdRng) {
    let mut nats = server::scratch().await.unwrap();
    let simulator = company(0.5).await.unwrap();
    simulator.set_fault(ACCOUNT, None, Fault::Delay(PACE)).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let settings = Settings { page_limit: 50, max_delay: "300ms", ..Settings::default() };
    let mut line = Line::start(directory.path(), &Nats::of(&nats), &simulator, &settings).await.unwrap();

    let mut before = (0, 0);
    for (number, victim) in victims.iter().enumerate() {
        before = work(&line, &simulator, before, random.random_range(0..MOST_PAGES_BETWEEN)).await;
        tell(&format!("kill {}: {victim:?} at page {}, batch {} delivered", number + 1, before.0, before.1));
        kill(*victim, &mut line, &mut nats).await;
    }
    work(&line, &simulator, before, 0).await;
    simulator.set_fault(ACCOUNT, None, Fault::None).unwrap();
    line.settled(&simulator).await.unwrap();

    let delivered = Delivered::read(&line.output()).unwrap();
    delivered.check(&simulator).unwrap();
    tell(&format!(
        "{} kills: {} of {} events delivered, none twice, in {} objects",
        victims.len(),
        delivered.events(),
        existing(&simulator).unwrap(),
        delivered.objects.len()
    ));
    line.stop().await;
}

/// Waits until pages were stored and batches delivered since `before`, and then `more` pages. So a kill hits a line that works.
async fn work(line: &Line, simulator: &Simulator, before: (u64, u64), more: u64) -> (u64, u64) {
    keep_busy(simulator).unwrap();
    let moved = until("the line goes on", RECOVERY_LIMIT, async || {
        line.progress().await.filter(|now| now.0 > before.0 && now.1 > before.1)
    })
    .await;
    keep_busy(simulator).unwrap();
    until("the line goes on", RECOVERY_LIMIT, async || line.progress().await.filter(|now| now.0 >= moved.0 + more))
        .await
}

/// `kill -9`, and at once a new process in its place.
async fn kill(victim: Victim, line: &mut Line, nats: &mut Scratch) {
    match victim {
        Victim::Service(service) => line.replace(service).unwrap(),
        Victim::NatsServer => nats.restart().await.unwrap(),
    }
}

fn number(variable: &str) -> Option<u64> {
    let text = env::var(variable).ok().filter(|text| !text.is_empty())?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable}={text} is no number")))
}

#[expect(clippy::print_stderr, reason = "shown when the test fails, and by --nocapture")]
fn tell(words: &str) {
    eprintln!("{words}");
}
