//! The identity of a page: the same page always gets the same id, whoever fetches it and however often.

use latchkey_contracts::{
    Chain,
    page::{Repair, ResetCursor, raw_page::Request},
};

/// 128 bits as 32 lower-case hex digits: BLAKE3 over chain, request and body, each with its length before it, cut to half. Every byte that
/// the API sends passes here, and SHA-256 is five times slower.
#[must_use]
pub fn page_id(chain: &Chain, request: &Request, body: &[u8]) -> String {
    let mut hash = blake3::Hasher::new();
    let mut part = |bytes: &[u8]| {
        hash.update(&(bytes.len() as u64).to_be_bytes());
        hash.update(bytes);
    };
    part(chain.source.as_str().as_bytes());
    part(chain.feed.as_str().as_bytes());
    match request {
        Request::Cursor(cursor) => part(cursor.as_bytes()),
        Request::Reset(ResetCursor { limit, start_unix_nano }) => {
            part(&limit.to_be_bytes());
            part(&start_unix_nano.to_be_bytes());
        }
        Request::Repair(Repair { start_unix_nano, end_unix_nano, limit, cursor, .. }) => {
            part(&start_unix_nano.to_be_bytes());
            part(&end_unix_nano.to_be_bytes());
            part(&limit.to_be_bytes());
            part(cursor.as_bytes());
        }
    }
    part(body);
    let half = *hash.finalize().as_bytes().first_chunk().expect("BLAKE3 has 32 bytes");
    format!("{:032x}", u128::from_be_bytes(half))
}

#[cfg(test)]
mod tests {
    use latchkey_contracts::Feed;

    use super::*;

    #[test]
    fn whatever_differs_changes_the_id() {
        let chain = |source: &str, feed| Chain { source: source.parse().unwrap(), feed };
        let acme = chain("acme", Feed::ItemUsages);
        let cursor = Request::Cursor("c".into());
        let ids = [
            page_id(&acme, &cursor, b"{}"),
            page_id(&chain("acme", Feed::AuditEvents), &cursor, b"{}"),
            page_id(&chain("acm", Feed::ItemUsages), &cursor, b"{}"),
            page_id(&acme, &Request::Cursor("d".into()), b"{}"),
            page_id(&acme, &Request::Reset(ResetCursor { limit: 1, start_unix_nano: 0 }), b"{}"),
            page_id(&acme, &cursor, b"{} "),
            page_id(&acme, &Request::Repair(Repair { end_unix_nano: 1, ..Repair::default() }), b"{}"),
            page_id(
                &acme,
                &Request::Repair(Repair { end_unix_nano: 1, cursor: "c".into(), ..Repair::default() }),
                b"{}",
            ),
        ];
        let distinct: std::collections::HashSet<_> = ids.iter().collect();
        assert_eq!(distinct.len(), ids.len());
        assert_eq!(ids[0], page_id(&acme, &cursor, b"{}"));
        assert_eq!(ids[0].len(), 32);
    }
}
