//! Notes where the value of each declared field stands in an event, and checks that the text is JSON without surprises.

use crate::{
    json::{Parser, Text},
    schema::{NodeKind, Plan},
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
    pub(super) start: u32,
    pub(super) end: u32,
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
    const ABSENT: Self = Self { form: Form::Absent, start: 0, end: 0 };

    pub(super) fn is_set(self) -> bool {
        !matches!(self.form, Form::Absent | Form::Null)
    }

    pub(super) fn is_text(self) -> bool {
        matches!(self.form, Form::Plain | Form::Escaped)
    }

    /// Where the value stands.
    pub(super) fn range(self) -> std::ops::Range<usize> {
        self.start as usize..self.end as usize
    }
}

impl Places {
    /// Reads the event that begins at byte `at` of `text`; where it ends, or `None` if there is anything unusual about it.
    pub(super) fn read(&mut self, plan: &Plan, text: &str, marks: &Marks, at: usize) -> Option<usize> {
        self.slots.clear();
        self.slots.resize(plan.len(), Slot::ABSENT);
        self.strangers.clear();
        let mut reader = Reader { plan, text, parser: Parser::within(text, marks, at), places: self };
        reader.object(None)?;
        Some(reader.parser.at())
    }
}

struct Reader<'r> {
    plan: &'r Plan,
    text: &'r str,
    parser: Parser<'r>,
    places: &'r mut Places,
}

impl Reader<'_> {
    fn object(&mut self, object: Option<usize>) -> Option<()> {
        self.parser.take_at_once(b'{').then_some(())?;
        if self.parser.take_at_once(b'}') {
            return Some(());
        }
        let mut next = 0;
        loop {
            match self.plan.find(object, next, &self.text.as_bytes()[self.parser.at()..]) {
                Some((number, node)) => {
                    self.declared(node)?;
                    next = number + 1;
                }
                None => self.stranger(object)?,
            }
            if !self.parser.take_at_once(b',') {
                return self.parser.take_at_once(b'}').then_some(());
            }
        }
    }

    fn declared(&mut self, node: usize) -> Option<()> {
        if self.places.slots[node].form != Form::Absent {
            return None;
        }
        self.parser.skip(self.plan.node(node).key_len);
        let start = self.parser.at();
        let is_object = matches!(self.plan.node(node).kind, NodeKind::Object);
        let form = if is_object && self.parser.peek() == Some(b'{') {
            self.object(Some(node))?;
            Form::Object
        } else {
            verbatim(&mut self.parser, 0)?
        };
        let (start, end) = (u32::try_from(start).ok()?, u32::try_from(self.parser.at()).ok()?);
        self.places.slots[node] = Slot { form, start, end };
        Some(())
    }

    fn stranger(&mut self, object: Option<usize>) -> Option<()> {
        let start = self.parser.at();
        let name = key(&mut self.parser)?;
        let repeated = |other: &&Stranger| other.object == object && other.name(self.text) == name.raw();
        let strangers = &self.places.strangers;
        if strangers.len() == MAX_STRANGERS || strangers.iter().any(|other| repeated(&other)) {
            return None;
        }
        verbatim(&mut self.parser, 0)?;
        let stranger = Stranger { object, start, name: name.raw().len(), end: self.parser.at() };
        self.places.strangers.push(stranger);
        Some(())
    }
}

impl Stranger {
    /// Where its value stands.
    pub(super) fn value(&self) -> std::ops::Range<usize> {
        self.start + self.name + 3..self.end
    }

    /// Its name; it has no escapes.
    pub(super) fn name<'t>(&self, text: &'t str) -> &'t str {
        &text[self.start + 1..self.start + 1 + self.name]
    }
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
