//! A batch of events, its texts in one piece of memory.
//!
//! On the wire it is an [`EventBatch`]. As generated, that message has two pieces of memory for each event, made and freed a thousand
//! times for each page; a service that handles every event there is keeps the places of the texts instead, in the buffer that they
//! were written to or came in.

use std::ops::Range;

use bytes::Bytes;
use prost::{DecodeError, Message, decode_length_delimiter, encode_length_delimiter, length_delimiter_len};

use crate::event::{Event, EventBatch};

/// A batch as it is worked with.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Batch {
    /// Everything but the events: `events` is empty.
    pub header: EventBatch,
    /// The events, in the page's order.
    pub records: Records,
}

/// Events in a row.
#[derive(Clone, Default)]
pub struct Records {
    text: Bytes,
    places: Vec<Place>,
}

/// Where an event stands in the text that it shares with others.
#[derive(Clone, Debug)]
pub struct Place {
    /// Its row id; ASCII.
    pub row_id: Range<usize>,
    /// When it happened.
    pub event_time_unix_nano: i64,
    /// Its record.
    pub record: Range<usize>,
}

/// One event. See [`Event`] for what the fields hold.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Record<'a> {
    /// Every sink's key.
    pub row_id: &'a str,
    /// When it happened.
    pub event_time_unix_nano: i64,
    /// One JSON object without line breaks.
    pub record: &'a [u8],
}

/// Numbers of fields in `event.proto`.
mod field {
    pub(super) const EVENTS: u8 = 11;
    pub(super) const ROW_ID: u8 = 1;
    pub(super) const EVENT_TIME: u8 = 2;
    pub(super) const RECORD: u8 = 3;
}

/// How a field's value is written: the lower three bits of its key.
mod form {
    pub(super) const VARINT: u8 = 0;
    pub(super) const EIGHT_BYTES: u8 = 1;
    pub(super) const LENGTH_DELIMITED: u8 = 2;
    pub(super) const FOUR_BYTES: u8 = 5;
}

impl Batch {
    /// Appends the batch as protobuf, an `EventBatch`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        debug_assert!(self.header.events.is_empty(), "events are in the records");
        self.header.encode(out).expect(ROOM_FOR_ALL);
        for record in self.records.iter() {
            open(out, field::EVENTS, record.encoded_len());
            record.encode(out);
        }
    }

    /// Reads an `EventBatch`.
    pub fn decode(wire: Bytes) -> Result<Self, DecodeError> {
        let mut header = Vec::new();
        let mut places = Vec::new();
        let mut rest = &wire[..];
        while !rest.is_empty() {
            let start = wire.len() - rest.len();
            let (number, value) = next_field(&mut rest)?;
            let end = wire.len() - rest.len();
            match value {
                Value::Bytes(event) if number == u32::from(field::EVENTS) => places.push(Place::read(event, end)?),
                _ => header.extend_from_slice(&wire[start..end]),
            }
        }
        Ok(Self { header: EventBatch::decode(&header[..])?, records: Records { text: wire, places } })
    }
}

impl Records {
    /// Events whose texts stand in `text`, within whose bounds the places lie.
    #[must_use]
    pub fn new(text: Bytes, places: Vec<Place>) -> Self {
        Self { text, places }
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// One after the other.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Record<'_>> {
        self.places.iter().map(|place| self.at(place))
    }

    /// The event at `index`, if there are so many.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<Record<'_>> {
        self.places.get(index).map(|place| self.at(place))
    }

    /// Some of them, in the same memory.
    #[must_use]
    pub fn slice(&self, range: Range<usize>) -> Self {
        Self { text: self.text.clone(), places: self.places[range].to_vec() }
    }

    fn at(&self, place: &Place) -> Record<'_> {
        Record {
            row_id: str::from_utf8(&self.text[place.row_id.clone()]).unwrap_or_default(),
            event_time_unix_nano: place.event_time_unix_nano,
            record: &self.text[place.record.clone()],
        }
    }
}

impl Record<'_> {
    fn encoded_len(&self) -> usize {
        let texts = [self.row_id.as_bytes(), self.record].map(|text| match text.len() {
            0 => 0,
            length => 1 + length_delimiter_len(length) + length,
        });
        texts[0] + texts[1] + if self.event_time_unix_nano == 0 { 0 } else { 1 + size_of::<i64>() }
    }

    /// What has its default value is left out, as proto3 has it.
    fn encode(&self, out: &mut Vec<u8>) {
        if !self.row_id.is_empty() {
            open(out, field::ROW_ID, self.row_id.len());
            out.extend_from_slice(self.row_id.as_bytes());
        }
        if self.event_time_unix_nano != 0 {
            out.push(field::EVENT_TIME << 3 | form::EIGHT_BYTES);
            out.extend_from_slice(&self.event_time_unix_nano.to_le_bytes());
        }
        if !self.record.is_empty() {
            open(out, field::RECORD, self.record.len());
            out.extend_from_slice(self.record);
        }
    }
}

impl Place {
    /// Reads the encoded event that ends at byte `end` of the text.
    fn read(event: &[u8], end: usize) -> Result<Self, DecodeError> {
        let mut place = Self { row_id: 0..0, event_time_unix_nano: 0, record: 0..0 };
        let mut rest = event;
        while !rest.is_empty() {
            let (number, value) = next_field(&mut rest)?;
            let to = end - rest.len();
            match (u8::try_from(number), value) {
                (Ok(field::ROW_ID), Value::Bytes(text)) if text.is_ascii() => place.row_id = to - text.len()..to,
                (Ok(field::RECORD), Value::Bytes(text)) => place.record = to - text.len()..to,
                (Ok(field::EVENT_TIME), Value::EightBytes(time)) => {
                    place.event_time_unix_nano = i64::from_le_bytes(time);
                }
                (Ok(field::ROW_ID | field::RECORD | field::EVENT_TIME), _) => return Err(malformed()),
                _ => {}
            }
        }
        Ok(place)
    }
}

enum Value<'w> {
    Bytes(&'w [u8]),
    EightBytes([u8; 8]),
    Other,
}

/// Takes a field off `rest`: its number and its value.
fn next_field<'w>(rest: &mut &'w [u8]) -> Result<(u32, Value<'w>), DecodeError> {
    let key = u32::try_from(decode_length_delimiter(&mut *rest)?).map_err(|_| malformed())?;
    let number = Some(key >> 3).filter(|number| *number > 0).ok_or_else(malformed)?;
    let value = match u8::try_from(key & 7).unwrap_or_default() {
        form::LENGTH_DELIMITED => {
            let length = decode_length_delimiter(&mut *rest)?;
            Value::Bytes(rest.split_off(..length).ok_or_else(malformed)?)
        }
        form::EIGHT_BYTES => {
            let bytes = rest.split_off(..size_of::<u64>()).ok_or_else(malformed)?;
            Value::EightBytes(bytes.try_into().map_err(|_| malformed())?)
        }
        form::FOUR_BYTES => rest.split_off(..size_of::<u32>()).map(|_| Value::Other).ok_or_else(malformed)?,
        form::VARINT => decode_length_delimiter(&mut *rest).map(|_| Value::Other)?,
        _ => return Err(malformed()),
    };
    Ok((number, value))
}

fn open(out: &mut Vec<u8>, number: u8, length: usize) {
    out.push(number << 3 | form::LENGTH_DELIMITED);
    encode_length_delimiter(length, out).expect(ROOM_FOR_ALL);
}

const ROOM_FOR_ALL: &str = "a vector has room for all";

/// An error as the generated code makes it: there is no other way to one.
fn malformed() -> DecodeError {
    decode_length_delimiter(&b""[..]).expect_err("nothing is no number")
}

impl From<EventBatch> for Batch {
    fn from(mut batch: EventBatch) -> Self {
        let records = std::mem::take(&mut batch.events).into_iter().collect();
        Self { header: batch, records }
    }
}

impl From<Batch> for EventBatch {
    fn from(batch: Batch) -> Self {
        let events = batch.records.iter().map(Event::from).collect();
        Self { events, ..batch.header }
    }
}

impl From<Record<'_>> for Event {
    fn from(record: Record<'_>) -> Self {
        Self {
            row_id: record.row_id.into(),
            event_time_unix_nano: record.event_time_unix_nano,
            record: Bytes::copy_from_slice(record.record),
        }
    }
}

impl FromIterator<Event> for Records {
    fn from_iter<I: IntoIterator<Item = Event>>(events: I) -> Self {
        let (mut text, mut places) = (Vec::new(), Vec::new());
        let mut put = |bytes: &[u8]| {
            text.extend_from_slice(bytes);
            text.len() - bytes.len()..text.len()
        };
        for event in events {
            let (row_id, record) = (put(event.row_id.as_bytes()), put(&event.record));
            places.push(Place { row_id, event_time_unix_nano: event.event_time_unix_nano, record });
        }
        Self { text: text.into(), places }
    }
}

impl PartialEq for Records {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

/// A number only: records do not belong into messages.
impl std::fmt::Debug for Records {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Records({})", self.places.len())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn event() -> impl Strategy<Value = Event> {
        ("[0-9a-f]{0,32}", prop_oneof![Just(0), any::<i64>()], prop::collection::vec(any::<u8>(), 0..300)).prop_map(
            |(row_id, event_time_unix_nano, record)| Event { row_id, event_time_unix_nano, record: record.into() },
        )
    }

    fn batch() -> impl Strategy<Value = EventBatch> {
        (".{0,9}", any::<u64>(), any::<i64>(), prop::collection::vec(event(), 0..5)).prop_map(
            |(page_id, page_sequence, fetched_at_unix_nano, events)| EventBatch {
                page_id,
                page_sequence,
                fetched_at_unix_nano,
                events,
                pages_epoch: "65a0".into(),
                ..EventBatch::default()
            },
        )
    }

    proptest! {
        #[test]
        fn it_is_the_generated_message_on_the_wire(expect in batch()) {
            let batch = Batch::from(expect.clone());
            let mut wire = Vec::new();
            batch.encode(&mut wire);
            prop_assert_eq!(wire.len(), expect.encoded_len());
            prop_assert_eq!(&EventBatch::decode(&wire[..]).unwrap(), &expect);
            // The generated code puts the events between other fields.
            for wire in [wire, expect.encode_to_vec()] {
                let decoded = Batch::decode(wire.into()).unwrap();
                prop_assert_eq!(&decoded, &batch);
                prop_assert_eq!(&EventBatch::from(decoded), &expect);
            }
        }

        #[test]
        fn whatever_comes_is_read_or_refused(expect in batch(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
            let mut wire = expect.encode_to_vec();
            if !wire.is_empty() {
                let at = at.index(wire.len());
                wire[at] = byte;
                let cut = Bytes::copy_from_slice(&wire[..at]);
                prop_assert!(Batch::decode(cut.clone()).is_ok() <= EventBatch::decode(cut).is_ok());
            }
            let wire = Bytes::from(wire);
            if let Ok(batch) = Batch::decode(wire.clone()) {
                let generated = EventBatch::decode(wire);
                prop_assert_eq!(generated.map(Batch::from), Ok(batch));
            }
        }
    }

    #[test]
    fn a_slice_holds_the_same_events() {
        let events = (0..4).map(|at| Event { event_time_unix_nano: at, ..Event::default() });
        let records: Records = events.clone().collect();
        assert_eq!(records.slice(1..3), events.skip(1).take(2).collect());
        assert_eq!(records.get(2).map(|record| record.event_time_unix_nano), Some(2));
        assert!(records.get(4).is_none());
    }
}
