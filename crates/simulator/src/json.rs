//! JSON objects rendered once, servable as version 1 or version 2.
//!
//! Events are rendered when the data set is made, so that serving a page is copying bytes. Version 2 has fields that version
//! 1 lacks: the rendering remembers where they lie, and version 1 is the same bytes with those ranges left out.

use std::{fmt::Write as _, ops::Range};

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};

use crate::{feed::Version, random::Random};

/// How characters beyond ASCII are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Escapes {
    /// As UTF-8.
    Utf8,
    /// As `\uXXXX`, as some encoders do.
    Ascii,
}

/// A finished object.
#[derive(Clone, Debug)]
pub(crate) struct Rendered {
    text: Box<str>,
    /// Ascending, disjoint ranges of `text` which version 1 leaves out, each with its leading comma.
    only_v2: Box<[Range<usize>]>,
}

impl Rendered {
    /// An object rendered elsewhere, the same in both versions.
    pub(crate) fn verbatim(text: &str) -> Self {
        Self { text: text.into(), only_v2: Box::default() }
    }

    /// The object as version 2 shows it.
    #[cfg(test)]
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Appends the object as the version shows it.
    pub(crate) fn write(&self, version: Version, out: &mut Vec<u8>) {
        let bytes = self.text.as_bytes();
        match version {
            Version::V2 | Version::V3 => out.extend_from_slice(bytes),
            Version::V1 => {
                let mut from = 0;
                for cut in &self.only_v2 {
                    out.extend_from_slice(&bytes[from..cut.start]);
                    from = cut.end;
                }
                out.extend_from_slice(&bytes[from..]);
            }
        }
    }
}

/// An object being written. The first field must belong to both versions.
pub(crate) struct Object {
    escapes: Escapes,
    fields: Vec<Field>,
}

struct Field {
    /// `"key":value`
    text: String,
    only_v2: bool,
    /// Ranges inside `text` that only version 2 shows.
    cuts: Vec<Range<usize>>,
}

impl Object {
    pub(crate) fn new(escapes: Escapes) -> Self {
        Self { escapes, fields: Vec::with_capacity(16) }
    }

    pub(crate) fn text(mut self, key: &str, value: &str) -> Self {
        let mut text = key_of(key);
        quote(&mut text, value, self.escapes);
        self.fields.push(Field { text, only_v2: false, cuts: Vec::new() });
        self
    }

    /// A value that already is JSON: a number, `null`, `true`, an object without fields of version 2.
    pub(crate) fn raw(mut self, key: &str, value: &str) -> Self {
        let text = key_of(key) + value;
        self.fields.push(Field { text, only_v2: false, cuts: Vec::new() });
        self
    }

    pub(crate) fn object(mut self, key: &str, value: &Rendered) -> Self {
        let mut text = key_of(key);
        let shift = text.len();
        text.push_str(&value.text);
        let cuts = value.only_v2.iter().map(|cut| cut.start + shift..cut.end + shift).collect();
        self.fields.push(Field { text, only_v2: false, cuts });
        self
    }

    /// Makes the field added last one that only version 2 has.
    pub(crate) fn only_v2(mut self) -> Self {
        if let Some(field) = self.fields.last_mut() {
            field.only_v2 = true;
        }
        self
    }

    /// Renders the fields in the order they were added.
    pub(crate) fn finish(self) -> Rendered {
        self.render()
    }

    /// Renders the fields starting at another one, because nothing promises an order of keys.
    pub(crate) fn finish_from(mut self, first: usize) -> Rendered {
        let first = first % self.fields.len().max(1);
        if self.fields.get(first).is_some_and(|field| !field.only_v2) {
            self.fields.rotate_left(first);
        }
        self.render()
    }

    fn render(self) -> Rendered {
        let mut text = String::with_capacity(self.fields.iter().map(|field| field.text.len() + 1).sum::<usize>() + 1);
        let mut only_v2 = Vec::new();
        text.push('{');
        for (number, field) in self.fields.iter().enumerate() {
            let start = text.len();
            if number > 0 {
                text.push(',');
            }
            let shift = text.len();
            text.push_str(&field.text);
            if field.only_v2 {
                only_v2.push(start..text.len());
            } else {
                only_v2.extend(field.cuts.iter().map(|cut| cut.start + shift..cut.end + shift));
            }
        }
        text.push('}');
        Rendered { text: text.into(), only_v2: only_v2.into() }
    }
}

fn key_of(key: &str) -> String {
    let mut text = String::with_capacity(key.len() + 48);
    text.push('"');
    text.push_str(key);
    text.push_str("\":");
    text
}

/// Writes a JSON string; `<`, `>` and `&` are escaped, as encoders that guard against HTML do.
pub(crate) fn quote(out: &mut String, value: &str, escapes: Escapes) {
    out.push('"');
    for character in value.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '<' | '>' | '&' => escape(out, character),
            _ if character.is_control() => escape(out, character),
            _ if escapes == Escapes::Ascii && !character.is_ascii() => escape(out, character),
            _ => out.push(character),
        }
    }
    out.push('"');
}

fn escape(out: &mut String, character: char) {
    for unit in character.encode_utf16(&mut [0; 2]) {
        write!(out, "\\u{unit:04x}").expect("writing to a String does not fail");
    }
}

/// Widens the object that ends `out` and begins at `start` to a length, by a field of text that does not compress.
pub(crate) fn widen(out: &mut Vec<u8>, start: usize, length: usize, seed: u64) {
    const FRONT: &[u8] = br#","padding":""#;
    const BACK: &[u8] = br#""}"#;
    let fits = (out.len() - start + FRONT.len() + BACK.len() - 1).checked_sub(length).is_none();
    if !fits || out.last() != Some(&b'}') {
        return;
    }
    out.pop();
    out.extend_from_slice(FRONT);
    let mut left = start + length - BACK.len() - out.len();
    let mut random = Random::of(&[PADDING, seed]);
    while left > 0 {
        let letters = BASE64_URL_SAFE_NO_PAD.encode(random.next().to_be_bytes());
        let taken = left.min(letters.len());
        out.extend_from_slice(&letters.as_bytes()[..taken]);
        left -= taken;
    }
    out.extend_from_slice(BACK);
}

/// Keeps the letters of paddings apart from other draws.
const PADDING: u64 = 3;

#[cfg(test)]
mod tests {
    use super::*;

    fn show(rendered: &Rendered, version: Version) -> String {
        let mut out = Vec::new();
        rendered.write(version, &mut out);
        String::from_utf8(out).unwrap()
    }

    fn user() -> Rendered {
        Object::new(Escapes::Utf8).text("uuid", "U").text("user_type", "member").only_v2().text("name", "Zoë").finish()
    }

    #[test]
    fn version_1_lacks_the_fields_of_version_2() {
        let event = Object::new(Escapes::Utf8)
            .raw("n", "1")
            .object("user", &user())
            .text("account_uuid", "A")
            .only_v2()
            .finish();
        assert_eq!(
            show(&event, Version::V2),
            r#"{"n":1,"user":{"uuid":"U","user_type":"member","name":"Zoë"},"account_uuid":"A"}"#
        );
        assert_eq!(show(&event, Version::V1), r#"{"n":1,"user":{"uuid":"U","name":"Zoë"}}"#);
    }

    #[test]
    fn a_rotated_object_never_starts_with_a_field_of_version_2() {
        for first in 0..8 {
            let event =
                Object::new(Escapes::Utf8).raw("a", "1").raw("b", "2").only_v2().raw("c", "3").finish_from(first);
            for version in Version::ALL {
                serde_json::from_str::<serde_json::Value>(&show(&event, version)).unwrap();
            }
        }
    }

    #[test]
    fn a_widened_object_has_the_length_asked_for_and_loses_nothing() {
        let object = br#"{"uuid":"A"}"#;
        for length in [0, 12, 25, 26, 27, 5000] {
            let mut out = [&b"["[..], object].concat();
            widen(&mut out, 1, length, 9);
            let value: serde_json::Value = serde_json::from_slice(&out[1..]).unwrap();
            assert_eq!(value["uuid"], "A");
            assert_eq!(out.len() - 1, if length > 25 { length } else { object.len() }, "{length}");
        }
    }

    #[test]
    fn quoted_text_reads_back() {
        for escapes in [Escapes::Utf8, Escapes::Ascii] {
            for text in ["Zoë \"Z\" Ångström", "R&D <x>", "tab\tline\nback\\slash", "🔑"] {
                let mut quoted = String::new();
                quote(&mut quoted, text, escapes);
                assert_eq!(serde_json::from_str::<String>(&quoted).unwrap(), text);
            }
        }
    }
}
