//! Plans: faults with their schedules, as a file or a value.
//!
//! A plan is a list of rules. Each says whom it concerns, when it strikes and what then happens. A request meets every rule that
//! concerns it, in order; of faults that replace the answer the first wins, all others add up. Nothing depends on the time of
//! day or on chance: the same plan and the same requests give the same faults.

use std::{collections::HashMap, time::Duration};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Fault, When, schedule::Progress};
use crate::{
    feed::Feed,
    ledger::RequestKind,
    random::{Random, number_of},
};

/// Rules in a plan at most.
pub const MAX_RULES: usize = 1000;

/// What goes wrong, for whom and when.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Plan {
    /// Decides which requests a rule with a rate strikes.
    pub seed: u64,
    /// In the order in which they are tried.
    pub rules: Vec<Rule>,
}

/// One fault of a plan.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Only this account; every account if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// Only this feed; every endpoint if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub feed: Option<Feed>,
    /// Only requests of this kind; every kind if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on: Option<RequestKind>,
    /// When it strikes; always if absent.
    #[serde(default)]
    pub when: When,
    /// What then happens.
    pub fault: Fault,
}

impl Rule {
    /// A rule that always strikes everybody.
    #[must_use]
    pub fn new(fault: Fault) -> Self {
        Self { fault, ..Self::default() }
    }
}

/// Why a plan is refused. Permanent.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PlanError {
    /// It is no YAML or JSON, or has other fields than plans have.
    #[error("not a plan of faults: {0}")]
    Unreadable(String),
    /// A rule breaks a bound.
    #[error("rule {number}: {bound}")]
    Rule {
        /// Counted from 1.
        number: usize,
        /// What must hold.
        bound: &'static str,
    },
    /// More than [`MAX_RULES`].
    #[error("a plan has 1,000 rules at most")]
    TooManyRules,
}

impl Plan {
    /// A plan of these rules.
    #[must_use]
    pub fn new(rules: impl IntoIterator<Item = Rule>) -> Self {
        Self { seed: 0, rules: rules.into_iter().collect() }
    }

    /// Reads a plan from YAML, of which JSON is a part.
    pub fn parse(text: &str) -> Result<Self, PlanError> {
        let plan: Self = serde_saphyr::from_str(text).map_err(|error| PlanError::Unreadable(error.to_string()))?;
        plan.check()?;
        Ok(plan)
    }

    /// Says what is wrong with the plan, if something is.
    pub(crate) fn check(&self) -> Result<(), PlanError> {
        if self.rules.len() > MAX_RULES {
            return Err(PlanError::TooManyRules);
        }
        for (index, rule) in self.rules.iter().enumerate() {
            if let Some(bound) = rule.fault.broken_bound().or_else(|| rule.when.broken_bound()) {
                return Err(PlanError::Rule { number: index + 1, bound });
            }
        }
        Ok(())
    }
}

/// What a rule may look at.
#[derive(Clone, Copy)]
pub(crate) struct Asked<'a> {
    pub(crate) account: &'a str,
    pub(crate) feed: Option<Feed>,
    pub(crate) kind: RequestKind,
}

/// A plan at work.
#[derive(Debug)]
pub(crate) struct Active {
    plan: Plan,
    began: Timestamp,
    progress: HashMap<Place, Progress>,
}

/// A rule (by index) on one endpoint of one account.
type Place = (usize, u64, Option<Feed>);

impl Active {
    pub(crate) fn new(plan: Plan, began: Timestamp) -> Self {
        Self { plan, began, progress: HashMap::new() }
    }

    pub(crate) fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The faults of a request, which is thereby counted.
    pub(crate) fn strike(&mut self, asked: Asked<'_>, now: Timestamp) -> Vec<Fault> {
        // Most simulators have no plan, and then a request shall cost nothing.
        if self.plan.rules.is_empty() {
            return Vec::new();
        }
        let since = Duration::try_from(now.duration_since(self.began)).unwrap_or_default();
        let account = number_of(asked.account);
        let mut faults = Vec::new();
        for (index, rule) in self.plan.rules.iter().enumerate().filter(|(_, rule)| rule.concerns(asked)) {
            let progress = self.progress.entry((index, account, asked.feed)).or_default();
            let endpoint = asked.feed.map_or(u64::from(u8::MAX), |feed| u64::from(feed.code()));
            let draw = Random::of(&[self.plan.seed, index as u64, account, endpoint, progress.asked]).share();
            if progress.ask(&rule.when, since, draw) {
                faults.push(rule.fault.clone());
            }
        }
        faults
    }
}

impl Rule {
    fn concerns(&self, asked: Asked<'_>) -> bool {
        self.account.as_ref().is_none_or(|account| account == asked.account)
            && self.feed.is_none_or(|feed| Some(feed) == asked.feed)
            && self.on.is_none_or(|kind| kind == asked.kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "
seed: 7
rules:
  - feed: item_usages
    on: cursor
    when: {nth: 2, times: 1}
    fault: {status: {code: 400}}
  - account: acme
    when: {after: 10s, until: 1m}
    fault: {status: {code: 429, retry_after: {seconds: 30}}}
  - when: {rate: 0.5}
    fault: gzip
";

    fn ask(account: &str, feed: Feed, kind: RequestKind) -> Asked<'_> {
        Asked { account, feed: Some(feed), kind }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn names(faults: &[Fault]) -> Vec<&'static str> {
        faults.iter().map(Fault::name).collect()
    }

    #[test]
    fn a_file_says_whom_when_and_what() {
        let plan = Plan::parse(FILE).unwrap();
        assert_eq!(plan.rules[0].when, When::only(2));
        assert_eq!(Plan::parse(&serde_json::to_string(&plan).unwrap()).unwrap(), plan);
        let mut active = Active::new(Plan { rules: plan.rules[..2].to_vec(), ..plan }, at(0));
        let mut check = |account, feed, kind, second, expect: &[&str]| {
            assert_eq!(names(&active.strike(ask(account, feed, kind), at(second))), expect, "{account} at {second}");
        };
        let (feed, kind) = (Feed::ItemUsages, RequestKind::Cursor);
        check("acme", feed, kind, 0, &[]);
        check("acme", feed, RequestKind::Reset, 0, &[]);
        check("acme", Feed::AuditEvents, kind, 0, &[]);
        check("other", feed, kind, 0, &[]);
        check("acme", feed, kind, 10, &["status", "status"]);
        check("acme", feed, kind, 59, &["status"]);
        check("acme", feed, kind, 60, &[]);
        check("other", feed, kind, 60, &["status"]);
    }

    #[test]
    fn a_rate_strikes_its_share_and_the_same_requests_every_time() {
        let rule = Rule { when: When::rate(0.3), ..Rule::new(Fault::Html) };
        let run = |seed| -> Vec<bool> {
            let mut active = Active::new(Plan { seed, rules: vec![rule.clone()] }, at(0));
            let mut struck = || !active.strike(ask("acme", Feed::ItemUsages, RequestKind::Cursor), at(0)).is_empty();
            (0..1000).map(|_| struck()).collect()
        };
        let struck = run(1).into_iter().filter(|struck| *struck).count();
        assert!((250..350).contains(&struck), "{struck}");
        assert_eq!(run(1), run(1));
        assert_ne!(run(1), run(2));
    }

    #[test]
    fn wrong_plans_are_refused_with_their_place() {
        let check = |text: &str, part: &str| {
            let error = Plan::parse(text).unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        };
        check("rules: [{fault: earthquake}]", "earthquake");
        check("rules: [{fault: html}, {fault: {status: {code: 200}}}]", "rule 2: a status must be 400 to 599");
        check("rules: [{fault: html, when: {nth: 0}}]", "rule 1: requests are counted from 1");
        check("rules: [{fault: html, when: {often: 1}}]", "often");
        check("rules: [{fault: html, when: {after: 1m, until: 30s}}]", "behind `after`");
        check("rules: [{feed: items, fault: html}]", "items");
    }
}
