//! Sign-in attempts: mornings, forgotten passwords, lost second factors, and strangers at the firewall.
//!
//! The traps of this feed are here on purpose: `details` is an object, null, absent or (rarely) a string;
//! `firewall_reported_success` is a success; one type is spelt in two ways; a country is a code or a name.

use super::{
    company::Company,
    devices::Device,
    event::{Draft, Event},
    people::Person,
    places::{self, ABROAD, Place},
    rhythm::{Day, MINUTE, SECOND, prompt},
};
use crate::{instant::later, random::Random, uuid};

/// Attempts of an average person on a working day.
const ATTEMPTS_PER_PERSON: f64 = 8.0;
/// Attempts of a stranger who tries the company's addresses one after another.
const ATTEMPTS_PER_RAID: f64 = 30.0;
/// Days with such a stranger, per mille.
const RAID_DAYS: u64 = 200;

/// Category, and the types that go with it.
struct Outcome {
    category: &'static str,
    types: &'static [&'static str],
}

const BLOCKS: &[&str] = &["ip_blocked", "country_blocked", "continent_blocked", "anonymous_blocked", "all_blocked"];

const SUCCESS: Outcome = Outcome { category: "success", types: &["credentials_ok", "mfa_ok", "federated"] };
const WRONG_PASSWORD: Outcome =
    Outcome { category: "credentials_failed", types: &["password_secret_bad", "platform_secret_bad"] };
const FIREWALL_FAILED: Outcome = Outcome { category: "firewall_failed", types: BLOCKS };

const OUTCOMES: [(u64, Outcome); 7] = [
    (880, SUCCESS),
    (45, WRONG_PASSWORD),
    (
        25,
        Outcome {
            category: "mfa_failed",
            types: &["totp_bad", "mfa_missing", "u2f_timeout", "u2f_timout", "duo_timeout", "code_bad"],
        },
    ),
    (5, Outcome { category: "sso_failed", types: &["sso_user_mismatch", "non_sso_user"] }),
    (5, Outcome { category: "modern_version_failed", types: &["modern_version_old", "modern_version_missing"] }),
    (25, FIREWALL_FAILED),
    (15, Outcome { category: "firewall_reported_success", types: BLOCKS }),
];

const RAID_OUTCOMES: [(u64, Outcome); 2] = [(70, WRONG_PASSWORD), (30, FIREWALL_FAILED)];

/// Where an attempt comes from.
struct Origin<'a> {
    device: &'a Device,
    address: String,
    place: &'static Place,
}

/// The attempts of one day.
pub(crate) fn day(company: &Company, day: &Day, factor: f64, random: &mut Random, events: &mut Vec<Event>) {
    for person in &company.people {
        let mean = ATTEMPTS_PER_PERSON * day.busyness() * person.zeal * factor;
        for _ in 0..random.count(mean) {
            work(company, person, day, random, events);
        }
    }
    if random.chance(RAID_DAYS) {
        raid(company, day, factor, random, events);
    }
}

/// One ordinary attempt.
pub(crate) fn ordinary(company: &Company, random: &mut Random, draft: Draft) -> Event {
    let person = company.somebody(random);
    let outcome = random.weighted(&OUTCOMES);
    let origin = origin(person, random);
    attempt(company, random, draft, person, &origin, outcome)
}

/// Somebody signs in; after a wrong password the right one usually follows.
fn work(company: &Company, person: &Person, day: &Day, random: &mut Random, events: &mut Vec<Event>) {
    let at = day.moment(random, person.office.offset());
    let outcome = random.weighted(&OUTCOMES);
    let origin = origin(person, random);
    let draft = Draft::varied(random, at, person.office.offset());
    events.push(attempt(company, random, draft, person, &origin, outcome));
    if outcome.category == WRONG_PASSWORD.category && random.chance(800) {
        let again = later(at, 4 * SECOND + random.span(40 * SECOND));
        let draft = Draft::varied(random, again, person.office.offset());
        events.push(attempt(company, random, draft, person, &origin, &SUCCESS));
    }
}

/// A stranger tries many people within ten minutes.
fn raid(company: &Company, day: &Day, factor: f64, random: &mut Random, events: &mut Vec<Event>) {
    let place = random.pick(&ABROAD);
    let device = Device::drawn(random);
    let origin = Origin { device: &device, address: places::foreign_address(random), place };
    let start = day.moment(random, place.offset());
    for _ in 0..random.count(ATTEMPTS_PER_RAID * factor) {
        let at = later(start, random.span(10 * MINUTE));
        let person = company.somebody(random);
        let outcome = random.weighted(&RAID_OUTCOMES);
        let draft = Draft::varied(random, at, place.offset());
        events.push(attempt(company, random, draft, person, &origin, outcome));
    }
}

fn origin<'a>(person: &'a Person, random: &mut Random) -> Origin<'a> {
    let device = person.device(random);
    if random.chance(30) {
        return Origin { device, address: places::foreign_address(random), place: random.pick(&ABROAD) };
    }
    Origin { device, address: person.address(random), place: person.office }
}

fn attempt(
    company: &Company,
    random: &mut Random,
    draft: Draft,
    person: &Person,
    origin: &Origin<'_>,
    outcome: &Outcome,
) -> Event {
    let escapes = draft.escapes;
    let place = origin.place;
    let kind = random.pick(outcome.types);
    let country = if random.chance(50) { place.country_name } else { place.country };
    let mut object = draft
        .object()
        .text("session_uuid", &uuid::upper(random))
        .text("timestamp", &draft.stamp())
        .text("country", country)
        .text("category", outcome.category)
        .text("type", kind);
    if let Some(details) = details(kind, origin, random) {
        object = object.raw("details", &details);
    }
    object = object
        .object("target_user", &person.user(&company.account_uuid, escapes))
        .object("client", &origin.device.client(&origin.address, escapes));
    object = match random.below(100) {
        0..3 => object,
        3..5 => object.raw("location", "null"),
        _ => object.object("location", &place.location(random, escapes)),
    };
    let lateness = prompt(random);
    draft.finish(company.sign(object), lateness)
}

/// What the firewall decided on; null or absent where it had no part.
fn details(kind: &str, origin: &Origin<'_>, random: &mut Random) -> Option<String> {
    let value = match kind {
        "ip_blocked" => &origin.address,
        "country_blocked" => origin.place.country,
        "continent_blocked" => origin.place.continent,
        "anonymous_blocked" | "all_blocked" => return Some("null".into()),
        _ => return random.chance(700).then(|| "null".into()),
    };
    Some(if random.chance(30) { format!("\"{value}\"") } else { format!("{{\"value\":\"{value}\"}}") })
}
