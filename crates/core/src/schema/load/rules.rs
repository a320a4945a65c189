//! What strings and timestamps may say of themselves: indicators, conditions, formats.

use super::{
    super::{
        Family, TimeFormat, Validate,
        yaml::{Entry, Node},
    },
    Loader, join,
};
use crate::{
    indicator::Indicator,
    timestamp::{Pattern, Unit},
};

/// The prefix of formats that are written as Go writes them.
const GO_LAYOUT: &str = "layout=";

impl<'y> Loader<'y> {
    pub(super) fn indicators(&mut self, path: &str, map: &'y Node) -> Vec<Indicator> {
        let mut indicators = Vec::new();
        for (node, name) in self.texts(path, map, "indicators") {
            match name.parse::<Indicator>() {
                Ok(indicator) if indicators.contains(&indicator) => {}
                Ok(indicator) => indicators.push(indicator),
                Err(error) => {
                    self.fault::<()>(node, &join(path, "indicators"), error.to_string());
                }
            }
        }
        indicators
    }

    /// Conditions, all of which count: an address may be one of a list.
    pub(super) fn validate(&mut self, path: &str, map: &'y Node) -> Vec<Validate> {
        let at = join(path, "validate");
        let Some(node) = map.get("validate") else { return Vec::new() };
        let Some(entries) = node.entries().filter(|entries| !entries.is_empty()) else {
            self.fault::<()>(node, &at, "at least one of allow, deny, ip and cidr is needed");
            return Vec::new();
        };
        entries.iter().filter_map(|entry| self.condition(&at, node, entry)).collect()
    }

    fn condition(&mut self, path: &str, map: &'y Node, entry: &'y Entry) -> Option<Validate> {
        let at = join(path, &entry.key);
        match entry.key.as_str() {
            "allow" => Some(Validate::Allow(self.values(path, map, &entry.key))),
            "deny" => Some(Validate::Deny(self.values(path, map, &entry.key))),
            "ip" => Some(Validate::Ip(self.family(&at, &entry.value)?)),
            "cidr" => Some(Validate::Cidr(self.family(&at, &entry.value)?)),
            _ => self.fault_at(entry.line, &at, "is none of allow, deny, ip and cidr"),
        }
    }

    fn values(&mut self, path: &str, map: &'y Node, key: &str) -> Vec<String> {
        let before = self.faults.len();
        let values: Vec<_> = self.texts(path, map, key).into_iter().map(|(_, text)| text.to_owned()).collect();
        if values.is_empty() && self.faults.len() == before {
            self.fault::<()>(map, &join(path, key), "a list of at least one value is needed");
        }
        values
    }

    fn family(&mut self, path: &str, node: &'y Node) -> Option<Family> {
        match node.text() {
            Some("ipv4") => Some(Family::V4),
            Some("ipv6") => Some(Family::V6),
            Some("any") => Some(Family::Any),
            _ => self.fault(node, path, "must be ipv4, ipv6 or any"),
        }
    }

    /// Without a format, `rfc3339` is meant.
    pub(super) fn formats(&mut self, path: &str, map: &'y Node) -> Vec<TimeFormat> {
        let (list, one) = (map.get("timeFormats"), map.get("timeFormat"));
        let at = join(path, if list.is_some() { "timeFormats" } else { "timeFormat" });
        let names = match (list, one) {
            (None, None) => return vec![TimeFormat::Rfc3339],
            (Some(list), None) if list.items().is_some_and(<[_]>::is_empty) => {
                self.fault::<()>(list, &at, "at least one format is needed");
                return Vec::new();
            }
            (Some(_), None) => self.texts(path, map, "timeFormats"),
            (None, Some(one)) => self.text(&at, one).map(|text| (one, text)).into_iter().collect(),
            (Some(list), Some(_)) => {
                self.fault::<()>(list, &at, "either timeFormat or timeFormats, not both");
                return Vec::new();
            }
        };
        names.into_iter().filter_map(|(node, name)| self.format(&at, node, name)).collect()
    }

    fn format(&mut self, path: &str, node: &'y Node, name: &str) -> Option<TimeFormat> {
        let pattern = match name {
            "rfc3339" => return Some(TimeFormat::Rfc3339),
            "unix" => return Some(TimeFormat::Unix(Unit::Seconds)),
            "unix_ms" => return Some(TimeFormat::Unix(Unit::Millis)),
            "unix_us" => return Some(TimeFormat::Unix(Unit::Micros)),
            "unix_ns" => return Some(TimeFormat::Unix(Unit::Nanos)),
            _ => match name.strip_prefix(GO_LAYOUT) {
                Some(layout) => Pattern::from_go_layout(layout),
                None => Pattern::from_strftime(name),
            },
        };
        match pattern {
            Ok(pattern) => Some(TimeFormat::Pattern(pattern)),
            Err(error) => self.fault(node, path, format!("{name:?}: {error}")),
        }
    }
}
