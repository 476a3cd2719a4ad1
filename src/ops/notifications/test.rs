//! `rounds notifications test`: one message of the type TEST, sent now and not by a run, and what the provider says.
//!
//! Rule: the row of the message is committed as UNCERTAIN before anything leaves, so that a test which is killed is seen;
//! no run sends it, and none settles it. It goes where the channel's messages may go: not beyond the allow-list, and not
//! to a contact that may not be written to.

use chrono::{DateTime, Utc};
use clap::Args;
use serde_json::json;
use tokio::time::timeout;
use tokio_postgres::Transaction;
use uuid::Uuid;

use crate::clients::provider::{Answer, Message, Provider as _, Receipt};
use crate::clients::word::Word;
use crate::clinic::actor::{SUPERVISORS, refused};
use crate::command::{CommandContext, Moment, Output};
use crate::db::{Key, statements};
use crate::error::Error;
use crate::exit::Exit;
use crate::jobs::deliver_notifications::gateway::{Channel, Gateway, Options};
use crate::jobs::deliver_notifications::number::{self, Country};

statements! {
    MAY_NOT_BE_WRITTEN_TO(TEXT, TEXT) =
        "SELECT s.reason FROM contact_suppressions s WHERE s.channel = $1 AND s.address = $2 AND s.lifted_at IS NULL";
    BEGIN_TEST(TEXT, TEXT, TEXT, TEXT, TEXT, TEXT, TIMESTAMPTZ, TEXT) = include_str!("begin_test.sql");
    END_TEST(INT8, TEXT, TEXT, TEXT, TEXT) = include_str!("end_test.sql");
}

const KIND: &str = "TEST";
const TITLE: &str = "Test of rounds";
const BODY: &str = "This is a test of rounds. There is nothing to do.";

/// Send a test message through the provider of a channel now, and tell what it says; exit 1 if it does not take it
///
/// Needs an --actor who is HOSPITAL_ADMIN or SUPERVISOR, and is recorded.
#[derive(Args)]
pub struct TestArgs {
    /// The number, the e-mail address, or the name of an endpoint
    #[arg(long, value_name = "ADDRESS")]
    to: String,
    /// The channel
    #[arg(long, value_name = "CHANNEL")]
    channel: Channel,
    /// The country of a number without a country code
    #[arg(long, env = "ROUNDS_COUNTRY", value_name = "ISO_CODE", default_value = "US", value_parser = number::country)]
    country: Country,
    /// Send to these numbers, addresses and endpoints alone, separated by commas: for places that are not production
    #[arg(long, env = "ROUNDS_DELIVER_ONLY_TO", hide_env_values = true, value_name = "ADDRESS", value_delimiter = ',')]
    only_to: Option<Vec<String>>,
    #[command(flatten)]
    options: Options,
}

/// What became of the message.
struct Verdict {
    status: &'static str,
    code: Option<String>,
    receipt: Receipt,
    /// A sentence.
    said: &'static str,
}

impl TestArgs {
    pub async fn execute(&self, context: &CommandContext<'_>) -> Result<Output, Error> {
        let gateway = Gateway::open(self.channel, &self.options)?;
        let to = self.address()?;
        let (Moment { now, actor }, id) = context.act(async |tx, moment| self.begin(tx, &to, moment).await).await?;
        let channel = self.channel.stored();
        if context.args.dry_run {
            let text = format!("A test of {channel} would be sent (dry run: nothing was sent or changed).\n");
            return Ok(Output::done(json!({ "ok": true, "dry_run": true, "channel": channel }), text));
        }
        let message = message(id, to, &actor.id, now);
        let answer = timeout(context.limit, gateway.send(&message)).await;
        let Verdict { status, code, receipt, said } = verdict(answer.unwrap_or(Answer::Unknown("NO_ANSWER".into())));
        let look = format!("rounds notifications show {id}");
        context
            .administer(&look, async |tx| {
                END_TEST.execute(tx, &[&id, &status, &code, &receipt.id, &receipt.status]).await
            })
            .await?;
        let is_sent = status == "SENT";
        let shown = code.as_ref().map_or(String::new(), |code| format!(" [{code}]"));
        let words = receipt.status.as_ref().map_or(String::new(), |words| format!(" It says: {words}."));
        let text = format!("Message {id}, {channel}: {said}{shown}. It is {status}.{words}\n");
        let json = json!({
            "ok": is_sent,
            "dry_run": false,
            "id": id,
            "channel": channel,
            "status": status,
            "reason": code,
            "providerId": receipt.id,
            "providerStatus": receipt.status,
        });
        Ok(Output::new(if is_sent { Exit::Done } else { Exit::Failed }, json, text))
    }

    /// The address as messages have it.
    fn address(&self) -> Result<String, Error> {
        let to = match self.channel {
            Channel::Sms => number::e164(&self.to, self.country),
            Channel::Email => number::email(&self.to),
            Channel::Webhook => Some(self.to.clone()),
        };
        let to = to.ok_or_else(|| {
            refused("INVALID_ADDRESS", format!("--to is no address of {}; nothing was sent", self.channel.stored()))
        })?;
        if self.only_to.as_ref().is_some_and(|allowed| !allowed.contains(&to)) {
            let message = "--to is not among --only-to (ROUNDS_DELIVER_ONLY_TO); nothing was sent";
            return Err(refused("NOT_ON_ALLOW_LIST", message.to_owned()));
        }
        Ok(to)
    }

    async fn begin(&self, tx: &Transaction<'_>, to: &str, Moment { now, actor }: &Moment) -> Result<i64, Error> {
        actor.require(SUPERVISORS, "sending a test")?;
        let channel = self.channel.stored();
        if let Some(row) = MAY_NOT_BE_WRITTEN_TO.opt(tx, &[&channel, &to]).await? {
            let reason: &str = row.get("reason");
            let message = format!("--to may not be written to by {channel} ({reason}); nothing was sent");
            return Err(refused("SUPPRESSED", message));
        }
        let (key, facility) = (format!("TEST:{}", Uuid::new_v4()), actor.facility.as_ref().map(Key::as_str));
        let row = BEGIN_TEST.one(tx, &[&to, &channel, &TITLE, &BODY, &actor.id.as_str(), &key, now, &facility]).await?;
        Ok(row.get("id"))
    }
}

fn message(id: i64, to: String, actor: &Key, now: DateTime<Utc>) -> Message {
    Message {
        id,
        to,
        title: TITLE.to_owned(),
        body: BODY.to_owned(),
        html: None,
        kind: KIND.to_owned(),
        metadata: json!({}),
        entity: ["user".to_owned(), actor.as_str().to_owned()],
        created_at: now,
        sent_at: now,
        valid_for: None,
        may_unsubscribe: false,
        word: Word::Given,
    }
}

fn verdict(answer: Answer) -> Verdict {
    let because = |status, code: String, said| Verdict { status, code: Some(code), receipt: Receipt::default(), said };
    match answer {
        Answer::Accepted(receipt) => Verdict { status: "SENT", code: None, receipt, said: "the provider has taken it" },
        Answer::Refused { code, .. } => because("FAILED", code.into(), "it cannot be sent to this recipient"),
        Answer::OptedOut(code) => because("SUPPRESSED", code.into(), "the recipient wants no messages"),
        Answer::Later { code, .. } => because("FAILED", code.into(), "the provider does not take it now"),
        Answer::Unreachable(code) => because("FAILED", code.into(), "the provider cannot be reached"),
        Answer::Setup(code) => because("FAILED", code.into(), "the provider refuses us"),
        Answer::Unknown(code) => because("UNCERTAIN", code.into(), "the provider may have it"),
        Answer::Held => because("FAILED", "HELD".to_owned(), "nothing has left"),
    }
}
