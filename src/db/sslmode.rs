//! The modes of TLS to the server: what each asks for, and what it leaves open.

use std::path::Path;

use clap::ValueEnum;
use tokio_postgres::config::SslMode;

/// libpq's sslmode. `allow` is missing, because it tries without TLS first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum TlsMode {
    /// No TLS
    Disable,
    /// TLS if the server offers it
    Prefer,
    /// TLS, with whatever server answers; with --ssl-root-cert as verify-ca
    Require,
    /// TLS, with a certificate of a trusted authority for any name
    VerifyCa,
    /// TLS, with a certificate of a trusted authority for the name in the URL
    VerifyFull,
}

impl TlsMode {
    /// What the driver is to do: it knows no verification.
    pub fn of_the_driver(self) -> SslMode {
        match self {
            Self::Disable => SslMode::Disable,
            Self::Prefer => SslMode::Prefer,
            Self::Require | Self::VerifyCa | Self::VerifyFull => SslMode::Require,
        }
    }

    /// Why a connection to another machine is not safe in this mode, if it is not.
    pub fn weakness(self, root_cert: Option<&Path>) -> Option<&'static str> {
        match self {
            Self::Disable => Some("sslmode=disable sends patients' data, and perhaps the password, without encryption"),
            Self::Prefer => Some("sslmode=prefer goes on without encryption if whoever answers offers none"),
            Self::Require if root_cert.is_none() => Some("sslmode=require trusts whatever server answers"),
            Self::VerifyCa if root_cert.is_none() => {
                Some("sslmode=verify-ca trusts every server with a certificate of a public authority")
            }
            Self::Require | Self::VerifyCa | Self::VerifyFull => None,
        }
    }
}
