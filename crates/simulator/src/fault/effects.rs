//! What several faults together do to one request.

use std::time::Duration;

use super::{BadItem, Fault, RetryAfter};

/// The faults of one request, sorted by what they touch.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Effects {
    /// The names of all that apply, for the request log.
    pub(crate) names: Vec<&'static str>,
    pub(crate) instead: Option<Instead>,
    pub(crate) page: PageFaults,
    pub(crate) delivery: Delivery,
}

/// What comes instead of the ordinary answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Instead {
    Status { code: u16, retry_after: Option<RetryAfter> },
    RejectCursor,
    Html,
    Hang,
    Reset,
}

/// What is wrong with the page.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct PageFaults {
    pub(crate) shape: Shape,
    /// The share, and whether doubles come from earlier pages.
    pub(crate) doubled: Option<(f64, bool)>,
    pub(crate) shuffled: bool,
    /// The share, and how much later.
    pub(crate) late: Option<(f64, Duration)>,
    pub(crate) skipped: f64,
    pub(crate) bad_item: Option<BadItem>,
    pub(crate) item_bytes: usize,
}

/// What kind of page it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Shape {
    #[default]
    Whole,
    Empty,
    SameAgain,
    RepeatedCursor,
    NullItems,
    NoHasMore,
    NoCursor,
}

/// What is wrong with the delivery.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Delivery {
    pub(crate) delay: Duration,
    pub(crate) encoding: Encoding,
    pub(crate) ending: Ending,
    pub(crate) slowness: Option<Slowness>,
    /// Length to which blanks stretch the body.
    pub(crate) stretch: Option<usize>,
    pub(crate) date_skew: Option<i64>,
}

/// A body in pieces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Slowness {
    pub(crate) pieces: u32,
    pub(crate) pause: Duration,
}

/// How the body is encoded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Encoding {
    #[default]
    Plain,
    Gzip,
    CorruptGzip,
}

/// How the body ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Ending {
    #[default]
    Whole,
    Truncated,
    CutShort,
    Reset,
}

impl Shape {
    /// Whether a client may take the events from such a page.
    pub(crate) fn serves(self) -> bool {
        matches!(self, Self::Whole | Self::SameAgain | Self::RepeatedCursor)
    }
}

impl Delivery {
    /// Whether a client can read what is delivered so.
    pub(crate) fn serves(self) -> bool {
        let readable = self.encoding != Encoding::CorruptGzip && self.ending == Ending::Whole;
        // A stretched body that is compressed is small on its way: that it was sent says nothing about who took it.
        readable && (self.stretch.is_none() || self.encoding == Encoding::Plain)
    }
}

impl Effects {
    /// Whether the connection shall be reset behind the half body.
    pub(crate) fn resets_in_body(&self) -> bool {
        self.delivery.ending == Ending::Reset
    }

    /// Sorts faults: of those that replace the answer the first wins, of those that touch the same thing the last.
    pub(crate) fn of(faults: &[Fault]) -> Self {
        let mut effects = Self::default();
        for fault in faults {
            effects.add(fault);
        }
        effects
    }

    fn add(&mut self, fault: &Fault) {
        let (page, delivery) = (&mut self.page, &mut self.delivery);
        match *fault {
            Fault::None => return,
            Fault::Status { code, retry_after } => return self.replace(fault, Instead::Status { code, retry_after }),
            Fault::RejectCursor => return self.replace(fault, Instead::RejectCursor),
            Fault::Html => return self.replace(fault, Instead::Html),
            Fault::Hang => return self.replace(fault, Instead::Hang),
            Fault::Reset => return self.replace(fault, Instead::Reset),

            Fault::EmptyPage => page.shape = Shape::Empty,
            Fault::SamePage => page.shape = Shape::SameAgain,
            Fault::RepeatedCursor => page.shape = Shape::RepeatedCursor,
            Fault::NullItems => page.shape = Shape::NullItems,
            Fault::NoHasMore => page.shape = Shape::NoHasMore,
            Fault::NoCursor => page.shape = Shape::NoCursor,
            Fault::Doubled { share, across } => page.doubled = Some((share, across)),
            Fault::Shuffled => page.shuffled = true,
            Fault::Late { share, by } => page.late = Some((share, by)),
            Fault::Skipped { share } => page.skipped = share,
            Fault::BadItem(item) => page.bad_item = Some(item),
            Fault::BigItems { bytes } => page.item_bytes = bytes,

            Fault::Delay(delay) => delivery.delay = delivery.delay.saturating_add(delay),
            Fault::SlowBody { pieces, pause } => delivery.slowness = Some(Slowness { pieces, pause }),
            Fault::Truncated => delivery.ending = Ending::Truncated,
            Fault::CutShort => delivery.ending = Ending::CutShort,
            Fault::ResetInBody => delivery.ending = Ending::Reset,
            Fault::Gzip => delivery.encoding = Encoding::Gzip,
            Fault::CorruptGzip => delivery.encoding = Encoding::CorruptGzip,
            Fault::HugeBody { bytes } => delivery.stretch = Some(bytes),
            Fault::DateSkew { seconds } => delivery.date_skew = Some(seconds),
        }
        self.names.push(fault.name());
    }

    fn replace(&mut self, fault: &Fault, instead: Instead) {
        if self.instead.is_none() {
            self.instead = Some(instead);
            self.names.push(fault.name());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_replacement_wins_and_the_rest_adds_up() {
        let second = Duration::from_secs(1);
        let faults =
            [Fault::Delay(second), Fault::Hang, Fault::Html, Fault::Gzip, Fault::Shuffled, Fault::Delay(second)];
        let effects = Effects::of(&faults);
        assert_eq!(effects.instead, Some(Instead::Hang));
        assert_eq!(effects.delivery, Delivery { delay: 2 * second, encoding: Encoding::Gzip, ..Delivery::default() });
        assert!(effects.page.shuffled);
        assert_eq!(effects.names, ["delay", "hang", "gzip", "shuffled", "delay"]);
        assert_eq!(Effects::of(&[Fault::None]), Effects::default());
    }

    #[test]
    fn what_cannot_be_read_serves_nothing() {
        let check = |fault: Fault, serves: bool| {
            let effects = Effects::of(&[fault]);
            assert_eq!(effects.page.shape.serves() && effects.delivery.serves(), serves, "{:?}", effects.names);
        };
        for fault in [Fault::Gzip, Fault::SamePage, Fault::RepeatedCursor, Fault::HugeBody { bytes: 1 }] {
            check(fault, true);
        }
        for fault in [Fault::NullItems, Fault::NoHasMore, Fault::NoCursor, Fault::CorruptGzip] {
            check(fault, false);
        }
        for fault in [Fault::Truncated, Fault::CutShort, Fault::ResetInBody, Fault::EmptyPage] {
            check(fault, false);
        }
    }
}
