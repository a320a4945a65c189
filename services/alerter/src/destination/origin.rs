//! Who tells: what every rendering needs beside the transition.

use reqwest::Url;

use crate::notification::Notification;

/// This installation, as others see it.
#[derive(Clone, Debug)]
pub(crate) struct Origin {
    /// Tells it from other installations that tell the same places.
    pub(crate) instance: String,
    /// Where the runbook's pages are; `None` for nowhere that others can reach.
    pub(crate) runbook: Option<Url>,
}

impl Origin {
    /// The page that says what the alert means and what to do; empty if there is none.
    pub(crate) fn page(&self, notification: &Notification) -> String {
        let page = |url: &Url| format!("{}/{}.md", url.as_str().trim_end_matches('/'), notification.code);
        self.runbook.as_ref().filter(|_| !notification.code.is_empty()).map(page).unwrap_or_default()
    }
}
