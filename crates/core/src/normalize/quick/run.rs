//! Copies text that stays as it is, in pieces as long as possible.
//!
//! An event has some thirty fields of twenty bytes; where they follow each other in the record as they do in the event, one copy of
//! six hundred bytes takes the place of thirty.

use std::ops::Range;

/// No member stands there.
const NOWHERE: usize = usize::MAX;

/// The piece that is to be copied next, if what follows does not make it longer.
pub(super) struct Run<'t> {
    text: &'t str,
    from: usize,
    to: usize,
    /// Where the member stands that would make the piece longer: at its end if it ends with an opened object, else behind a comma.
    next: usize,
}

impl<'t> Run<'t> {
    /// The piece is the brace at byte `at` of the text.
    pub(super) fn new(text: &'t str, at: usize) -> Self {
        Self { text, from: at, to: at + 1, next: at + 1 }
    }

    /// Adds `"name":value`, with a comma if it is not the first.
    #[inline]
    pub(super) fn member(&mut self, out: &mut Vec<u8>, range: Range<usize>) {
        if range.start != self.next {
            self.turn_to(out, range.start);
        }
        self.to = range.end;
        self.next = range.end + 1;
    }

    /// Adds `"name":{`, with a comma if it is not the first.
    pub(super) fn open(&mut self, out: &mut Vec<u8>, range: Range<usize>) {
        self.member(out, range);
        self.next = self.to;
    }

    fn turn_to(&mut self, out: &mut Vec<u8>, at: usize) {
        self.flush(out);
        if out.last() != Some(&b'{') {
            out.push(b',');
        }
        self.from = at;
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
            self.next = self.to + 1;
        } else {
            self.flush(out);
            out.push(b'}');
        }
    }

    /// Copies what is to be copied.
    pub(super) fn flush(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.text.as_bytes()[self.from..self.to]);
        self.from = self.to;
        self.next = NOWHERE;
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
