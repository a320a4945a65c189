//! Makes destinations, routes and the heartbeat of what the configuration says, and refuses what cannot work.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt, fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use jiff::SignedDuration;
use latchkey_contracts::alert::alert::Severity;
use latchkey_core::alert::Kind;
use lettre::transport::smtp::client::Certificate;

use super::{
    AlertmanagerConfig, DeliveryConfig, DestinationConfig, EmailConfig, HeartbeatConfig, MailAddress, PagerDutyConfig,
    RouteConfig, Security, SeverityName, SlackConfig, WebhookConfig,
};
use crate::{
    config::{InvalidConfig, WebhookUrl, duration, out_of_bounds},
    destination::{
        Address, Channel, Destination, Failure, Origin, Poster, SecretFile, alertmanager::Alertmanager, email::Email,
        pagerduty::PagerDuty, slack::Slack, webhook::Webhook,
    },
    heartbeat::Heartbeat,
    metrics::Metrics,
    notifier::Attempts,
    routing::{Route, Routes},
};

/// An attempt's time-out's bounds: it must stay well below the lease of one delivery (a minute).
const TIMEOUT: (SignedDuration, SignedDuration) = (SignedDuration::from_millis(100), SignedDuration::from_secs(30));

/// Of what is said again and again.
const EVERY: (SignedDuration, SignedDuration) = (SignedDuration::from_millis(100), SignedDuration::from_hours(1));

/// The most attempts to deliver one notification: about three days of them.
const MAX_ATTEMPTS: u32 = 1_000;

/// The most destinations: each has a consumer and a connection.
const MAX_DESTINATIONS: usize = 32;

/// The most people a mail goes to.
const MAX_RECIPIENTS: usize = 50;

/// Where `PagerDuty` takes events.
const PAGERDUTY: &str = "https://events.pagerduty.com/v2/enqueue";

/// Everything that tells, as the configuration wants it.
pub(in crate::config) struct Told {
    pub(in crate::config) destinations: Vec<Arc<Destination>>,
    pub(in crate::config) routes: Arc<Routes>,
    pub(in crate::config) attempts: Attempts,
}

/// How destinations are made, whatever they are.
struct Maker<'a> {
    key: String,
    origin: &'a Origin,
    timeout: Duration,
}

pub(in crate::config) fn build(
    destinations: BTreeMap<String, DestinationConfig>,
    routes: Vec<RouteConfig>,
    delivery: &DeliveryConfig,
    origin: &Origin,
) -> Result<Told, InvalidConfig> {
    let timeout = duration("delivery.timeout", delivery.timeout, TIMEOUT)?;
    if !(1..=MAX_ATTEMPTS).contains(&delivery.attempts) {
        return Err(out_of_bounds("delivery.attempts", &delivery.attempts, (&1, &MAX_ATTEMPTS)));
    }
    if destinations.len() > MAX_DESTINATIONS {
        return Err(out_of_bounds("destinations", &destinations.len(), (&0, &MAX_DESTINATIONS)));
    }
    let names: BTreeSet<_> = destinations.keys().cloned().collect();
    let routes = routes.into_iter().enumerate().map(|(index, route)| route.build(index, &names));
    let routes = Arc::new(Routes(routes.collect::<Result<_, _>>()?));
    let destinations = destinations.into_iter().map(|(name, config)| {
        let maker = Maker { key: format!("destinations.{name}"), origin, timeout };
        if !is_name(&name) {
            return Err(maker.refused(&"the name is not 1 to 32 of a-z, 0-9, '-' and '_'"));
        }
        Ok(Arc::new(Destination { channel: maker.channel(config)?, name }))
    });
    let destinations = destinations.collect::<Result<_, _>>()?;
    Ok(Told { destinations, routes, attempts: Attempts::new(delivery.attempts) })
}

/// It becomes part of a consumer's name.
fn is_name(name: &str) -> bool {
    let safe = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_');
    (1..=32).contains(&name.len()) && name.bytes().all(safe)
}

impl HeartbeatConfig {
    pub(in crate::config) fn build(
        self,
        timeout: SignedDuration,
        metrics: &Metrics,
    ) -> Result<Option<Heartbeat>, InvalidConfig> {
        let every = duration("heartbeat.every", self.every, EVERY)?;
        let timeout = duration("delivery.timeout", timeout, TIMEOUT)?;
        let refused = |error: &dyn fmt::Display| InvalidConfig::Destination {
            key: "heartbeat".into(),
            reason: error.to_string(),
        };
        let address = match (self.url, self.url_file) {
            (None, None) => return Ok(None),
            (Some(url), None) => Address::Url(url),
            (None, Some(file)) => Address::File(SecretFile::new(file).map_err(|error| refused(&error))?),
            (Some(_), Some(_)) => return Err(refused(&"set url or url_file, not both")),
        };
        let poster = Poster::new(address, timeout).map_err(|error| refused(&error))?;
        Ok(Some(Heartbeat { poster, every, metrics: metrics.clone() }))
    }
}

impl RouteConfig {
    fn build(self, index: usize, names: &BTreeSet<String>) -> Result<Route, InvalidConfig> {
        let refused = |reason: String| InvalidConfig::Destination { key: format!("routes[{index}]"), reason };
        if let Some(unknown) = self.destinations.iter().find(|name| !names.contains(*name)) {
            return Err(refused(format!("{unknown} is none of alerter.destinations")));
        }
        let kinds = self.kinds.iter().map(|word| {
            Kind::of_word(word).ok_or_else(|| refused(format!("{word} is no kind of alert (docs/alerts.md)")))
        });
        let severities = self.severities.iter().map(|severity| match severity {
            SeverityName::Info => Severity::Info,
            SeverityName::Warning => Severity::Warning,
            SeverityName::Critical => Severity::Critical,
        });
        Ok(Route {
            severities: severities.collect(),
            kinds: kinds.collect::<Result<_, _>>()?,
            sources: self.sources.iter().map(ToString::to_string).collect(),
            destinations: self.destinations,
        })
    }
}

impl Maker<'_> {
    fn refused(&self, reason: &dyn fmt::Display) -> InvalidConfig {
        InvalidConfig::Destination { key: self.key.clone(), reason: reason.to_string() }
    }

    fn secret(&self, path: PathBuf) -> Result<SecretFile, InvalidConfig> {
        SecretFile::new(path).map_err(|error| self.refused(&error))
    }

    fn optional(&self, path: Option<PathBuf>) -> Result<Option<SecretFile>, InvalidConfig> {
        path.map(|path| self.secret(path)).transpose()
    }

    fn poster(&self, address: Address) -> Result<Poster, InvalidConfig> {
        Poster::new(address, self.timeout).map_err(|error: Failure| self.refused(&error))
    }

    fn channel(&self, config: DestinationConfig) -> Result<Channel, InvalidConfig> {
        Ok(match config {
            DestinationConfig::Alertmanager(config) => Channel::Alertmanager(self.alertmanager(config)?),
            DestinationConfig::Email(config) => Channel::Email(self.email(config)?),
            DestinationConfig::Pagerduty(config) => Channel::PagerDuty(self.pagerduty(config)?),
            DestinationConfig::Slack(SlackConfig { url_file }) => Channel::Slack(Slack {
                poster: self.poster(Address::File(self.secret(url_file)?))?,
                origin: self.origin.clone(),
            }),
            DestinationConfig::Webhook(config) => Channel::Webhook(self.webhook(config)?),
        })
    }

    fn alertmanager(&self, config: AlertmanagerConfig) -> Result<Alertmanager, InvalidConfig> {
        let every = duration("destinations.*.resend_every", config.resend_every, EVERY)?;
        Ok(Alertmanager {
            poster: self.poster(Address::Url(config.url))?,
            bearer: self.optional(config.bearer_file)?,
            origin: self.origin.clone(),
            every,
        })
    }

    fn email(&self, config: EmailConfig) -> Result<Email, InvalidConfig> {
        let EmailConfig { server, port, security, user, password_file, ca_file, from, to } = config;
        if !(1..=MAX_RECIPIENTS).contains(&to.len()) {
            return Err(self.refused(&format!("to: {} recipients are not between 1 and {MAX_RECIPIENTS}", to.len())));
        }
        let login = match (user, self.optional(password_file)?) {
            (None, None) => None,
            (Some(_), Some(_)) if security == Security::None => {
                return Err(self.refused(&"a password is not sent without encryption: set security, or no user"));
            }
            (Some(user), Some(password)) => Some((user, password)),
            _ => return Err(self.refused(&"user and password_file go together")),
        };
        let usual = match security {
            Security::Starttls => 587,
            Security::Tls => 465,
            Security::None => 25,
        };
        Ok(Email {
            server,
            port: port.unwrap_or(usual),
            security,
            login,
            authorities: ca_file.map(|path| self.authorities(&path)).transpose()?,
            from: from.0,
            to: to.into_iter().map(|MailAddress(mailbox)| mailbox).collect(),
            timeout: self.timeout,
            origin: self.origin.clone(),
        })
    }

    fn authorities(&self, path: &Path) -> Result<Certificate, InvalidConfig> {
        let refused = |reason: &dyn fmt::Display| self.refused(&format!("ca_file: {}: {reason}", path.display()));
        let pem = fs::read(path).map_err(|error| refused(&error))?;
        Certificate::from_pem(&pem).map_err(|_| refused(&"no certificates in PEM"))
    }

    fn pagerduty(&self, config: PagerDutyConfig) -> Result<PagerDuty, InvalidConfig> {
        let usual = || WebhookUrl::try_from(PAGERDUTY.to_owned()).expect("a fixed address that follows the rules");
        Ok(PagerDuty {
            poster: self.poster(Address::Url(config.url.unwrap_or_else(usual)))?,
            routing_key: self.secret(config.key_file)?,
            origin: self.origin.clone(),
        })
    }

    fn webhook(&self, config: WebhookConfig) -> Result<Webhook, InvalidConfig> {
        let address = match (config.url, config.url_file) {
            (Some(url), None) => Address::Url(url),
            (None, Some(file)) => Address::File(self.secret(file)?),
            _ => return Err(self.refused(&"set url or url_file")),
        };
        Ok(Webhook {
            poster: self.poster(address)?,
            bearer: self.optional(config.bearer_file)?,
            key: self.optional(config.key_file)?,
            origin: self.origin.clone(),
        })
    }
}
