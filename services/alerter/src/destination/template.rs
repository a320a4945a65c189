//! Texts for people, with places to fill in.
//!
//! A place is `{name}`. A line of which a place is empty is left out, so that one file says what there is to say of every alert.

use super::Origin;
use crate::notification::Notification;

/// Fills a text in; every value goes through `escape`.
pub(crate) fn fill(
    text: &str,
    notification: &Notification,
    origin: &Origin,
    escape: impl Fn(&str) -> String,
) -> String {
    let value = |name: &str| value(name, notification, origin).map(|value| escape(&value));
    let mut lines: Vec<_> = text.lines().filter_map(|line| fill_line(line, value)).collect();
    // What stood between two empty lines may have been left out.
    lines.dedup_by(|line, before| line.is_empty() && before.is_empty());
    lines.join("\n").trim_end().to_owned()
}

/// `None` if the line is to be left out.
fn fill_line(line: &str, value: impl Fn(&str) -> Option<String>) -> Option<String> {
    let mut filled = String::with_capacity(line.len());
    let mut rest = line;
    while let Some((before, (name, after))) =
        rest.split_once('{').and_then(|(before, place)| Some((before, place.split_once('}')?)))
    {
        filled.push_str(before);
        match value(name) {
            Some(value) if value.is_empty() => return None,
            Some(value) => filled.push_str(&value),
            // No place of ours: as it is written.
            None => filled.extend(["{", name, "}"]),
        }
        rest = after;
    }
    filled.push_str(rest);
    Some(filled)
}

fn value(name: &str, notification: &Notification, origin: &Origin) -> Option<String> {
    Some(match name {
        "about" => notification.about(),
        "acknowledged_by" => notification.acknowledged_by.clone(),
        "change" => notification.change.to_owned(),
        "code" => notification.code.clone(),
        "instance" => origin.instance.clone(),
        "judged_at" => format!("{:.0}", notification.judged_at),
        "kind" => notification.kind.clone(),
        "next_step" => notification.next_step.clone(),
        "runbook" => origin.page(notification),
        "severity" => notification.severity.to_owned(),
        "since" => format!("{:.0}", notification.since),
        "summary" => notification.summary.clone(),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_with_an_empty_place_is_left_out() {
        let value = |name: &str| match name {
            "full" => Some("x{empty}".to_owned()),
            "empty" => Some(String::new()),
            _ => None,
        };
        for (line, expect) in [
            ("plain", Some("plain")),
            ("", Some("")),
            ("a {full} b {full}", Some("a x{empty} b x{empty}")),
            ("a {empty}", None),
            ("{other} {full", Some("{other} {full")),
        ] {
            assert_eq!(fill_line(line, value).as_deref(), expect, "{line}");
        }
    }
}
