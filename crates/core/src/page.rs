//! Reads a response body as a page: cursor, `has_more`, and where each item stands.
//!
//! What these are called is the feed's ([`crate::feed`]). Where pages have tokens in the place of cursors, a page without one is the last.
//!
//! Strict about the page and lenient about its items. A body that is not certainly a page must never read as "no events", so
//! whatever is missing or of another type is an [`Error`]. An item that is not what it should be still has its place in the page;
//! only its uuid is unknown, and validation refuses it later, alone.
//!
//! The body is walked once and nothing is copied: this runs for every event, and a document tree costs ten times as much.

mod scan;

use std::{borrow::Cow, str};

use latchkey_contracts::Feed;

use self::scan::Scanner;
use crate::{
    cursor::{self, Cursor},
    feed::{Definition, Paging, Shape},
    special::Marks,
};

/// The most items in one page. The API answers with 1,000 at most; the bound keeps a hostile body from growing the list.
pub const MAX_ITEMS: usize = 10_000;

/// The deepest nesting, as in most JSON readers. Real pages have five levels.
pub const MAX_DEPTH: u32 = 128;

/// What a response body says as a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageView<'body> {
    /// What leads on: the cursor, or the next page's token, which the last page has not.
    pub next: Option<Cursor>,
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
    /// The item's own `uuid`, if it is an object that has one: a text and not empty. In a feed that is paged by tokens, where pages
    /// bring again what the last had, an item without one goes by a text made of its bytes.
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
    /// A feed that is paged by tokens could not go on from this page.
    #[error("no item of the page says when 1Password had it")]
    NoTimes,
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

/// Reads `body` as a page of `feed`.
pub fn read(feed: Feed, body: &[u8]) -> Result<PageView<'_>, Error> {
    let mut items = Vec::new();
    let (next, has_more) = read_items(feed, body, &mut items)?;
    if Definition::of(feed).paging == Paging::PageToken {
        items.iter_mut().for_each(ItemView::name_by_bytes);
    }
    Ok(PageView { next, has_more, items })
}

/// Reads `body` as a page, item by item; the answer is what leads on and `has_more`. After an error, what `items` got counts for nothing.
pub(crate) fn read_items<'body>(
    feed: Feed,
    body: &'body [u8],
    items: &mut impl Items<'body>,
) -> Result<(Option<Cursor>, bool), Error> {
    let definition = Definition::of(feed);
    let marks = Marks::of(body);
    let mut scanner = Scanner::new(body, &marks);
    if !scanner.take(b'{') {
        return Err(Error::NotAnObject);
    }
    let mut fields = Fields::default();
    let mut more = !scanner.take(b'}');
    while more {
        let key = scanner.key()?;
        fields.read(&definition.answer, key, &mut scanner, items)?;
        more = scanner.more(b'}')?;
    }
    scanner.end()?;
    fields.finish(definition)
}

impl ItemView<'_> {
    fn name_by_bytes(&mut self) {
        self.uuid.get_or_insert_with(|| format!("bytes {}", blake3::hash(self.raw)).into());
    }
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
    next: Option<Next>,
    has_more: Option<bool>,
    items: Option<()>,
}

/// What stands where the cursor or token belongs.
enum Next {
    Cursor(Cursor),
    /// A token that says that there is none.
    Nothing,
}

impl Fields {
    fn read<'body>(
        &mut self,
        shape: &'static Shape,
        key: &'body [u8],
        scanner: &mut Scanner<'body, '_>,
        taker: &mut impl Items<'body>,
    ) -> Result<(), Error> {
        let Shape { items: list, next, has_more: more, .. } = shape;
        match scan::text(key).as_deref() {
            Some(key) if key == list => put(&mut self.items, list, items(list, scanner, taker)?),
            Some(key) if key == next && more.is_some() => {
                put(&mut self.next, next, Next::Cursor(cursor(next, scanner)?))
            }
            Some(key) if key == next => put(&mut self.next, next, token(next, scanner)?),
            Some(key) => match more.as_deref().filter(|name| *name == key) {
                Some(name) => put(&mut self.has_more, name, has_more(name, scanner)?),
                None => scanner.value().map(|_| ()),
            },
            None => scanner.value().map(|_| ()),
        }
    }

    fn finish(self, definition: &'static Definition) -> Result<(Option<Cursor>, bool), Error> {
        let shape = &definition.answer;
        let next = match self.next {
            Some(Next::Cursor(cursor)) => Some(cursor),
            Some(Next::Nothing) => None,
            None if shape.has_more.is_none() => None,
            None => return Err(Error::Missing(&shape.next)),
        };
        let has_more = match &shape.has_more {
            Some(name) => self.has_more.ok_or(Error::Missing(name))?,
            None => next.is_some(),
        };
        self.items.ok_or(Error::Missing(&shape.items))?;
        Ok((next, has_more))
    }
}

fn put<T>(slot: &mut Option<T>, field: &'static str, value: T) -> Result<(), Error> {
    if slot.replace(value).is_some() { Err(Error::Repeated(field)) } else { Ok(()) }
}

fn cursor(name: &'static str, scanner: &mut Scanner<'_, '_>) -> Result<Cursor, Error> {
    let text = scan::string(scanner.value()?).and_then(scan::text).ok_or(Error::WrongType(name))?;
    Ok(text.parse()?)
}

/// `null` and `""` are how some servers write a field that is not there.
fn token(name: &'static str, scanner: &mut Scanner<'_, '_>) -> Result<Next, Error> {
    let mut ahead = *scanner;
    match ahead.value()? {
        b"null" | b"\"\"" => {
            *scanner = ahead;
            Ok(Next::Nothing)
        }
        _ => cursor(name, scanner).map(Next::Cursor),
    }
}

fn has_more(name: &'static str, scanner: &mut Scanner<'_, '_>) -> Result<bool, Error> {
    match scanner.value()? {
        b"true" => Ok(true),
        b"false" => Ok(false),
        _ => Err(Error::WrongType(name)),
    }
}

/// `null` is how some servers write an empty list.
fn items<'body>(
    name: &'static str,
    scanner: &mut Scanner<'body, '_>,
    taker: &mut impl Items<'body>,
) -> Result<(), Error> {
    if !scanner.take(b'[') {
        return if scanner.value()? == b"null" { Ok(()) } else { Err(Error::WrongType(name)) };
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
