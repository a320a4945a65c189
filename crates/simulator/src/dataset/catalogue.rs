//! The vaults of a company and the items in them.
//!
//! Titles matter twice: they are what enrichment adds to events, and they hold the quotes, accents and angle brackets that a
//! lookup table must survive.

use jiff::Timestamp;

use crate::{instant::later, random::Random, uuid};

/// A shared vault.
#[derive(Debug)]
pub(crate) struct Vault {
    pub(crate) uuid: String,
    pub(crate) name: &'static str,
    pub(crate) items: Vec<Item>,
}

/// An item in a vault.
#[derive(Debug)]
pub(crate) struct Item {
    pub(crate) uuid: String,
    pub(crate) title: String,
    pub(crate) version: u64,
    pub(crate) updated_at: Timestamp,
}

const VAULTS: [&str; 8] = [
    "Engineering",
    "Operations – production",
    "Finance",
    "Marketing",
    "Ressources humaines",
    "Kundenservice (Zürich)",
    "Shared \"misc\"",
    "Executive",
];

const SERVICES: [&str; 24] = [
    "Payroll",
    "Build server",
    "Customer database",
    "Status page",
    "Mail relay",
    "Café Wi-Fi \"guest\"",
    "Überweisung <PIN & TAN>",
    "Señal VPN",
    "Domain registrar",
    "Printer, 3rd floor",
    "Newsletter",
    "Expense tool",
    "Ticket system",
    "Backup storage",
    "Load balancer",
    "Root certificate",
    "Travel portal",
    "Bank – Girokonto",
    "C:\\share\\legacy",
    "Video calls",
    "Wiki",
    "Search index",
    "Door code",
    "日本 office router",
];

const KINDS: [&str; 10] =
    ["login", "admin", "API key", "read only", "staging", "production", "recovery codes", "SSH key", "shared", "test"];

/// Items in a vault: 30 to 54.
const FEWEST_ITEMS: usize = 30;
const ITEM_SPREAD: usize = 25;

/// Last change of the oldest possible item.
const OLDEST_CHANGE: Timestamp = Timestamp::constant(1_704_067_200, 0);

/// Fills the vaults.
pub(crate) fn fill(random: &mut Random) -> Vec<Vault> {
    VAULTS.into_iter().map(|name| vault(name, random)).collect()
}

fn vault(name: &'static str, random: &mut Random) -> Vault {
    let items = FEWEST_ITEMS + random.index(ITEM_SPREAD);
    Vault { uuid: uuid::lower(random), name, items: (0..items).map(|_| item(random)).collect() }
}

fn item(random: &mut Random) -> Item {
    let two_years = 2 * 365 * 24 * 3_600_000;
    Item {
        uuid: uuid::lower(random),
        title: format!("{} ({})", random.pick(&SERVICES), random.pick(&KINDS)),
        version: 1 + random.below(40),
        updated_at: later(OLDEST_CHANGE, random.span(two_years) * 1_000_000),
    }
}
