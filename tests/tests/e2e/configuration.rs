//! What is not understood is refused at start, with its place and what to write instead.

use std::{fs, process::Output};

use latchkey_tests::command;

fn refused(output: Output) -> String {
    assert_eq!(output.status.code(), Some(64));
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn an_unknown_key_is_refused_with_its_path_and_the_nearest_one() {
    let check = |program: &str, file: &str, path: &str, nearest: &str| {
        let directory = tempfile::tempdir().unwrap();
        let place = directory.path().join("latchkey.yaml");
        fs::write(&place, file).unwrap();
        let words = refused(command(program).arg("--config").arg(&place).output().unwrap());
        for part in ["latchkey.yaml", path, nearest] {
            assert!(words.contains(part), "{program}: {part} is missing in: {words}");
        }
    };
    check(
        "latchkey-fetcher",
        "fetcher:\n  sources:\n    - id: acme\n      tokenfile: a\n",
        "fetcher.sources",
        "token_file",
    );
    check("latchkey-normalizer", "normalizer:\n  lookup: ./tables\n", "normalizer.lookup", "lookups");
    check("latchkey-forwarder", "forwarder:\n  ouput: ./events\n", "forwarder.ouput", "output");
    check("latchkey-alerter", "alerter:\n  drop_of:\n    after: 1h\n", "alerter.drop_of", "drop_off");
    check("latchkey-forwarder", "nats:\n  ulr: nats://127.0.0.1:4222\n", "nats.ulr", "url");
}

#[test]
fn an_unknown_flag_is_refused_with_the_nearest_one() {
    let check = |program: &str, arguments: &[&str], nearest: &str| {
        let words = refused(command(program).args(arguments).output().unwrap());
        assert!(words.contains(nearest), "{program}: {nearest} is missing in: {words}");
    };
    check("latchkey", &["up", "--source", "acme", "--tokn-file", "token"], "--token-file");
    check("latchkey", &["dmo"], "demo");
    check("latchkey-fetcher", &["--confg", "latchkey.yaml"], "--config");
}
