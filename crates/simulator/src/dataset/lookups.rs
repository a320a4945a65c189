//! Tables that give names to the identifiers in the events, as an administrator would export them.
//!
//! A few items are missing from the table on purpose: enrichment must leave such an event alone rather than fail. Item
//! titles are sensitive in real accounts; these are invented.

use serde_json::json;

use super::company::Company;

/// Every how many items one is left out of the table.
const MISSING_EVERY: usize = 40;

/// The lookup tables of one account, each as lines of JSON ending in a newline.
#[derive(Clone, PartialEq, Eq)]
pub struct Lookups {
    /// `{"uuid","title","vault_uuid","updatedAt"}`, without about one item in forty.
    pub items: String,
    /// `{"uuid","name"}`.
    pub vaults: String,
    /// `{"uuid","name","email"}`.
    pub users: String,
}

impl Lookups {
    pub(crate) fn of(company: &Company) -> Self {
        let mut tables = Self { items: String::new(), vaults: String::new(), users: String::new() };
        for vault in &company.vaults {
            push(&mut tables.vaults, &json!({"uuid": vault.uuid, "name": vault.name}));
        }
        let items = company.vaults.iter().flat_map(|vault| vault.items.iter().map(move |item| (vault, item)));
        for (_, (vault, item)) in items.enumerate().filter(|(number, _)| number % MISSING_EVERY != MISSING_EVERY - 1) {
            let updated_at = item.updated_at.to_string();
            push(
                &mut tables.items,
                &json!({"uuid": item.uuid, "title": item.title, "vault_uuid": vault.uuid, "updatedAt": updated_at}),
            );
        }
        for person in &company.people {
            push(&mut tables.users, &json!({"uuid": person.uuid, "name": person.name, "email": person.email}));
        }
        tables
    }
}

/// Names and addresses stay out of debug output, as they would for real accounts.
impl std::fmt::Debug for Lookups {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lookups").finish_non_exhaustive()
    }
}

fn push(table: &mut String, row: &serde_json::Value) {
    table.push_str(&row.to_string());
    table.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn most_items_and_all_vaults_and_people_are_listed() {
        let company = Company::found(7, false);
        let tables = Lookups::of(&company);
        let items: usize = company.vaults.iter().map(|vault| vault.items.len()).sum();
        let listed = tables.items.lines().count();
        assert!(listed < items && listed > items * 9 / 10, "{listed} of {items}");
        assert_eq!(tables.vaults.lines().count(), 8);
        assert_eq!(tables.users.lines().count(), 40);
        assert!(tables.items.contains("Café") && tables.items.contains("\\\"guest\\\""));
        for line in tables.items.lines() {
            serde_json::from_str::<serde_json::Value>(line).unwrap();
        }
    }
}
