//! Reads sample events in the forms in which people have them: JSON objects one after the other, an array of them, or pages.
//!
//! One value is in memory at a time.

use std::{
    cell::Cell,
    fmt,
    io::{self, BufRead, Read},
    rc::Rc,
};

use latchkey_core::{infer::Samples, json};
use serde::{
    Deserialize, Deserializer as _,
    de::{Error as _, IgnoredAny, SeqAccess, Visitor},
};
use serde_json::{Deserializer, value::RawValue};

use super::lines::BYTE_ORDER_MARK;

/// The longest value, in bytes: an event, or a whole page, of which the largest take a few megabytes.
const MAX_VALUE_BYTES: usize = 32 << 20;

/// Takes in every event of `input`, or says where it is none.
pub(super) fn read(mut input: impl BufRead, samples: &mut Samples) -> Result<(), String> {
    let mut head = Vec::new();
    let whole = input.by_ref().take(BYTE_ORDER_MARK.len() as u64).read_to_end(&mut head);
    let head = head.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&head);
    let mut input = head.chain(input);
    let first = whole.and_then(|_| first_byte(&mut input)).map_err(|error| error.to_string())?;
    let left = Rc::new(Cell::new(MAX_VALUE_BYTES));
    let limited = Limited { input, left: Rc::clone(&left) };
    let mut deserializer = Deserializer::from_reader(limited);
    if first == Some(b'[') {
        let mut refused = None;
        let each = Each { samples, left: &left, refused: &mut refused };
        let read = deserializer.deserialize_seq(each).and_then(|()| deserializer.end());
        return read.map_err(|error| refused.unwrap_or_else(|| error.to_string()));
    }
    for value in deserializer.into_iter::<Box<RawValue>>() {
        let value = value.map_err(|error| error.to_string())?;
        left.set(MAX_VALUE_BYTES);
        match serde_json::from_str::<Page<'_>>(value.get()) {
            Ok(page) => page.items.iter().try_for_each(|item| take(samples, item))?,
            Err(_) => take(samples, &value)?,
        }
    }
    Ok(())
}

/// A page of the Events API, or what stands for one. An event may have `items` too: a page has nothing but these keys.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Page<'v> {
    #[serde(borrow)]
    items: Vec<&'v RawValue>,
    #[serde(rename = "cursor")]
    _cursor: Option<IgnoredAny>,
    #[serde(rename = "has_more")]
    _has_more: Option<IgnoredAny>,
}

fn take(samples: &mut Samples, event: &RawValue) -> Result<(), String> {
    let number = samples.count() + 1;
    let value = json::parse(event.get().as_bytes()).map_err(|error| format!("event {number}: {error}"))?;
    samples.add(&value).map_err(|error| format!("event {number}: {error}"))
}

fn first_byte(input: &mut impl BufRead) -> io::Result<Option<u8>> {
    loop {
        let chunk = input.fill_buf()?;
        if chunk.is_empty() {
            return Ok(None);
        }
        if let Some(byte) = chunk.iter().find(|byte| !byte.is_ascii_whitespace()) {
            return Ok(Some(*byte));
        }
        let length = chunk.len();
        input.consume(length);
    }
}

/// The elements of an array, one by one.
struct Each<'s> {
    samples: &'s mut Samples,
    left: &'s Cell<usize>,
    /// What is wrong with the element in hand, in words of our own.
    refused: &'s mut Option<String>,
}

impl<'de> Visitor<'de> for Each<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an array of events")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        while let Some(element) = elements.next_element::<Box<RawValue>>()? {
            self.left.set(MAX_VALUE_BYTES);
            if let Err(reason) = take(self.samples, &element) {
                *self.refused = Some(reason);
                return Err(A::Error::custom("refused"));
            }
        }
        Ok(())
    }
}

/// Refuses to read more than is left for one value.
struct Limited<R> {
    input: R,
    left: Rc<Cell<usize>>,
}

impl<R: Read> Read for Limited<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left.get() == 0 {
            let reason = format!("a value is longer than {MAX_VALUE_BYTES} bytes");
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, reason));
        }
        let room = buffer.len().min(self.left.get());
        let count = self.input.read(&mut buffer[..room])?;
        self.left.set(self.left.get() - count);
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use latchkey_core::infer::Options;

    use super::*;

    /// How many events were taken in, or why not.
    fn check(text: &str, expect: Result<u64, &str>) {
        let mut samples = Samples::new(Options::default());
        let read = read(text.as_bytes(), &mut samples).map(|()| samples.count());
        assert_eq!(read.as_ref().map_err(String::as_str), expect.as_ref().map_err(|reason| *reason), "{text}");
    }

    #[test]
    fn events_come_in_several_forms() {
        check("", Ok(0));
        check("{\"a\":1}\n\n{\"a\":2}\n", Ok(2));
        check("{\n \"a\": 1\n}{}", Ok(2));
        check(" \n[{\"a\":1}, {}]\n", Ok(2));
        check("[]", Ok(0));
        check("{\"cursor\":\"c\",\"has_more\":true,\"items\":[{},{},{}]}", Ok(3));
        check("{\"items\":[{},{}]}\n{\"items\":[{}]}", Ok(3));
        check("{\"items\":[{},{}],\"order\":7}", Ok(1));
    }

    #[test]
    fn what_is_no_event_is_named() {
        check("{}\n[]", Err("event 2: an event is a JSON object"));
        check("[{},5]", Err("event 2: an event is a JSON object"));
        check("{\"items\":[{},5]}", Err("event 2: an event is a JSON object"));
        check("[{\"a\":\"\\ud800\"}]", Err("event 1: malformed string at byte 6"));
        check("{}\nx", Err("expected value at line 2 column 1"));
        check("[{}", Err("EOF while parsing a list at line 1 column 3"));
        check("[{}] x", Err("trailing characters at line 1 column 6"));
    }
}
