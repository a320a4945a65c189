//! What the operator does about a refused poll, by its stable word.

/// The next step for a reason; words from a newer version get a general one.
#[must_use]
pub fn of_refusal(reason: &str) -> &'static str {
    match reason {
        "unauthorized" => {
            "Check on 1Password.com under Integrations that the token is active, not expired and made for this feed; a further \
             feed needs a new token."
        }
        "forbidden" => {
            "Check that the account's plan includes the Events API and that the token has not been restricted."
        }
        "bad_request" => {
            "If this lasts, check the Events API address and any proxy on the way, and the source's start_time."
        }
        "cursor_refused" => {
            "Nothing: the feed is read again from a point in time. If it does not recover, report it to 1Password with the time."
        }
        "out_of_scope" => "Give the source a token made for this feed, or leave the feed out of the source's feeds.",
        "misconfigured" => {
            "Correct the source with `latchkey source set`, or put what it names where the fetchers run."
        }
        "not_found" => "Check the region, or the Events API address if you set one.",
        "over_budget" => {
            "Wait: the account's requests are used up; if this lasts, find what else uses them, or poll less often."
        }
        "rate_limited" => "Wait; if this lasts, find what else uses this account's tokens, or poll less often.",
        "server_error" => "Wait; if this lasts, see 1Password's status page.",
        "unexpected_status" => "Check the Events API address, and any proxy on the way.",
        "timeout" | "connect" => "Check the network, the firewall and any proxy between here and the Events API.",
        "dns" => "Check this machine's name resolution, and the Events API address if you set one.",
        "tls" => {
            "Check the clock and the trusted certificates of this machine; behind an inspecting proxy, give its CA file."
        }
        "body" => "Wait; if this lasts, look for a proxy that cuts answers short.",
        "malformed" => "Wait; if this lasts, look for a proxy that answers in 1Password's place.",
        "too_large" => "A single event is larger than any should be: report it to 1Password.",
        "page_too_large" => "Raise max_payload of the NATS server; 8 MB is enough.",
        "no_progress" => "If this lasts, start the feed again from a point in time, and report it to 1Password.",
        "no_room" => {
            "Give the fetchers more room for pages (fetcher.concurrency), or run more; find which sources answer slowly."
        }
        "stream_full" => "Give the stream more room, or find out why its readers do not keep up.",
        "bus_unavailable" => "Check that NATS runs and that its streams have a leader.",
        "setup" => "Correct the fetcher's configuration.",
        _ => "See the fetcher's log.",
    }
}
