//! Users learned from the events that pass through this process.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use arc_swap::ArcSwap;
use latchkey_core::lookup::Learned;

/// How often what was learned is shown to those who normalize, once there is much: each time costs a copy.
const SHOW_EVERY: Duration = Duration::from_secs(1);

/// Few enough to be copied whenever somebody is added.
const FEW: usize = 1_000;

/// What events taught.
#[derive(Default)]
pub(crate) struct Learning {
    shown: ArcSwap<Learned>,
    book: Mutex<Book>,
}

#[derive(Default)]
struct Book {
    learned: Learned,
    /// Whether it says more than what is shown.
    ahead: bool,
    shown_at: Option<Instant>,
}

impl Learning {
    pub(super) fn learned(&self) -> Arc<Learned> {
        self.shown.load_full()
    }

    pub(super) fn learn<'r>(&self, records: impl Iterator<Item = &'r [u8]>) {
        let mut book = self.book.lock().unwrap_or_else(PoisonError::into_inner);
        for record in records {
            let new = book.learned.learn(record);
            book.ahead |= new;
        }
        let due = book.learned.len() <= FEW || book.shown_at.is_none_or(|shown| shown.elapsed() >= SHOW_EVERY);
        if book.ahead && due {
            self.shown.store(Arc::new(book.learned.clone()));
            (book.ahead, book.shown_at) = (false, Some(Instant::now()));
        }
    }
}
