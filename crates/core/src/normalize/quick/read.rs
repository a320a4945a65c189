//! Notes where the value of each declared field stands in an event, and checks that the text is JSON without surprises.

use std::ops::Range;

use crate::{
    json::{Parser, Text},
    schema::{Member, Plan, find},
    special::Marks,
};

/// The most fields of one event that its schema does not declare, and of one object inside a value: repeated keys are found by
/// comparing each with each.
const MAX_STRANGERS: usize = 16;

/// The deepest nesting inside a value that is copied as it is.
const MAX_LEVELS: usize = 16;

/// Where a declared field's value stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slot {
    pub(super) form: Form,
    key: u32,
    start: u32,
    end: u32,
}

/// What a value looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Absent,
    Null,
    True,
    False,
    Number,
    /// A string without escapes.
    Plain,
    /// A string with escapes.
    Escaped,
    Array,
    Object,
}

/// A field that the schema does not declare. Its text is `"name":value`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stranger {
    /// The object it belongs to; `None`: the event itself.
    pub(super) object: Option<usize>,
    pub(super) start: usize,
    /// How long its name is, quotes not counted.
    pub(super) name: usize,
    pub(super) end: usize,
}

/// The places of one event's values. Reused from event to event.
#[derive(Debug, Default)]
pub(super) struct Places {
    pub(super) slots: Vec<Slot>,
    pub(super) strangers: Vec<Stranger>,
}

impl Slot {
    const ABSENT: Self = Self { form: Form::Absent, key: 0, start: 0, end: 0 };

    pub(super) fn is_set(self) -> bool {
        !matches!(self.form, Form::Absent | Form::Null)
    }

    pub(super) fn is_text(self) -> bool {
        matches!(self.form, Form::Plain | Form::Escaped)
    }

    /// Where the value stands.
    pub(super) fn range(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }

    /// Where the key and its colon stand.
    pub(super) fn key(self) -> Range<usize> {
        self.key as usize..self.start as usize
    }

    /// Where both stand.
    pub(super) fn member(self) -> Range<usize> {
        self.key as usize..self.end as usize
    }
}

impl Places {
    /// Reads the event that begins at byte `at` of `text`; where it ends, or `None` if there is anything unusual about it.
    pub(super) fn read(&mut self, plan: &Plan, text: &str, marks: &Marks, at: usize) -> Option<usize> {
        u32::try_from(text.len()).ok()?;
        self.slots.clear();
        self.slots.resize(plan.len(), Slot::ABSENT);
        self.strangers.clear();
        Reader { plan, text, marks, places: self }.object(None, at)
    }
}

/// Its methods take the place where something begins, and answer with where it ends.
struct Reader<'r, 'p> {
    plan: &'r Plan,
    text: &'r str,
    marks: &'r Marks,
    places: &'p mut Places,
}

impl Reader<'_, '_> {
    fn object(&mut self, object: Option<usize>, start: usize) -> Option<usize> {
        let (bytes, fields) = (self.text.as_bytes(), self.plan.fields(object));
        match bytes.get(start..)? {
            [b'{', b'}', ..] => return Some(start + 2),
            [b'{', ..] => {}
            _ => return None,
        }
        let (mut at, mut next) = (start + 1, 0);
        loop {
            at = match find(fields, next, &bytes[at..]) {
                Some(number) => {
                    next = number + 1;
                    self.declared(&fields[number], at)?
                }
                None => self.stranger(object, at)?,
            };
            match bytes.get(at)? {
                b',' => at += 1,
                b'}' => return Some(at + 1),
                _ => return None,
            }
        }
    }

    #[inline]
    fn declared(&mut self, field: &Member, key: usize) -> Option<usize> {
        let start = key + field.key_len();
        let (form, end) = match self.plain_string(start) {
            Some(end) => (Form::Plain, end),
            None => self.other(field, start)?,
        };
        let slot = &mut self.places.slots[field.node];
        if slot.form != Form::Absent {
            return None;
        }
        *slot = Slot { form, key: place(key), start: place(start), end: place(end) };
        Some(end)
    }

    /// A string without escapes, as most values are.
    #[inline]
    fn plain_string(&self, start: usize) -> Option<usize> {
        let bytes = self.text.as_bytes();
        let end = (bytes.get(start)? == &b'"').then(|| self.marks.next(start + 1))??;
        (bytes[end] == b'"').then_some(end + 1)
    }

    /// Any other value. Apart, so that the loop over fields with plain strings stays small.
    #[inline(never)]
    fn other(&mut self, field: &Member, start: usize) -> Option<(Form, usize)> {
        if field.is_object && self.text.as_bytes().get(start) == Some(&b'{') {
            return Some((Form::Object, self.object(Some(field.node), start)?));
        }
        let mut parser = Parser::within(self.text, self.marks, start);
        Some((verbatim(&mut parser, 0)?, parser.at()))
    }

    fn stranger(&mut self, object: Option<usize>, start: usize) -> Option<usize> {
        let mut parser = Parser::within(self.text, self.marks, start);
        let name = key(&mut parser)?;
        let repeated = |other: &Stranger| other.object == object && other.name(self.text) == name.raw();
        let strangers = &self.places.strangers;
        if strangers.len() == MAX_STRANGERS || strangers.iter().any(repeated) {
            return None;
        }
        verbatim(&mut parser, 0)?;
        let stranger = Stranger { object, start, name: name.raw().len(), end: parser.at() };
        self.places.strangers.push(stranger);
        Some(stranger.end)
    }
}

impl Stranger {
    /// Where its value stands.
    pub(super) fn value(&self) -> Range<usize> {
        self.start + self.name + 3..self.end
    }

    /// Its name; it has no escapes.
    pub(super) fn name<'t>(&self, text: &'t str) -> &'t str {
        &text[self.start + 1..self.start + 1 + self.name]
    }
}

/// A place in a text that is no longer than [`Places::read`] takes.
#[inline]
fn place(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

/// A key without escapes, and its colon.
fn key<'t>(parser: &mut Parser<'t>) -> Option<Text<'t>> {
    let key = (parser.peek() == Some(b'"')).then(|| parser.string().ok()).flatten()?;
    (!key.is_escaped() && parser.take_at_once(b':')).then_some(key)
}

/// Steps over a value that the plain way would write as it stands: no white space in it, no key that is escaped or stands twice.
fn verbatim(parser: &mut Parser<'_>, level: usize) -> Option<Form> {
    Some(match parser.peek()? {
        b'"' => {
            if parser.skip_string().ok()? {
                Form::Escaped
            } else {
                Form::Plain
            }
        }
        b'-' | b'0'..=b'9' => {
            parser.number().ok()?;
            Form::Number
        }
        b't' if parser.take_word("true") => Form::True,
        b'f' if parser.take_word("false") => Form::False,
        b'n' if parser.take_word("null") => Form::Null,
        b'{' if level < MAX_LEVELS => {
            members(parser, level + 1)?;
            Form::Object
        }
        b'[' if level < MAX_LEVELS => {
            elements(parser, level + 1)?;
            Form::Array
        }
        _ => return None,
    })
}

fn members(parser: &mut Parser<'_>, level: usize) -> Option<()> {
    parser.take_at_once(b'{');
    if parser.take_at_once(b'}') {
        return Some(());
    }
    let mut names = [""; MAX_STRANGERS];
    for count in 0..MAX_STRANGERS {
        let name = key(parser)?.raw();
        if names[..count].contains(&name) {
            return None;
        }
        names[count] = name;
        verbatim(parser, level)?;
        if !parser.take_at_once(b',') {
            return parser.take_at_once(b'}').then_some(());
        }
    }
    None
}

fn elements(parser: &mut Parser<'_>, level: usize) -> Option<()> {
    parser.take_at_once(b'[');
    if parser.take_at_once(b']') {
        return Some(());
    }
    loop {
        verbatim(parser, level)?;
        if !parser.take_at_once(b',') {
            return parser.take_at_once(b']').then_some(());
        }
    }
}
