//! The options of SMS, and the provider that they open.

use std::path::PathBuf;

use clap::Args;
use reqwest::Url;

use super::option::{given, refused};
use crate::clients::twilio::{Account, Sender, Twilio};
use crate::clients::{address, base};
use crate::error::Error;
use crate::file;

/// What Twilio needs.
#[derive(Args)]
pub struct SmsOptions {
    /// Address of Twilio's API
    #[arg(long, env = "ROUNDS_TWILIO_URL", hide_env_values = true, value_name = "URL", default_value = "https://api.twilio.com/", value_parser = base)]
    twilio_url: Url,
    /// SID of the account that sends SMS: AC and 32 digits
    #[arg(long, env = "ROUNDS_TWILIO_ACCOUNT", hide_env_values = true, value_name = "SID")]
    twilio_account: Option<String>,
    /// SID of an API key of that account, SK and 32 digits; without it the token is the account's own
    #[arg(long, env = "ROUNDS_TWILIO_KEY", hide_env_values = true, value_name = "SID")]
    pub twilio_key: Option<String>,
    /// The account's token or the key's secret, only as the variable: on the command line it is refused
    #[arg(long, env = "ROUNDS_TWILIO_TOKEN", hide_env_values = true, value_name = "TOKEN", hide = true)]
    pub twilio_token: Option<String>,
    /// File that holds the account's token or the key's secret, such as a mounted secret; instead of
    /// ROUNDS_TWILIO_TOKEN
    #[arg(long, env = "ROUNDS_TWILIO_TOKEN_FILE", value_name = "PATH")]
    pub twilio_token_file: Option<PathBuf>,
    /// Number or name that SMS come from
    #[arg(long, env = "ROUNDS_SMS_FROM", hide_env_values = true, value_name = "NUMBER")]
    sms_from: Option<String>,
    /// SID of the messaging service that SMS come from, MG and 32 digits; instead of --sms-from
    #[arg(long, env = "ROUNDS_SMS_SERVICE", hide_env_values = true, value_name = "SID")]
    pub sms_service: Option<String>,
    /// Where Twilio tells an application of the clinic what becomes of each SMS
    #[arg(long, env = "ROUNDS_SMS_STATUS_CALLBACK", hide_env_values = true, value_name = "URL", value_parser = address)]
    pub sms_status_callback: Option<Url>,
}

impl SmsOptions {
    /// Names what is missing.
    pub fn open(&self) -> Result<Twilio, Error> {
        let sid = given(self.twilio_account.as_deref(), "--twilio-account")?.to_owned();
        let account = Account { sid, key: self.twilio_key.clone(), secret: self.secret()? };
        let sender = match (&self.sms_from, &self.sms_service) {
            (Some(from), None) => Sender::From(from.trim().to_owned()),
            (None, Some(sid)) => Sender::Service(sid.clone()),
            (Some(_), Some(_)) => return Err(refused("--sms-from and --sms-service are both set; keep one".into())),
            (None, None) => return Err(refused("this channel needs --sms-from or --sms-service".into())),
        };
        Twilio::new(&self.twilio_url, account, sender, self.sms_status_callback.clone())
    }

    fn secret(&self) -> Result<String, Error> {
        let secret = file::secret(
            ("ROUNDS_TWILIO_TOKEN", self.twilio_token.as_ref()),
            ("--twilio-token-file", self.twilio_token_file.as_deref()),
        );
        let missing = || refused("this channel needs ROUNDS_TWILIO_TOKEN or --twilio-token-file".into());
        let secret = secret.map_err(refused)?.ok_or_else(missing)?;
        let secret = secret.trim();
        if secret.is_empty() || !secret.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(refused("the token of Twilio is empty, or has a character that no token has".into()));
        }
        Ok(secret.to_owned())
    }
}
