//! Item usages: fills, reveals and copies through the day, and now and then the export of a whole vault.
//!
//! Apps report usages when they sync, so what belongs to one visit arrives together and possibly a day late. An export is one
//! event per item, all within a second or two.

use super::{
    catalogue::{Item, Vault},
    company::Company,
    devices::Device,
    event::{Draft, Event},
    people::Person,
    rhythm::{Day, SECOND, at_next_sync},
};
use crate::{instant::later, random::Random};

/// Visits to an item by an average person on a working day.
const VISITS_PER_PERSON: f64 = 28.0;
/// Working days on which somebody exports a vault, per mille.
const EXPORT_DAYS: u64 = 250;

const ACTIONS: [(u64, &str); 10] = [
    (520, "fill"),
    (140, "secure-copy"),
    (120, "reveal"),
    (90, "server-fetch"),
    (40, "enter-item-edit-mode"),
    (35, "server-update"),
    (20, "select-sso-provider"),
    (15, "other"),
    (10, "server-create"),
    (10, "share"),
];

/// What people do to an item they just opened.
const FOLLOW_UPS: [(u64, &str); 3] = [(5, "secure-copy"), (4, "reveal"), (1, "enter-item-edit-mode")];

/// Somebody at a device, using things.
struct Visit<'a> {
    person: &'a Person,
    device: &'a Device,
    address: String,
    /// How long the app waits before it syncs.
    lateness: i64,
}

/// The usages of one day.
pub(crate) fn day(company: &Company, day: &Day, factor: f64, random: &mut Random, events: &mut Vec<Event>) {
    for person in &company.people {
        let mean = VISITS_PER_PERSON * day.busyness() * person.zeal * factor;
        for _ in 0..random.count(mean) {
            work(company, person, day, random, events);
        }
    }
    if !day.weekend && random.chance(EXPORT_DAYS) {
        export(company, day, random, events);
    }
}

/// One ordinary usage.
pub(crate) fn ordinary(company: &Company, random: &mut Random, draft: Draft) -> Event {
    let visit = visit(company.somebody(random), random);
    let (vault, item) = company.some_item(random);
    let action = random.weighted(&ACTIONS);
    usage(company, random, draft, &visit, vault, item, action)
}

fn work(company: &Company, person: &Person, day: &Day, random: &mut Random, events: &mut Vec<Event>) {
    let visit = visit(person, random);
    let (vault, item) = company.some_item(random);
    let mut at = day.moment(random, person.office.offset());
    let mut action = *random.weighted(&ACTIONS);
    loop {
        let draft = Draft::varied(random, at, person.office.offset());
        events.push(usage(company, random, draft, &visit, vault, item, action));
        // A quarter goes on, so a visit has four thirds of an event on average.
        if !random.chance(250) {
            return;
        }
        at = later(at, SECOND + random.span(60 * SECOND));
        action = *random.weighted(&FOLLOW_UPS);
    }
}

fn export(company: &Company, day: &Day, random: &mut Random, events: &mut Vec<Event>) {
    let person = company.somebody(random);
    let visit = visit(person, random);
    let vault = random.pick(&company.vaults);
    let mut at = day.moment(random, person.office.offset());
    for item in &vault.items {
        at = later(at, 2_000_000 + random.span(40_000_000));
        let draft = Draft::varied(random, at, person.office.offset());
        events.push(usage(company, random, draft, &visit, vault, item, "export"));
    }
}

fn visit<'a>(person: &'a Person, random: &mut Random) -> Visit<'a> {
    Visit { person, device: person.device(random), address: person.address(random), lateness: at_next_sync(random) }
}

fn usage(
    company: &Company,
    random: &mut Random,
    draft: Draft,
    visit: &Visit<'_>,
    vault: &Vault,
    item: &Item,
    action: &str,
) -> Event {
    let escapes = draft.escapes;
    let mut object = draft
        .object()
        .text("timestamp", &draft.stamp())
        .raw("used_version", &item.version.to_string())
        .text("vault_uuid", &vault.uuid)
        .text("item_uuid", &item.uuid)
        .text("action", action)
        .object("user", &visit.person.user(&company.account_uuid, escapes))
        .object("client", &visit.device.client(&visit.address, escapes));
    object = match random.below(100) {
        0..4 => object,
        4..6 => object.raw("location", "null"),
        _ => object.object("location", &visit.person.office.location(random, escapes)),
    };
    draft.finish(company.sign(object), visit.lateness)
}
