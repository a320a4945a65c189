//! Finds the host in URLs and in `host:port`.
//!
//! Only the host's place is found; whether it is an address or a name is decided by whoever asks.

/// The host of a URL; `None` without a scheme and `//` (so `mailto:` has none) or without a host.
pub(super) fn of_url(text: &str) -> Option<&str> {
    let (scheme, rest) = text.split_once("//")?;
    let named = scheme.strip_suffix(':').is_some_and(|name| !name.is_empty() && name.bytes().all(of_scheme));
    if !scheme.is_empty() && !named {
        return None;
    }
    let authority = rest.split(['/', '?', '#', '\\']).next()?;
    let host_port = authority.rsplit_once('@').map_or(authority, |(_, host_port)| host_port);
    let host = match host_port.strip_prefix('[') {
        Some(bracketed) => bracketed.split_once(']')?.0,
        None => host_port.split_once(':').map_or(host_port, |(host, _)| host),
    };
    Some(host).filter(|host| !host.is_empty())
}

/// The host of `host:port` or `[host]:port`; `None` if the text is neither.
pub(super) fn of_host_port(text: &str) -> Option<&str> {
    let (host, port) = text.rsplit_once(':')?;
    let is_port = !port.is_empty() && port.bytes().all(|digit| digit.is_ascii_digit());
    let host = match host.strip_prefix('[') {
        Some(bracketed) => bracketed.strip_suffix(']')?,
        // Without brackets, more colons mean an IPv6 address without a port.
        None if host.contains(':') => return None,
        None => host,
    };
    (is_port && !host.is_empty()).then_some(host)
}

fn of_scheme(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.')
}
