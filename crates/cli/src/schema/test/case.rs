//! Test files: several YAML documents, each one test.
//!
//! Panther's form, strictly: an unknown key is refused, since a test that is half understood proves nothing. Documents are cut by
//! their markers before YAML is read, so that each has a line, by which a test without a name is found.

use std::{fmt, path::PathBuf};

use latchkey_contracts::rejection::Problem;
use serde::Deserialize;
use serde_json::{Value, value::RawValue};

/// One test.
#[derive(Debug)]
pub(super) struct Case {
    /// Where it begins in its file, counted from one.
    pub(super) line: usize,
    pub(super) name: String,
    pub(super) log_type: String,
    /// Where its lookup tables are, from the directory of its file.
    pub(super) lookups: Option<PathBuf>,
    /// The events as JSON texts.
    pub(super) inputs: Vec<String>,
    pub(super) expect: Expect,
}

/// What is to become of the events.
#[derive(Debug)]
pub(super) enum Expect {
    /// Records as JSON texts.
    Records(Vec<String>),
    /// Problems, each of which has to be among those found.
    Rejection(Vec<Wanted>),
}

/// A problem that is expected.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Wanted {
    /// A text that occurs in it.
    Text(String),
    /// Its place, its rule, or both.
    Named(Named),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Named {
    path: Option<String>,
    rule: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Document {
    #[serde(default)]
    name: String,
    log_type: String,
    lookups: Option<PathBuf>,
    input: Value,
    result: Option<Value>,
    results: Option<Vec<Value>>,
    error: Option<Value>,
}

/// The tests of a file, or the line and the reason of the first that is none.
pub(super) fn read(text: &str) -> Result<Vec<Case>, (usize, String)> {
    documents(text).into_iter().map(|(line, document)| read_one(line, document)).collect()
}

/// Whether a file holds tests, judged by the keys of its first document.
pub(super) fn is_test(text: &str) -> bool {
    let has = |key: &str| text.lines().any(|line| line.strip_prefix(key).is_some_and(|rest| rest.starts_with(':')));
    has("logType") && has("input")
}

fn read_one(first_line: usize, text: &str) -> Result<Case, (usize, String)> {
    let document: Document = serde_saphyr::from_str(text).map_err(|error| {
        let line = error.location().and_then(|location| usize::try_from(location.line()).ok()).unwrap_or(1);
        let reason = error.to_string();
        (first_line + line - 1, reason.lines().next().unwrap_or("not YAML").to_owned())
    })?;
    let Document { name, log_type, lookups, input, result, results, error } = document;
    let refused = |reason: &str| (first_line, format!("test {name:?}: {reason}"));
    let (inputs, expect) = match (result, results, error) {
        (Some(result), None, None) => (vec![json(input)], Expect::Records(vec![json(result)])),
        (None, Some(results), None) if !results.is_empty() => {
            (events(input), Expect::Records(results.into_iter().map(json).collect()))
        }
        (None, None, Some(error)) => {
            let reason = "`error` is a text, {path, rule}, or a list of these";
            (vec![json(input)], Expect::Rejection(wanted(error).ok_or_else(|| refused(reason))?))
        }
        _ => return Err(refused("exactly one of `result`, `results` and `error` is needed")),
    };
    Ok(Case { line: first_line, name, log_type, lookups, inputs, expect })
}

/// A text is JSON already; anything else is written as JSON.
fn json(value: Value) -> String {
    match value {
        Value::String(text) => text,
        other => other.to_string(),
    }
}

/// The events of a test with several results: a list, or JSON texts one after the other. What is neither is one event, and refused.
fn events(input: Value) -> Vec<String> {
    match input {
        Value::Array(events) => events.into_iter().map(json).collect(),
        other => {
            let text = json(other);
            let events: Result<Vec<&RawValue>, _> = serde_json::Deserializer::from_str(&text).into_iter().collect();
            match events {
                Ok(events) => events.into_iter().map(|event| event.get().to_owned()).collect(),
                Err(_) => vec![text],
            }
        }
    }
}

fn wanted(error: Value) -> Option<Vec<Wanted>> {
    let list = match error {
        Value::Array(list) if !list.is_empty() => list,
        Value::Array(_) => return None,
        one => vec![one],
    };
    let wanted = list.into_iter().map(|one| serde_json::from_value(one).ok());
    wanted.map(|one| one.filter(Wanted::says_something)).collect()
}

impl Wanted {
    /// Whether `problem` is what is expected.
    pub(super) fn is(&self, problem: &Problem) -> bool {
        match self {
            Self::Text(text) => super::report::sentence(problem).contains(text),
            Self::Named(Named { path, rule }) => {
                path.as_ref().is_none_or(|path| *path == problem.path)
                    && rule.as_ref().is_none_or(|rule| *rule == problem.rule)
            }
        }
    }

    fn says_something(&self) -> bool {
        match self {
            Self::Text(text) => !text.is_empty(),
            Self::Named(Named { path, rule }) => path.is_some() || rule.is_some(),
        }
    }
}

impl fmt::Display for Wanted {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(formatter, "a problem with {text:?}"),
            Self::Named(Named { path, rule }) => {
                let any = "any";
                let (path, rule) = (path.as_deref().unwrap_or(any), rule.as_deref().unwrap_or(any));
                write!(formatter, "a problem at {path} with rule {rule}")
            }
        }
    }
}

/// Each document with the number of its first line. A marker stands at the beginning of a line, where nothing inside a document can.
fn documents(text: &str) -> Vec<(usize, &str)> {
    let mut documents = Vec::new();
    let (mut line, mut start, mut at) = (1, (1, 0), 0);
    for content in text.split_inclusive('\n') {
        let mark = content.trim_end();
        let is_marker = mark == "..." || mark == "---" || mark.starts_with("--- ");
        if is_marker {
            documents.push((start.0, &text[start.1..at]));
            // What follows a marker on its line belongs to the document: the marker stays with it.
            let after = mark.starts_with("--- ");
            start = if after { (line, at) } else { (line + 1, at + content.len()) };
        }
        at += content.len();
        line += 1;
    }
    documents.push((start.0, &text[start.1..]));
    documents.into_iter().filter_map(|(line, text)| without_comment(line, text)).collect()
}

/// A document without what precedes it; `None` if that is all.
fn without_comment(mut line: usize, mut text: &str) -> Option<(usize, &str)> {
    while !text.is_empty() {
        let (first, rest) = text.split_once('\n').unwrap_or((text, ""));
        if !(first.trim().is_empty() || first.starts_with(['#', '%'])) {
            return Some((line, text));
        }
        (line, text) = (line + 1, rest);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_have_lines() {
        for (text, expect) in [
            ("", vec![]),
            ("# x\n---\n", vec![]),
            ("a: 1\n", vec![(1, "a: 1\n")]),
            ("# x\n\na: 1\n# y", vec![(3, "a: 1\n# y")]),
            ("---\na: |\n  ---\n  x\n---\nb: 1", vec![(2, "a: |\n  ---\n  x\n"), (6, "b: 1")]),
            ("a: 1\n...\n--- # x\nb: 1\n", vec![(1, "a: 1\n"), (3, "--- # x\nb: 1\n")]),
        ] {
            assert_eq!(documents(text), expect, "{text}");
        }
    }

    /// Inputs and expected records of a test, or what is wrong with it.
    fn check(rest: &str, expect: Result<(&[&str], &[&str]), &str>) {
        let text = format!("name: n\nlogType: A.B\n{rest}");
        let read = read(&text).map(|cases| {
            let [Case { inputs, expect: Expect::Records(records), .. }] = &cases[..] else { panic!("{cases:?}") };
            (inputs.clone(), records.clone())
        });
        match (read, expect) {
            (Ok((inputs, records)), Ok(expect)) => {
                assert_eq!((&inputs[..], &records[..]), (&owned(expect.0)[..], &owned(expect.1)[..]), "{rest}");
            }
            (Err((_, reason)), Err(expect)) => assert!(reason.contains(expect), "{reason}"),
            (read, _) => panic!("{read:?}"),
        }
    }

    fn owned(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn events_and_records_are_json_texts_or_yaml() {
        check("input: '{\"a\":1}'\nresult: |\n  {\"a\": 1}", Ok((&["{\"a\":1}"], &["{\"a\": 1}\n"])));
        check("input: {a: 1}\nresult:\n  a: x", Ok((&["{\"a\":1}"], &["{\"a\":\"x\"}"])));
        check(
            "input: '{\"a\":1} {\"a\":2}'\nresults: [{a: 1}, '{}']",
            Ok((&["{\"a\":1}", "{\"a\":2}"], &["{\"a\":1}", "{}"])),
        );
        check("input: [{a: 1}, '{}']\nresults: [{a: 1}]", Ok((&["{\"a\":1}", "{}"], &["{\"a\":1}"])));
        check("input: 'x'\nresults: [{a: 1}]", Ok((&["x"], &["{\"a\":1}"])));
        check("input: '{}'", Err("exactly one of"));
        check("input: '{}'\nresults: []", Err("exactly one of"));
        check("input: '{}'\nresult: {}\nerror: x", Err("exactly one of"));
        check("input: '{}'\nerror: {place: x}", Err("`error` is"));
        check("input: '{}'\nerror: []", Err("`error` is"));
        check("input: '{}'\nresult: {}\nextra: 1", Err("extra"));
        check("result: {}", Err("input"));
        assert!(read("logType: A.B\ninput: {}\nresult: {}").is_ok_and(|cases| cases[0].name.is_empty()));
    }

    #[test]
    fn a_fault_has_its_line() {
        let (line, _) = read("name: n\nlogType: A.B\ninput: {}\nresult: {}\n---\nname: [\n").unwrap_err();
        assert!(line >= 6, "{line}");
    }
}
