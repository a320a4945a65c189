//! Copies text that stays as it is, in pieces as long as possible.
//!
//! An event has some thirty fields of twenty bytes; where they follow each other in the record as they do in the event, one copy of
//! six hundred bytes takes the place of thirty.

use std::ops::Range;

/// The piece that is to be copied next, if what follows does not make it longer.
pub(super) struct Run<'t> {
    text: &'t str,
    from: usize,
    to: usize,
}

impl<'t> Run<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self { text, from: 0, to: 0 }
    }

    /// Begins an object with the brace that stands at `at`.
    pub(super) fn open(&mut self, out: &mut Vec<u8>, at: usize) {
        self.flush(out);
        (self.from, self.to) = (at, at + 1);
    }

    /// Adds `"name":value` or, for an object, `"name":{`, with a comma if it is not the first.
    pub(super) fn member(&mut self, out: &mut Vec<u8>, range: Range<usize>) {
        let bytes = self.text.as_bytes();
        if self.from < self.to {
            let first = bytes[self.to - 1] == b'{';
            let follows = self.to == range.start || self.to + 1 == range.start && bytes[self.to] == b',';
            // Behind a brace nothing may lie between, and elsewhere just the comma.
            if follows && first == (self.to == range.start) {
                self.to = range.end;
                return;
            }
        }
        self.flush(out);
        if out.last() != Some(&b'{') {
            out.push(b',');
        }
        (self.from, self.to) = (range.start, range.end);
    }

    /// Adds `"name":`, for a value that is written anew.
    pub(super) fn interrupt(&mut self, out: &mut Vec<u8>, key: Range<usize>) {
        self.member(out, key);
        self.flush(out);
    }

    /// Ends an object whose brace stands at `at`.
    pub(super) fn close(&mut self, out: &mut Vec<u8>, at: usize) {
        if self.from < self.to && self.to == at {
            self.to += 1;
        } else {
            self.flush(out);
            out.push(b'}');
        }
    }

    /// Copies what is to be copied.
    pub(super) fn flush(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.text.as_bytes()[self.from..self.to]);
        self.from = self.to;
    }

    /// A place to go [`Run::back`] to: everything up to here written.
    pub(super) fn mark(&mut self, out: &mut Vec<u8>) -> usize {
        self.flush(out);
        out.len()
    }

    /// Takes back what was written since `mark`.
    pub(super) fn back(&mut self, out: &mut Vec<u8>, mark: usize) {
        out.truncate(mark);
        self.from = self.to;
    }
}
