use super::*;

const ITEMS: &str = r#"[
  {
    "id": "item1", "title": "Mail \"A\"", "version": 2, "favorite": true, "tags": ["x"],
    "vault": {"id": "vault1", "name": "Shared"}, "category": "LOGIN", "last_edited_by": "user1",
    "created_at": "2025-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z",
    "additional_information": "ann@example.com", "urls": [{"primary": true, "href": "https://example.com"}]
  },
  {"id": "item2", "title": "Bank", "vault": {"id": "vault2"}, "category": "PASSWORD"}
]"#;

fn lines(imported: &Imported) -> Vec<&str> {
    str::from_utf8(&imported.data).unwrap().lines().collect()
}

#[test]
fn each_list_is_known_by_its_columns() {
    for (list, kind, expect) in [
        (
            ITEMS,
            Kind::Items,
            r#"{"uuid":"item1","title":"Mail \"A\"","vault_uuid":"vault1","category":"LOGIN","updatedAt":"2026-01-01T00:00:00Z"}"#,
        ),
        (
            r#"[{"id":"v","name":"Shared","content_version":195,"created_at":"x","items":3}]"#,
            Kind::Vaults,
            r#"{"uuid":"v","name":"Shared"}"#,
        ),
        (
            r#"[{"id":"v","name":"Shared","contentVersion":7,"type":"USER_CREATED","description":"d"}]"#,
            Kind::Vaults,
            r#"{"uuid":"v","name":"Shared"}"#,
        ),
        (
            r#"[{"id":"u","name":"Ann","email":"ann@example.com","type":"MEMBER","state":"ACTIVE"}]"#,
            Kind::Users,
            r#"{"uuid":"u","name":"Ann","email":"ann@example.com","type":"MEMBER","state":"ACTIVE"}"#,
        ),
        (
            r#"[{"id":"g","name":"Owners","description":"d","state":"ACTIVE"}]"#,
            Kind::Groups,
            r#"{"uuid":"g","name":"Owners","state":"ACTIVE"}"#,
        ),
        // jq with -c, without it, and into an array.
        (
            "{\"title\":\"Mail\",\"uuid\":\"i\",\"updatedAt\":null}\n{\"title\":\"B\",\"uuid\":\"j\"}\n",
            Kind::Translation,
            r#"{"uuid":"i","title":"Mail"}"#,
        ),
        (
            "{\n  \"uuid\": \"i\",\n  \"title\": \"Mail\"\n}\n{\n  \"uuid\": \"j\",\n  \"title\": \"B\"\n}\n",
            Kind::Translation,
            r#"{"uuid":"i","title":"Mail"}"#,
        ),
        (
            "\u{feff}[{\"uuid\":\"i\",\"title\":\"Mail\",\"updatedAt\":\"t\"}]",
            Kind::Translation,
            r#"{"uuid":"i","title":"Mail","updatedAt":"t"}"#,
        ),
    ] {
        let imported = import(&[list.as_bytes()], b"", &Options::default()).unwrap();
        assert_eq!((imported.kind, lines(&imported)[0]), (kind, expect));
    }
}

#[test]
fn lists_may_come_one_after_the_other() {
    let list = |ids: &[&str]| {
        let entries = ids.iter().map(|id| format!("{{\"id\":\"{id}\",\"title\":\"T\",\"vault\":{{\"id\":\"v\"}}}}"));
        format!("[{}]", entries.collect::<Vec<_>>().join(","))
    };
    let run = |text: &str| import(&[text.as_bytes()], b"", &Options::default());
    let both = run(&format!("{}\n{}[]\n", list(&["a", "b"]), list(&["c"]))).unwrap();
    assert_eq!(both.data, run(&list(&["a", "b", "c"])).unwrap().data);
    // A second list that breaks off.
    let broken = format!("{}\n[{{\"id\":", list(&["a"]));
    assert_eq!(run(&broken).unwrap_err(), Error::Malformed { line: 2, column: 7 });
    assert_eq!(run("[] []").unwrap_err(), Error::Empty);
}

#[test]
fn what_is_no_longer_listed_keeps_its_name() {
    let earlier = "{\"uuid\":\"ITEM1\",\"title\":\"Old\"}\n{\"uuid\":\"gone\",\"title\":\"Safe\",\"vault_uuid\":\"vault1\"}\n\
                   {\"uuid\":\"long\",\"deleted\":true}\n";
    let run = |scope| {
        let options = Options { scope, ..Options::default() };
        import(&[ITEMS.as_bytes()], earlier.as_bytes(), &options).unwrap()
    };
    let all = run(Scope::Everything);
    assert_eq!((all.listed, all.kept, all.deleted), (2, 0, 2));
    assert_eq!(
        lines(&all)[2..],
        [r#"{"uuid":"gone","title":"Safe","vault_uuid":"vault1","deleted":true}"#, r#"{"uuid":"long","deleted":true}"#]
    );
    // The same list again changes nothing.
    assert_eq!(import(&[ITEMS.as_bytes()], &all.data, &Options::default()).unwrap().data, all.data);
    // Edited in between, by a program that begins files with a byte order mark.
    let edited = [b"\xef\xbb\xbf", all.data.as_slice()].concat();
    assert_eq!(import(&[ITEMS.as_bytes()], &edited, &Options::default()).unwrap().data, all.data);
    let some = run(Scope::Partial);
    assert_eq!((some.kept, some.deleted), (1, 1));
    assert_eq!(run(Scope::AllBut(["vault1".into()].into())).kept, 1);
    assert_eq!(run(Scope::AllBut(["vault2".into()].into())).kept, 0);
}

#[test]
fn columns_can_be_redacted_and_left_out_but_not_the_key() {
    let list = |columns: &[&str]| columns.iter().map(|column| (*column).to_owned()).collect::<Vec<_>>();
    let options = Options { redact: list(&["title", "uuid"]), omit: list(&["category"]), ..Options::default() };
    let earlier = br#"{"uuid":"gone","title":"Safe","category":"LOGIN"}"#;
    let imported = import(&[ITEMS.as_bytes()], earlier, &options).unwrap();
    assert_eq!(
        lines(&imported)[1..],
        [
            r#"{"uuid":"item2","title":"REDACTED","vault_uuid":"vault2"}"#,
            r#"{"uuid":"gone","title":"REDACTED","deleted":true}"#
        ]
    );
}

#[test]
fn whatever_else_changes_nothing_and_shows_nothing() {
    let run =
        |list: &str, earlier: &str| import(&[list.as_bytes()], earlier.as_bytes(), &Options::default()).unwrap_err();
    assert_eq!(run("[]", ""), Error::Empty);
    assert_eq!(run("", ""), Error::Empty);
    assert_eq!(run("[{\"id\":\"a\",\"name\":\"b\"}]", ""), Error::Unclear);
    assert_eq!(run("[{\"title\":\"a\",\"id\":\"a\"},{\"name\":\"b\",\"email\":\"c\"}]", ""), Error::Unclear);
    assert_eq!(run("[{\"title\":\"a\"}]", ""), Error::NoId(0));
    assert_eq!(run("[{\"title\":5}]", ""), Error::Malformed { line: 1, column: 11 });
    assert_eq!(run("<html>", ""), Error::Malformed { line: 1, column: 1 });
    assert_eq!(run(ITEMS, "{\"id\":\"a\"}"), Error::Earlier(1));
    assert!(!run("[{\"title\":{\"secret\":1}}]", "").to_string().contains("secret"));
    let imported = import(&[ITEMS.as_bytes()], b"", &Options::default()).unwrap();
    assert_eq!(format!("{imported:?}"), "Imported(Items: 2 listed, 0 kept, 0 deleted)");
}

#[test]
fn a_kind_that_is_said_counts() {
    let options = Options { kind: Some("vaults".parse().unwrap()), ..Options::default() };
    let imported = import(&[b"[{\"id\":\"a\",\"name\":\"b\"}]"], b"", &options).unwrap();
    assert_eq!(lines(&imported), [r#"{"uuid":"a","name":"b"}"#]);
    assert!("nonsense".parse::<Kind>().is_err());
}
