//! Reads a response body as a page: cursor, `has_more`, and where each item stands.
//!
//! Strict about the page and lenient about its items. A body that is not certainly a page must never read as "no events", so
//! whatever is missing or of another type is an [`Error`]. An item that is not what it should be still has its place in the page;
//! only its uuid is unknown, and validation refuses it later, alone.
//!
//! The body is walked once and nothing is copied: this runs for every event, and a document tree costs ten times as much.

mod scan;

use std::{borrow::Cow, str};

use self::scan::Scanner;
use crate::{
    cursor::{self, Cursor},
    special::Marks,
};

/// The most items in one page. The API answers with 1,000 at most; the bound keeps a hostile body from growing the list.
pub const MAX_ITEMS: usize = 10_000;

/// The deepest nesting, as in most JSON readers. Real pages have five levels.
pub const MAX_DEPTH: u32 = 128;

/// What a response body says as a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageView<'body> {
    /// Where the feed continues after this page.
    pub cursor: Cursor,
    /// Whether the API has another page at once.
    pub has_more: bool,
    /// The items in the page's order.
    pub items: Vec<ItemView<'body>>,
}

/// One item of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ItemView<'body> {
    /// The item's bytes as they came, without surrounding white space. Its brackets and quotes match; it need not be valid JSON.
    pub raw: &'body [u8],
    /// The item's own `uuid`, if it is an object that has one: a text and not empty.
    pub uuid: Option<Cow<'body, str>>,
}

/// Why a body is not a page.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Not a JSON object: an HTML page of a gateway, an array, nothing at all.
    #[error("the body is not a JSON object")]
    NotAnObject,
    /// Broken JSON, or a body cut short.
    #[error("the body is not valid JSON at byte {at}")]
    Syntax {
        /// Where the walk ended.
        at: usize,
    },
    /// Values nested deeper than [`MAX_DEPTH`].
    #[error("the body nests deeper than {MAX_DEPTH} levels at byte {at}")]
    TooDeep {
        /// Where the walk ended.
        at: usize,
    },
    /// Something follows the object.
    #[error("something follows the page at byte {at}")]
    Trailing {
        /// Where it begins.
        at: usize,
    },
    /// A field that every page has is absent.
    #[error("the page has no {0}")]
    Missing(&'static str),
    /// A field is of another type.
    #[error("the page's {0} is of the wrong type")]
    WrongType(&'static str),
    /// A field stands twice, and which one counts is anybody's guess.
    #[error("the page has {0} twice")]
    Repeated(&'static str),
    /// The cursor could not be sent back.
    #[error("the page's cursor is unusable: {0}")]
    Cursor(#[from] cursor::Error),
    /// More than [`MAX_ITEMS`].
    #[error("the page has more than {MAX_ITEMS} items")]
    TooManyItems,
}

/// Who takes in the items of a page, one after the other.
pub(crate) trait Items<'body> {
    /// Reads the item that begins at byte `at` of the body and says where it ends; `None` has it stepped over and given to
    /// [`Items::take`]. For those who read every item anyway: stepping over it first would be half the work again. `marks` are those
    /// of the body.
    ///
    /// What does not certainly end there must not be read here, or one broken item would cost the page.
    fn read(&mut self, at: usize, marks: &Marks) -> Option<usize>;

    /// Takes an item that was stepped over.
    fn take(&mut self, item: ItemView<'body>);
}

/// Reads `body` as a page.
pub fn read(body: &[u8]) -> Result<PageView<'_>, Error> {
    let mut items = Vec::new();
    let (cursor, has_more) = read_items(body, &mut items)?;
    Ok(PageView { cursor, has_more, items })
}

/// Reads `body` as a page, item by item; the answer is its cursor and `has_more`. After an error, what `items` got counts for nothing.
pub(crate) fn read_items<'body>(body: &'body [u8], items: &mut impl Items<'body>) -> Result<(Cursor, bool), Error> {
    let marks = Marks::of(body);
    let mut scanner = Scanner::new(body, &marks);
    if !scanner.take(b'{') {
        return Err(Error::NotAnObject);
    }
    let mut fields = Fields::default();
    let mut more = !scanner.take(b'}');
    while more {
        let key = scanner.key()?;
        fields.read(key, &mut scanner, items)?;
        more = scanner.more(b'}')?;
    }
    scanner.end()?;
    fields.finish()
}

impl<'body> Items<'body> for Vec<ItemView<'body>> {
    fn read(&mut self, _at: usize, _marks: &Marks) -> Option<usize> {
        None
    }

    fn take(&mut self, item: ItemView<'body>) {
        self.push(item);
    }
}

#[derive(Default)]
struct Fields {
    cursor: Option<Cursor>,
    has_more: Option<bool>,
    items: Option<()>,
}

impl Fields {
    fn read<'body>(
        &mut self,
        key: &'body [u8],
        scanner: &mut Scanner<'body, '_>,
        taker: &mut impl Items<'body>,
    ) -> Result<(), Error> {
        match scan::text(key).as_deref() {
            Some("cursor") => put(&mut self.cursor, "cursor", cursor(scanner)?),
            Some("has_more") => put(&mut self.has_more, "has_more", has_more(scanner)?),
            Some("items") => put(&mut self.items, "items", items(scanner, taker)?),
            _ => scanner.value().map(|_| ()),
        }
    }

    fn finish(self) -> Result<(Cursor, bool), Error> {
        let cursor = self.cursor.ok_or(Error::Missing("cursor"))?;
        let has_more = self.has_more.ok_or(Error::Missing("has_more"))?;
        self.items.ok_or(Error::Missing("items"))?;
        Ok((cursor, has_more))
    }
}

fn put<T>(slot: &mut Option<T>, field: &'static str, value: T) -> Result<(), Error> {
    if slot.replace(value).is_some() { Err(Error::Repeated(field)) } else { Ok(()) }
}

fn cursor(scanner: &mut Scanner<'_, '_>) -> Result<Cursor, Error> {
    let text = scan::string(scanner.value()?).and_then(scan::text).ok_or(Error::WrongType("cursor"))?;
    Ok(text.parse()?)
}

fn has_more(scanner: &mut Scanner<'_, '_>) -> Result<bool, Error> {
    match scanner.value()? {
        b"true" => Ok(true),
        b"false" => Ok(false),
        _ => Err(Error::WrongType("has_more")),
    }
}

/// `null` is how some servers write an empty list.
fn items<'body>(scanner: &mut Scanner<'body, '_>, taker: &mut impl Items<'body>) -> Result<(), Error> {
    if !scanner.take(b'[') {
        return if scanner.value()? == b"null" { Ok(()) } else { Err(Error::WrongType("items")) };
    }
    let mut count = 0;
    let mut more = !scanner.take(b']');
    while more {
        if count == MAX_ITEMS {
            return Err(Error::TooManyItems);
        }
        count += 1;
        match taker.read(scanner.position(), scanner.marks()) {
            Some(end) => scanner.go_on_at(end),
            None => taker.take(item(scanner)?),
        }
        more = scanner.more(b']')?;
    }
    Ok(())
}

fn item<'body>(scanner: &mut Scanner<'body, '_>) -> Result<ItemView<'body>, Error> {
    let start = *scanner;
    if let Ok((raw, uuid)) = object(scanner) {
        return Ok(ItemView { raw, uuid: uuid.and_then(scan::text).filter(|uuid| !uuid.is_empty()) });
    }
    // No object, or one that is broken inside: matching brackets still tell where it ends.
    *scanner = start;
    Ok(ItemView { raw: scanner.value()?, uuid: None })
}

/// One item with the inside of its `uuid`, in the same walk.
fn object<'body>(scanner: &mut Scanner<'body, '_>) -> Result<(&'body [u8], Option<&'body [u8]>), Error> {
    let start = scanner.position();
    if !scanner.take(b'{') {
        return Err(Error::Syntax { at: start });
    }
    let mut uuid = None;
    let mut more = !scanner.take(b'}');
    while more {
        let key = scanner.key()?;
        let value = scanner.value()?;
        if key == b"uuid" {
            uuid = scan::string(value);
        }
        more = scanner.more(b'}')?;
    }
    Ok((scanner.since(start), uuid))
}

#[cfg(test)]
mod tests;
