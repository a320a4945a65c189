//! Mail, over SMTP.
//!
//! A transition's `Message-ID` is the same for each attempt, which many mailboxes know it again by, and all transitions of one life of
//! an alert are one thread.

use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use lettre::{
    AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor,
    message::{Mailbox, header::ContentType},
    transport::smtp::{
        authentication::Credentials,
        client::{Certificate, Tls, TlsParameters},
    },
};
use secrecy::ExposeSecret;
use tokio::time::timeout;

use super::{Failure, Origin, SecretFile, template};
use crate::{config::Security, notification::Notification};

const TEXT: &str = include_str!("../../templates/email.txt");
const SUBJECT: &str = include_str!("../../templates/email-subject.txt");

pub(crate) struct Email {
    pub(crate) server: String,
    pub(crate) port: u16,
    pub(crate) security: Security,
    pub(crate) login: Option<(String, SecretFile)>,
    /// Trusted beside the system's.
    pub(crate) authorities: Option<Certificate>,
    pub(crate) from: Mailbox,
    pub(crate) to: Vec<Mailbox>,
    pub(crate) timeout: Duration,
    pub(crate) origin: Origin,
}

impl Email {
    /// One connection for each attempt: alerts are rare, and a password that was changed is used at once.
    pub(crate) async fn send(&self, notification: &Notification, now: Timestamp) -> Result<(), Failure> {
        let message = render(notification, &self.origin, &self.from, &self.to, now)?;
        let transport = self.transport()?;
        // The transport's own time-out is on each command.
        let sent = timeout(self.timeout, transport.send(message)).await.map_err(|_| Failure::Timeout)?;
        sent.map(drop).map_err(|error| match error.status() {
            Some(code) => Failure::Smtp(u16::from(code)),
            None if error.is_timeout() => Failure::Timeout,
            None => Failure::Connect,
        })
    }

    fn transport(&self) -> Result<AsyncSmtpTransport<Tokio1Executor>, Failure> {
        let encryption = || {
            latchkey_runtime::install_crypto();
            let mut parameters = TlsParameters::builder(self.server.clone());
            if let Some(authorities) = &self.authorities {
                parameters = parameters.add_root_certificate(authorities.clone());
            }
            parameters.build().map_err(|error| Failure::Setup(error.to_string()))
        };
        let tls = match self.security {
            Security::Starttls => Tls::Required(encryption()?),
            Security::Tls => Tls::Wrapper(encryption()?),
            Security::None => Tls::None,
        };
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&self.server)
            .port(self.port)
            .tls(tls)
            .timeout(Some(self.timeout));
        if let Some((user, password)) = &self.login {
            builder = builder.credentials(Credentials::new(user.clone(), password.read()?.expose_secret().into()));
        }
        Ok(builder.build())
    }
}

/// The mail.
pub(crate) fn render(
    notification: &Notification,
    origin: &Origin,
    from: &Mailbox,
    to: &[Mailbox],
    now: Timestamp,
) -> Result<Message, Failure> {
    let as_it_is = str::to_owned;
    let one_line = |text: &str| text.replace(['\r', '\n'], " ");
    let domain = from.email.domain();
    let Notification { kind, generation, sequence, judged_at, .. } = notification;
    let thread = format!("<{kind}.{}.{generation}@{domain}>", notification.path().replace('/', "."));
    let mut message = Message::builder()
        .date(SystemTime::from(now))
        .message_id(Some(format!("<{sequence}.{}@{domain}>", judged_at.as_nanosecond())))
        .in_reply_to(thread.clone())
        .references(thread)
        .subject(template::fill(SUBJECT, notification, origin, one_line))
        .header(ContentType::TEXT_PLAIN)
        .from(from.clone());
    for mailbox in to {
        message = message.to(mailbox.clone());
    }
    let text = template::fill(TEXT, notification, origin, as_it_is);
    message.body(text).map_err(|error| Failure::Setup(error.to_string()))
}
