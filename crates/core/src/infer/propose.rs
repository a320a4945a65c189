//! Decides the type of each field from what was seen of it.
//!
//! A type is named only if every value seen fits it, as the table of coercions says; `json` is what remains.

use std::collections::HashSet;

use super::{
    guess,
    node::{Child, Node},
    seen::Seen,
};
use crate::schema;

/// The most names of fields that are left out, each with its reason; the rest is counted.
const MAX_LEFT_OUT: usize = 16;

/// A proposed schema.
#[derive(Debug, Default)]
pub(super) struct Proposal {
    pub(super) fields: Vec<Field>,
    /// Fields that no schema can declare, each with the reason.
    pub(super) left_out: Vec<(String, &'static str)>,
    /// How many more there are.
    pub(super) more_left_out: usize,
}

/// A proposed field.
#[derive(Debug)]
pub(super) struct Field {
    pub(super) name: String,
    pub(super) required: bool,
    pub(super) kind: Kind,
}

/// A proposed type.
#[derive(Debug)]
pub(super) enum Kind {
    String { indicators: Vec<&'static str> },
    Timestamp { formats: Vec<&'static str>, event_time: bool, far: bool },
    Object { fields: Vec<Field>, embedded: bool },
    Array(Box<Kind>),
    Json { embedded: bool },
    Plain(&'static str),
}

/// `None` if no field can be declared.
pub(super) fn propose(root: &Node, required_from: u64) -> Option<Proposal> {
    let mut proposer = Proposer { required_from, proposal: Proposal::default() };
    let fields = proposer.fields(root, "", true);
    let mut proposal = Proposal { fields, ..proposer.proposal };
    mark_event_time(&mut proposal.fields);
    (!proposal.fields.is_empty()).then_some(proposal)
}

struct Proposer {
    required_from: u64,
    /// Its fields stay empty.
    proposal: Proposal,
}

impl Proposer {
    /// The fields of an object that is called `parent`.
    fn fields(&mut self, object: &Node, parent: &str, top: bool) -> Vec<Field> {
        let mut children: Vec<_> = object.members.iter().collect();
        children.sort_unstable_by_key(|(_, child)| child.place);
        let mut folded = HashSet::with_capacity(children.len());
        let mut fields = Vec::with_capacity(children.len());
        for (name, Child { node, .. }) in children {
            if top && schema::is_reserved(name) {
                self.leave_out(name, "names that begin with p_ are kept for standard fields");
            } else if !folded.insert(name.to_lowercase()) {
                self.leave_out(name, "differs from another field in nothing but case");
            } else {
                let kind = self.kind(node, parent, name);
                let always = node.filled == object.objects;
                if top && name == "uuid" && !(always && matches!(kind, Kind::String { .. })) {
                    // An event is known by its uuid if its schema declares one, and then none may lack it.
                    self.leave_out(name, "not every sample has a text in it that could name the event");
                    continue;
                }
                let required = always && object.objects >= self.required_from;
                fields.push(Field { name: name.clone(), required, kind });
            }
        }
        fields
    }

    fn kind(&mut self, node: &Node, parent: &str, name: &str) -> Kind {
        let seen = node.seen;
        if let Some(formats) = formats(node, name) {
            return Kind::Timestamp { formats, event_time: false, far: seen.has(Seen::FAR) };
        }
        if seen.is_only(Seen::BOOLEAN) {
            return Kind::Plain("boolean");
        }
        if seen.is_only(Seen::TEXT) {
            return self.text(node, parent, name);
        }
        if seen.is_only(Seen::NUMBER) {
            return number(seen);
        }
        if seen.is_only(Seen::OBJECT) && !node.opaque {
            return self.object(node, name, false);
        }
        if seen.is_only(Seen::ARRAY) && !node.opaque {
            let element = node.element.as_deref();
            let element = element.map_or(Kind::Json { embedded: false }, |element| self.kind(element, parent, name));
            return Kind::Array(Box::new(element));
        }
        Kind::Json { embedded: false }
    }

    fn text(&mut self, node: &Node, parent: &str, name: &str) -> Kind {
        match &node.embedded {
            Some(object) if node.filled > 0 && !node.seen.has(Seen::NO_EMBEDDED) => self.object(object, name, true),
            _ if node.filled > 0 => Kind::String { indicators: guess::indicators(parent, name, node.traits) },
            _ => Kind::String { indicators: Vec::new() },
        }
    }

    /// An object of which no field can be declared is kept whole.
    fn object(&mut self, node: &Node, name: &str, embedded: bool) -> Kind {
        match self.fields(node, name, false) {
            fields if fields.is_empty() => Kind::Json { embedded },
            fields => Kind::Object { fields, embedded },
        }
    }

    fn leave_out(&mut self, name: &str, reason: &'static str) {
        if self.proposal.left_out.len() < MAX_LEFT_OUT {
            self.proposal.left_out.push((name.into(), reason));
        } else {
            self.proposal.more_left_out += 1;
        }
    }
}

/// The formats of a field that holds nothing but instants. A count of seconds is one only under a name that says so.
fn formats(node: &Node, name: &str) -> Option<Vec<&'static str>> {
    let seen = node.seen;
    let kinds = [Seen::BOOLEAN, Seen::OBJECT, Seen::ARRAY, Seen::NO_INSTANT];
    let formats: Vec<_> = Seen::FORMATS.iter().filter(|(format, _)| seen.has(*format)).map(|(_, name)| *name).collect();
    let certain = !seen.has(Seen::EPOCH);
    let fits = node.filled > 0 && !kinds.iter().any(|kind| seen.has(*kind));
    (fits && !formats.is_empty() && (certain || guess::names_an_instant(name))).then_some(formats)
}

/// Whole numbers beyond 64 bits stay whole as text; among fractions they are floats.
fn number(seen: Seen) -> Kind {
    if seen.has(Seen::FRACTION) {
        if seen.has(Seen::UNBOUNDED) { Kind::Json { embedded: false } } else { Kind::Plain("float") }
    } else if seen.has(Seen::BEYOND) {
        Kind::String { indicators: Vec::new() }
    } else if seen.has(Seen::BIGINT) {
        Kind::Plain("bigint")
    } else {
        Kind::Plain("int")
    }
}

/// One instant is the event's: the one with the likeliest name, of those the outermost, of those the first. One whose name says
/// nothing counts only if there is no other.
fn mark_event_time(fields: &mut [Field]) {
    let mut instants = Vec::new();
    collect(fields, 0, &mut instants);
    let only = instants.len() == 1;
    let likely = instants.into_iter().filter(|instant| !instant.far && (only || instant.rank < usize::MAX));
    let best = likely.min_by_key(|instant| (instant.rank, instant.depth, instant.place)).map(|instant| instant.place);
    if let Some(place) = best {
        mark(fields, place, &mut 0);
    }
}

struct Instant {
    rank: usize,
    depth: usize,
    /// Among all instants, in schema order.
    place: usize,
    far: bool,
}

fn collect(fields: &[Field], depth: usize, instants: &mut Vec<Instant>) {
    for field in fields {
        match &field.kind {
            Kind::Timestamp { far, .. } => instants.push(Instant {
                rank: guess::event_time_rank(&field.name).unwrap_or(usize::MAX),
                depth,
                place: instants.len(),
                far: *far,
            }),
            Kind::Object { fields, embedded: false } => collect(fields, depth + 1, instants),
            _ => {}
        }
    }
}

fn mark(fields: &mut [Field], place: usize, next: &mut usize) {
    for field in fields {
        match &mut field.kind {
            Kind::Timestamp { event_time, .. } => {
                *event_time = *next == place;
                *next += 1;
            }
            Kind::Object { fields, embedded: false } => mark(fields, place, next),
            _ => {}
        }
    }
}
