//! Who is told of what.
//!
//! The first route that fits decides, and what fits none goes everywhere: a forgotten case is told too often rather than never. Whoever was told
//! of an alert hears of its end, whatever has become of its severity.

use latchkey_contracts::alert::alert::Severity;
use latchkey_core::alert::Kind;

use crate::notification::Notification;

/// One route. What it leaves open fits everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Route {
    pub(crate) severities: Vec<Severity>,
    pub(crate) kinds: Vec<Kind>,
    pub(crate) sources: Vec<String>,
    pub(crate) destinations: Vec<String>,
}

/// All routes, in their order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Routes(pub(crate) Vec<Route>);

impl Routes {
    /// Whether `destination` is told of this transition.
    pub(crate) fn lead(&self, notification: &Notification, destination: &str) -> bool {
        if notification.kind != Kind::DestinationFailing.as_str() {
            return self.lead_by_severity(notification, destination);
        }
        // Each has to show that it works again, and at least one other has to tell that it does not.
        let failing = notification.object.as_str();
        destination == failing
            || self.lead_by_severity(notification, destination)
            || self.led_to(notification).all(|route| route.is_some_and(|route| route.destinations == [failing]))
    }

    fn lead_by_severity(&self, notification: &Notification, destination: &str) -> bool {
        self.led_to(notification)
            .any(|route| route.is_none_or(|route| route.destinations.iter().any(|name| name == destination)))
    }

    /// The route of each severity that people were told of; `None` leads everywhere.
    fn led_to<'a>(&'a self, notification: &'a Notification) -> impl Iterator<Item = Option<&'a Route>> {
        let severities = notification.told_severities.iter();
        severities.map(move |severity| self.0.iter().find(|route| route.fits(notification, *severity)))
    }
}

impl Route {
    fn fits(&self, notification: &Notification, severity: Severity) -> bool {
        fn any<T>(wanted: &[T], fits: impl Fn(&T) -> bool) -> bool {
            wanted.is_empty() || wanted.iter().any(fits)
        }
        any(&self.severities, |wanted| *wanted == severity)
            && any(&self.kinds, |wanted| wanted.as_str() == notification.kind)
            && any(&self.sources, |wanted| *wanted == notification.source)
    }
}

#[cfg(test)]
mod tests {
    use latchkey_contracts::alert::{Alert, alert::State};

    use super::*;

    fn routes() -> Routes {
        let to = |destinations: &[&str]| Route {
            destinations: destinations.iter().map(ToString::to_string).collect(),
            ..Route::default()
        };
        Routes(vec![
            Route { kinds: vec![Kind::DestinationFailing], ..to(&["mail"]) },
            Route { severities: vec![Severity::Critical], ..to(&["pager", "chat"]) },
            Route { kinds: vec![Kind::DropOff], sources: vec!["acme".into()], ..to(&["mail"]) },
            Route { sources: vec!["quiet".into()], ..to(&[]) },
        ])
    }

    #[test]
    fn the_first_route_that_fits_decides() {
        let (warning, critical) = (Severity::Warning, Severity::Critical);
        let all = &["pager", "chat", "mail"][..];
        for (kind, source, object, severities, expect) in [
            ("poll_dead", "acme", "", &[critical][..], &["pager", "chat"][..]),
            ("drop_off", "acme", "", &[warning], &["mail"]),
            ("drop_off", "acme", "", &[critical], &["pager", "chat"]),
            ("drop_off", "other", "", &[warning], all),
            ("drop_off", "quiet", "", &[warning], &[]),
            // Whoever was told of it as a warning hears of its end as well.
            ("drop_off", "acme", "", &[warning, critical], all),
            ("unheard_of", "", "", &[warning], all),
            ("destination_failing", "", "chat", &[warning], &["chat", "mail"]),
            // The route leads only to the one that fails.
            ("destination_failing", "", "mail", &[warning], all),
        ] {
            let alert = Alert {
                kind: kind.into(),
                source: source.into(),
                object: object.into(),
                state: State::Raised.into(),
                severity: severities[0].into(),
                told_severities: severities.iter().map(|severity| i32::from(*severity)).collect(),
                ..Alert::default()
            };
            let notification = Notification::new(1, &alert).unwrap();
            let told: Vec<_> = all.iter().filter(|name| routes().lead(&notification, name)).copied().collect();
            assert_eq!(told, expect, "{kind} of {source}{object}");
            assert!(Routes::default().lead(&notification, "any"));
        }
    }
}
