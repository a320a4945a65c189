//! Takes Amazon resource names apart.
//!
//! The form is `arn:partition:service:region:account:resource`
//! (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html>).

/// What a resource name says about account and instance.
pub(super) struct Arn<'a> {
    pub(super) account: Option<&'a str>,
    pub(super) instance: Option<&'a str>,
}

impl<'a> Arn<'a> {
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        let mut parts = text.splitn(6, ':');
        if parts.next() != Some("arn") {
            return None;
        }
        let account = parts.nth(3)?;
        let resource = parts.next()?;
        Some(Self {
            account: Some(account).filter(|account| is_account(account)),
            instance: resource.strip_prefix("instance/").filter(|instance| instance.starts_with("i-")),
        })
    }
}

/// Whether `text` is the number of an account.
pub(super) fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|digit| digit.is_ascii_digit())
}
