use std::collections::BTreeMap;

use super::*;
use crate::destination::Origin;

fn refusal(yaml: &str) -> String {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Parts {
        destinations: BTreeMap<String, DestinationConfig>,
        routes: Vec<RouteConfig>,
        delivery: DeliveryConfig,
    }
    let Parts { destinations, routes, delivery } = serde_saphyr::from_str(yaml).unwrap();
    let origin = Origin { instance: "latchkey".into(), runbook: None };
    build(destinations, routes, &delivery, &origin).map(|_| ()).unwrap_err().to_string()
}

#[test]
fn what_cannot_work_is_refused_with_its_place() {
    for (yaml, expect) in [
        ("delivery: {attempts: 0}", "alerter.delivery.attempts: 0 is not between 1 and 1000"),
        ("delivery: {timeout: 31s}", "alerter.delivery.timeout: 31s is not between 100ms and 30s"),
        (
            "destinations: {Ops: {webhook: {url: \"http://127.0.0.1\"}}}",
            "alerter.destinations.Ops: the name is not 1 to 32 of a-z, 0-9, '-' and '_'",
        ),
        ("destinations: {ops: {webhook: {}}}", "alerter.destinations.ops: set url or url_file"),
        (
            "destinations: {mail: {email: {server: localhost, from: a@example.com, to: []}}}",
            "alerter.destinations.mail: to: 0 recipients are not between 1 and 50",
        ),
        (
            "destinations: {mail: {email: {server: localhost, user: a, from: a@example.com, to: [b@example.com]}}}",
            "alerter.destinations.mail: user and password_file go together",
        ),
        ("routes: [{destinations: [ops]}]", "alerter.routes[0]: ops is none of alerter.destinations"),
        ("routes: [{}, {kinds: [odd]}]", "alerter.routes[1]: odd is no kind of alert (docs/alerts.md)"),
    ] {
        assert_eq!(refusal(yaml), expect);
    }
    let error = refusal("destinations: {chat: {slack: {url_file: /nonexistent}}}");
    assert!(error.starts_with("alerter.destinations.chat: the file cannot be used: /nonexistent: "), "{error}");
}

#[test]
fn a_password_is_not_sent_in_the_clear() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "s3cret").unwrap();
    let yaml = format!(
        "destinations: {{mail: {{email: {{server: localhost, security: none, user: a, password_file: {:?}, \
         from: a@example.com, to: [b@example.com]}}}}}}",
        file.path()
    );
    let error = refusal(&yaml);
    assert!(error.contains("a password is not sent without encryption"), "{error}");
}

#[test]
fn mail_addresses_do_not_show() {
    let address = MailAddress::try_from("Ada <ada@example.com>".to_owned()).unwrap();
    for shown in [address.to_string(), format!("{address:?}"), serde_json::to_string(&address).unwrap()] {
        assert!(shown.contains("…@example.com") && !shown.to_lowercase().contains("ada"), "{shown}");
    }
    assert!(MailAddress::try_from("nobody".to_owned()).is_err());
}

/// Every example of docs/alerts.md is read as the alerter would read it.
#[test]
fn the_examples_of_the_documentation_are_configuration() {
    let page = include_str!("../../../../../docs/alerts.md");
    let examples: Vec<_> = page.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert!(examples.len() >= 2, "the page has its examples");
    let mut destinations = 0;
    for example in examples {
        let read = |_: &std::path::Path| Ok(example.to_owned());
        let flags = latchkey_runtime::config::Flags { config: Some("alerts.yaml".into()), ..Default::default() };
        let config = latchkey_runtime::config::load::<crate::Config>("alerter", &flags, [], read);
        let config = config.unwrap_or_else(|faults| panic!("{faults}\n{example}"));
        destinations += config.service.destinations.len();
    }
    assert_eq!(destinations, 5, "one of each kind");
}
