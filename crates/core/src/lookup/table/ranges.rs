//! Rows by range of addresses: the longest prefix that holds an address wins.

use std::net::{IpAddr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use prefix_trie::PrefixMap;

use super::{Moment, arena::Arena};

/// Bits before the IPv4 address in an IPv6 address that carries one (RFC 4291, 2.5.5.2).
const MAPPED_BITS: u8 = 96;

/// A table whose keys are ranges.
#[derive(Default)]
pub(in crate::lookup) struct Ranges {
    arena: Arena,
    v4: PrefixMap<Ipv4Net, u32>,
    v6: PrefixMap<Ipv6Net, u32>,
}

impl Ranges {
    /// The row of the longest range that holds the address and whose life has not ended.
    pub(in crate::lookup) fn get(&self, address: &str, now: Moment) -> Option<&[u8]> {
        let row = |at: &u32| self.arena.row(*at, now);
        // From the shortest prefix to the longest.
        match address.parse::<IpAddr>().ok()?.to_canonical() {
            IpAddr::V4(address) => self.v4.cover_values(&address.into()).filter_map(row).last(),
            IpAddr::V6(address) => self.v6.cover_values(&address.into()).filter_map(row).last(),
        }
    }

    /// Adds a row; says whether it took the place of another. `None`: the table is full.
    pub(in crate::lookup) fn add(&mut self, range: IpNet, row: &[u8], ends: Moment) -> Option<bool> {
        let at = self.arena.add(&[], row, ends)?;
        let earlier = match range {
            IpNet::V4(range) => self.v4.insert(range.trunc(), at),
            IpNet::V6(range) => self.v6.insert(range.trunc(), at),
        };
        Some(earlier.is_some())
    }

    pub(in crate::lookup) fn rows(&self) -> usize {
        self.v4.len() + self.v6.len()
    }

    pub(in crate::lookup) fn shrink(&mut self) {
        self.arena.shrink();
    }
}

/// Reads a range such as `192.0.2.0/24`; an address alone is a range of one.
pub(in crate::lookup) fn parse(text: &str) -> Option<IpNet> {
    let range = text.parse::<IpNet>().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))?;
    let IpNet::V6(wide) = range else { return Some(range) };
    let mapped = wide.prefix_len() >= MAPPED_BITS && is_mapped(wide.network());
    match (mapped, wide.network().to_canonical()) {
        (true, IpAddr::V4(address)) => Ipv4Net::new(address, wide.prefix_len() - MAPPED_BITS).ok().map(IpNet::V4),
        _ => Some(range),
    }
}

fn is_mapped(address: Ipv6Addr) -> bool {
    address.to_ipv4_mapped().is_some()
}
