//! The forty people of an invented company.
//!
//! Names are put together from lists, with accents, apostrophes, hyphens, quotes and an ampersand in them, because names are
//! where collectors meet characters they did not expect. Every address is at example.com (RFC 2606).

use super::{
    devices::Device,
    places::{self, OFFICES, Place},
};
use crate::{
    json::{Escapes, Object, Rendered},
    random::Random,
    uuid,
};

/// A member of the account.
#[derive(Debug)]
pub(crate) struct Person {
    pub(crate) uuid: String,
    pub(crate) name: String,
    pub(crate) email: String,
    /// `user_type` in version 2.
    kind: &'static str,
    pub(crate) office: &'static Place,
    home: String,
    devices: Vec<Device>,
    /// How much this person does, compared with the average.
    pub(crate) zeal: f64,
}

/// A name and how it is spelt in an e-mail address.
type Spelt = (&'static str, &'static str);

const GIVEN: [Spelt; 40] = [
    ("Zoë", "zoe"),
    ("Łukasz", "lukasz"),
    ("Søren", "soren"),
    ("Inês", "ines"),
    ("Björn", "bjorn"),
    ("Chloé", "chloe"),
    ("Ngọc", "ngoc"),
    ("Maëlle", "maelle"),
    ("Óscar", "oscar"),
    ("Jürgen", "jurgen"),
    ("Aoife", "aoife"),
    ("Renée", "renee"),
    ("Tomáš", "tomas"),
    ("Çağla", "cagla"),
    ("Dwayne \"Rocky\"", "dwayne"),
    ("Priya", "priya"),
    ("Kwame", "kwame"),
    ("Yuki", "yuki"),
    ("Mateo", "mateo"),
    ("Hana", "hana"),
    ("Ravi", "ravi"),
    ("Ewa", "ewa"),
    ("Anne-Sofie", "anne-sofie"),
    ("Fatima", "fatima"),
    ("Owen", "owen"),
    ("Lindiwe", "lindiwe"),
    ("Sven", "sven"),
    ("Marta", "marta"),
    ("Niamh", "niamh"),
    ("Pavel", "pavel"),
    ("Ana", "ana"),
    ("Ibrahim", "ibrahim"),
    ("Greta", "greta"),
    ("Wei", "wei"),
    ("Nadia", "nadia"),
    ("Hugo", "hugo"),
    ("Selma", "selma"),
    ("Andrés", "andres"),
    ("Mirela", "mirela"),
    ("Tāne", "tane"),
];

const FAMILY: [Spelt; 20] = [
    ("Ångström", "angstrom"),
    ("Ødegård", "odegard"),
    ("Müller-Weiß", "muller-weiss"),
    ("O'Sullivan", "osullivan"),
    ("Żeleńska", "zelenska"),
    ("Nuñez", "nunez"),
    ("Brontë", "bronte"),
    ("D'Ávila", "davila"),
    ("Þorvald", "thorvald"),
    ("Lefèvre", "lefevre"),
    ("Okonkwo", "okonkwo"),
    ("Tanaka", "tanaka"),
    ("Sørensen", "sorensen"),
    ("Horváth", "horvath"),
    ("Iyer", "iyer"),
    ("Kowalczyk", "kowalczyk"),
    ("van der Zee", "vanderzee"),
    ("Petrescu", "petrescu"),
    ("Şahin", "sahin"),
    ("Whitaker & Sons", "whitaker"),
];

/// Values of `user_type`.
const KINDS: [(u64, &str); 3] = [(90, "member"), (7, "external_user"), (3, "service_account")];

/// The company's people, in an order of the seed's own.
pub(crate) fn hire(random: &mut Random) -> Vec<Person> {
    let mut given = GIVEN;
    random.shuffle(&mut given);
    given.iter().map(|given| person(*given, random)).collect()
}

fn person(given: Spelt, random: &mut Random) -> Person {
    let family = random.pick(&FAMILY);
    let devices = 1 + random.index(3);
    Person {
        uuid: uuid::upper(random),
        name: format!("{} {}", given.0, family.0),
        email: format!("{}.{}@example.com", given.1, family.1),
        kind: random.weighted::<&str>(&KINDS),
        office: random.pick(&OFFICES),
        home: places::home_address(random),
        devices: (0..devices).map(|_| Device::drawn(random)).collect(),
        zeal: 0.3 + 1.4 * random.share(),
    }
}

impl Person {
    pub(crate) fn device(&self, random: &mut Random) -> &Device {
        random.pick(&self.devices)
    }

    /// The address this person works from.
    pub(crate) fn address(&self, random: &mut Random) -> String {
        if random.chance(400) { self.home.clone() } else { places::office_address(random) }
    }

    /// `{uuid, name, email}`, as audit events describe people.
    pub(crate) fn details(&self, escapes: Escapes) -> Rendered {
        self.identity(escapes).finish()
    }

    /// The same with what version 2 adds.
    pub(crate) fn user(&self, account_uuid: &str, escapes: Escapes) -> Rendered {
        self.identity(escapes)
            .text("user_type", self.kind)
            .only_v2()
            .text("user_account_uuid", account_uuid)
            .only_v2()
            .finish()
    }

    /// `actor_type` of an audit event.
    pub(crate) fn kind(&self) -> &'static str {
        self.kind
    }

    fn identity(&self, escapes: Escapes) -> Object {
        Object::new(escapes).text("uuid", &self.uuid).text("name", &self.name).text("email", &self.email)
    }
}
