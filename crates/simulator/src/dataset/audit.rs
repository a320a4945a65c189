//! Audit events: what members and administrators changed.
//!
//! The shape differs from the other two feeds: there is no `client`, the address is `session.ip`, people are described only
//! sometimes, and a second object (`aux_*`) takes part in memberships and access.

use super::{
    company::Company,
    event::{Draft, Event},
    people::Person,
    rhythm::{Day, MINUTE, prompt},
};
use crate::{
    json::{Object, Rendered},
    random::Random,
    uuid,
};

/// Changes by an average person on a working day.
const CHANGES_PER_PERSON: f64 = 3.5;

/// What an action is done to; decides the case of the identifier and whether it is described.
#[derive(Clone, Copy)]
enum Target {
    User,
    Vault,
    Item,
    Group,
    /// Invitations, tokens, reports and the like: a fresh upper-case identifier.
    Paper,
    /// Devices and files: a fresh lower-case identifier.
    Thing,
}

/// The second object of an action.
#[derive(Clone, Copy)]
enum Aux {
    None,
    /// A member, with the role or the access it gets.
    Member(&'static str),
    /// A text alone.
    Info(&'static str),
}

struct Change {
    action: &'static str,
    object_type: &'static str,
    target: Target,
    aux: Aux,
}

const CHANGES: [(u64, Change); 32] = [
    (60, change("update", "item", Target::Item, Aux::None)),
    (40, change("create", "item", Target::Item, Aux::None)),
    (15, change("delete", "item", Target::Item, Aux::None)),
    (12, change("patch", "itemhist", Target::Item, Aux::None)),
    (14, change("share", "item", Target::Item, Aux::Info("share-link"))),
    (4, change("delshare", "item", Target::Item, Aux::None)),
    (6, change("create", "vault", Target::Vault, Aux::None)),
    (3, change("export", "vault", Target::Vault, Aux::Info("csv"))),
    (18, change("grant", "uva", Target::Vault, Aux::Member("15730674"))),
    (9, change("revoke", "uva", Target::Vault, Aux::Member("2"))),
    (10, change("grant", "gva", Target::Vault, Aux::Info("15730674"))),
    (16, change("join", "gm", Target::Group, Aux::Member("A"))),
    (9, change("leave", "gm", Target::Group, Aux::Member("A"))),
    (6, change("role", "gm", Target::Group, Aux::Member("B"))),
    (12, change("create", "invite", Target::Paper, Aux::Info("somebody.new@example.com"))),
    (6, change("complete", "user", Target::User, Aux::None)),
    (5, change("activate", "user", Target::User, Aux::None)),
    (5, change("suspend", "user", Target::User, Aux::None)),
    (3, change("reactive", "user", Target::User, Aux::None)),
    (7, change("changemp", "user", Target::User, Aux::None)),
    (4, change("changeks", "user", Target::User, Aux::None)),
    (4, change("disblmfa", "user", Target::User, Aux::None)),
    (4, change("trvlaway", "user", Target::User, Aux::None)),
    (30, change("verify", "device", Target::Thing, Aux::None)),
    (9, change("delete", "device", Target::Thing, Aux::None)),
    (14, change("view", "report", Target::Paper, Aux::Info("usage"))),
    (8, change("create", "file", Target::Thing, Aux::None)),
    (3, change("create", "satoken", Target::Paper, Aux::None)),
    (2, change("trevoke", "satoken", Target::Paper, Aux::None)),
    (2, change("updatfw", "account", Target::Paper, Aux::Info("deny"))),
    (2, change("enblsso", "sso", Target::Paper, Aux::Info("oidc"))),
    (1, change("launchi", "slackapp", Target::Paper, Aux::None)),
];

const fn change(action: &'static str, object_type: &'static str, target: Target, aux: Aux) -> Change {
    Change { action, object_type, target, aux }
}

/// The changes of one day.
pub(crate) fn day(company: &Company, day: &Day, factor: f64, random: &mut Random, events: &mut Vec<Event>) {
    for person in &company.people {
        let mean = CHANGES_PER_PERSON * day.busyness() * person.zeal * factor;
        for _ in 0..random.count(mean) {
            let at = day.moment(random, person.office.offset());
            let draft = Draft::varied(random, at, person.office.offset());
            events.push(record(company, random, draft, person));
        }
    }
}

/// One ordinary change.
pub(crate) fn ordinary(company: &Company, random: &mut Random, draft: Draft) -> Event {
    let person = company.somebody(random);
    record(company, random, draft, person)
}

fn record(company: &Company, random: &mut Random, draft: Draft, actor: &Person) -> Event {
    let escapes = draft.escapes;
    let change = random.weighted(&CHANGES);
    // Older events and some actions name people by identifier only.
    let described = random.chance(700);

    let mut object = draft.object().text("timestamp", &draft.stamp()).text("actor_uuid", &actor.uuid);
    if described {
        object = object.object("actor_details", &actor.details(escapes));
    }
    object = object
        .text("actor_type", actor.kind())
        .only_v2()
        .text("actor_account_uuid", &company.account_uuid)
        .only_v2()
        .text("account_uuid", &company.account_uuid)
        .only_v2()
        .text("action", change.action)
        .text("object_type", change.object_type);
    object = target(object, change.target, described, company, random, &draft);
    object = aux(object, change.aux, described, company, random, &draft);
    // Automated actions have no session.
    if !random.chance(30) {
        object = object.object("session", &session(actor, random, &draft));
    }
    if !random.chance(60) {
        object = object.object("location", &actor.office.location(random, escapes));
    }
    let lateness = prompt(random);
    draft.finish(object, lateness)
}

fn target(
    object: Object,
    target: Target,
    described: bool,
    company: &Company,
    random: &mut Random,
    draft: &Draft,
) -> Object {
    match target {
        Target::User => {
            let person = company.somebody(random);
            let object = object.text("object_uuid", &person.uuid);
            if described { object.object("object_details", &person.details(draft.escapes)) } else { object }
        }
        Target::Vault => object.text("object_uuid", &random.pick(&company.vaults).uuid),
        Target::Item => object.text("object_uuid", &company.some_item(random).1.uuid),
        Target::Group => object.text("object_uuid", company.some_group(random)),
        Target::Paper => object.text("object_uuid", &uuid::upper(random)),
        Target::Thing => object.text("object_uuid", &uuid::lower(random)),
    }
}

fn aux(object: Object, aux: Aux, described: bool, company: &Company, random: &mut Random, draft: &Draft) -> Object {
    match aux {
        Aux::None => object,
        Aux::Info(info) => object.text("aux_info", info),
        Aux::Member(info) => {
            let member = company.somebody(random);
            // Beyond 2^53 now and then: a reader that goes through a float changes it.
            let base = if random.chance(100) { 9_007_199_254_740_993 } else { 9_000_000 };
            let object = object.raw("aux_id", &(base + 2 * random.below(100_000)).to_string());
            let object = object.text("aux_uuid", &member.uuid);
            let object = if described { object.object("aux_details", &member.details(draft.escapes)) } else { object };
            object.text("aux_info", info)
        }
    }
}

fn session(actor: &Person, random: &mut Random, draft: &Draft) -> Rendered {
    Object::new(draft.escapes)
        .text("uuid", &uuid::upper(random))
        .text("login_time", &draft.stamp_before(random.span(480 * MINUTE)))
        .text("device_uuid", &actor.device(random).uuid)
        .text("ip", &actor.address(random))
        .finish()
}
