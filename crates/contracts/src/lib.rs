//! The wire contracts: generated messages, identifiers, typed subjects, stream topology as data.
//!
//! Everything two services must agree on stands here and nothing else: what a message holds ([`page`], [`event`], …, generated
//! from `proto/`), what things are called ([`id`]), where messages travel ([`subject`]) and how streams and consumers are
//! configured ([`topology`]). Beside them, how a batch's events lie in memory ([`batch`], [`buffer`]). No I/O, no decisions.

pub mod about;
pub mod batch;
pub mod buffer;
pub mod id;
pub mod subject;
pub mod topology;

pub use about::{About, Object, UnknownAbout};
pub use id::{Chain, Feed, InvalidSourceId, LogType, SourceId, UnknownFeed};

macro_rules! contract {
    ($noun:ident, $doc:literal) => {
        #[doc = $doc]
        #[allow(
            missing_docs,
            clippy::all,
            clippy::pedantic,
            clippy::allow_attributes,
            reason = "generated: which of these apply differs by message"
        )]
        pub mod $noun {
            include!(concat!(env!("OUT_DIR"), "/latchkey.", stringify!($noun), ".v1.rs"));
        }
    };
}

contract!(alert, "Transitions of alerts: stream ALERTS.");
contract!(budget, "Requests taken of each account: stream BUDGETS.");
contract!(checkpoint, "Proofs of polling: stream CHECKPOINTS.");
contract!(delivery, "Progress of sinks: stream DELIVERIES.");
contract!(drift, "How events differ from their schemas: bucket DRIFTS.");
contract!(event, "Normalized events: stream EVENTS.");
contract!(habit, "Learned habits of feeds: bucket HABITS.");
contract!(page, "Raw pages: stream PAGES.");
contract!(rejection, "Refused items: stream REJECTIONS.");
contract!(reread, "Audits and backfills: stream REREADS.");
contract!(task, "Polling duties: stream TASKS.");
contract!(window, "What alerters have seen of streams and their readers: bucket WINDOWS.");
