//! What goes wrong with any server: refused, reset, silent, dripping, endless, malformed; and
//! certificates that are wrong in every way that matters.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::support::provider;

/// A server's way to misbehave, once somebody has connected.
#[derive(Debug, Clone)]
pub enum Bad {
    /// Resets the connection at once.
    Reset,
    /// Closes it at once.
    Close,
    /// Takes it, reads, and says nothing.
    Silent,
    /// Says this, then closes.
    Half(Vec<u8>),
    /// Says this, then nothing more.
    Stall(Vec<u8>),
    /// Says this, then one byte of the second every 50 ms, without end.
    Drip(Vec<u8>, u8),
    /// Says this, then the second as fast as it is taken, without end.
    Endless(Vec<u8>, Vec<u8>),
}

/// A server that misbehaves so towards everybody.
pub fn bad(how: Bad) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let how = how.clone();
            thread::spawn(move || misbehave(stream, how));
        }
    });
    address
}

/// An address at which nothing listens.
pub fn refused() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

#[allow(
    clippy::disallowed_methods,
    reason = "the far end is slow on purpose; no test waits for it"
)]
fn misbehave(mut stream: TcpStream, how: Bad) {
    let swallow = |mut stream: TcpStream| while stream.read(&mut [0; 4096]).is_ok_and(|count| count > 0) {};
    match how {
        Bad::Reset => rustix::net::sockopt::set_socket_linger(&stream, Some(Duration::ZERO)).unwrap(),
        Bad::Close => {}
        Bad::Silent => swallow(stream),
        Bad::Half(bytes) => {
            let _ = stream.write_all(&bytes);
            let _ = stream.shutdown(std::net::Shutdown::Write);
            swallow(stream);
        }
        Bad::Stall(bytes) => {
            let _ = stream.write_all(&bytes);
            swallow(stream);
        }
        Bad::Drip(bytes, byte) => {
            let _ = stream.write_all(&bytes);
            while stream.write_all(&[byte]).is_ok() {
                thread::sleep(Duration::from_millis(50));
            }
        }
        Bad::Endless(bytes, again) => {
            let _ = stream.write_all(&bytes);
            while stream.write_all(&again).is_ok() {}
        }
    }
}

/// An authority of the test's own.
pub struct Authority {
    /// Its certificate, for `ca:`.
    pub pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    pub fn new() -> Self {
        let (params, key) = authority_params();
        let certificate = params.self_signed(&key).unwrap();
        Self {
            pem: certificate.pem(),
            issuer: Issuer::new(params, key),
        }
    }
}

fn authority_params() -> (CertificateParams, KeyPair) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let name = format!("haetae test authority {}", fastrand::u64(..));
    params.distinguished_name.push(DnType::CommonName, name);
    (params, key)
}

/// A server's certificate, right or wrong in one way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Certificate {
    /// For `localhost` and 127.0.0.1, valid until 2049.
    Good,
    /// It ended in 2021.
    Expired,
    /// It begins in 2040.
    NotYetValid,
    /// It is for `other.example`.
    OtherName,
    /// Nobody but itself says so.
    SelfSigned,
    /// By an authority that nobody trusts.
    UnknownAuthority,
    /// The intermediate that would lead to the authority is not sent.
    NoIntermediate,
}

/// Every wrong certificate, with a word of the message it must give.
pub const WRONG: &[(Certificate, &str)] = &[
    (Certificate::Expired, "the certificate has expired"),
    (Certificate::NotYetValid, "the certificate is not valid yet"),
    (Certificate::OtherName, "the certificate is for another name"),
    (Certificate::SelfSigned, "the certificate's issuer is not trusted"),
    (
        Certificate::UnknownAuthority,
        "the certificate's issuer is not trusted",
    ),
    (
        Certificate::NoIntermediate,
        "the certificate's issuer is not trusted",
    ),
];

/// A chain and its key.
pub struct Issued {
    pub chain: Vec<CertificateDer<'static>>,
    key: KeyPair,
}

impl Issued {
    /// The chain in PEM form, for servers that read files.
    pub fn chain_pem(&self) -> String {
        let pem = |der: &CertificateDer<'_>| {
            use base64::Engine;
            let text = base64::engine::general_purpose::STANDARD.encode(der);
            format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n")
        };
        self.chain.iter().map(pem).collect()
    }

    /// The key in PEM form.
    pub fn key_pem(&self) -> String {
        self.key.serialize_pem()
    }

    /// What a rustls server needs.
    pub fn server_config(&self) -> ServerConfig {
        provider();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(self.key.serialize_der()));
        ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(self.chain.clone(), key)
            .unwrap()
    }
}

/// A certificate by the authority, as it should be or not.
pub fn issue(authority: &Authority, what: Certificate) -> Issued {
    let key = KeyPair::generate().unwrap();
    let name = match what {
        Certificate::OtherName => "other.example",
        _ => "localhost",
    };
    let mut names = vec![name.to_owned()];
    if name == "localhost" {
        names.push("127.0.0.1".to_owned());
    }
    let mut params = CertificateParams::new(names).unwrap();
    let (from, until) = match what {
        Certificate::Expired => (2020, 2021),
        Certificate::NotYetValid => (2040, 2049),
        _ => (2020, 2049),
    };
    params.not_before = rcgen::date_time_ymd(from, 1, 1);
    params.not_after = rcgen::date_time_ymd(until, 1, 1);
    let certificate = match what {
        Certificate::SelfSigned => params.self_signed(&key).unwrap(),
        Certificate::UnknownAuthority => {
            let stranger = Authority::new();
            params.signed_by(&key, &stranger.issuer).unwrap()
        }
        Certificate::NoIntermediate => {
            let (middle, middle_key) = authority_params();
            let middle = Issuer::new(middle, middle_key);
            params.signed_by(&key, &middle).unwrap()
        }
        _ => params.signed_by(&key, &authority.issuer).unwrap(),
    };
    Issued {
        chain: vec![certificate.der().clone()],
        key,
    }
}

/// A TLS server with this certificate: it sends `greeting`, then echoes.
pub fn tls_echo(issued: &Issued, greeting: &'static [u8]) -> SocketAddr {
    let config = Arc::new(issued.server_config());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
            thread::spawn(move || {
                let mut stream = StreamOwned::new(connection, stream);
                let _ = stream.write_all(greeting);
                let _ = stream.flush();
                let mut chunk = [0; 4096];
                while let Ok(count) = stream.read(&mut chunk) {
                    if count == 0 || stream.write_all(&chunk[..count]).is_err() {
                        break;
                    }
                }
            });
        }
    });
    address
}
