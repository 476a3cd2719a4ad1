//! `sslmode` and PGSSLROOTCERT mean what they mean to libpq. A small gate speaks TLS before the test server.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd};
use tempfile::{NamedTempFile, TempPath};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::support::program::Outcome;
use crate::support::{Clinic, Program, scratch, socket};

/// A TLS gate: its port, the PEM file of the authority behind its certificate, and the number of connections in which a
/// client spoke without TLS.
struct Gate {
    port: u16,
    authority: TempPath,
    startups: Arc<AtomicUsize>,
}

/// A length of 8 and a magic number.
const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];

/// The first message of a client, with its length before it.
async fn message(program: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let length = program.read_u32().await?;
    let mut message = length.to_be_bytes().to_vec();
    message.resize(length as usize, 0);
    program.read_exact(&mut message[4..]).await?;
    Ok(message)
}

/// A gate whose certificate is for `name`; None: it answers that it speaks no TLS.
async fn gate(name: Option<&str>) -> Gate {
    gate_from(name, None).await
}

/// A gate whose certificate is valid in these years alone.
async fn gate_from(name: Option<&str>, years: Option<(i32, i32)>) -> Gate {
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
        let mut params = CertificateParams::new(vec![name.to_owned()]).expect("a name");
        if let Some((first, last)) = years {
            (params.not_before, params.not_after) = (date_time_ymd(first, 1, 1), date_time_ymd(last, 1, 1));
        }
        let certificate = params.signed_by(&key, &ca).expect("a certificate");
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let config = config.expect("versions").with_no_client_auth();
        TlsAcceptor::from(Arc::new(config.with_single_cert(vec![certificate.into()], key).expect("they fit")))
    });
    let startups = Arc::new(AtomicUsize::new(0));
    let counted = startups.clone();
    tokio::spawn(async move {
        while let Ok((mut program, _)) = listener.accept().await {
            let (acceptor, counted) = (acceptor.clone(), counted.clone());
            tokio::spawn(async move {
                let mut first = message(&mut program).await?;
                let mut server = UnixStream::connect(socket()).await?;
                let wants_tls = first == SSL_REQUEST;
                if wants_tls && acceptor.is_none() {
                    program.write_all(b"N").await?;
                    first = message(&mut program).await?;
                }
                let (true, Some(acceptor)) = (wants_tls, acceptor) else {
                    // In one piece: PgBouncer closes a connection that sends a part of its startup message.
                    counted.fetch_add(1, Ordering::Relaxed);
                    server.write_all(&first).await?;
                    return tokio::io::copy_bidirectional(&mut program, &mut server).await;
                };
                program.write_all(b"S").await?;
                let mut program = acceptor.accept(program).await?;
                tokio::io::copy_bidirectional(&mut program, &mut server).await
            });
        }
    });
    Gate { port, authority, startups }
}

const UNKNOWN: &str = "comes from an authority that is not trusted";
const OTHER_NAME: &str = "is for another name than the URL's host";
const NO_TLS: &str = "the server offers no TLS";

/// The outcome of a dry run through the gate, by the name `host`, with these parameters and these variables.
async fn through(gate: &Gate, clinic: &Clinic, host: &str, query: &str, env: &[(&str, &str)]) -> Outcome {
    let url = format!("postgresql://{}@{host}:{}/{}{query}", scratch::USER, gate.port, clinic.database);
    let program = env.iter().fold(Program::new(&url), |program, (name, value)| program.env(name, value));
    program.run(&["mark-no-shows", "--dry-run"]).await
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
        (&plain, "require", None, 1, NO_TLS),
        (&right, "require", None, 0, ""),
        (&wrong, "require", None, 0, ""),
        (&wrong, "require", Some(&wrong.authority), 0, ""),
        (&right, "require", Some(&wrong.authority), 1, UNKNOWN),
        (&right, "prefer", Some(&wrong.authority), 1, UNKNOWN),
        (&wrong, "verify-ca", Some(&wrong.authority), 0, ""),
        (&wrong, "verify-ca", Some(&right.authority), 1, UNKNOWN),
        (&wrong, "verify-ca", None, 1, UNKNOWN),
        (&right, "verify-full", Some(&right.authority), 0, ""),
        (&right, "verify-full", Some(&wrong.authority), 1, UNKNOWN),
        (&right, "verify-full", None, 1, UNKNOWN),
        (&wrong, "verify-full", Some(&wrong.authority), 1, OTHER_NAME),
        (&plain, "verify-full", Some(&right.authority), 1, NO_TLS),
    ];
    for (gate, mode, authority, code, error) in cases {
        let root = authority.map(|path| path.display().to_string());
        let env: Vec<_> = root.iter().map(|root| ("PGSSLROOTCERT", root.as_str())).collect();
        let (written, inherited) = (format!("?sslmode={mode}"), [&env[..], &[("PGSSLMODE", mode)]].concat());
        for (query, env) in [(written.as_str(), &env), ("", &inherited)] {
            let outcome = through(gate, &clinic, "localhost", query, env).await;
            assert_eq!(outcome.code, code, "{query} {env:?}: {outcome:?}");
            assert!(outcome.stderr.contains(error), "{query} {env:?}: {}", outcome.stderr);
        }
        if let Some(root) = root {
            let query = format!("?sslmode={mode}&sslrootcert={}", root.replace('/', "%2F"));
            assert_eq!(through(gate, &clinic, "localhost", &query, &[]).await.code, code, "{query}");
        }
    }
}

#[tokio::test]
async fn a_certificate_out_of_date_is_named_as_such() {
    let clinic = Clinic::new().await;
    for (first, last, sentence) in [(2001, 2002, "is out of date"), (2999, 3000, "is not valid yet")] {
        let gate = gate_from(Some("localhost"), Some((first, last))).await;
        let root = gate.authority.display().to_string();
        let env = [("PGSSLMODE", "verify-full"), ("PGSSLROOTCERT", root.as_str())];
        let outcome = through(&gate, &clinic, "localhost", "", &env).await;
        assert_eq!(outcome.code, 1);
        assert!(outcome.stderr.contains(sentence), "{}", outcome.stderr);
    }
}

/// The attack: somebody in between answers that there is no TLS, and waits for the password. The address is one of this
/// machine that no rule takes for its own.
#[tokio::test]
async fn a_man_in_the_middle_who_offers_no_tls_gets_no_password() {
    let clinic = Clinic::new().await;
    let plain = gate(None).await;
    for (host, query, mode) in
        [("0.0.0.0", "", ""), ("localhost", "", "verify-full"), ("0.0.0.0", "?sslmode=verify-full", "disable")]
    {
        let env: Vec<_> = Some(("PGSSLMODE", mode)).filter(|_| !mode.is_empty()).into_iter().collect();
        let outcome = through(&plain, &clinic, host, query, &env).await;
        assert_eq!(outcome.code, 1, "{host} {query} {mode}: {outcome:?}");
        assert!(outcome.stderr.contains(NO_TLS), "{}", outcome.stderr);
    }
    assert_eq!(plain.startups.load(Ordering::Relaxed), 0, "nobody said who they are");
    // Who writes it gets it, and is warned.
    for (query, warned) in
        [("?sslmode=disable", "sends patients' data"), ("?sslmode=prefer", "goes on without encryption")]
    {
        let outcome = through(&plain, &clinic, "0.0.0.0", query, &[]).await;
        assert_eq!(outcome.code, 0, "{outcome:?}");
        assert!(outcome.stderr.contains(warned), "{}", outcome.stderr);
    }
    assert!(plain.startups.load(Ordering::Relaxed) > 0, "the count counts");
}
