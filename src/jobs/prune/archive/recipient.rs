//! A person who may read an archive, by the public key that `age-keygen` prints.

use age::x25519;

use crate::error::{Error, ErrorKind};

pub struct Recipient(x25519::Recipient);

impl Recipient {
    /// Reads what the option was given. It is read here and not by clap, which would quote it: somebody may have pasted
    /// the secret key.
    pub fn parse(text: &str) -> Result<Self, Error> {
        text.trim().parse().map(Self).map_err(|_| {
            let message = "--archive-recipient: expected the public key that age-keygen prints (age1...); the secret \
                           key belongs to those alone who read the archive; nothing was deleted";
            Error::new("CONFIGURATION", ErrorKind::Refused, message)
        })
    }

    pub fn key(&self) -> &dyn age::Recipient {
        &self.0
    }
}
