//! The way from a beginning to the end of what a feed has, page by page: what the next beginning needs to know of it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::cursor::Cursor;

/// What is read again reaches over so many pages at least, if there are as many, and over fewer than twice as many: within
/// [`crate::duplicates::MAX_UUIDS`].
pub(super) const PAGES: u32 = 8;

/// A place between two pages.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct UnderWay {
    token: String,
    /// Pages behind us since `later` was noted.
    pages: u32,
    /// Oldest insertion times of pages behind us: of one at least [`PAGES`] back, if there are so many, and of a later one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    earlier: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    later: Option<Timestamp>,
    /// A page had something older than was noted before it: what lies ahead may be older still.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    disordered: bool,
}

impl UnderWay {
    /// What leads on.
    pub(super) fn token(&self) -> &str {
        &self.token
    }

    /// The oldest insertion time of a page at least [`PAGES`] back.
    pub(super) fn earlier(&self) -> Option<Timestamp> {
        self.earlier
    }

    /// An insertion time such that nothing that lies ahead is as old, if the pages behind us say so: they came in order, and went past it.
    pub(super) fn reached(&self) -> Option<Timestamp> {
        // While all are of one moment, more of it may lie ahead.
        self.earlier.filter(|earlier| !self.disordered && Some(*earlier) < self.later)
    }

    /// The place after a page whose next one has this token.
    pub(super) fn onto(token: &Cursor, before: Option<Self>, oldest: Option<Timestamp>) -> Self {
        let token = token.as_str().to_owned();
        let Some(before) = before else {
            return Self { token, pages: 1, earlier: None, later: oldest, disordered: false };
        };
        // An API that gives a token for itself is at the same place.
        if before.token == token {
            return before;
        }
        let disordered =
            before.disordered || oldest.is_some_and(|oldest| before.later.is_some_and(|later| oldest < later));
        if before.pages < PAGES {
            Self { token, pages: before.pages + 1, disordered, ..before }
        } else {
            Self { token, pages: 1, earlier: before.later, later: oldest, disordered }
        }
    }
}
