//! What the next objects hold, while it is being read.
//!
//! Lines are copied into their object's buffer as batches arrive, and the batch is let go: memory is the load's own bytes plus one
//! batch. Which batches count is decided here by their identity alone, so that reading the same range again, after a crash or in
//! another process, gives the same objects.

use std::{collections::BTreeMap, mem};

use bytes::Bytes;
use latchkey_contracts::batch::{Batch, Records};

use super::{
    PageSet, Plan, Progress,
    object::{self, Object},
};

/// Objects a load holds at most before it should be written: each costs a request, and a backfill spreads over many dates.
pub const MAX_OBJECTS: usize = 512;

/// Messages a load holds at most before it should be written; each keeps a trace span open until the commit.
pub const MAX_MESSAGES: u64 = 8192;

/// Buffers grow to this size and are then left as they are: a line is copied once or twice, not with every doubling.
const CHUNK_BYTES: usize = 1 << 20;

/// Events read and not yet written.
#[derive(Clone, Debug)]
pub struct Load {
    first: u64,
    next: u64,
    last_page_id: String,
    pages: PageSet,
    groups: BTreeMap<String, BTreeMap<i64, Group>>,
    counts: Counts,
}

/// What a load is made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Messages read.
    pub messages: u64,
    /// Batches whose events are in the objects.
    pub batches: u64,
    /// Batches left out because their page had been delivered.
    pub repeated: u64,
    /// Messages that could not be decoded.
    pub undecodable: u64,
    /// Sequences that the stream did not hold any more.
    pub missing: u64,
    /// Events in the objects.
    pub events: u64,
    /// Bytes of the objects before compression.
    pub bytes: u64,
    /// Objects.
    pub objects: usize,
}

/// What became of one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// Sequences before it that the stream did not hold any more.
    pub missing: u64,
    /// Whether it is left out because its page had been delivered.
    pub repeated: bool,
}

/// What a written load leaves behind for the commit.
#[derive(Clone, Debug)]
pub struct Manifest {
    pub(super) last: u64,
    pub(super) last_page_id: String,
    pub(super) pages: PageSet,
    /// What was written.
    pub counts: Counts,
}

#[derive(Clone, Debug, Default)]
struct Group {
    full: Vec<Bytes>,
    open: Vec<u8>,
    events: u64,
    bytes: u64,
}

impl Load {
    /// An empty load that continues after `progress`.
    #[must_use]
    pub fn new(progress: &Progress) -> Self {
        Self {
            first: progress.next(),
            next: progress.next(),
            last_page_id: progress.committed_page_id.clone(),
            pages: progress.pages.clone(),
            groups: BTreeMap::new(),
            counts: Counts::default(),
        }
    }

    /// Takes in the message at `sequence`, which is above all taken in before; `None` is one that could not be decoded.
    pub fn add(&mut self, sequence: u64, batch: Option<Batch>) -> Arrival {
        let missing = self.reach(sequence - 1);
        self.next = sequence + 1;
        self.counts.messages += 1;
        let Some(Batch { header: batch, records }) = batch else {
            self.counts.undecodable += 1;
            self.last_page_id.clear();
            return Arrival { missing, repeated: false };
        };
        self.pages.turn_to(&batch.pages_epoch);
        // Sequences begin at 1: a batch without a page cannot be recognised, and must not be taken for one that was.
        let repeated = batch.page_sequence > 0 && !self.pages.insert(batch.page_sequence, batch.part, batch.part_count);
        if repeated {
            self.counts.repeated += 1;
        } else {
            self.counts.batches += 1;
            self.collect(&batch.log_type, &records);
        }
        self.last_page_id = batch.page_id;
        Arrival { missing, repeated }
    }

    /// Extends the range to `last` though the stream holds nothing more of it; returns how many sequences are missing.
    pub fn reach(&mut self, last: u64) -> u64 {
        let missing = (last + 1).saturating_sub(self.next);
        if missing > 0 {
            self.counts.missing += missing;
            self.next = last + 1;
            self.last_page_id.clear();
        }
        missing
    }

    /// Whether the range is empty.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.next == self.first
    }

    /// Whether it should be written because it would grow beyond `max_bytes` or a bound of this module.
    #[must_use]
    pub const fn is_full(&self, max_bytes: u64) -> bool {
        self.counts.bytes >= max_bytes || self.counts.objects >= MAX_OBJECTS || self.counts.messages >= MAX_MESSAGES
    }

    /// First and last sequence of the range, both included.
    #[must_use]
    pub const fn range(&self) -> (u64, u64) {
        (self.first, self.next - 1)
    }

    /// What it holds.
    #[must_use]
    pub const fn counts(&self) -> &Counts {
        &self.counts
    }

    /// The objects of a plan over this range, and what to commit once all of them are written.
    #[must_use]
    pub fn into_objects(self, plan: &Plan, epoch: &str) -> (Vec<Object>, Manifest) {
        let types = self.groups.into_iter();
        let objects = types.flat_map(|(log_type, days)| {
            let name = move |day| object::name(&log_type, day, plan, epoch);
            days.into_iter().map(move |(day, group)| group.into_object(name(day)))
        });
        let manifest =
            Manifest { last: self.next - 1, last_page_id: self.last_page_id, pages: self.pages, counts: self.counts };
        (objects.collect(), manifest)
    }

    fn collect(&mut self, log_type: &str, records: &Records) {
        if records.is_empty() {
            return;
        }
        let days = match self.groups.get_mut(log_type) {
            Some(days) => days,
            None => self.groups.entry(log_type.to_owned()).or_default(),
        };
        for event in records.iter() {
            let group = days.entry(object::day(event.event_time_unix_nano)).or_insert_with(|| {
                self.counts.objects += 1;
                Group::default()
            });
            self.counts.bytes += group.push(event.record);
        }
        self.counts.events += records.len() as u64;
    }
}

impl Group {
    /// Adds a line and returns its length.
    fn push(&mut self, record: &[u8]) -> u64 {
        let length = record.len() + 1;
        if !self.open.is_empty() && self.open.len() + length > CHUNK_BYTES {
            // A group with one chunk is likely to fill another: grown by doubling, chunks would leave the heap in pieces.
            let open = mem::replace(&mut self.open, Vec::with_capacity(CHUNK_BYTES));
            self.full.push(open.into());
        }
        self.open.extend_from_slice(record);
        self.open.push(b'\n');
        self.events += 1;
        self.bytes += length as u64;
        length as u64
    }

    fn into_object(mut self, name: String) -> Object {
        self.full.push(self.open.into());
        Object { name, content: self.full, bytes: self.bytes, events: self.events }
    }
}
