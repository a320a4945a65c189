//! The shipped tables: which file holds one, and which fields of which log type it explains.
//!
//! `items`, `vaults` and `users` cover every UUID of the three log types that names such a thing; an audit event's object may be
//! any of them. `1Password Translation` is the table of Panther's guide, under the name that rules written with it read.

/// A table.
pub(super) struct Definition {
    /// Its name: the key below `p_enrichment`, and the data file's name without its extension.
    pub(super) name: &'static str,
    /// For each log type, the fields whose values are looked up.
    pub(super) selectors: &'static [(&'static str, &'static [&'static str])],
}

const DEFINITIONS: [Definition; 4] = [
    Definition { name: "1Password Translation", selectors: &[(ITEM_USAGE, &["item_uuid"])] },
    Definition {
        name: "items",
        selectors: &[(ITEM_USAGE, &["item_uuid"]), (AUDIT_EVENT, &["object_uuid", "aux_uuid"])],
    },
    Definition {
        name: "users",
        selectors: &[
            (SIGN_IN_ATTEMPT, &["target_user.uuid"]),
            (ITEM_USAGE, &["user.uuid"]),
            (AUDIT_EVENT, &["actor_uuid", "object_uuid", "aux_uuid"]),
        ],
    },
    Definition {
        name: "vaults",
        selectors: &[(ITEM_USAGE, &["vault_uuid"]), (AUDIT_EVENT, &["object_uuid", "aux_uuid"])],
    },
];

const SIGN_IN_ATTEMPT: &str = "OnePassword.SignInAttempt";
const ITEM_USAGE: &str = "OnePassword.ItemUsage";
const AUDIT_EVENT: &str = "OnePassword.AuditEvent";

/// The table whose data a file holds, by the file's name.
pub(super) fn of_file(name: &str) -> Option<&'static Definition> {
    let (stem, extension) = name.rsplit_once('.')?;
    let readable = matches!(extension, "csv" | "jsonl" | "ndjson");
    DEFINITIONS.iter().find(|definition| readable && definition.name == stem)
}
