//! An invented company: its people, vaults, items and groups.
//!
//! It depends on a seed and nothing else, in particular not on the time: the same people and items appear in every history
//! that is written for it.

use super::{
    catalogue::{self, Item, Vault},
    people::{self, Person},
};
use crate::{json::Object, random::Random, uuid};

/// What stays the same through a company's history.
#[derive(Debug)]
pub(crate) struct Company {
    pub(crate) seed: u64,
    pub(crate) account_uuid: String,
    /// Whether a service provider manages the account: its events then name the account.
    managed: bool,
    pub(crate) people: Vec<Person>,
    pub(crate) vaults: Vec<Vault>,
    groups: Vec<String>,
}

/// Keeps the numbers that build the company apart from those that write its history.
const FOUNDING: u64 = u64::MAX;

const GROUPS: usize = 6;

impl Company {
    pub(crate) fn found(seed: u64, managed: bool) -> Self {
        let mut random = Random::of(&[seed, FOUNDING]);
        Self {
            seed,
            account_uuid: account_uuid(&mut random),
            managed,
            people: people::hire(&mut random),
            vaults: catalogue::fill(&mut random),
            groups: (0..GROUPS).map(|_| uuid::lower(&mut random)).collect(),
        }
    }

    /// The uuid of the account of the company with this seed, without founding it.
    pub(crate) fn account_uuid_of(seed: u64) -> String {
        account_uuid(&mut Random::of(&[seed, FOUNDING]))
    }

    pub(crate) fn somebody(&self, random: &mut Random) -> &Person {
        random.pick(&self.people)
    }

    pub(crate) fn some_item(&self, random: &mut Random) -> (&Vault, &Item) {
        let vault = random.pick(&self.vaults);
        (vault, random.pick(&vault.items))
    }

    pub(crate) fn some_group(&self, random: &mut Random) -> &str {
        random.pick::<String>(&self.groups)
    }

    /// Adds `account_uuid` to an event of a managed account; version 2 only.
    pub(crate) fn sign(&self, object: Object) -> Object {
        if self.managed { object.text("account_uuid", &self.account_uuid).only_v2() } else { object }
    }
}

/// The first draw of a founding.
fn account_uuid(random: &mut Random) -> String {
    uuid::upper(random)
}
