//! Which columns of a row a record shows.

use crate::json::{self, Member, Value};

/// What a record shows instead of a redacted value.
pub const REDACTED: &str = "REDACTED";

/// Added by the match, so no row keeps one of its own.
const MATCH: &str = "p_match";

/// The columns that are left out or redacted.
#[derive(Clone, Debug, Default)]
pub(super) struct Columns {
    rules: Vec<Rule>,
}

#[derive(Clone, Debug)]
struct Rule {
    path: Vec<String>,
    redact: bool,
}

impl Columns {
    /// Of dotted paths. What is both left out and redacted is left out.
    pub(super) fn new(omit: &[String], redact: &[String]) -> Self {
        let rule = |path: &str, redact| Rule { path: path.split('.').map(Into::into).collect(), redact };
        let omitted = [MATCH].into_iter().chain(omit.iter().map(String::as_str)).map(|path| rule(path, false));
        Self { rules: omitted.chain(redact.iter().map(|path| rule(path, true))).collect() }
    }

    /// Whether any of these members is left out, redacted, or has something inside that is.
    pub(super) fn concern(&self, members: &[Member<'_>]) -> bool {
        members.iter().any(|member| self.rules.iter().any(|rule| member.key.is(&rule.path[0])))
    }

    /// Appends an object's members as they are written, behind an opening brace or other members.
    pub(super) fn write(&self, row: &mut Vec<u8>, members: &[Member<'_>]) {
        let rules: Vec<(&[String], bool)> = self.rules.iter().map(|rule| (rule.path.as_slice(), rule.redact)).collect();
        write(row, members, &rules);
    }

    /// Appends a column whose value is a text.
    pub(super) fn write_text(&self, row: &mut Vec<u8>, name: &str, text: &str) {
        let text = match self.rules.iter().find(|rule| rule.path == [name]) {
            Some(Rule { redact: false, .. }) => return,
            Some(Rule { redact: true, .. }) => REDACTED,
            None => text,
        };
        separate(row);
        json::write_string(row, name);
        row.push(b':');
        json::write_string(row, text);
    }
}

fn write(row: &mut Vec<u8>, members: &[Member<'_>], rules: &[(&[String], bool)]) {
    for member in members {
        let concerned = rules.iter().filter(|(path, _)| path.first().is_some_and(|first| member.key.is(first)));
        let below: Vec<(&[String], bool)> = concerned.map(|(path, redact)| (&path[1..], *redact)).collect();
        let here = below.iter().find(|(path, _)| path.is_empty()).map(|(_, redact)| *redact);
        if here == Some(false) {
            continue;
        }
        separate(row);
        json::write_text(row, member.key);
        row.push(b':');
        match &member.value {
            _ if here == Some(true) => json::write_string(row, REDACTED),
            Value::Object(members) if !below.is_empty() => {
                row.push(b'{');
                write(row, members, &below);
                row.push(b'}');
            }
            value => json::write_value(row, value),
        }
    }
}

fn separate(row: &mut Vec<u8>) {
    if row.last() != Some(&b'{') {
        row.push(b',');
    }
}
