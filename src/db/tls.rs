//! TLS to the server, with the meaning of libpq's sslmode.
//!
//! Rule: where neither the address nor PGSSLMODE says otherwise, the server has to prove its name (`verify-full`), unless
//! it is on this machine (`prefer`). What protects less has to be written, and is warned of.

use std::path::Path;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio_postgres::config::SslMode;
use tracing::warn;

use super::sslmode::TlsMode;
use super::url::{Address, configuration};
use crate::error::Error;
use crate::file;

/// The TLS of a connection: what the driver is to do, and with which configuration. The address's own words come before
/// the others.
pub fn of(
    address: &Address,
    mode: Option<TlsMode>,
    root_cert: Option<&Path>,
) -> Result<(SslMode, ClientConfig), Error> {
    let usual = if address.is_near() { TlsMode::Prefer } else { TlsMode::VerifyFull };
    let mode = address.mode.or(mode).unwrap_or(usual);
    let root_cert = address.root_cert.as_deref().or(root_cert);
    if let Some(weakness) = mode.weakness(root_cert).filter(|_| !address.is_near()) {
        warn!(error_code = "WEAK_TLS", "{weakness}: write sslmode=verify-full, and PGSSLROOTCERT for an own authority");
    }
    // The server speaks no TLS on a socket of this machine, and libpq does not ask for it there.
    let mode_of_driver = if address.is_socket() { SslMode::Disable } else { mode.of_the_driver() };
    Ok((mode_of_driver, configured(mode, root_cert)?))
}

/// The configuration follows libpq: `verify-full` checks authority and name, `verify-ca` the authority alone; with a root
/// certificate given, `prefer` and `require` check the authority, too; without one they encrypt and trust any server.
fn configured(mode: TlsMode, root_cert: Option<&Path>) -> Result<ClientConfig, Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let authority = match (root_cert, mode) {
        (Some(path), _) => {
            let roots = read_roots(path);
            Some(roots.map_err(|fault| configuration(format!("PGSSLROOTCERT {}: {fault}", path.display())))?)
        }
        (None, TlsMode::VerifyCa | TlsMode::VerifyFull) => {
            Some(webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect())
        }
        (None, _) => None,
    };
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|_| configuration("no TLS version is available"))?;
    if let (Some(roots), TlsMode::VerifyFull) = (&authority, mode) {
        return Ok(builder.with_root_certificates(roots.clone()).with_no_client_auth());
    }
    let authority = match authority {
        Some(roots) => Some(
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone())
                .build()
                .map_err(|_| configuration("PGSSLROOTCERT holds no usable certificate"))?,
        ),
        None => None,
    };
    let verifier = Arc::new(AnyName { authority, schemes: provider.signature_verification_algorithms });
    Ok(builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth())
}

fn read_roots(path: &Path) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    let pem = file::bytes(path, file::LIST_MAX)?;
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let certificate = certificate.map_err(|_| "not a PEM file")?;
        roots.add(certificate).map_err(|_| "a certificate in it cannot be used")?;
    }
    if roots.is_empty() { Err("holds no certificate".to_owned()) } else { Ok(roots) }
}

/// The verifier of the other modes: it accepts any name, and any authority if none is given.
#[derive(Debug)]
struct AnyName {
    authority: Option<Arc<WebPkiServerVerifier>>,
    schemes: rustls::crypto::WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for AnyName {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let Some(authority) = &self.authority else { return Ok(ServerCertVerified::assertion()) };
        match authority.verify_server_cert(end_entity, intermediates, server_name, ocsp, now) {
            Err(rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => Ok(ServerCertVerified::assertion()),
            verdict => verdict,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(message, cert, dss, &self.schemes)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(message, cert, dss, &self.schemes)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.schemes.supported_schemes()
    }
}
