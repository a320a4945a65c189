//! Arguments of the budgets that the simulator enforces.

use clap::Args;
use latchkey_simulator::RateLimits;

#[derive(Debug, Args)]
pub(super) struct Budgets {
    /// Enforce rate limits: 1Password's 600 requests a minute and 30,000 an hour, unless the next two say otherwise.
    #[arg(long = "rate-limits", help_heading = super::TROUBLE)]
    enforced: bool,

    /// Requests in a minute.
    #[arg(long, value_name = "N", default_value_t = 600, requires = "enforced", help_heading = super::TROUBLE)]
    per_minute: u32,

    /// Requests in an hour.
    #[arg(long, value_name = "N", default_value_t = 30_000, requires = "enforced", help_heading = super::TROUBLE)]
    per_hour: u32,

    /// Give each token limits of its own, instead of one for all tokens of an account.
    #[arg(long = "limits-per-token", requires = "enforced", help_heading = super::TROUBLE)]
    per_token: bool,

    /// Leave `Retry-After` out of refusals: 1Password does not document that it is there.
    #[arg(long, requires = "enforced", help_heading = super::TROUBLE)]
    no_retry_after: bool,
}

impl Budgets {
    /// The limits of each account, if there are any.
    pub(super) fn get(&self) -> Option<RateLimits> {
        self.enforced.then_some(RateLimits {
            per_minute: self.per_minute,
            per_hour: self.per_hour,
            retry_after: !self.no_retry_after,
            per_token: self.per_token,
        })
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Alone {
        #[command(flatten)]
        budgets: Budgets,
    }

    #[test]
    fn the_documented_limits_are_the_default() {
        let check = |arguments: &[&str], expect: Option<RateLimits>| {
            let parsed = Alone::parse_from([&["simulator"], arguments].concat());
            assert_eq!(parsed.budgets.get(), expect, "{arguments:?}");
        };
        check(&[], None);
        check(&["--rate-limits"], Some(RateLimits::default()));
        let own = RateLimits { per_minute: 5, retry_after: false, per_token: true, ..RateLimits::default() };
        check(&["--rate-limits", "--per-minute", "5", "--no-retry-after", "--limits-per-token"], Some(own));
    }
}
