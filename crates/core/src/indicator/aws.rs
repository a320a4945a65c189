//! Takes Amazon resource names apart.
//!
//! The form is `arn:partition:service:region:account:resource`
//! (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html>).

/// What a resource name says about account, instance and session.
pub(super) struct Arn<'a> {
    pub(super) account: Option<&'a str>,
    pub(super) instance: Option<&'a str>,
    /// What the session of an assumed role is called, by many companies with the e-mail address of who assumed it
    /// (`arn:aws:sts::account:assumed-role/role/session`).
    pub(super) session: Option<&'a str>,
}

impl<'a> Arn<'a> {
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        let mut parts = text.splitn(6, ':');
        if parts.next() != Some("arn") {
            return None;
        }
        let service = parts.nth(1)?;
        let account = parts.nth(1)?;
        let resource = parts.next()?;
        Some(Self {
            account: Some(account).filter(|account| is_account(account)),
            instance: resource.strip_prefix("instance/").filter(|instance| instance.starts_with("i-")),
            session: resource
                .strip_prefix("assumed-role/")
                .filter(|_| service == "sts")
                .and_then(|role| role.rsplit_once('/'))
                .map(|(_, session)| session),
        })
    }
}

/// Whether `text` is the number of an account.
pub(super) fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|digit| digit.is_ascii_digit())
}
