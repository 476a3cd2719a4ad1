//! The options of e-mail.

use std::path::PathBuf;

use clap::Args;

use super::option::{given, refused};
use crate::clients::smtp::{ListUnsubscribe, Login, Sender, Server, Smtp};
use crate::error::Error;
use crate::file;

#[derive(Args, Default)]
pub struct SmtpOptions {
    /// The server that takes e-mail: smtps://HOST (TLS), or smtp://HOST (STARTTLS, which it must have);
    /// smtp+clear://localhost without TLS
    // Read when it is used: an error of clap shows the value, in which there may be a password by mistake.
    #[arg(long, env = "ROUNDS_SMTP_URL", hide_env_values = true, value_name = "URL")]
    pub smtp_url: Option<String>,
    /// File with the certificates of the authorities that are trusted for it, in PEM; instead of those that are compiled in
    #[arg(long, env = "ROUNDS_SMTP_ROOT_CERT", value_name = "PATH")]
    pub smtp_root_cert: Option<PathBuf>,
    /// The user whom the server knows; without one nobody logs in
    #[arg(long, env = "ROUNDS_SMTP_USER", hide_env_values = true, value_name = "NAME")]
    pub smtp_user: Option<String>,
    /// The password of the user, only as the variable: on the command line it is refused
    #[arg(long, env = "ROUNDS_SMTP_PASSWORD", hide_env_values = true, value_name = "PASSWORD", hide = true)]
    pub smtp_password: Option<String>,
    /// File that holds the password of the user, such as a mounted secret; instead of ROUNDS_SMTP_PASSWORD
    #[arg(long, env = "ROUNDS_SMTP_PASSWORD_FILE", value_name = "PATH")]
    pub smtp_password_file: Option<PathBuf>,
    /// The sender of e-mail, such as `Clinic <noreply@clinic.example>`
    #[arg(long, env = "ROUNDS_EMAIL_FROM", value_name = "ADDRESS", value_parser = Sender::parse)]
    pub email_from: Option<Sender>,
    /// Where patients say that they want no more e-mail, in the header List-Unsubscribe of NORMAL messages to them
    #[arg(long, env = "ROUNDS_LIST_UNSUBSCRIBE", value_name = "URL", value_parser = ListUnsubscribe::parse)]
    pub list_unsubscribe: Option<ListUnsubscribe>,
}

impl SmtpOptions {
    pub fn open(&self) -> Result<Smtp, Error> {
        let url = given(self.smtp_url.as_deref(), "--smtp-url")?;
        let server: Server = url.parse().map_err(|why| refused(format!("--smtp-url {why}")))?;
        let from = given(self.email_from.as_ref(), "--email-from")?.clone();
        let authorities = self.smtp_root_cert.as_deref();
        Smtp::new(server, authorities, self.login()?, from, self.list_unsubscribe.clone())
    }

    fn login(&self) -> Result<Option<Login>, Error> {
        let password = file::secret(
            ("ROUNDS_SMTP_PASSWORD", self.smtp_password.as_ref()),
            ("--smtp-password-file", self.smtp_password_file.as_deref()),
        );
        // A file ends with a line end, and a password may end with a blank.
        let password = password.map_err(refused)?.map(|text| text.trim_end_matches(['\r', '\n']).to_owned());
        match (&self.smtp_user, password.filter(|password| !password.is_empty())) {
            (Some(user), Some(password)) => Ok(Some(Login { user: user.clone(), password })),
            (None, None) => Ok(None),
            (Some(_), None) => {
                Err(refused("--smtp-user has no password: set ROUNDS_SMTP_PASSWORD or --smtp-password-file".into()))
            }
            (None, Some(_)) => Err(refused("a password for SMTP is set, and no --smtp-user".into())),
        }
    }
}
