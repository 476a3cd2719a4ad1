//! The address of an SMTP server, and how its certificate is verified.

use std::path::Path;
use std::str::FromStr;

use lettre::transport::smtp::client::{Certificate, CertificateStore, TlsParameters};
use reqwest::Url;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

use crate::clients::address;
use crate::error::{Error, ErrorKind};
use crate::file;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Security {
    /// From the first byte on.
    Tls,
    /// After STARTTLS, which the server must have.
    StartTls,
    /// None: to this machine alone.
    Clear,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    pub host: String,
    pub port: u16,
    pub security: Security,
}

impl FromStr for Server {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let url: Url = address(text)?;
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or("names no host")?;
        if !matches!(url.path(), "" | "/") {
            return Err("must have no path".to_owned());
        }
        let (security, port) = match url.scheme() {
            "smtps" => (Security::Tls, 465),
            "smtp" => (Security::StartTls, 587),
            "smtp+clear" if matches!(host, "localhost" | "127.0.0.1" | "[::1]") => (Security::Clear, 25),
            "smtp+clear" => return Err("may be without TLS to this machine alone".to_owned()),
            _ => return Err("must begin with smtps:// (TLS) or smtp:// (STARTTLS)".to_owned()),
        };
        // A name in brackets is an address, which is looked up without them.
        let host = host.trim_matches(['[', ']']).to_owned();
        Ok(Self { host, port: url.port().unwrap_or(port), security })
    }
}

impl Server {
    /// How its certificate is verified; None where it shows none.
    pub fn tls(&self, authorities: Option<&Path>) -> Result<Option<TlsParameters>, Error> {
        if self.security == Security::Clear {
            return Ok(None);
        }
        let builder = TlsParameters::builder(self.host.clone());
        let builder = match authorities {
            None => builder.certificate_store(CertificateStore::WebpkiRoots),
            Some(path) => {
                let refused = |why: &str| refused(format!("--smtp-root-cert {}: {why}", path.display()));
                let pem = file::bytes(path, file::LIST_MAX).map_err(|why| refused(&why))?;
                if CertificateDer::pem_slice_iter(&pem).next().is_none() {
                    return Err(refused("holds no certificate"));
                }
                let certificates = Certificate::from_pem(&pem).map_err(|_| refused("not a PEM file"))?;
                builder.certificate_store(CertificateStore::None).add_root_certificate(certificates)
            }
        };
        let unusable = |_| refused("a certificate of --smtp-root-cert cannot be used, or no TLS version can".into());
        builder.build_rustls().map(Some).map_err(unusable)
    }
}

fn refused(message: String) -> Error {
    Error::new("CONFIGURATION", ErrorKind::Refused, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_spoken_to_in_clear_on_this_machine_alone() {
        let server = |host: &str, port, security| Server { host: host.into(), port, security };
        for (text, expected) in [
            ("smtps://mail.example", server("mail.example", 465, Security::Tls)),
            ("smtp://mail.example", server("mail.example", 587, Security::StartTls)),
            ("smtp://mail.example:2525/", server("mail.example", 2525, Security::StartTls)),
            ("smtp://127.0.0.1:25", server("127.0.0.1", 25, Security::StartTls)),
            ("smtp+clear://localhost", server("localhost", 25, Security::Clear)),
            ("smtp+clear://[::1]:26", server("::1", 26, Security::Clear)),
        ] {
            assert_eq!(text.parse(), Ok(expected), "{text}");
        }
        for text in [
            "smtp+clear://mail.example",
            "smtp+clear://localhost.example",
            "smtp://user:secret@mail.example",
            "smtps://mail.example/path",
            "https://mail.example",
            "mail.example:25",
            "smtp://",
            "",
        ] {
            let why = text.parse::<Server>().expect_err(text);
            assert!(!why.contains("secret"), "{why}");
        }
    }
}
