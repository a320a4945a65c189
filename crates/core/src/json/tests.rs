use proptest::prelude::*;

use super::*;

fn written(text: &str) -> String {
    let mut out = Vec::new();
    write_value(&mut out, &parse(text.as_bytes()).unwrap());
    String::from_utf8(out).unwrap()
}

fn refused(bytes: &[u8], reason: Reason) {
    assert_eq!(parse(bytes).unwrap_err().reason, reason, "{}", String::from_utf8_lossy(bytes));
}

#[test]
fn what_passes_through_is_not_changed() {
    for text in [
        "1.50",
        "-0",
        "123456789012345678901234",
        "1E400",
        r#""caf\u00e9 \ud83d\ude00 \/ \\ é""#,
        r#"{"b":1,"a":[null,true,false,{}],"\u0061b":""}"#,
    ] {
        assert_eq!(written(text), text);
    }
    assert_eq!(written(" { \"a\" : [ 1 ,\n2 ] ,\"b\":{ } }\r\n"), r#"{"a":[1,2],"b":{}}"#);
}

#[test]
fn the_last_of_several_equal_keys_wins() {
    assert_eq!(written(r#"{"a":1,"b":2,"\u0061":3}"#), r#"{"b":2,"\u0061":3}"#);
    let many: Vec<_> = (0..100).map(|index| format!("\"k{}\":{index}", index % 50)).collect();
    let object = format!("{{{}}}", many.join(","));
    assert_eq!(parse(object.as_bytes()).unwrap().get("k7"), Some(&Value::Number("57")));
    assert_eq!(serde_json::from_str::<serde_json::Value>(&written(&object)).unwrap().as_object().unwrap().len(), 50);
}

#[test]
fn what_is_not_one_value_is_refused() {
    for text in ["", " ", "nul", "tru", "'a'", "NaN", "+1", ".5"] {
        refused(text.as_bytes(), Reason::Value);
    }
    for text in ["-", "1.", "1e", "[1", "[1,2", "{\"a\"}", "{\"a\":1", "{a:1}", "{\"a\":1,}", "[1 2]"] {
        let reason = parse(text.as_bytes()).unwrap_err().reason;
        assert!(matches!(reason, Reason::Malformed | Reason::Value), "{text}");
    }
    for text in
        ["\"a", "\"\n\"", r#""\x""#, r#""\u12g4""#, r#""\u+123""#, r#""\ud800""#, r#""\ude00""#, r#""\ud800\u0041""#]
    {
        refused(text.as_bytes(), Reason::String);
    }
    for text in ["1 2", "{} x", "01", "nullx"] {
        refused(text.as_bytes(), Reason::Trailing);
    }
    refused(b"\"\xff\"", Reason::Encoding);
}

#[test]
fn nesting_is_bounded() {
    let nested = |depth| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert!(parse(nested(MAX_DEPTH).as_bytes()).is_ok());
    refused(nested(MAX_DEPTH + 1).as_bytes(), Reason::Depth);
}

#[test]
fn a_text_decodes_to_what_is_meant() {
    let value = parse(r#""\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00""#.as_bytes()).unwrap();
    assert_eq!(value.name().unwrap(), "\"\\/\u{8}\u{c}\n\r\té😀");
}

/// JSON-like text: the characters that matter, in any order.
fn noise() -> impl Strategy<Value = String> {
    proptest::collection::vec(
        prop_oneof![
            Just("{"),
            Just("}"),
            Just("["),
            Just("]"),
            Just(","),
            Just(":"),
            Just("\"a\""),
            Just("\"\\ud83d\\ude00\""),
            Just("\"\\u0062\""),
            Just("\"\\ud83d\""),
            Just("0"),
            Just("-1.5e+3"),
            Just("1e"),
            Just("true"),
            Just("null"),
            Just(" "),
            Just("\n"),
            Just("\""),
            Just("é"),
        ],
        0..24,
    )
    .prop_map(|parts| parts.concat())
}

proptest! {
    /// Half surrogates are refused by both, and the depth of these inputs stays below both bounds.
    #[test]
    fn it_accepts_exactly_what_serde_json_accepts(text in noise()) {
        let oracle = serde_json::from_str::<serde_json::Value>(&text);
        let ours = parse(text.as_bytes());
        prop_assert_eq!(ours.is_ok(), oracle.is_ok());
        if let (Ok(ours), Ok(oracle)) = (ours, oracle) {
            let mut out = Vec::new();
            write_value(&mut out, &ours);
            prop_assert_eq!(serde_json::from_slice::<serde_json::Value>(&out).unwrap(), oracle);
        }
    }

    #[test]
    fn any_text_survives_writing_and_reading(text in any::<String>()) {
        let mut out = Vec::new();
        write_string(&mut out, &text);
        prop_assert_eq!(parse(&out).unwrap().name().unwrap(), text);
    }
}
