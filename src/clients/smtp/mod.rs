//! E-mail by SMTP: one message at a time to one server, whose certificate is verified.
//!
//! Rule: a message may be at the server only from the end of its text on. What was lost before that was not accepted;
//! what was lost between that end and the reply is `Unknown`. No reply's text leaves this file, since it may repeat an
//! address: codes alone do.

mod compose;
mod connection;
mod server;

use std::path::Path;
use std::pin::pin;
use std::sync::Mutex;
use std::time::Duration;

use lettre::message::Mailbox;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::TlsParameters;
use tokio::time::{Instant, timeout, timeout_at};

use super::provider::{Answer, Code, Message, Provider, Receipt};
use super::word::Word;
use crate::error::Error;
use crate::trace;
use compose::Mail;
pub use compose::{ListUnsubscribe, Sender};
use connection::{Connection, Fault, Stage};
pub use server::Server;

/// The time limit of all that is before the end of the text.
const BEFORE_END: Duration = Duration::from_secs(15);
/// The time limit of a whole message: what is left of it is for the server's reply. It is below that of any request.
const WHOLE: Duration = Duration::from_secs(37);
/// The time limit of the question whether a connection is alive.
const ALIVE: Duration = Duration::from_secs(3);
/// A connection that was idle for longer is not used again.
const IDLE_MAX: Duration = Duration::from_secs(20);
/// A connection takes so many messages. Servers have limits of their own.
const MESSAGES_MAX: u32 = 50;

pub struct Smtp {
    server: Server,
    tls: Option<TlsParameters>,
    login: Option<Credentials>,
    from: Mailbox,
    list_unsubscribe: Option<ListUnsubscribe>,
    idle: Mutex<Vec<Idle>>,
}

/// A connection between two messages.
struct Idle {
    connection: Connection,
    since: Instant,
    messages: u32,
}

/// Whom the server knows us as.
pub struct Login {
    pub user: String,
    pub password: String,
}

impl Smtp {
    /// `authorities` is a file of those that are trusted, instead of those that are compiled in.
    pub fn new(
        server: Server,
        authorities: Option<&Path>,
        login: Option<Login>,
        from: Sender,
        list_unsubscribe: Option<ListUnsubscribe>,
    ) -> Result<Self, Error> {
        let tls = server.tls(authorities)?;
        let login = login.map(|login| Credentials::new(login.user, login.password));
        Ok(Self { server, tls, login, from: from.into(), list_unsubscribe, idle: Mutex::default() })
    }

    /// A connection that answers, old or new, and how many messages it has taken.
    async fn connection(&self) -> Result<(Connection, u32), (Stage, Fault)> {
        while let Some(mut idle) = self.pop() {
            let fits = idle.since.elapsed() < IDLE_MAX && idle.messages < MESSAGES_MAX;
            // One that has died meanwhile says so here, before anything of a message was sent.
            if fits && timeout(ALIVE, idle.connection.reset()).await.is_ok_and(|alive| alive) {
                return Ok((idle.connection, idle.messages));
            }
        }
        let hello = self.from.email.domain();
        let mut connection = Connection::open(&self.server, self.tls.as_ref(), hello).await?;
        if let Some(login) = &self.login {
            connection.login(login).await.map_err(|fault| (Stage::Login, fault))?;
        }
        Ok((connection, 0))
    }

    fn pop(&self) -> Option<Idle> {
        self.idle.lock().ok()?.pop()
    }

    fn keep(&self, connection: Connection, messages: u32) {
        if let Ok(mut idle) = self.idle.lock() {
            idle.push(Idle { connection, since: Instant::now(), messages });
        }
    }

    async fn transfer(&self, mail: &Mail, word: &Word, began: Instant) -> Result<Option<String>, (Stage, Fault)> {
        let before_end = began + BEFORE_END;
        let connected = timeout_at(before_end, self.connection()).await;
        let (mut connection, messages) = connected.unwrap_or(Err((Stage::Hello, Fault::Silent)))?;
        let stage = Mutex::new(Stage::From);
        let at = || stage.lock().map_or(Stage::End, |stage| *stage);
        let result = {
            let mut transfer = pin!(connection.transfer(mail, word, &stage));
            match timeout_at(before_end, &mut transfer).await {
                Ok(result) => result,
                Err(_) if at() == Stage::End => timeout_at(began + WHOLE, transfer).await.unwrap_or(Err(Fault::Silent)),
                Err(_) => Err(Fault::Silent),
            }
        };
        if result.as_ref().map_or_else(Fault::leaves_it_open, |_| true) {
            self.keep(connection, messages + 1);
        }
        result.map_err(|fault| (at(), fault))
    }
}

impl Provider for Smtp {
    fn holds(&self) -> bool {
        true
    }

    async fn send(&self, message: &Message) -> Answer {
        let mut span = trace::request("SMTP", Some(&self.server.host), Some(self.server.port));
        let answer = self.deliver(message).await;
        if let Some(code) = answer.code() {
            span.fail(code);
        }
        answer
    }
}

impl Smtp {
    async fn deliver(&self, message: &Message) -> Answer {
        let began = Instant::now();
        let mail = match compose::mail(message, &self.from, self.list_unsubscribe.as_ref()) {
            Ok(mail) => mail,
            Err(code) => return Answer::Refused { code: code.into(), flagged: false },
        };
        match self.transfer(&mail, &message.word, began).await {
            // No id: the server knows it by its Message-ID, which is made of the row's id, and cannot be asked.
            Ok(queued) => Answer::Accepted(Receipt { id: None, status: queued }),
            Err((stage, fault)) => answer(stage, &fault),
        }
    }
}

/// What a fault at a stage says of the message.
fn answer(stage: Stage, fault: &Fault) -> Answer {
    let code: Code = format!("SMTP_{}{fault}", stage.name()).into();
    let later = |code| Answer::Later { code, after: None };
    let refused = |code, flagged| Answer::Refused { code, flagged };
    match (stage, fault) {
        (_, Fault::Held) => Answer::Held,
        (Stage::Hello, Fault::NotOffered) | (Stage::Login, Fault::NotOffered | Fault::Said(500..=599, _)) => {
            Answer::Setup(code)
        }
        // The server itself is not ready. That is no attempt of the message.
        (Stage::Hello | Stage::Login, _) => Answer::Unreachable(code),
        (Stage::End, Fault::Said(400..=499, _)) => later(code),
        (Stage::End, Fault::Said(500..=599, _)) => refused(code, false),
        // It may be there: the reply was lost, or is none.
        (Stage::End, _) => Answer::Unknown(code),
        // We have to log in, whichever command it was that showed it.
        (_, Fault::Said(530 | 534 | 535 | 538, _)) => Answer::Setup(code),
        // The sender is refused, unless the message is too large.
        (Stage::From, Fault::Said(552, _)) => refused(code, false),
        (Stage::From, Fault::Said(500..=599, _)) => Answer::Setup(code),
        // Many servers judge the sender only when they know the recipient.
        (Stage::To, Fault::Said(500..=599, Some(detail))) if matches!(detail.as_str(), "5.1.7" | "5.1.8") => {
            Answer::Setup(code)
        }
        // The address is bad, whoever writes to it.
        (Stage::To, Fault::Said(500..=599, Some(detail))) if detail.starts_with("5.1.") => refused(code, true),
        (_, Fault::Said(500..=599, _)) => refused(code, false),
        // 4xx, and all that was lost before the end of the text: nothing was accepted.
        _ => later(code),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(stage: Stage, code: u16, detail: Option<&str>) -> Answer {
        answer(stage, &Fault::Said(code, detail.map(str::to_owned)))
    }

    #[test]
    fn each_code_at_each_stage_has_its_class() {
        let later = |code: &'static str| Answer::Later { code: code.into(), after: None };
        let refused = |code: &'static str, flagged| Answer::Refused { code: code.into(), flagged };
        for (stage, code, detail, answer) in [
            (Stage::Hello, 554, None, Answer::Unreachable("SMTP_HELLO_554".into())),
            (Stage::Login, 535, Some("5.7.8"), Answer::Setup("SMTP_LOGIN_535_5.7.8".into())),
            (Stage::Login, 454, None, Answer::Unreachable("SMTP_LOGIN_454".into())),
            (Stage::From, 550, None, Answer::Setup("SMTP_FROM_550".into())),
            (Stage::From, 553, None, Answer::Setup("SMTP_FROM_553".into())),
            (Stage::From, 552, None, refused("SMTP_FROM_552", false)),
            (Stage::From, 451, None, later("SMTP_FROM_451")),
            (Stage::To, 550, Some("5.1.1"), refused("SMTP_TO_550_5.1.1", true)),
            (Stage::To, 550, Some("5.1.8"), Answer::Setup("SMTP_TO_550_5.1.8".into())),
            (Stage::To, 550, Some("5.7.1"), refused("SMTP_TO_550_5.7.1", false)),
            (Stage::To, 550, None, refused("SMTP_TO_550", false)),
            (Stage::To, 530, None, Answer::Setup("SMTP_TO_530".into())),
            (Stage::To, 452, Some("4.2.2"), later("SMTP_TO_452_4.2.2")),
            (Stage::Text, 421, None, later("SMTP_TEXT_421")),
            (Stage::Text, 554, None, refused("SMTP_TEXT_554", false)),
            (Stage::End, 451, None, later("SMTP_END_451")),
            (Stage::End, 554, Some("5.1.1"), refused("SMTP_END_554_5.1.1", false)),
            (Stage::End, 354, None, Answer::Unknown("SMTP_END_354".into())),
        ] {
            assert_eq!(said(stage, code, detail), answer, "{code} {detail:?}");
        }
    }

    #[test]
    fn only_what_was_lost_after_the_end_of_the_text_is_unknown() {
        for fault in [Fault::Lost, Fault::Silent] {
            for stage in [Stage::From, Stage::To, Stage::Text] {
                assert!(matches!(answer(stage, &fault), Answer::Later { .. }));
            }
            assert!(matches!(answer(Stage::Hello, &fault), Answer::Unreachable(_)));
            assert!(matches!(answer(Stage::Login, &fault), Answer::Unreachable(_)));
            assert!(matches!(answer(Stage::End, &fault), Answer::Unknown(_)));
        }
        assert_eq!(answer(Stage::Hello, &Fault::NotOffered), Answer::Setup("SMTP_HELLO_NOT_OFFERED".into()));
    }
}
