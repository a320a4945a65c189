//! Standard output that may be closed at any time, as by `| head`.
//!
//! A reader that has seen enough is no failure, and no success either: what a command found decides its exit code, whether or not
//! anybody read it. So what is written after the end of the reader is dropped, and the work goes on to its verdict.

use std::io::{self, Write};

/// A writer that takes everything once its reader is gone.
pub(crate) struct UntilClosed<W> {
    inner: W,
    closed: bool,
}

impl<W: Write> UntilClosed<W> {
    pub(crate) fn new(inner: W) -> Self {
        Self { inner, closed: false }
    }

    fn unless_closed<T>(&mut self, else_say: T, act: impl FnOnce(&mut W) -> io::Result<T>) -> io::Result<T> {
        if self.closed {
            return Ok(else_say);
        }
        match act(&mut self.inner) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                self.closed = true;
                Ok(else_say)
            }
            other => other,
        }
    }
}

impl<W: Write> Write for UntilClosed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.unless_closed(bytes.len(), |inner| inner.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.unless_closed((), W::flush)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes three bytes and fails from then on.
    struct Full(usize, io::ErrorKind);

    impl Write for Full {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if self.0 + bytes.len() > 3 {
                return Err(self.1.into());
            }
            self.0 += bytes.len();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn only_the_end_of_the_reader_is_passed_over() {
        for (kind, expect) in [(io::ErrorKind::BrokenPipe, true), (io::ErrorKind::StorageFull, false)] {
            let mut out = UntilClosed::new(Full(0, kind));
            assert!(out.write_all(b"abc").is_ok());
            assert_eq!(out.write_all(b"d").is_ok(), expect);
            assert_eq!(out.write_all(b"e").is_ok(), expect);
            assert!(out.flush().is_ok());
        }
    }
}
