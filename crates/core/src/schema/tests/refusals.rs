//! What a schema file may not say: each row a declaration, and the fault with its line.

use super::*;

/// `fields[f]` begins on line 3, so what is below its name begins on line 4.
fn check(rows: &[(&str, &str)]) {
    for (field, expect) in rows {
        let text = format!("schema: Test.Event\nfields:\n  - name: f\n    {}\n", field.replace('\n', "\n    "));
        assert_eq!(faults(&text), [format!("test.yml:{expect}")], "{field}");
    }
}

/// Whole files.
fn check_files(rows: &[(&str, &[&str])]) {
    for (text, expect) in rows {
        let expect: Vec<_> = expect.iter().map(|fault| format!("test.yml{fault}")).collect();
        assert_eq!(faults(text), expect, "{text}");
    }
}

#[test]
fn types() {
    check(&[
        ("type: strng", "4: fields[f].type: \"strng\" is no type"),
        ("description: no type", "3: fields[f].type: is missing"),
        ("type: object", "3: fields[f].fields: a list of at least one field is needed"),
        ("type: object\nfields: []", "5: fields[f].fields: a list of at least one field is needed"),
        ("type: array", "3: fields[f].element: an array needs an element"),
        ("type: array\nelement: string", "5: fields[f].element: an array needs an element"),
        (
            "type: array\nelement:\n  type: object\n  fields:\n    - name: a\n      type: x",
            "9: fields[f].element.fields[a].type: \"x\" is no type",
        ),
    ]);
}

#[test]
fn keys() {
    check(&[
        ("type: string\nrequird: true", "5: fields[f].requird: is not known here"),
        ("type: int\nindicators: [ip]", "5: fields[f].indicators: is not known here"),
        ("type: string\nisEmbeddedJSON: true", "5: fields[f].isEmbeddedJSON: is not known here"),
        ("type: string\nisEventTime: true", "5: fields[f].isEventTime: is not known here"),
        ("type: string\nrequired: 1", "5: fields[f].required: must be true or false"),
        ("type: string\nrequired: true\nrequired: true", "6: the key \"required\" stands twice"),
        ("type: [string]", "4: fields[f].type: must be a text"),
    ]);
}

#[test]
fn conditions_and_indicators() {
    check(&[
        ("type: string\nindicators:\n  - ip\n  - emails", "7: fields[f].indicators: \"emails\" is no indicator"),
        ("type: string\nvalidate: {}", "5: fields[f].validate: at least one of allow, deny, ip and cidr is needed"),
        ("type: string\nvalidate: {ip: any, allow: a}", "5: fields[f].validate.allow: must be a list"),
        ("type: string\nvalidate: {ip: v4}", "5: fields[f].validate.ip: must be ipv4, ipv6 or any"),
        ("type: string\nvalidate:\n  match: x", "6: fields[f].validate.match: is none of allow, deny, ip and cidr"),
        ("type: string\nvalidate: {allow: []}", "5: fields[f].validate.allow: a list of at least one value is needed"),
    ]);
}

#[test]
fn formats() {
    check(&[
        (
            "type: timestamp\ntimeFormats:\n  - '%Y'\n  - '%Q'",
            "7: fields[f].timeFormats: \"%Q\": \"%Q\" is no directive that is known here",
        ),
        ("type: timestamp\ntimeFormats: []", "5: fields[f].timeFormats: at least one format is needed"),
        (
            "type: timestamp\ntimeFormat: unix\ntimeFormats: [unix]",
            "6: fields[f].timeFormats: either timeFormat or timeFormats, not both",
        ),
        (
            "type: timestamp\ntimeFormat: '%I:%M %Y'",
            "5: fields[f].timeFormat: \"%I:%M %Y\": has an hour of twelve without AM or PM",
        ),
        (
            "type: timestamp\ntimeFormat: layout=15:04:05",
            "5: fields[f].timeFormat: \"layout=15:04:05\": has no year, so no instant follows from it (use rfc3339, unix, unix_ms, unix_us, unix_ns or directives such as %Y-%m-%d)",
        ),
        (
            "type: object\nfields:\n  - {name: t, type: timestamp, isExpiration: true}",
            "6: fields[f].fields[t].isExpiration: is for fields at the top",
        ),
    ]);
}

#[test]
fn transformations() {
    check(&[
        (
            "type: string\nrename: {from: f}",
            "5: fields[f].rename: a field cannot be made from itself: give it another name",
        ),
        ("type: string\nrename: {from: x, to: y}", "5: fields[f].rename.to: is not known here"),
        ("type: string\nrename: x", "5: fields[f].rename: must be a mapping"),
        ("type: string\ncopy: {}", "5: fields[f].copy.from: is missing"),
        (
            "type: string\ncopy: {from: a..b}",
            "5: fields[f].copy.from: \"a..b\" is no path: keys with dots between them",
        ),
        (
            "type: string\ncopy: {from: a}\nsplit: {from: a, separator: x, index: 0}",
            "6: fields[f].split: a field has at most one of rename, copy, concat and split",
        ),
        ("type: string\nconcat: {paths: [a]}", "5: fields[f].concat.paths: a list of 2 to 16 paths is needed"),
        ("type: string\nsplit: {from: a, index: 0}", "5: fields[f].split.separator: is missing"),
        ("type: string\nsplit: {from: a, separator: '', index: 0}", "5: fields[f].split.separator: must not be empty"),
        ("type: string\nsplit: {from: a, separator: x}", "5: fields[f].split.index: is missing"),
        (
            "type: string\nsplit: {from: a, separator: x, index: -1}",
            "5: fields[f].split.index: must be a number from 0 to 65535",
        ),
        ("type: int\nmask: {type: redact}", "5: fields[f].mask: only strings are masked"),
        ("type: string\nmask: {type: blur}", "5: fields[f].mask.type: \"blur\" is no mask: use redact"),
        (
            "type: string\nmask: {type: hash, salt: x}",
            "5: fields[f].mask.type: hash is not done: Panther's recipe is not published, so its hashes and ours would not match; use redact",
        ),
        (
            "type: string\ncopy: {from: a}\nmask: {type: redact}",
            "6: fields[f].mask: what the field is made from would stay in the record unmasked: rename it, or mask it where it stands",
        ),
    ]);
    let long = "x".repeat(MAX_ADDED_BYTES + 1);
    check(&[
        (&format!("type: string\nmask: {{type: redact, to: {long}}}"), "5: fields[f].mask.to: longer than 256 bytes"),
        (
            &format!("type: string\nconcat: {{paths: [a, b], separator: {long}}}"),
            "5: fields[f].concat.separator: longer than 256 bytes",
        ),
    ]);
    check_files(&[
        (
            "schema: Test.Event\nfields:\n  - {name: a, type: string}\n  - {name: b, type: string, rename: {from: a}}",
            &[":4: fields[b].rename: \"a\" is declared itself: use copy"],
        ),
        (
            "schema: Test.Event\nfields:\n  - {name: a, type: string, rename: {from: x}}\n  - {name: b, type: string, rename: {from: x}}",
            &[":4: fields[b].rename: \"x\" is renamed twice: use copy"],
        ),
    ]);
}

#[test]
fn definitions() {
    check(&[
        ("type: ref\ntarget: Name", "5: definitions.Name: is not defined"),
        ("type: ref", "3: fields[f].target: is missing"),
    ]);
    check_files(&[
        (
            "schema: Test.Event\nfields: [{name: f, type: ref, target: A}]\ndefinitions:\n  A:\n    type: object\n    fields:\n      - {name: b, type: ref, target: B}\n  B:\n    type: array\n    element:\n      type: ref\n      target: A\n",
            &[":7: definitions.B: refers to itself: B → A → B", ":12: definitions.A: refers to itself: A → B → A"],
        ),
        (
            "schema: Test.Event\nfields: [{name: f, type: ref, target: A}]\ndefinitions: {A: {type: ref, target: A}}\n",
            &[":3: definitions.A: refers to itself: A → A"],
        ),
        (
            "schema: Test.Event\nfields: [{name: f, type: string}]\ndefinitions:\n  Unused: {type: strng}\n",
            &[":4: definitions.Unused.type: \"strng\" is no type"],
        ),
        (
            "schema: Test.Event\nfields: [{name: f, type: string}]\ndefinitions: []\n",
            &[":3: definitions: must be a mapping"],
        ),
    ]);
}

#[test]
fn files() {
    check_files(&[
        ("", &[": holds nothing"]),
        ("- a", &[":1: a schema is a mapping"]),
        ("schema: A.B\nfields: [{name: a, type: string}]\n---\nb: 1\n", &[":4: more than one document"]),
        (
            "schema: Test\nparser: {csv: {}, xml: {}}\nversion: 1\nextra: 1\nfields: []\n",
            &[
                ":1: schema: a name has at least two parts of letters, digits and '_', joined by '.'",
                ":2: parser.csv: csv is for logs that are not JSON, and only JSON is read here",
                ":2: parser.xml: is no parser",
                ":3: version: must be 0",
                ":4: extra: is not known here",
                ":5: fields: a list of at least one field is needed",
            ],
        ),
        (
            "schema: Test.Event\nparser:\n  fastmatch: {match: ['%{x}']}\nfields: [{name: a, type: string}]\n",
            &[":3: parser.fastmatch: fastmatch is for logs that are not JSON, and only JSON is read here"],
        ),
        (
            "schema: Test.Event\nfields:\n  - {name: a, type: int}\n  - {name: uuid, type: int}\n",
            &[":4: fields[uuid]: identifies the event: its type is string, and it has no mask"],
        ),
    ]);
    assert!(faults("schema: Test.Event\nfields: [")[0].starts_with("test.yml:2: not YAML: "), "{:?}", faults("a: ["));
}

#[test]
fn a_small_file_cannot_grow_without_end() {
    // Each definition holds the next one twice: 65,536 fields at the end.
    let definitions: Vec<_> = (0..16)
        .map(|at| {
            let field = |name: &str| format!("{{name: {name}, type: ref, target: D{}}}", at + 1);
            format!("  D{at}: {{type: object, fields: [{}, {}]}}", field("a"), field("b"))
        })
        .collect();
    let text = format!(
        "schema: Test.Event\nfields: [{{name: f, type: ref, target: D0}}]\ndefinitions:\n{}\n  D16: {{type: string}}\n",
        definitions.join("\n")
    );
    assert!(faults(&text).iter().any(|fault| fault.contains("more than 2000 fields")), "{:?}", faults(&text));

    let values = vec!["x"; 1_000].join(", ");
    let fields: Vec<_> = (0..100).map(|at| format!("{{name: f{at}, type: ref, target: D}}")).collect();
    let text = format!(
        "schema: Test.Event\nfields: [{}]\ndefinitions: {{D: {{type: string, validate: {{allow: [{values}]}}}}}}",
        fields.join(", ")
    );
    assert!(faults(&text)[0].contains("more than 50000 values in lists"), "{:?}", faults(&text));

    let mut text = "schema: Test.Event\na0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for at in 1..9 {
        let aliases = vec![format!("*a{}", at - 1); 9].join(", ");
        text = format!("{text}a{at}: &a{at} [{aliases}]\n");
    }
    assert!(faults(&text)[0].contains("more than 200000 values"), "{:?}", faults(&text));

    let many: Vec<_> = (0..=MAX_DEFINITIONS).map(|at| format!("D{at}: {{type: string}}")).collect();
    let text = format!("schema: Test.Event\nfields: [{{name: f, type: string}}]\ndefinitions: {{{}}}", many.join(", "));
    assert_eq!(faults(&text), ["test.yml:3: definitions: more than 200 definitions"]);

    let wrong: Vec<_> = (0..1_000).map(|at| format!("{{name: f{at}, type: x}}")).collect();
    assert_eq!(faults(&format!("schema: Test.Event\nfields: [{}]", wrong.join(", "))).len(), MAX_FAULTS);
}
