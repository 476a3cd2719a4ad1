//! `sslmode` and PGSSLROOTCERT mean what they mean to libpq. A small gate speaks TLS before the test server.

use std::fs;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use tempfile::{NamedTempFile, TempPath};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UnixStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::support::{Clinic, Program, scratch, socket};

/// A TLS gate: its port, and the PEM file of the authority behind its certificate.
struct Gate {
    port: u16,
    authority: TempPath,
}

/// A gate whose certificate is for `name`; None: it answers that it speaks no TLS.
async fn gate(name: Option<&str>) -> Gate {
    let mut ca = CertificateParams::default();
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    ca.distinguished_name.push(DnType::CommonName, format!("authority of {name:?}"));
    let ca = CertifiedIssuer::self_signed(ca, KeyPair::generate().expect("a key")).expect("an authority");
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = listener.local_addr().expect("bound").port();
    let authority = NamedTempFile::new().expect("a place for files").into_temp_path();
    fs::write(&authority, ca.pem()).expect("can be written");
    let acceptor = name.map(|name| {
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new(vec![name.to_owned()]).expect("a name");
        let certificate = params.signed_by(&key, &ca).expect("a certificate");
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let config = config.expect("versions").with_no_client_auth();
        TlsAcceptor::from(Arc::new(config.with_single_cert(vec![certificate.into()], key).expect("they fit")))
    });
    tokio::spawn(async move {
        while let Ok((mut program, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                // SSLRequest: a length of 8 and a magic number; anything else is a client that wants no TLS.
                let mut first = [0; 8];
                program.read_exact(&mut first).await?;
                let mut server = UnixStream::connect(socket()).await?;
                if first != [0, 0, 0, 8, 4, 210, 22, 47] {
                    // The startup message in one piece: PgBouncer closes a connection that sends a part of it.
                    let length = u32::from_be_bytes([first[0], first[1], first[2], first[3]]) as usize;
                    let mut startup = vec![0; length.max(first.len())];
                    startup[..first.len()].copy_from_slice(&first);
                    program.read_exact(&mut startup[first.len()..]).await?;
                    server.write_all(&startup).await?;
                    return tokio::io::copy_bidirectional(&mut program, &mut server).await;
                }
                let Some(acceptor) = acceptor else {
                    program.write_all(b"N").await?;
                    return tokio::io::copy_bidirectional(&mut program, &mut server).await;
                };
                program.write_all(b"S").await?;
                let mut program = acceptor.accept(program).await?;
                tokio::io::copy_bidirectional(&mut program, &mut server).await
            });
        }
    });
    Gate { port, authority }
}

#[tokio::test]
async fn every_sslmode_trusts_whom_it_should() {
    let clinic = Clinic::new().await;
    let (right, wrong, plain) =
        (gate(Some("localhost")).await, gate(Some("elsewhere.example")).await, gate(None).await);
    // (gate, sslmode, authority, exit code, what the error says)
    let cases = [
        (&plain, "disable", None, 0, ""),
        (&right, "disable", None, 0, ""),
        (&plain, "prefer", None, 0, ""),
        (&right, "prefer", None, 0, ""),
        (&plain, "require", None, 1, "TLS"),
        (&right, "require", None, 0, ""),
        (&wrong, "require", None, 0, ""),
        (&wrong, "require", Some(&wrong.authority), 0, ""),
        (&right, "require", Some(&wrong.authority), 1, "UnknownIssuer"),
        (&right, "prefer", Some(&wrong.authority), 1, "UnknownIssuer"),
        (&right, "verify-full", Some(&right.authority), 0, ""),
        (&right, "verify-full", Some(&wrong.authority), 1, "UnknownIssuer"),
        (&right, "verify-full", None, 1, "UnknownIssuer"),
        (&wrong, "verify-full", Some(&wrong.authority), 1, "not valid for name"),
        (&plain, "verify-full", Some(&right.authority), 1, "TLS"),
    ];
    for (gate, mode, authority, code, error) in cases {
        let url = format!("postgresql://{}@localhost:{}/{}?sslmode={mode}", scratch::USER, gate.port, clinic.database);
        let mut program = Program::new(&url);
        if let Some(authority) = authority {
            program = program.env("PGSSLROOTCERT", &authority.display().to_string());
        }
        let outcome = program.run(&["mark-no-shows", "--dry-run"]).await;
        assert_eq!(outcome.code, code, "{mode} {authority:?}: {outcome:?}");
        assert!(outcome.stderr.contains(error), "{mode} {authority:?}: {}", outcome.stderr);
    }
}
