//! What 1Password's tools print, read into the columns of our tables.
//!
//! Facts about the lists are from the reference of the command-line tool, <https://developer.1password.com/docs/cli/reference/>,
//! and of the Connect server's API, <https://developer.1password.com/docs/connect/api-reference/>.

use std::str::FromStr;

use serde::{Deserialize, de::IgnoredAny};

use super::{super::BYTE_ORDER_MARK, Error};

/// What a list lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `op item list`, or the items of a vault from a Connect server.
    Items,
    /// `op vault list`, or the vaults of a Connect server.
    Vaults,
    /// `op user list`.
    Users,
    /// `op group list`.
    Groups,
    /// Items as the jq call in Panther's guide prints them.
    Translation,
}

/// A text that names no kind.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is none of items, vaults, users, groups and 1Password Translation")]
pub struct Unknown(String);

/// A row to be: texts by column, the key first.
pub(super) struct Record {
    pub(super) uuid: String,
    pub(super) columns: Vec<(&'static str, String)>,
}

/// One entry of a list, as far as it tells us anything. The rest, such as user names in `additional_information`, is not even kept.
#[derive(Deserialize)]
pub(super) struct Entry {
    id: Option<String>,
    uuid: Option<String>,
    title: Option<String>,
    name: Option<String>,
    email: Option<String>,
    state: Option<String>,
    description: Option<IgnoredAny>,
    #[serde(rename = "type")]
    kind: Option<String>,
    category: Option<String>,
    vault: Option<Vault>,
    updated_at: Option<String>,
    #[serde(rename = "updatedAt")]
    updated_at_camel: Option<String>,
    #[serde(alias = "contentVersion")]
    content_version: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct Vault {
    id: Option<String>,
}

impl Kind {
    const ALL: [Self; 5] = [Self::Items, Self::Vaults, Self::Users, Self::Groups, Self::Translation];

    /// The table it is for; its data are in the file of this name with `.jsonl`.
    #[must_use]
    pub const fn table(self) -> &'static str {
        match self {
            Self::Items => "items",
            Self::Vaults => "vaults",
            Self::Users => "users",
            Self::Groups => "groups",
            Self::Translation => "1Password Translation",
        }
    }
}

impl FromStr for Kind {
    type Err = Unknown;

    fn from_str(text: &str) -> Result<Self, Unknown> {
        Self::ALL.into_iter().find(|kind| kind.table() == text).ok_or_else(|| Unknown(text.into()))
    }
}

/// Reads a list: arrays one after the other, as several calls of op print them, or one value after the other, as jq prints them.
pub(super) fn read(list: &[u8]) -> Result<Vec<Entry>, Error> {
    let list = list.strip_prefix(BYTE_ORDER_MARK).unwrap_or(list);
    // The error's own words may repeat a value.
    let malformed = |error: serde_json::Error| Error::Malformed { line: error.line(), column: error.column() };
    if list.trim_ascii_start().starts_with(b"[") {
        let lists = serde_json::Deserializer::from_slice(list).into_iter::<Vec<Entry>>();
        return Ok(lists.collect::<Result<Vec<_>, _>>().map_err(malformed)?.into_iter().flatten().collect());
    }
    serde_json::Deserializer::from_slice(list).into_iter().collect::<Result<_, _>>().map_err(malformed)
}

/// What the entries look like, if they agree.
pub(super) fn detect(entries: &[Entry]) -> Option<Kind> {
    let mut kinds = entries.iter().map(Entry::kind);
    let first = kinds.next()??;
    kinds.all(|kind| kind == Some(first)).then_some(first)
}

impl Entry {
    fn kind(&self) -> Option<Kind> {
        if self.title.is_some() {
            let full = self.vault.is_some() || self.category.is_some();
            return Some(if full { Kind::Items } else { Kind::Translation });
        }
        self.name.as_ref()?;
        if self.email.is_some() {
            Some(Kind::Users)
        } else if self.content_version.is_some() {
            Some(Kind::Vaults)
        } else if self.state.is_some() || self.description.is_some() {
            Some(Kind::Groups)
        } else {
            None
        }
    }

    /// The columns that a record is to show; few, since they go into every event that matches.
    pub(super) fn record(self, kind: Kind) -> Option<Record> {
        let uuid = self.id.or(self.uuid).filter(|id| !id.is_empty())?;
        let updated_at = self.updated_at.or(self.updated_at_camel);
        let columns = match kind {
            Kind::Items => vec![
                ("title", self.title),
                ("vault_uuid", self.vault.and_then(|vault| vault.id)),
                ("category", self.category),
                ("updatedAt", updated_at),
            ],
            Kind::Vaults => vec![("name", self.name)],
            Kind::Users => {
                vec![("name", self.name), ("email", self.email), ("type", self.kind), ("state", self.state)]
            }
            Kind::Groups => vec![("name", self.name), ("state", self.state)],
            Kind::Translation => vec![("title", self.title), ("updatedAt", updated_at)],
        };
        let set = columns.into_iter().filter_map(|(name, text)| Some((name, text.filter(|text| !text.is_empty())?)));
        let columns = [("uuid", uuid.clone())].into_iter().chain(set).collect();
        Some(Record { uuid, columns })
    }
}
