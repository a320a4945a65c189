//! What keeps a reading from delivering what it has come upon.

/// Why a reading stays where it is, with events before it that it cannot deliver. Its state says so in a word, and alerts repeat that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// Stream PAGES has no room.
    StreamFull,
    /// A single event exceeds what nats-server takes.
    PageTooLarge,
    /// A single event exceeds what is taken of an answer.
    TooLarge,
    /// Polling was faster each time.
    Contended,
}

impl Obstacle {
    const ALL: [Self; 4] = [Self::StreamFull, Self::PageTooLarge, Self::TooLarge, Self::Contended];

    /// Its stable word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::StreamFull => "stream_full",
            Self::PageTooLarge => "page_too_large",
            Self::TooLarge => "too_large",
            Self::Contended => "contended",
        }
    }

    /// Reads a word. `None`: what it says, such as a time-out, tells of no event that waits.
    #[must_use]
    pub fn read(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|obstacle| obstacle.word() == word)
    }

    /// Whether it lasts until somebody acts, and not only until polling is less busy.
    #[must_use]
    pub const fn is_lasting(self) -> bool {
        !matches!(self, Self::Contended)
    }
}
