//! Every fault of the API, one account each, all polled by one fetcher at once; docs/faults.md is what comes of it.
//!
//! Each account has a past of several pages. From its third continuing request on the API misbehaves, as often as the case says. The
//! test waits until the chain stands at the feed's end, compares what is stored with what exists, and reads from the simulator's log what
//! was asked meanwhile. `LATCHKEY_WRITE=1` writes the page; otherwise it must agree with what was measured.

use std::{
    collections::{BTreeSet, HashMap},
    fmt::Write,
    path::PathBuf,
    time::Duration,
};

use latchkey_bus::Bus;
use latchkey_contracts::{
    Chain, Feed, SourceId,
    checkpoint::{Checkpoint, outcome::Kind},
};
use latchkey_core::{
    alert,
    polling::{Action, Failure, History, Input, Outcome, Policy, Position, Turn},
};
use latchkey_fetcher::{AuditConfig, Config, Metrics, SourceConfig};
use latchkey_runtime::{Shutdown, clock, shutdown::Reason};
use latchkey_simulator::{
    AccountConfig, BadItem, Fault, Plan, Profile, RequestKind, RequestRecord, RetryAfter, Rule, Simulator, When,
};
use serde_json::json;

use crate::support::{self, PATIENCE, Stored};

/// The request with which the misbehaviour begins: in the middle of the past.
const NTH: u64 = 3;

/// Events per page: the past of every account has several pages.
const PAGE_LIMIT: u32 = 50;

/// The client's patience with an answer.
const TIMEOUT: Duration = Duration::from_secs(5);

/// On top of the pauses: requests, a busy machine.
const SLACK: Duration = Duration::from_secs(20);

struct Case {
    /// What the page calls it.
    title: &'static str,
    fault: Fault,
    /// How often it strikes.
    times: u64,
    on: Option<RequestKind>,
    /// The pauses until it is over, at their longest.
    within: Duration,
    expect: Expect,
}

/// What must come of a case.
struct Expect {
    /// The words the operator sees, one for each turn that ends without success.
    refusals: &'static [&'static str],
    /// Requests from the first that is answered wrongly to the first that is answered well.
    requests: usize,
    /// Why the chain was read again from a point in time, if it was.
    recovery: &'static str,
}

fn case(title: &'static str, fault: Fault, times: u64, within: u64, refusals: &'static [&'static str]) -> Case {
    let requests = usize::try_from(times).unwrap() + 1;
    let expect = Expect { refusals, requests, recovery: "" };
    Case { title, fault, times, on: Some(RequestKind::Cursor), within: Duration::from_secs(within), expect }
}

fn recovered(case: Case, requests: usize, recovery: &'static str) -> Case {
    Case { expect: Expect { requests, recovery, ..case.expect }, ..case }
}

fn status(code: u16, retry_after: Option<RetryAfter>) -> Fault {
    Fault::Status { code, retry_after }
}

fn cases() -> Vec<Case> {
    let again = |n| Some(RetryAfter::Seconds(n));
    let large = Fault::BigItems { bytes: 250_000 };
    let slowly = Fault::SlowBody { pieces: 4, pause: Duration::from_millis(100) };
    let too_slowly = Fault::SlowBody { pieces: 20, pause: Duration::from_millis(500) };
    let within = Fault::Doubled { share: 0.3, across: false };
    let across = Fault::Doubled { share: 0.3, across: true };
    let late = Fault::Late { share: 0.3, by: Duration::from_secs(8) };
    let thrice: &[&str] = &["server_error", "server_error", "server_error"];
    vec![
        case("400 on a cursor, once", status(400, None), 1, 1, &["cursor_refused"]),
        recovered(
            case("400 on a cursor, for ever", Fault::RejectCursor, 1, 1, &["cursor_refused"]),
            3,
            "cursor_refused",
        ),
        case("401", status(401, None), 1, 30, &["unauthorized"]),
        case("403", status(403, None), 1, 30, &["forbidden"]),
        case("404", status(404, None), 1, 30, &["not_found"]),
        case("429 without Retry-After", status(429, None), 3, 7, &["rate_limited", "rate_limited", "rate_limited"]),
        case("429, Retry-After in seconds", status(429, again(3)), 1, 3, &["rate_limited"]),
        case("429, Retry-After as a date", status(429, Some(RetryAfter::DateIn(3))), 1, 3, &["rate_limited"]),
        case("500, three times", status(500, None), 3, 7, thrice),
        case("502, three times", status(502, None), 3, 7, thrice),
        case("503, three times", status(503, None), 3, 7, thrice),
        case("no answer (read time-out)", Fault::Hang, 1, 6, &["timeout"]),
        case("an answer in slow pieces", slowly, 1, 0, &[]),
        case("an answer in pieces slower than the time-out", too_slowly, 1, 6, &["timeout"]),
        case("connection reset before the answer", Fault::Reset, 1, 1, &["body"]),
        case("connection reset in the body", Fault::ResetInBody, 1, 1, &["body"]),
        case("connection closed in the body", Fault::Truncated, 1, 1, &["body"]),
        case("truncated JSON of agreed length", Fault::CutShort, 1, 1, &["malformed"]),
        case("HTML with status 200", Fault::Html, 2, 3, &["malformed", "malformed"]),
        case("gzip", Fault::Gzip, 2, 0, &[]),
        case("corrupt gzip", Fault::CorruptGzip, 1, 1, &["body"]),
        case("`items` is null", Fault::NullItems, 1, 1, &["no_progress"]),
        case("no `has_more`", Fault::NoHasMore, 1, 1, &["malformed"]),
        case("no `cursor`", Fault::NoCursor, 1, 1, &["malformed"]),
        case("an empty page that says more", Fault::EmptyPage, 2, 3, &["no_progress", "no_progress"]),
        case("the same page again", Fault::SamePage, 1, 1, &["no_progress"]),
        case("a repeated cursor", Fault::RepeatedCursor, 1, 0, &[]),
        case("events doubled inside a page", within, 3, 0, &[]),
        case("events doubled across pages", across, 3, 0, &[]),
        case("events out of order", Fault::Shuffled, 3, 0, &[]),
        case("events that arrive late", late, 2, 0, &[]),
        case("an item whose fields have wrong types", Fault::BadItem(BadItem::WrongTypes), 1, 0, &[]),
        case("an item that is no object", Fault::BadItem(BadItem::NotAnObject), 1, 0, &[]),
        case("an item that is no JSON", Fault::BadItem(BadItem::Broken), 1, 0, &[]),
        Case { on: None, ..recovered(case("a page over the payload limit", large, 2, 0, &[]), 3, "page_too_large") },
        recovered(case("a body over the size limit", Fault::HugeBody { bytes: 33 << 20 }, 1, 0, &[]), 2, "too_large"),
        case("an answer dated a day ahead", Fault::DateSkew { seconds: 86_400 }, 1, 0, &[]),
    ]
}

/// What came of a case.
struct Measured {
    refusals: Vec<String>,
    requests: usize,
    took: Duration,
    recovery: String,
    stored: Stored,
}

fn account(index: usize) -> String {
    format!("fault-{index}")
}

fn chain(account: &str) -> Chain {
    Chain { source: account.parse().unwrap(), feed: Feed::ItemUsages }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_fault_is_survived_as_the_page_says() {
    let cases = cases();
    let world = Faulty::start(&cases).await;
    let (running, shutdown) = world.run().await;
    world.caught_up(&cases).await;
    shutdown.begin(Reason::Finished);
    running.await.unwrap();

    let mut page = String::from(HEAD);
    for (index, case) in cases.iter().enumerate() {
        let measured = world.measure(&account(index)).await;
        println!("{}: {:?} after {} requests", case.title, measured.took, measured.requests);
        case.check(&measured);
        writeln!(page, "{}", case.row(&measured)).unwrap();
    }
    page.push_str(&an_hour_of_rate_limits());
    page.push_str(WORDS);
    for word in words(&cases) {
        writeln!(page, "| `{word}` | {} |", alert::next_step_of_refusal(word)).unwrap();
    }
    page.push_str(FOOT);
    agrees(&page);
}

impl Case {
    fn check(&self, measured: &Measured) {
        let title = self.title;
        assert_eq!(measured.refusals, self.expect.refusals, "{title}");
        assert_eq!(measured.requests, self.expect.requests, "{title}: requests");
        assert_eq!(measured.recovery, self.expect.recovery, "{title}");
        assert_eq!((measured.stored.lost, measured.stored.doubled), (0, 0), "{title}: lost, doubled");
        assert!(self.expect.recovery.is_empty() || measured.stored.marked > 0, "{title}: something came again");
        assert!(measured.took <= self.within + SLACK, "{title} took {:?}", measured.took);
    }

    fn row(&self, measured: &Measured) -> String {
        let word = match (measured.refusals.first(), measured.recovery.as_str()) {
            (None, "") => "none".into(),
            (Some(word), "") => format!("`{word}`"),
            (_, recovery) => format!("`{recovery}`, read again from a point in time"),
        };
        let within = match self.within.as_secs() {
            0 => "at once".into(),
            seconds => format!("{seconds} s"),
        };
        format!(
            "| {} | {} | {} | {within} | {} | {} | {word} |",
            self.title,
            measured.requests,
            self.expect.refusals.len(),
            measured.stored.lost,
            measured.stored.doubled,
        )
    }
}

/// Several accounts and one fetcher.
struct Faulty {
    simulator: Simulator,
    bus: Bus,
    metrics: latchkey_runtime::Metrics,
    server: latchkey_bus::server::Scratch,
}

impl Faulty {
    async fn start(cases: &[Case]) -> Self {
        latchkey_runtime::install_crypto();
        let rules = cases.iter().enumerate().map(|(index, case)| Rule {
            account: Some(account(index)),
            feed: Some(latchkey_simulator::Feed::ItemUsages),
            on: case.on,
            when: When { nth: NTH, times: Some(case.times), ..When::default() },
            fault: case.fault.clone(),
        });
        let mut builder = Simulator::builder().seed(11).plan(Plan::new(rules));
        let profile = Profile::Company { weeks: 3, until: clock::now(), factor: 0.03 };
        for index in 0..cases.len() {
            builder = builder.account(AccountConfig::new(account(index), profile.clone()));
        }
        let simulator = builder.start().await.unwrap();
        let (server, bus) = support::nats().await;
        Self { simulator, bus, metrics: latchkey_runtime::Metrics::new(), server }
    }

    async fn run(&self) -> (tokio::task::JoinHandle<()>, Shutdown) {
        let sources = self.simulator_accounts().into_iter().map(|account| {
            let token_file = self.server.directory().join(&account);
            std::fs::write(&token_file, self.simulator.token(&account).unwrap()).unwrap();
            serde_json::from_value::<SourceConfig>(json!({
                "id": account,
                "token_file": token_file,
                "events_api_url": self.simulator.http_url(),
                "start_time": "2026-01-01T00:00:00Z",
                "feeds": ["item_usages"],
                "poll_interval": "1s",
                "page_limit": PAGE_LIMIT,
                "timeout": format!("{}s", TIMEOUT.as_secs()),
            }))
            .unwrap()
        });
        // An audit at random would count among the requests.
        let audit = AuditConfig { enabled: false, ..AuditConfig::default() };
        let config = Config { sources: sources.collect(), audit, ..Config::default() };
        let bus = Bus::connect(self.server.connect_options("fetcher")).await.unwrap();
        let fetcher = config.build(bus, Metrics::new(&self.metrics)).unwrap();
        let shutdown = Shutdown::new();
        let stop = shutdown.clone();
        (tokio::spawn(async move { fetcher.run(stop).await.unwrap() }), shutdown)
    }

    fn simulator_accounts(&self) -> Vec<String> {
        self.simulator.plan().rules.into_iter().filter_map(|rule| rule.account).collect()
    }

    /// Waits until every chain has all its events and stands at the feed's end.
    async fn caught_up(&self, cases: &[Case]) {
        let exist =
            |account: &str| self.simulator.dataset(account, latchkey_simulator::Feed::ItemUsages).unwrap().len() as u64;
        let mut waiting: HashMap<String, u64> =
            (0..cases.len()).map(account).map(|account| (account.clone(), exist(&account))).collect();
        let mut checkpoints = self.bus.watch_checkpoints();
        while !waiting.is_empty() {
            let next = tokio::time::timeout(PATIENCE, checkpoints.next()).await;
            let checkpoint = next.unwrap_or_else(|_| panic!("still waiting for {waiting:?}")).unwrap().message.unwrap();
            let at_end = matches!(checkpoint.outcome.as_ref().unwrap().kind(), Kind::Quiet | Kind::Active);
            if at_end && waiting.get(&checkpoint.source).is_some_and(|exist| checkpoint.events_total >= *exist) {
                waiting.remove(&checkpoint.source);
            }
        }
    }

    /// The words of the account's turns that ended without success, as the metrics count them: checkpoints replace one another.
    fn refusals(&self, account: &str) -> Vec<String> {
        let start = format!("fetcher_polls_total{{source=\"{account}\",feed=\"item_usages\",outcome=\"");
        let told = self.metrics.encode();
        let turns = told.lines().filter_map(|line| line.split_once(&start)?.1.split_once("\"} "));
        let refused = turns.filter(|(word, _)| !["quiet", "active", "behind"].contains(word));
        refused.flat_map(|(word, count)| std::iter::repeat_n(word.to_owned(), count.parse().unwrap())).collect()
    }

    async fn measure(&self, account: &str) -> Measured {
        let (requests, took) = repair(&self.simulator.requests(), account);
        let checkpoint: Checkpoint = self.bus.last_checkpoint(&chain(account)).await.unwrap().unwrap().message;
        Measured {
            refusals: self.refusals(account),
            requests,
            took,
            recovery: checkpoint.last_recovery.map(|recovery| recovery.reason).unwrap_or_default(),
            stored: support::stored(&self.bus, &self.simulator, &chain(account)).await,
        }
    }
}

/// Requests from the first that the API answers wrongly to the first that it answers well, and the time between.
fn repair(log: &[RequestRecord], account: &str) -> (usize, Duration) {
    let pages = log.iter().filter(|record| record.account.as_deref() == Some(account) && record.feed.is_some());
    let disturbed: Vec<_> = pages.skip_while(|record| record.faults.is_empty()).collect();
    let well = |record: &&&RequestRecord| record.faults.is_empty() && record.status == 200;
    let (place, end) = disturbed.iter().enumerate().find(|(_, record)| well(record)).expect("the chain recovers");
    (place + 1, Duration::try_from(end.at.duration_since(disturbed[0].at)).unwrap())
}

/// An hour is too long for a test, so the machine is asked alone: what a fetcher does is what the machine says.
fn an_hour_of_rate_limits() -> String {
    let began = jiff::Timestamp::UNIX_EPOCH;
    let policy = Policy::new(Duration::from_mins(1), began, 1_000);
    let limited =
        Failure { reason: "rate_limited", http_status: 429, retry_after: None, transient: true, detail: String::new() };
    let (mut now, mut requests, mut refused) = (began, 0, 0);
    let mut checkpoint = (Position { cursor: "c".parse().ok(), ..Position::default() }, History::default());
    loop {
        // The longest pauses: the latest end and the fewest requests.
        let (mut turn, _) = Turn::begin(policy, 1.0, now);
        turn.handle(Input::Recovered { last_page: None, checkpoint: Some(Box::new(checkpoint)) }, now);
        requests += 1;
        if now.duration_since(began) >= jiff::SignedDuration::from_hours(1) {
            break;
        }
        let Action::Finish(report) = turn.handle(Input::FetchFailed(limited.clone()), now).action else {
            panic!("a refused turn ends")
        };
        assert!(matches!(report.outcome, Some(Outcome::Refused(_))));
        refused += 1;
        now = now.checked_add(report.delay).unwrap();
        checkpoint = (report.position, report.history);
    }
    let late = now.duration_since(began) - jiff::SignedDuration::from_hours(1);
    assert!(late < jiff::SignedDuration::from_mins(15), "{late:#}");
    format!(
        "| 429 for an hour, without Retry-After | {requests} | {refused} | {} min | – | – | `rate_limited` |\n",
        late.as_mins() + 60
    )
}

/// Every word that a case shows, and those that need no answer.
fn words(cases: &[Case]) -> BTreeSet<&'static str> {
    let shown = cases.iter().flat_map(|case| case.expect.refusals.iter().copied().chain([case.expect.recovery]));
    let others =
        ["connect", "dns", "tls", "unexpected_status", "out_of_scope", "stream_full", "bus_unavailable", "no_room"];
    shown.chain(others).filter(|word| !word.is_empty()).collect()
}

fn agrees(page: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/faults.md");
    if std::env::var_os("LATCHKEY_WRITE").is_some() {
        std::fs::write(&path, page).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(kept == page, "docs/faults.md is not what was measured; LATCHKEY_WRITE=1 writes it. Measured:\n{page}");
}

#[test]
fn every_source_has_a_name() {
    assert!((0..cases().len()).all(|index| account(index).parse::<SourceId>().is_ok()));
}

const HEAD: &str = "\
# What the API does wrong, and what comes of it

This page is made by a test run (`services/fetcher/tests/it/faults.rs`): each fault strikes an account of its own in the middle of reading
its past, all of them polled by one fetcher, and what is stored is compared with what exists. The test fails if the page is not what was
measured; `LATCHKEY_WRITE=1 cargo test -p latchkey-fetcher every_fault` writes it.

*Requests* are counted from the first that is answered wrongly to the first that is answered well. *Turns refused* is how many times the
chain paused. *Back within* is the sum of these pauses at their longest; they are drawn at random between an eighth of that and all of it.
*Verdict* is the word that checkpoints, metrics and alerts show meanwhile. The last row is longer than a test may last: the polling machine
alone was asked, with its longest pauses.

| fault | requests | turns refused | back within | lost | doubled | verdict |
|---|---|---|---|---|---|---|
";

const WORDS: &str = "
## What the operator reads

| verdict | next step |
|---|---|
";

const FOOT: &str = "
## How a chain recovers

- A failure ends the chain's turn; other chains do not notice. The cursor stays what it was, since it counts only with the page it came
  with, so the next turn makes the same request. Pauses grow to five minutes, or to ten where somebody has to help; a success ends them.
- `Retry-After` is honoured up to an hour. Without it, after a minute of refusals the limit of the hour must be used up: the pauses
  then grow to 15 minutes.
- A cursor that is refused twice is given up. The fetcher looks back over the stored pages, up to 26 hours before it last stood at the feed's
  end (or to the chain's beginning), and asks for everything from there on, with another number of events per page each time, since the
  same request might lead to the same cursor; what comes again is marked and removed. If the pages are too many to remember, it begins later, where it
  still recognises everything, and an audit reads what it passed by ([completeness.md](completeness.md)). A recovery that is interrupted until
  pages that it needs are not kept any more begins again in the same way (`pages_gone`). Checkpoints count recoveries and tell when, why and
  from where the last one was.
- A cursor carries its number of events per page, so pages that are too large for NATS or for the client are asked for from a point in time in
  the same way, with half as many events. The smaller number stays until the chain begins again for another reason, at the cost of more
  requests after a long absence: a cursor with a larger one takes another recovery, which may meet the same pages. A single event that is too
  large stops the chain by name.
- A token that 1Password refuses is read again from its file at once, and the request is made again if there is another one. Introspection
  says whether the token is made for the feed; if not, the feed is off until a token is.
- Items that are no events are stored with their page like all others; normalizers refuse them one by one.
- An address that does not resolve, a port without a server and a certificate that is not trusted send nothing and are tried again as other
  failures are. No pause depends on the wall clock alone: a clock that jumps ends at most one turn early.
";
