use serde_json::json;

use super::*;

fn jwt(payload: &Value) -> String {
    let encode = |text: String| URL_SAFE_NO_PAD.encode(text);
    format!(
        "{}.{}.{}",
        encode(json!({"alg": "ES256", "typ": "JWT"}).to_string()),
        encode(payload.to_string()),
        encode("signature".into())
    )
}

fn claims(payload: &Value) -> Claims {
    Token::parse(&jwt(payload)).unwrap().claims().clone()
}

fn refused(text: &str, expect: Error) {
    assert_eq!(Token::parse(text).map(|token| token.claims), Err(expect));
}

#[test]
fn claims_are_read() {
    let payload = json!({
        "aud": ["events.1password.eu"], "1password.com/fts": ["signinattempts", "auditevents"],
        "exp": 1_798_761_600, "iat": 1_767_225_600.5, "jti": "x", "1password.com/auuid": "ACCOUNT",
    });
    assert_eq!(
        claims(&payload),
        Claims {
            host: Some("events.1password.eu".into()),
            features: Some(vec!["signinattempts".into(), "auditevents".into()]),
            expires_at: Some("2027-01-01T00:00:00Z".parse().unwrap()),
            issued_at: Some("2026-01-01T00:00:00Z".parse().unwrap()),
            account_uuid: Some("ACCOUNT".into()),
        }
    );
}

#[test]
fn every_claim_is_optional() {
    assert_eq!(claims(&json!({})), Claims::default());
    assert_eq!(claims(&json!({"aud": null, "exp": "soon", "iat": 1e300, "1password.com/fts": 3})), Claims::default());
    assert_eq!(claims(&json!({"aud": "events.1password.ca"})).host.as_deref(), Some("events.1password.ca"));
    assert_eq!(claims(&json!({"aud": []})).host, None);
}

#[test]
fn white_space_around_it_is_left_off() {
    let text = jwt(&json!({}));
    assert_eq!(Token::parse(&format!(" {text}\r\n")).unwrap().expose(), text);
}

#[test]
fn other_secrets_are_recognised() {
    refused("", Error::Empty);
    refused(" \n", Error::Empty);
    refused("ops_eyJzaWduSW5BZGRyZXNz", Error::ServiceAccount);
    refused(&jwt(&json!({"aud": ["com.1password.connect"]})), Error::Connect);
    refused(&jwt(&json!({"aud": "com.1password.connect"})), Error::Connect);
    refused(&format!("{0}\n{0}", jwt(&json!({}))), Error::NotAlone);
    refused(&"x".repeat(Token::MAX_LENGTH + 1), Error::TooLong(Token::MAX_LENGTH + 1));
    for text in ["password", "a.b.c", "a.b", "e30.e30.", "e30.W10.c2ln", ".e30.c2ln", "e30.e30.c2ln.c2ln"] {
        refused(text, Error::NotAJwt);
    }
}

#[test]
fn the_text_never_shows() {
    let text = jwt(&json!({"aud": ["events.1password.com"]}));
    let shown = format!("{:?} {:#?}", Token::parse(&text).unwrap(), Token::parse(&text));
    assert!(shown.contains("events.1password.com"), "{shown}");
    for part in text.split('.') {
        assert!(!shown.contains(part), "{shown}");
    }
}
