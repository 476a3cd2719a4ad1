//! The interface of a provider that delivers messages. A provider is one file that implements it.
//!
//! Rule: each call sends at most one request. An answer says what is known of the message, and nothing is guessed: where
//! the provider may have it, the answer is `Unknown`.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::word::Word;

/// A code of the provider, such as `TWILIO_21610`; never a value of the message.
pub type Code = Cow<'static, str>;

/// A message as it leaves. It holds what a patient is told, so it has no Debug.
pub struct Message {
    /// The id of its row: the provider's key against doubles, where it has one.
    pub id: i64,
    /// The number in E.164, the e-mail address, or the name of an endpoint.
    pub to: String,
    pub title: String,
    pub body: String,
    pub html: Option<String>,
    /// What happened, such as `JOB_FAILING`.
    pub kind: String,
    /// Ids, counts and codes.
    pub metadata: Value,
    /// The kind and the key of what it is about.
    pub entity: [String; 2],
    /// When it was staged.
    pub created_at: DateTime<Utc>,
    /// When its request is about to leave, or was.
    pub sent_at: DateTime<Utc>,
    /// How long it is of use.
    pub valid_for: Option<Duration>,
    /// Whether its recipient may ask for no more like it: a NORMAL message to a patient.
    pub may_unsubscribe: bool,
    /// Asked for by a provider that holds messages.
    pub word: Word,
}

/// What became of a request.
#[derive(Debug, PartialEq, Eq)]
pub enum Answer {
    /// The provider has taken it on.
    Accepted(Receipt),
    /// It cannot be sent to this recipient. `flagged`: nothing can, so the contact is not tried again.
    Refused { code: Code, flagged: bool },
    /// The recipient wants no messages.
    OptedOut(Code),
    /// It was not taken, and may be later.
    Later { code: Code, after: Option<Duration> },
    /// Nothing has left: the provider could not be reached.
    Unreachable(Code),
    /// The provider refuses us, whatever the message: a key, a sender, an account.
    Setup(Code),
    /// The provider may have it.
    Unknown(Code),
    /// Nothing has left: it had no word to leave.
    Held,
}

impl Answer {
    /// The code with which a request failed.
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Refused { code, .. } | Self::Later { code, .. } => Some(code),
            Self::OptedOut(code) | Self::Unreachable(code) | Self::Setup(code) | Self::Unknown(code) => Some(code),
            Self::Accepted(_) | Self::Held => None,
        }
    }
}

/// What the provider says of a message that it has taken.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Receipt {
    pub id: Option<String>,
    /// In the provider's words.
    pub status: Option<String>,
}

/// What a later question about a message says.
#[derive(Debug, PartialEq, Eq)]
pub enum Progress {
    /// Nothing new, or the provider could not be asked.
    Underway(Option<String>),
    Delivered(String),
    /// It did not arrive.
    Failed {
        status: String,
        code: Code,
        barred: Option<Barred>,
    },
}

/// A contact that may not be written to any more, as the provider knows it: the recipient may have another by now.
#[derive(PartialEq, Eq)]
pub struct Barred {
    pub to: String,
    /// The recipient wants no messages; else nothing arrives there.
    pub opted_out: bool,
}

impl fmt::Debug for Barred {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Barred").field("opted_out", &self.opted_out).finish_non_exhaustive()
    }
}

/// What a search for a message says.
#[derive(Debug, PartialEq, Eq)]
pub enum Found {
    /// Exactly one fits.
    One(Receipt),
    /// The provider keeps a list, and it is not there.
    None,
    /// Several fit, or the provider cannot say.
    Unclear,
}

pub trait Provider: Send + Sync {
    /// Whether a message that is sent twice, with the same id, arrives once.
    fn knows_doubles(&self) -> bool {
        false
    }

    /// Whether it asks for the word of a message just before its text leaves: up to there nothing was sent.
    fn holds(&self) -> bool {
        false
    }

    /// Whether it can be asked about a message that it has taken.
    fn reports(&self) -> bool {
        false
    }

    fn send(&self, message: &Message) -> impl Future<Output = Answer> + Send;

    /// Looks for a message whose fate is not known.
    fn find(&self, _message: &Message) -> impl Future<Output = Found> + Send {
        async { Found::Unclear }
    }

    fn ask(&self, _id: &str) -> impl Future<Output = Progress> + Send {
        async { Progress::Underway(None) }
    }
}
