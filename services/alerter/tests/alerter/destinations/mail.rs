//! Mail, to a server that speaks as much SMTP as a mail needs.

use std::sync::Mutex;

use base64::Engine as _;
use latchkey_alerter::{EmailConfig, MailAddress, Security};
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
    },
};

use super::*;

/// The login that a server wants.
const USER: &str = "latchkey";
const PASSWORD: &str = "s3cret";

/// One mail as a server was told of it.
#[derive(Clone, Debug)]
struct Mail {
    envelope: Vec<String>,
    content: String,
    /// Whether it came encrypted, from somebody who had logged in.
    is_trusted: bool,
}

struct Server {
    port: u16,
    kept: Kept,
    task: JoinHandle<()>,
}

/// What a server answers and keeps.
#[derive(Clone)]
struct Kept {
    mails: Arc<Mutex<Vec<Mail>>>,
    /// What it answers to a mail's content.
    answer: Arc<AtomicU16>,
    /// With which it encrypts, and then wants a login.
    tls: Option<TlsAcceptor>,
}

impl Server {
    async fn start(tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let kept = Kept { mails: Arc::default(), answer: Arc::new(AtomicU16::new(250)), tls };
        let all = kept.clone();
        let task = tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                tokio::spawn(all.clone().serve(connection));
            }
        });
        Self { port, kept, task }
    }

    fn destination(&self) -> EmailConfig {
        let address = |text: &str| MailAddress::try_from(text.to_owned()).unwrap();
        EmailConfig {
            server: "127.0.0.1".into(),
            port: Some(self.port),
            security: Security::None,
            user: None,
            password_file: None,
            ca_file: None,
            from: address("Latchkey <latchkey@example.com>"),
            to: vec![address("ada@example.com"), address("ops@example.com")],
        }
    }

    fn mails(&self) -> Vec<Mail> {
        self.kept.mails.lock().unwrap().clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Kept {
    async fn serve(self, mut connection: TcpStream) -> std::io::Result<()> {
        connection.write_all(b"220 mail.example.com\r\n").await?;
        let Some(connection) = self.converse(connection, false).await? else { return Ok(()) };
        let Some(tls) = &self.tls else { return Ok(()) };
        self.converse(tls.accept(connection).await?, true).await.map(drop)
    }

    /// One conversation (RFC 5321): commands are taken, and what lies between DATA and a lone dot is a mail. The connection, if it is to be
    /// encrypted from here on (RFC 3207).
    async fn converse<C: AsyncRead + AsyncWrite + Unpin>(
        &self,
        connection: C,
        encrypted: bool,
    ) -> std::io::Result<Option<C>> {
        let (read, mut write) = tokio::io::split(connection);
        let mut lines = BufReader::new(read).lines();
        let (mut envelope, mut has_login) = (Vec::new(), false);
        let login = base64::engine::general_purpose::STANDARD.encode(format!("\0{USER}\0{PASSWORD}"));
        while let Some(line) = lines.next_line().await? {
            let verb = line.split([' ', ':']).next().unwrap_or_default().to_ascii_uppercase();
            let answer = match verb.as_str() {
                "EHLO" if encrypted => "250-fine\r\n250 AUTH PLAIN".to_owned(),
                "EHLO" if self.tls.is_some() => "250-fine\r\n250 STARTTLS".to_owned(),
                "STARTTLS" if self.tls.is_some() && !encrypted => {
                    write.write_all(b"220 go on\r\n").await?;
                    return Ok(Some(lines.into_inner().into_inner().unsplit(write)));
                }
                "AUTH" if encrypted && line == format!("AUTH PLAIN {login}") => {
                    has_login = true;
                    "235 welcome".to_owned()
                }
                "AUTH" => "535 no".to_owned(),
                "MAIL" if self.tls.is_some() && !has_login => "530 who are you".to_owned(),
                "MAIL" | "RCPT" => {
                    envelope.push(line);
                    "250 fine".to_owned()
                }
                "DATA" => {
                    write.write_all(b"354 go on\r\n").await?;
                    let mut content = String::new();
                    while let Some(line) = lines.next_line().await?.filter(|line| line != ".") {
                        content.push_str(&line);
                        content.push('\n');
                    }
                    let (code, envelope) = (self.answer.load(Ordering::Relaxed), std::mem::take(&mut envelope));
                    if code == 250 {
                        self.mails.lock().unwrap().push(Mail { envelope, content, is_trusted: encrypted && has_login });
                    }
                    format!("{code} so")
                }
                _ => "250 fine".to_owned(),
            };
            write.write_all(format!("{answer}\r\n").as_bytes()).await?;
            if verb == "QUIT" {
                break;
            }
        }
        Ok(None)
    }
}

/// A server's side of encryption, and the certificate to trust it by.
fn encryption() -> (TlsAcceptor, String) {
    latchkey_runtime::install_crypto();
    let rcgen::CertifiedKey { cert, signing_key } =
        rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(signing_key.serialize_der()));
    let config = ServerConfig::builder().with_no_client_auth().with_single_cert(vec![cert.der().clone()], key).unwrap();
    (TlsAcceptor::from(Arc::new(config)), cert.pem())
}

#[tokio::test]
async fn a_mail_is_sent_once_it_is_taken() {
    let line = Line::start().await;
    let server = Server::start(None).await;
    server.kept.answer.store(451, Ordering::Relaxed);
    let alerter = line.alerter(config_with(&[("mail", DestinationConfig::Email(server.destination()))])).await;
    line.report(refused()).await;
    alerter.shows(r#"latchkey_alerter_notification_failures_total{destination="mail"} 1"#).await;
    server.kept.answer.store(250, Ordering::Relaxed);
    alerter.shows(&notified("mail", 1)).await;
    alerter.stop().await;
    let mails = server.mails();
    let [Mail { envelope, content, .. }] = mails.as_slice() else { panic!("not one mail: {mails:?}") };
    assert_eq!(envelope.len(), 3, "{envelope:?}");
    assert!(envelope[0].starts_with("MAIL FROM:<latchkey@example.com>"), "{envelope:?}");
    assert_eq!(envelope[1..], ["RCPT TO:<ada@example.com>", "RCPT TO:<ops@example.com>"]);
    assert!(content.contains("Subject: [latchkey] raised: poll_refused of item_usages of Acme\n"), "{content}");
    assert!(content.contains("\nMessage-ID: <1."), "{content}");
}

#[tokio::test]
async fn a_server_without_encryption_gets_nothing_where_encryption_is_wanted() {
    let line = Line::start().await;
    let server = Server::start(None).await;
    let destination = EmailConfig { security: Security::Starttls, ..server.destination() };
    let alerter = line.alerter(config_with(&[("mail", DestinationConfig::Email(destination))])).await;
    line.report(refused()).await;
    alerter.shows(r#"latchkey_alerter_notification_failures_total{destination="mail"} 1"#).await;
    alerter.stop().await;
    assert_eq!(server.mails().len(), 0);
}

#[tokio::test]
async fn a_mail_is_encrypted_and_sent_by_somebody_who_has_logged_in() {
    let line = Line::start().await;
    let (tls, certificate) = encryption();
    let server = Server::start(Some(tls)).await;
    let password = line.file("password", "wr0ng\n");
    let destination = EmailConfig {
        security: Security::Starttls,
        user: Some(USER.into()),
        password_file: Some(password),
        ca_file: Some(line.file("ca.pem", &certificate)),
        ..server.destination()
    };
    let alerter = line.alerter(config_with(&[("mail", DestinationConfig::Email(destination))])).await;
    line.report(refused()).await;
    alerter.shows(r#"latchkey_alerter_notification_failures_total{destination="mail"} 1"#).await;
    // A password that is replaced is used at once.
    line.file("password", &format!("{PASSWORD}\n"));
    alerter.shows(&notified("mail", 1)).await;
    alerter.stop().await;
    let mails = server.mails();
    assert!(matches!(mails.as_slice(), [Mail { is_trusted: true, .. }]), "{mails:?}");
}

#[tokio::test]
async fn a_server_that_nobody_vouches_for_gets_nothing() {
    let line = Line::start().await;
    let server = Server::start(Some(encryption().0)).await;
    let destination = EmailConfig {
        security: Security::Starttls,
        user: Some(USER.into()),
        password_file: Some(line.file("password", PASSWORD)),
        ca_file: Some(line.file("ca.pem", &encryption().1)),
        ..server.destination()
    };
    let alerter = line.alerter(config_with(&[("mail", DestinationConfig::Email(destination))])).await;
    line.report(refused()).await;
    alerter.shows(r#"latchkey_alerter_notification_failures_total{destination="mail"} 1"#).await;
    alerter.stop().await;
    assert!(server.mails().is_empty());
}
