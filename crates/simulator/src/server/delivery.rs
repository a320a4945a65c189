//! How an answer's body goes out: whole, compressed, slowly, stretched, or not to its end.
//!
//! A delivery is planned as a list of steps, without I/O, and a stream then takes one step after the other. What was served
//! is counted by a step as well, the last before the body's end: a client that gave up earlier was served nothing.

use std::{collections::VecDeque, io::Write as _, time::Duration};

use axum::body::{Body, Bytes};
use flate2::{Compression, write::GzEncoder};
use futures::{Stream, stream};

use crate::fault::{Delivery, Encoding, Ending, Slowness};

/// Blanks sent or compressed at a time.
const BLANKS: &[u8] = &[b' '; 64 * 1024];

/// So long a half body is left to reach the client before the connection is reset: a reset may overtake what it follows.
const BEFORE_RESET: Duration = Duration::from_millis(30);

/// One step of sending a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Send(Bytes),
    /// So many blanks.
    Blanks(usize),
    Wait(Duration),
    /// What the body holds is served from here on.
    Count,
    /// The connection ends here.
    Fail,
}

/// A body ready to be sent.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Parcel {
    pub(crate) steps: VecDeque<Step>,
    /// What `Content-Length` says.
    pub(crate) length: usize,
    /// What `Content-Encoding` says.
    pub(crate) gzip: bool,
}

/// Plans the delivery of a body. `accepts_gzip` is the client's word.
pub(crate) fn pack(body: Bytes, delivery: Delivery, accepts_gzip: bool) -> Parcel {
    let gzip = match delivery.encoding {
        Encoding::Plain => false,
        Encoding::Gzip => accepts_gzip,
        Encoding::CorruptGzip => true,
    };
    let blanks = delivery.stretch.map_or(0, |length| length.saturating_sub(body.len()));
    let mut parts = stretched(body, blanks);
    if gzip {
        parts = vec![Step::Send(compressed(&parts, delivery.encoding == Encoding::CorruptGzip))];
    }
    let length = parts.iter().map(Step::length).sum();
    match (delivery.ending, delivery.slowness) {
        (Ending::Whole, None) => Parcel { steps: counted(parts), length, gzip },
        (Ending::Whole, Some(slow)) => Parcel { steps: counted(slowly(parts, length, slow)), length, gzip },
        (Ending::CutShort, _) => {
            let half = first_half(parts, length);
            Parcel { length: half.iter().map(Step::length).sum(), steps: half.into(), gzip }
        }
        (ending, _) => {
            let mut steps = first_half(parts, length);
            if ending == Ending::Reset {
                steps.push(Step::Wait(BEFORE_RESET));
            }
            steps.push(Step::Fail);
            Parcel { steps: steps.into(), length, gzip }
        }
    }
}

/// Takes the steps. `count` is called at most once, at its step.
pub(crate) fn send(steps: VecDeque<Step>, count: impl FnOnce() + Send + 'static) -> Body {
    Body::from_stream(taking(steps, count))
}

fn taking(
    steps: VecDeque<Step>,
    count: impl FnOnce() + Send + 'static,
) -> impl Stream<Item = Result<Bytes, std::io::Error>> + Send {
    stream::unfold((steps, Some(count)), |(mut steps, mut count)| async move {
        loop {
            let chunk = match steps.pop_front()? {
                Step::Send(bytes) => Ok(bytes),
                Step::Blanks(left) => {
                    let now = left.min(BLANKS.len());
                    if left > now {
                        steps.push_front(Step::Blanks(left - now));
                    }
                    Ok(Bytes::from_static(&BLANKS[..now]))
                }
                Step::Wait(pause) => {
                    tokio::time::sleep(pause).await;
                    continue;
                }
                Step::Count => {
                    if let Some(count) = count.take() {
                        count();
                    }
                    continue;
                }
                Step::Fail => Err(std::io::ErrorKind::ConnectionAborted.into()),
            };
            return Some((chunk, (steps, count)));
        }
    })
}

impl Step {
    fn length(&self) -> usize {
        match self {
            Self::Send(bytes) => bytes.len(),
            Self::Blanks(length) => *length,
            Self::Wait(_) | Self::Count | Self::Fail => 0,
        }
    }

    /// The first `length` bytes of this step, and the rest.
    fn split(self, length: usize) -> (Self, Self) {
        match self {
            Self::Send(bytes) => (Self::Send(bytes.slice(..length)), Self::Send(bytes.slice(length..))),
            Self::Blanks(blanks) => (Self::Blanks(length), Self::Blanks(blanks - length)),
            other => (other.clone(), other),
        }
    }
}

/// The body with blanks before its last byte, where JSON allows them.
fn stretched(body: Bytes, blanks: usize) -> Vec<Step> {
    if blanks == 0 || body.is_empty() {
        return vec![Step::Send(body)];
    }
    let last = body.len() - 1;
    vec![Step::Send(body.slice(..last)), Step::Blanks(blanks), Step::Send(body.slice(last..))]
}

/// The parts compressed; corrupt, the check sum at the end and a byte in the middle are wrong.
fn compressed(parts: &[Step], corrupt: bool) -> Bytes {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    for part in parts {
        match part {
            Step::Send(bytes) => write(&mut encoder, bytes),
            Step::Blanks(length) => {
                let mut left = *length;
                while left > 0 {
                    let now = left.min(BLANKS.len());
                    write(&mut encoder, &BLANKS[..now]);
                    left -= now;
                }
            }
            Step::Wait(_) | Step::Count | Step::Fail => {}
        }
    }
    let mut bytes = encoder.finish().expect(IN_MEMORY);
    if corrupt {
        let (middle, sum) = (bytes.len() / 2, bytes.len() - 8);
        for place in [middle, sum] {
            bytes[place] ^= 0xff;
        }
    }
    bytes.into()
}

fn write(encoder: &mut GzEncoder<Vec<u8>>, bytes: &[u8]) {
    encoder.write_all(bytes).expect(IN_MEMORY);
}

const IN_MEMORY: &str = "compressing into memory does not fail";

/// Puts the counting before the last part.
fn counted(mut parts: Vec<Step>) -> VecDeque<Step> {
    parts.insert(parts.len().saturating_sub(1), Step::Count);
    parts.into()
}

fn first_half(parts: Vec<Step>, length: usize) -> Vec<Step> {
    cut(parts.into(), length / 2).0.into()
}

/// The first `length` bytes, and the rest.
fn cut(mut parts: VecDeque<Step>, length: usize) -> (VecDeque<Step>, VecDeque<Step>) {
    let (mut front, mut left) = (VecDeque::new(), length);
    while left > 0 {
        let Some(part) = parts.pop_front() else { break };
        let taken = part.length().min(left);
        let (first, rest) = part.split(taken);
        left -= taken;
        front.push_back(first);
        if rest.length() > 0 {
            parts.push_front(rest);
        }
    }
    (front, parts)
}

/// The parts in so many pieces of about one length, with a pause before each but the first.
fn slowly(parts: Vec<Step>, length: usize, slow: Slowness) -> Vec<Step> {
    let each = length.div_ceil(usize::try_from(slow.pieces).unwrap_or(usize::MAX)).max(1);
    let (mut steps, mut left) = (Vec::new(), VecDeque::from(parts));
    while !left.is_empty() {
        if !steps.is_empty() {
            steps.push(Step::Wait(slow.pause));
        }
        let (piece, rest) = cut(left, each);
        steps.extend(piece);
        left = rest;
    }
    steps
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use flate2::read::GzDecoder;

    use super::*;

    const BODY: &[u8] = br#"{"items":[1,2,3]}"#;

    fn parcel(delivery: Delivery) -> Parcel {
        pack(Bytes::from_static(BODY), delivery, true)
    }

    /// The bytes that leave before the end or the failure.
    fn sent(parcel: &Parcel) -> Vec<u8> {
        let mut out = Vec::new();
        for step in &parcel.steps {
            match step {
                Step::Send(bytes) => out.extend_from_slice(bytes),
                Step::Blanks(length) => out.resize(out.len() + length, b' '),
                Step::Wait(_) | Step::Count | Step::Fail => {}
            }
        }
        out
    }

    fn has(parcel: &Parcel, wanted: &Step) -> bool {
        parcel.steps.contains(wanted)
    }

    #[test]
    fn each_ending_keeps_its_word_about_the_length() {
        let check = |ending, length: usize, sent_bytes: usize, fails: bool| {
            let parcel = parcel(Delivery { ending, ..Delivery::default() });
            assert_eq!((parcel.length, sent(&parcel).len(), has(&parcel, &Step::Fail)), (length, sent_bytes, fails));
            assert_eq!(has(&parcel, &Step::Count), ending == Ending::Whole, "{ending:?}");
        };
        check(Ending::Whole, 17, 17, false);
        check(Ending::Truncated, 17, 8, true);
        check(Ending::Reset, 17, 8, true);
        check(Ending::CutShort, 8, 8, false);
    }

    #[test]
    fn a_slow_body_is_whole_and_counts_before_its_last_piece() {
        let pause = Duration::from_secs(1);
        for (pieces, pauses) in [(2, 1), (5, 4), (1000, 16)] {
            let parcel = parcel(Delivery { slowness: Some(Slowness { pieces, pause }), ..Delivery::default() });
            assert_eq!(sent(&parcel), BODY);
            assert_eq!(parcel.steps.iter().filter(|step| matches!(step, Step::Wait(_))).count(), pauses, "{pieces}");
            assert_eq!(parcel.steps[parcel.steps.len() - 2], Step::Count);
        }
    }

    #[test]
    fn a_stretched_body_is_the_same_json() {
        let stretched = |length| parcel(Delivery { stretch: Some(length), ..Delivery::default() });
        assert_eq!(sent(&stretched(3)), BODY);
        let parcel = stretched(200_000);
        let bytes = sent(&parcel);
        assert_eq!((bytes.len(), parcel.length), (200_000, 200_000));
        let value: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(value, serde_json::from_slice::<serde_json::Value>(BODY).unwrap());
    }

    #[test]
    fn gzip_reads_back_and_corrupt_gzip_does_not() {
        let unpack = |delivery| {
            let mut out = Vec::new();
            GzDecoder::new(&sent(&parcel(delivery))[..]).read_to_end(&mut out).map(|_| out)
        };
        let gzip = Delivery { encoding: Encoding::Gzip, ..Delivery::default() };
        assert_eq!(unpack(gzip).unwrap(), BODY);
        assert_eq!(unpack(Delivery { stretch: Some(1_000_000), ..gzip }).unwrap().len(), 1_000_000);
        assert!(unpack(Delivery { encoding: Encoding::CorruptGzip, ..gzip }).is_err());
        assert!(!pack(Bytes::from_static(BODY), gzip, false).gzip, "not asked for");
    }
}
