//! Mail, to a server that speaks as much SMTP as a mail needs.

use std::sync::Mutex;

use latchkey_alerter::{EmailConfig, MailAddress, Security};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
};

use super::*;

/// What a server was told: envelope and content of each mail.
type Mails = Arc<Mutex<Vec<(Vec<String>, String)>>>;

struct Server {
    port: u16,
    mails: Mails,
    /// What it answers to a mail's content.
    answer: Arc<AtomicU16>,
    task: JoinHandle<()>,
}

impl Server {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (mails, answer) = (Mails::default(), Arc::new(AtomicU16::new(250)));
        let (all, answers) = (Arc::clone(&mails), Arc::clone(&answer));
        let task = tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                tokio::spawn(converse(connection, Arc::clone(&all), Arc::clone(&answers)));
            }
        });
        Self { port, mails, answer, task }
    }

    fn destination(&self) -> DestinationConfig {
        let address = |text: &str| MailAddress::try_from(text.to_owned()).unwrap();
        DestinationConfig::Email(EmailConfig {
            server: "127.0.0.1".into(),
            port: Some(self.port),
            security: Security::None,
            user: None,
            password_file: None,
            from: address("Latchkey <latchkey@example.com>"),
            to: vec![address("ada@example.com"), address("ops@example.com")],
        })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// One connection (RFC 5321): every command is taken, and what lies between DATA and a lone dot is a mail.
async fn converse(connection: TcpStream, mails: Mails, answer: Arc<AtomicU16>) -> std::io::Result<()> {
    let (read, mut write) = connection.into_split();
    let mut lines = BufReader::new(read).lines();
    let mut envelope = Vec::new();
    write.write_all(b"220 mail.example.com\r\n").await?;
    while let Some(line) = lines.next_line().await? {
        let verb = line.split([' ', ':']).next().unwrap_or_default().to_ascii_uppercase();
        match verb.as_str() {
            "MAIL" | "RCPT" => envelope.push(line),
            "DATA" => {
                write.write_all(b"354 go on\r\n").await?;
                let mut content = String::new();
                while let Some(line) = lines.next_line().await?.filter(|line| line != ".") {
                    content.push_str(&line);
                    content.push('\n');
                }
                let code = answer.load(Ordering::Relaxed);
                let envelope = std::mem::take(&mut envelope);
                if code == 250 {
                    mails.lock().unwrap().push((envelope, content));
                }
                write.write_all(format!("{code} so\r\n").as_bytes()).await?;
                continue;
            }
            _ => {}
        }
        write.write_all(b"250 fine\r\n").await?;
        if verb == "QUIT" {
            break;
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_mail_is_sent_once_it_is_taken() {
    let line = Line::start().await;
    let server = Server::start().await;
    server.answer.store(451, Ordering::Relaxed);
    let alerter = line.alerter(config_with(&[("mail", server.destination())])).await;
    line.report(refused()).await;
    alerter.shows(r#"latchkey_alerter_notification_failures_total{destination="mail"} 1"#).await;
    server.answer.store(250, Ordering::Relaxed);
    alerter.shows(&notified("mail", 1)).await;
    alerter.stop().await;
    let mails = server.mails.lock().unwrap().clone();
    let [(envelope, content)] = mails.as_slice() else { panic!("not one mail: {mails:?}") };
    assert_eq!(envelope.len(), 3, "{envelope:?}");
    assert!(envelope[0].starts_with("MAIL FROM:<latchkey@example.com>"), "{envelope:?}");
    assert_eq!(envelope[1..], ["RCPT TO:<ada@example.com>", "RCPT TO:<ops@example.com>"]);
    assert!(content.contains("Subject: [latchkey] raised: poll_refused of item_usages of Acme\n"), "{content}");
    assert!(content.contains("\nMessage-ID: <1."), "{content}");
}

#[tokio::test]
async fn a_server_without_encryption_gets_nothing_where_encryption_is_wanted() {
    let line = Line::start().await;
    let server = Server::start().await;
    let mut destination = server.destination();
    let DestinationConfig::Email(email) = &mut destination else { unreachable!() };
    email.security = Security::Starttls;
    let alerter = line.alerter(config_with(&[("mail", destination)])).await;
    line.report(refused()).await;
    alerter.shows(r#"latchkey_alerter_notification_failures_total{destination="mail"} 1"#).await;
    alerter.stop().await;
    assert_eq!(server.mails.lock().unwrap().len(), 0);
}
