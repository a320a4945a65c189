//! Each rule of the layers, and the exact words of each refusal.

use clap::Parser;
use jiff::SignedDuration;
use latchkey_runtime::config::{self, Config, Flags};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Forwarder {
    output: String,
    compression: Compression,
    batch: Batch,
    feeds: Vec<String>,
    accounts: Vec<Account>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Batch {
    events: u32,
    age: SignedDuration,
    flush: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Compression {
    None,
    Zstd,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Account {
    name: String,
    token_file: PathBuf,
}

impl Default for Forwarder {
    fn default() -> Self {
        Self {
            output: "file:///var/lib/latchkey".into(),
            compression: Compression::Zstd,
            batch: Batch::default(),
            feeds: Vec::new(),
            accounts: Vec::new(),
        }
    }
}

impl Default for Batch {
    fn default() -> Self {
        Self { events: 1_000, age: SignedDuration::from_secs(60), flush: false }
    }
}

/// A command of its own.
#[derive(Parser)]
struct Command {
    #[command(flatten)]
    flags: Flags,
}

/// What is written, in order of precedence.
#[derive(Default)]
struct Written<'a> {
    file: &'a str,
    environment: &'a [(&'a str, &'a str)],
    flags: &'a [&'a str],
}

fn load(written: &Written<'_>) -> Result<Config<Forwarder>, String> {
    let mut arguments = vec!["latchkey-forwarder", "--config", "latchkey.yaml"];
    arguments.extend(written.flags);
    let flags = Command::try_parse_from(arguments).map_err(|error| error.to_string())?.flags;
    let environment = written.environment.iter().map(|(name, value)| (name.into(), value.into()));
    config::load("forwarder", &flags, environment, |_| Ok(written.file.to_owned())).map_err(|faults| faults.to_string())
}

#[track_caller]
fn check(written: &Written<'_>, change: impl FnOnce(&mut Config<Forwarder>)) {
    let mut expected = Config::default();
    change(&mut expected);
    assert_eq!(load(written), Ok(expected));
}

#[track_caller]
fn refuse(written: &Written<'_>, words: &str) {
    assert_eq!(load(written).expect_err("refused"), words);
}

#[track_caller]
fn refuse_file(file: &str, words: &str) {
    refuse(&Written { file, ..Written::default() }, words);
}

#[track_caller]
fn refuse_variable(name: &str, value: &str, words: &str) {
    refuse(&Written { environment: &[(name, value)], ..Written::default() }, words);
}

#[test]
fn nothing_written_is_the_default() {
    check(&Written::default(), |_| {});
    check(&Written { file: "# a comment\n", ..Written::default() }, |_| {});
    check(&Written { file: "forwarder:\nnats:\nhttp:\n  # listen: 127.0.0.1:9\n", ..Written::default() }, |_| {});
    check(&Written { environment: &[("LATCHKEY_NATS__URL", ""), ("HOME", "/")], ..Written::default() }, |_| {});
}

#[test]
fn flag_over_environment_over_file_over_default() {
    let file = "forwarder:\n  output: file\n  batch:\n    events: 5\n    age: 5m\n";
    check(&Written { file, ..Written::default() }, |config| {
        config.service.output = "file".into();
        config.service.batch.events = 5;
        config.service.batch.age = SignedDuration::from_mins(5);
    });
    let environment = &[("LATCHKEY_FORWARDER__OUTPUT", "environment"), ("LATCHKEY_FORWARDER__BATCH__EVENTS", "6")];
    check(&Written { file, environment, ..Written::default() }, |config| {
        config.service.output = "environment".into();
        config.service.batch.events = 6;
        config.service.batch.age = SignedDuration::from_mins(5);
    });
    let flags = &["--set", "forwarder.output=flag"];
    check(&Written { file, environment, flags }, |config| {
        config.service.output = "flag".into();
        config.service.batch.events = 6;
        config.service.batch.age = SignedDuration::from_mins(5);
    });
}

#[test]
fn named_flags_set_their_keys() {
    let flags = &[
        "--nats-url",
        "nats://192.0.2.1:4222,nats://192.0.2.2:4222",
        "--listen",
        "127.0.0.1:8080",
        "--log-format",
        "json",
        "--log-level",
        "debug",
    ];
    check(&Written { flags, ..Written::default() }, |config| {
        config.nats.url = vec!["nats://192.0.2.1:4222".into(), "nats://192.0.2.2:4222".into()];
        config.http.listen = Some("127.0.0.1:8080".parse().unwrap());
        config.telemetry.log_format = Some(config::LogFormat::Json);
        config.telemetry.log_level = "debug".into();
    });
}

#[test]
fn text_of_variables_becomes_what_is_wanted() {
    let environment = &[
        ("LATCHKEY_FORWARDER__OUTPUT", "123"),
        ("LATCHKEY_FORWARDER__FEEDS", "audit_events, item_usages"),
        ("LATCHKEY_FORWARDER__COMPRESSION", "none"),
        ("LATCHKEY_FORWARDER__BATCH__AGE", "24h"),
        ("LATCHKEY_FORWARDER__BATCH__FLUSH", "true"),
        ("LATCHKEY_FORWARDER__ACCOUNTS", "[{name: acme, token_file: /run/token}]"),
        ("LATCHKEY_NATS__URL", "[nats://192.0.2.1]"),
        ("LATCHKEY_TELEMETRY__SAMPLING_RATIO", "0.25"),
        ("LATCHKEY_SHUTDOWN__GRACE", "5s"),
    ];
    check(&Written { environment, ..Written::default() }, |config| {
        config.service = Forwarder {
            output: "123".into(),
            feeds: vec!["audit_events".into(), "item_usages".into()],
            compression: Compression::None,
            batch: Batch { age: SignedDuration::from_hours(24), flush: true, ..Batch::default() },
            accounts: vec![Account { name: "acme".into(), token_file: "/run/token".into() }],
        };
        config.nats.url = vec!["nats://192.0.2.1".into()];
        config.telemetry.sampling_ratio = 0.25;
        config.shutdown.grace = SignedDuration::from_secs(5);
    });
}

#[test]
fn other_services_sections_are_left_to_them() {
    let file = "fetcher:\n  anything: [1, 2]\nalerter:\n";
    check(&Written { file, environment: &[("LATCHKEY_FETCHER__X", "1")], ..Written::default() }, |_| {});
}

#[test]
fn variables_that_kubernetes_makes_are_not_ours() {
    let environment = &[
        ("LATCHKEY_NATS_SERVICE_HOST", "192.0.2.1"),
        ("LATCHKEY_NATS_SERVICE_PORT_CLIENT", "4222"),
        ("LATCHKEY_NATS_PORT", "tcp://192.0.2.1:4222"),
        ("LATCHKEY_NATS_PORT_4222_TCP_ADDR", "192.0.2.1"),
    ];
    check(&Written { environment, ..Written::default() }, |_| {});
}

#[test]
fn an_unknown_key_is_refused_with_the_nearest() {
    refuse_file(
        "nats:\n  url: nats://192.0.2.1\nforwarder:\n  ouput: x\n",
        "latchkey.yaml:4: forwarder.ouput: unknown key, did you mean forwarder.output?",
    );
    refuse_file(
        "forwarder:\n  batch:\n    size:\n      max: 3\n",
        "latchkey.yaml:3: forwarder.batch.size: unknown key, known here: events, age, flush",
    );
    refuse_file("forwader:\n", "latchkey.yaml:1: forwader: unknown key, did you mean forwarder?");
    refuse_file("log_level: debug\n", "latchkey.yaml:1: log_level: unknown key, did you mean telemetry.log_level?");
    refuse_file(
        "zzz: 1\n",
        "latchkey.yaml:1: zzz: unknown key, known here: nats, telemetry, http, shutdown, forwarder, fetcher, normalizer, alerter",
    );
    refuse_variable(
        "LATCHKEY_FORWARDER__OUPUT",
        "x",
        "environment LATCHKEY_FORWARDER__OUPUT: forwarder.ouput: unknown key, did you mean LATCHKEY_FORWARDER__OUTPUT?",
    );
    refuse_variable(
        "LATCHKEY_NATS_URL",
        "nats://192.0.2.1",
        "environment LATCHKEY_NATS_URL: nats_url: unknown key, did you mean LATCHKEY_NATS__URL?",
    );
    refuse(
        &Written { flags: &["--set", "forwarder.batch.evnts=3"], ..Written::default() },
        "--set: forwarder.batch.evnts: unknown key, did you mean forwarder.batch.events?",
    );
}

#[test]
fn a_wrong_value_is_refused_with_its_path_and_without_repeating_it() {
    refuse_file(
        "forwarder:\n  batch:\n    events: many\n",
        "latchkey.yaml:3: forwarder.batch.events: expected a whole number from 0 (u32), found text",
    );
    refuse_file(
        "forwarder:\n  batch:\n    events: -1\n",
        "latchkey.yaml:3: forwarder.batch.events: expected a whole number from 0 (u32), found -1",
    );
    refuse_file("forwarder:\n  output: 7\n", "latchkey.yaml:2: forwarder.output: expected a string, found 7");
    refuse_file("forwarder: true\n", "latchkey.yaml:1: forwarder: expected a map of keys, found true");
    refuse_file(
        "forwarder:\n  compression: ztsd\n",
        "latchkey.yaml:2: forwarder.compression: expected one of none, zstd; did you mean zstd?",
    );
    refuse_file(
        "forwarder:\n  accounts:\n    - name: a\n      token_file: /t\n    - name: b\n",
        "latchkey.yaml:5: forwarder.accounts[1]: token_file is missing",
    );
    refuse_variable(
        "LATCHKEY_FORWARDER__BATCH__EVENTS",
        "s3cret",
        "environment LATCHKEY_FORWARDER__BATCH__EVENTS: forwarder.batch.events: expected a whole number from 0 (u32), found text",
    );
    refuse_variable(
        "LATCHKEY_NATS__URL",
        "192.0.2.1",
        "environment LATCHKEY_NATS__URL: nats.url: a server is written nats://host:port or tls://host:port",
    );
    refuse(
        &Written { flags: &["--listen", "8080"], ..Written::default() },
        "--listen: http.listen: invalid socket address syntax",
    );
    refuse(
        &Written { flags: &["--log-level", "inof"], ..Written::default() },
        "--log-level: telemetry.log_level: \"inof\" is no level (error, warn, info, debug, trace, off), and a module's filter is written module=level",
    );
    refuse_file("nats:\n  patience: 25h\n", "latchkey.yaml:2: nats.patience: must be between 0s and 24h");
    refuse_file(
        "http:\n  metrics_sources: 100001\n",
        "latchkey.yaml:2: http.metrics_sources: must be between 0 and 100000",
    );
    refuse_file("shutdown:\n  grace: 1h\n", "latchkey.yaml:2: shutdown.grace: must be between 0s and 10m");
    refuse_file(
        "telemetry:\n  sampling_ratio: 2\n",
        "latchkey.yaml:2: telemetry.sampling_ratio: a share is between 0 and 1",
    );
    refuse(
        &Written { flags: &["--set", "forwarder.output"], ..Written::default() },
        "--set: is written --set PATH=VALUE",
    );
}

#[test]
fn what_is_no_yaml_is_refused_with_its_line() {
    refuse_file("- a\n- b\n", "latchkey.yaml:1: is not a map of sections");
    let faults = load(&Written { file: "nats:\n  url: a\n  url: b\n", ..Written::default() }).unwrap_err();
    assert!(faults.starts_with("latchkey.yaml:3: ") && faults.contains("duplicate"), "{faults}");
    let faults = load(&Written { file: "nats:\n  url: [a\n", ..Written::default() }).unwrap_err();
    assert!(faults.starts_with("latchkey.yaml:"), "{faults}");
}

#[test]
fn all_faults_are_reported_at_once() {
    refuse(
        &Written {
            file: "forwarder:\n  ouput: x\n  batch:\n    events: many\n    age: 5 parsecs of it\n  feeds: 3\nnats:\n  url: []\nextra: 1\n",
            environment: &[("LATCHKEY_HTTP__LISTEN", "nowhere")],
            ..Written::default()
        },
        "latchkey.yaml:8: nats.url: no server\n\
         environment LATCHKEY_HTTP__LISTEN: http.listen: invalid socket address syntax\n\
         latchkey.yaml:2: forwarder.ouput: unknown key, did you mean forwarder.output?\n\
         latchkey.yaml:4: forwarder.batch.events: expected a whole number from 0 (u32), found text\n\
         latchkey.yaml:5: forwarder.batch.age: failed to parse input in the \"friendly\" duration format: expected to find unit designator suffix (e.g., `years` or `secs`) after parsing integer\n\
         latchkey.yaml:6: forwarder.feeds: expected a sequence, found 3\n\
         latchkey.yaml:9: extra: unknown key, known here: nats, telemetry, http, shutdown, forwarder, fetcher, normalizer, alerter",
    );
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let flags = Flags { config: Some("/nowhere/latchkey.yaml".into()), ..Flags::default() };
    let faults = config::load::<Forwarder>("forwarder", &flags, [], config::read_file).unwrap_err();
    assert_eq!(faults.to_string(), "/nowhere/latchkey.yaml: cannot be read: No such file or directory (os error 2)");
}

#[test]
fn the_printed_configuration_reads_back_and_holds_no_password() {
    let written = Written {
        environment: &[
            ("LATCHKEY_NATS__URL", "nats://user:secret@nats.example.com:4222"),
            ("LATCHKEY_SHUTDOWN__GRACE", "90s"),
        ],
        ..Written::default()
    };
    let mut config = load(&written).unwrap();
    assert!(!format!("{config:?}").contains("secret"));
    let printed = config.to_yaml("forwarder");
    assert!(!printed.contains("secret"), "{printed}");
    assert!(printed.contains("grace: 1m30s") || printed.contains("grace: 1m 30s"), "{printed}");

    config.nats.url = vec!["nats://nats.example.com:4222".into()];
    assert_eq!(load(&Written { file: &printed, ..Written::default() }), Ok(config));
}

#[test]
fn flattened_flags_leave_a_command_its_own_words() {
    use clap::CommandFactory;
    let about = Command::command().get_about().map(ToString::to_string);
    assert_eq!(about.as_deref(), Some("A command of its own"));
}
