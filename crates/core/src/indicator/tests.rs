use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn all(values: &[(Indicator, &str)], email_usernames: bool) -> Value {
    // As they stand in an event.
    let texts: Vec<_> = values.iter().map(|(indicator, text)| (*indicator, json!(text).to_string())).collect();
    let mut indicators = Indicators::new(email_usernames);
    for (indicator, text) in &texts {
        indicators.add(*indicator, Text::written(&text[1..text.len() - 1]));
    }
    let mut out = b"{\"\":0".to_vec();
    indicators.write(&mut out);
    out.push(b'}');
    let mut written: Value = serde_json::from_slice(&out).unwrap();
    written.as_object_mut().unwrap().remove("");
    written
}

fn check(name: &str, rows: &[(&str, Value)]) {
    for (text, expect) in rows {
        assert_eq!(&all(&[(name.parse().unwrap(), text)], false), expect, "{name} of {text:?}");
    }
}

fn nothing() -> Value {
    json!({})
}

#[test]
fn ip_takes_plain_addresses_only() {
    let found = |text: &str| json!({ "p_any_ip_addresses": [text] });
    check(
        "ip",
        &[
            ("192.0.2.1", found("192.0.2.1")),
            (" 192.0.2.1\n", found("192.0.2.1")),
            ("2001:db8::1", found("2001:db8::1")),
            ("2001:DB8:0::1", found("2001:DB8:0::1")),
            ("::ffff:192.0.2.1", found("::ffff:192.0.2.1")),
            ("192.0.2.1:80", nothing()),
            ("[2001:db8::1]", nothing()),
            ("fe80::1%eth0", nothing()),
            ("192.0.2.01", nothing()),
            ("192.0.2.1.5", nothing()),
            ("example.com", nothing()),
            ("", nothing()),
        ],
    );
}

#[test]
fn domain_takes_any_text_and_shows_it_as_people_write_it() {
    let found = |text: &str| json!({ "p_any_domain_names": [text] });
    check(
        "domain",
        &[
            ("example.com", found("example.com")),
            ("Example.COM", found("Example.COM")),
            ("192.0.2.1", found("192.0.2.1")),
            ("xn--bcher-kva.example", found("bücher.example")),
            ("www.xn--fsqu00a.xn--0zwm56d", found("www.例子.测试")),
            ("xn--!!!.example", found("xn--!!!.example")),
            ("xn--99999999.example", found("xn--99999999.example")),
            (" ", nothing()),
        ],
    );
}

#[test]
fn hostname_is_an_address_or_a_domain() {
    check(
        "hostname",
        &[
            ("192.0.2.1", json!({ "p_any_ip_addresses": ["192.0.2.1"] })),
            ("host.example.com", json!({ "p_any_domain_names": ["host.example.com"] })),
            ("host:80", json!({ "p_any_domain_names": ["host:80"] })),
        ],
    );
}

#[test]
fn url_gives_its_host() {
    let name = || json!({ "p_any_domain_names": ["example.com"] });
    check(
        "url",
        &[
            ("https://example.com/path?q=1", name()),
            ("//example.com/path", name()),
            ("https://user:pass@example.com:8443/", name()),
            ("https://user@home@example.com", name()),
            ("https://example.com#part", name()),
            ("https://192.0.2.1/", json!({ "p_any_ip_addresses": ["192.0.2.1"] })),
            ("https://[2001:db8::1]:443/", json!({ "p_any_ip_addresses": ["2001:db8::1"] })),
            ("example.com/path", nothing()),
            ("example.com//path", nothing()),
            ("mailto:ann@example.com", nothing()),
            ("https://", nothing()),
        ],
    );
}

#[test]
fn net_addr_gives_the_host_before_the_port() {
    check(
        "net_addr",
        &[
            ("192.0.2.1:80", json!({ "p_any_ip_addresses": ["192.0.2.1"] })),
            ("[::1]:80", json!({ "p_any_ip_addresses": ["::1"] })),
            ("2001:db8::1", json!({ "p_any_ip_addresses": ["2001:db8::1"] })),
            ("example.com:443", json!({ "p_any_domain_names": ["example.com"] })),
            ("example.com", json!({ "p_any_domain_names": ["example.com"] })),
        ],
    );
}

#[test]
fn email_needs_an_at_sign() {
    check(
        "email",
        &[
            ("Ann@example.com", json!({ "p_any_emails": ["Ann@example.com"] })),
            ("@", json!({ "p_any_emails": ["@"] })),
            ("ann", nothing()),
        ],
    );
}

#[test]
fn the_local_part_of_an_email_is_a_username_if_the_switch_is_on() {
    assert_eq!(
        all(&[(Indicator::Email, "Ann@example.com")], true),
        json!({ "p_any_emails": ["Ann@example.com"], "p_any_usernames": ["Ann"] })
    );
    assert_eq!(all(&[(Indicator::Email, "@example.com")], true), json!({ "p_any_emails": ["@example.com"] }));
}

fn takes_any_text(name: &str, field: &str) {
    check(name, &[(" Zoë \"Z\" ", json!({ field: ["Zoë \"Z\""] })), (" \t", nothing())]);
}

#[test]
fn username_trace_id_and_actor_id_take_any_text() {
    takes_any_text("username", "p_any_usernames");
    takes_any_text("trace_id", "p_any_trace_ids");
    takes_any_text("actor_id", "p_any_actor_ids");
}

#[test]
fn mac_and_serial_number_take_any_text() {
    takes_any_text("mac", "p_any_mac_addresses");
    takes_any_text("serial_number", "p_any_serial_numbers");
}

#[test]
fn md5_sha1_and_sha256_have_their_length_and_are_lower_cased() {
    for (name, field, length) in
        [("md5", "p_any_md5_hashes", 32), ("sha1", "p_any_sha1_hashes", 40), ("sha256", "p_any_sha256_hashes", 64)]
    {
        let hash = "aB".repeat(length / 2);
        check(
            name,
            &[
                (&hash, json!({ field: [hash.to_lowercase()] })),
                (&hash[1..], nothing()),
                (&"g".repeat(length), nothing()),
            ],
        );
    }
}

#[test]
fn aws_arn_account_instance_and_tag_have_their_form() {
    takes_any_text("aws_tag", "p_any_aws_tags");
    let arn = "arn:aws:ec2:eu-west-1:123456789012:instance/i-0abc";
    let by_address = "arn:aws:sts::123456789012:assumed-role/Admin/ann@example.com";
    let by_name = "arn:aws:sts::123456789012:assumed-role/Admin/ann";
    let elsewhere = "arn:aws:iam::123456789012:user/ann@example.com";
    check(
        "aws_arn",
        &[
            (
                arn,
                json!({
                    "p_any_aws_account_ids": ["123456789012"],
                    "p_any_aws_arns": [arn],
                    "p_any_aws_instance_ids": ["i-0abc"],
                }),
            ),
            ("arn:aws:s3:::bucket/a:b", json!({ "p_any_aws_arns": ["arn:aws:s3:::bucket/a:b"] })),
            (
                by_address,
                json!({
                    "p_any_aws_account_ids": ["123456789012"],
                    "p_any_aws_arns": [by_address],
                    "p_any_emails": ["ann@example.com"],
                }),
            ),
            (by_name, json!({ "p_any_aws_account_ids": ["123456789012"], "p_any_aws_arns": [by_name] })),
            (elsewhere, json!({ "p_any_aws_account_ids": ["123456789012"], "p_any_aws_arns": [elsewhere] })),
            ("arn:aws:s3", nothing()),
            ("bucket", nothing()),
        ],
    );
    check(
        "aws_arn_only",
        &[
            (arn, json!({ "p_any_aws_arns": [arn] })),
            (by_address, json!({ "p_any_aws_arns": [by_address] })),
            ("bucket", nothing()),
        ],
    );
    let usernames = all(&[(Indicator::AwsArn, by_address)], true)["p_any_usernames"].clone();
    assert_eq!(usernames, json!(["ann"]), "as of any e-mail address");
    check(
        "aws_account_id",
        &[("123456789012", json!({ "p_any_aws_account_ids": ["123456789012"] })), ("12345678901", nothing())],
    );
    check("aws_instance_id", &[("i-0abc", json!({ "p_any_aws_instance_ids": ["i-0abc"] })), ("0abc", nothing())]);
}

#[test]
fn a_name_that_is_no_indicator_is_refused() {
    assert_eq!("emails".parse::<Indicator>(), Err(Unknown("emails".into())));
}

proptest! {
    #[test]
    fn values_are_sorted_bytewise_and_kept_once(texts in proptest::collection::vec("[a-cA-Cé ]{0,3}", 0..12)) {
        let values: Vec<_> = texts.iter().map(|text| (Indicator::Username, text.as_str())).collect();
        let mut expect: Vec<_> = texts.iter().map(|text| text.trim()).filter(|text| !text.is_empty()).collect();
        expect.sort_unstable();
        expect.dedup();
        let expect = if expect.is_empty() { json!({}) } else { json!({ "p_any_usernames": expect }) };
        prop_assert_eq!(all(&values, false), expect);
    }

    #[test]
    fn every_indicator_is_total(text in any::<String>()) {
        for (_, indicator) in Indicator::NAMES {
            all(&[(indicator, &text)], true);
        }
    }
}
