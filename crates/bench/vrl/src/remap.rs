//! Records made by VRL: the nearest that its functions come to what is done here.
//!
//! What a program would have to do again for every event, it is given: pages are split as they are here, and what is the same for a
//! whole page lies in the metadata. Left out is what needs a host, or functions that are not compiled in or that VRL has not:
//! enrichment, the row id, the order of indicators. Of the types only those of `uuid` and of timestamps are checked.

use anyhow::{Result, anyhow};
use latchkey_contracts::{Feed, page::RawPage};
use latchkey_core::page;
use vrl::{
    compiler::{Program, TargetValue, TimeZone, compile, runtime::Runtime},
    value::{Secrets, Value},
};

const PROGRAMS: [(Feed, &str); 3] = [
    (Feed::SignInAttempts, include_str!("sign_in_attempts.vrl")),
    (Feed::ItemUsages, include_str!("item_usages.vrl")),
    (Feed::AuditEvents, include_str!("audit_events.vrl")),
];

/// Compiled programs and what runs them.
pub(crate) struct Remap {
    programs: Vec<(Feed, Program)>,
    runtime: Runtime,
    parse_time: String,
}

impl Remap {
    /// `parse_time`: in the form of records.
    pub(crate) fn new(parse_time: String) -> Result<Self> {
        let functions = vrl::stdlib::all();
        let mut programs = Vec::new();
        for (feed, source) in PROGRAMS {
            let compiled = compile(source, &functions)
                .map_err(|faults| anyhow!("the program for {feed} does not compile: {faults:?}"))?;
            programs.push((feed, compiled.program));
        }
        Ok(Self { programs, runtime: Runtime::default(), parse_time })
    }

    /// Whether there is a program for the feed of this name.
    pub(crate) fn knows(&self, feed: &str) -> bool {
        self.programs.iter().any(|(known, _)| known.as_str() == feed)
    }

    /// Appends the records of a page as JSON lines, in the order of its items, and answers how many. Items that the program refuses
    /// are left out.
    pub(crate) fn write_records(&mut self, out: &mut Vec<u8>, page: &RawPage, body: &[u8]) -> u64 {
        let program = self.programs.iter().find(|(feed, _)| feed.as_str() == page.feed);
        let Some((feed, program)) = program else { return 0 };
        let Ok(view) = page::read(*feed, body) else { return 0 };
        let metadata = [
            ("parse_time", self.parse_time.as_str()),
            ("source", page.source.as_str()),
            ("source_label", page.source_label.as_str()),
        ];
        let mut target = TargetValue {
            value: Value::Null,
            metadata: Value::Object(metadata.map(|(key, text)| (key.into(), text.into())).into()),
            secrets: Secrets::new(),
        };
        let mut made = 0;
        for item in view.items {
            target.value = Value::from(item.raw);
            self.runtime.clear();
            let resolved = self.runtime.resolve(&mut target, program, &TimeZone::default());
            if resolved.is_ok() && serde_json::to_writer(&mut *out, &target.value).is_ok() {
                out.push(b'\n');
                made += 1;
            }
        }
        made
    }
}
