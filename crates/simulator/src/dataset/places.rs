//! Where people and attackers sit: cities, and addresses from the ranges reserved for documentation.
//!
//! Addresses come from RFC 5737 and RFC 3849 only, so that no example ever names somebody's real network.

use jiff::tz::Offset;

use crate::{
    json::{Escapes, Object, Rendered},
    random::Random,
};

/// A city.
#[derive(Debug)]
pub(crate) struct Place {
    /// ISO 3166 code.
    pub(crate) country: &'static str,
    /// The country spelt out, which the API shows instead of the code now and then.
    pub(crate) country_name: &'static str,
    pub(crate) continent: &'static str,
    region: &'static str,
    city: &'static str,
    latitude: &'static str,
    longitude: &'static str,
    offset_hours: i8,
}

/// Cities with an office.
pub(crate) const OFFICES: [Place; 5] = [
    place("CA", "Canada", "North America", "Ontario", "Toronto", ("43.6532", "-79.3832"), -5),
    place("CA", "Canada", "North America", "Quebec", "Montréal", ("45.5019", "-73.5674"), -5),
    place("DE", "Germany", "Europe", "Berlin", "Berlin", ("52.52", "13.405"), 1),
    place("CH", "Switzerland", "Europe", "Zürich", "Zürich", ("47.3769", "8.5417"), 1),
    place("BR", "Brazil", "South America", "São Paulo", "São Paulo", ("-23.5505", "-46.6333"), -3),
];

/// Cities that staff travel to, and that strangers try from.
pub(crate) const ABROAD: [Place; 6] = [
    place("PT", "Portugal", "Europe", "Lisboa", "Lisbon", ("38.7223", "-9.1393"), 0),
    place("JP", "Japan", "Asia", "Tokyo", "Tokyo", ("35.6762", "139.6503"), 9),
    place("ZA", "South Africa", "Africa", "Western Cape", "Cape Town", ("-33.9249", "18.4241"), 2),
    place("NZ", "New Zealand", "Oceania", "Auckland", "Tāmaki Makaurau", ("-36.8509", "174.7645"), 12),
    place("IS", "Iceland", "Europe", "Capital Region", "Reykjavík", ("64.1466", "-21.9426"), 0),
    place("CL", "Chile", "South America", "Valparaíso", "Viña del Mar", ("-33.0153", "-71.55"), -3),
];

const fn place(
    country: &'static str,
    country_name: &'static str,
    continent: &'static str,
    region: &'static str,
    city: &'static str,
    (latitude, longitude): (&'static str, &'static str),
    offset_hours: i8,
) -> Place {
    Place { country, country_name, continent, region, city, latitude, longitude, offset_hours }
}

impl Place {
    pub(crate) fn offset(&self) -> Offset {
        Offset::constant(self.offset_hours)
    }

    /// The `location` of an event. Not every event knows a city.
    pub(crate) fn location(&self, random: &mut Random, escapes: Escapes) -> Rendered {
        let object = Object::new(escapes).text("country", self.country);
        if random.chance(60) {
            return object.finish();
        }
        object
            .text("region", self.region)
            .text("city", self.city)
            .raw("latitude", self.latitude)
            .raw("longitude", self.longitude)
            .finish()
    }
}

/// An address of an office network.
pub(crate) fn office_address(random: &mut Random) -> String {
    format!("192.0.2.{}", 1 + random.below(30))
}

/// An address of somebody's home, IPv4 or IPv6.
pub(crate) fn home_address(random: &mut Random) -> String {
    if random.chance(250) {
        return format!("2001:db8:{:x}::{:x}", 1 + random.below(0xfffe), 1 + random.below(0xfffe));
    }
    format!("198.51.100.{}", 1 + random.below(254))
}

/// An address nobody in the company uses.
pub(crate) fn foreign_address(random: &mut Random) -> String {
    format!("203.0.113.{}", 1 + random.below(254))
}
