//! TLS for checks: the chain is recorded even when it is refused, and the moment the
//! handshake begins is noted.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{ClientSessionStore, Resumption, Tls12ClientSessionValue, Tls13ClientSessionValue};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{CertificateError as Cert, ClientConfig, DigitallySignedStruct, NamedGroup, SignatureScheme};
use rustls_platform_verifier::Verifier;
use tokio::time::Instant;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer;
use x509_parser::x509::X509Name;

use super::fault::Fault;
use crate::model::{Timestamp, format_duration};

/// The platform's trusted roots, loaded when first needed.
#[derive(Default)]
pub struct TlsRoots {
    platform: OnceLock<Result<Arc<dyn ServerCertVerifier>, String>>,
}

impl TlsRoots {
    /// The verifier over the platform's roots.
    ///
    /// # Errors
    /// When this machine has no roots at all; in words for people.
    pub fn platform(&self) -> Result<Arc<dyn ServerCertVerifier>, String> {
        self.platform
            .get_or_init(|| {
                Verifier::new(provider())
                    .map(|verifier| Arc::new(verifier) as Arc<dyn ServerCertVerifier>)
                    .map_err(|error| {
                        format!("this machine has no trusted certificates ({error}); install the package ca-certificates")
                    })
            })
            .clone()
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

/// What one check wants of TLS.
#[derive(Debug, Clone, Default)]
pub struct TlsSettings {
    /// Trusted besides the platform's roots.
    pub extra_roots: Vec<CertificateDer<'static>>,
    /// Accept any certificate.
    pub insecure: bool,
    /// How we identify ourselves.
    pub identity: Option<Arc<Identity>>,
    /// The verifier over `extra_roots`, made once: it reads the platform's roots too.
    pub own_verifier: OnceLock<Result<Arc<dyn ServerCertVerifier>, String>>,
}

/// A client certificate with its key.
#[derive(Debug)]
pub struct Identity {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

impl Identity {
    /// Reads PEM texts.
    ///
    /// # Errors
    /// When either is not what it should be.
    pub fn from_pem(chain: &str, key: &str) -> Result<Self, String> {
        Ok(Self {
            chain: certificates_from_pem(chain)?,
            key: PrivateKeyDer::from_pem_slice(key.as_bytes())
                .map_err(|_| "there is no private key in PEM form in it".to_owned())?,
        })
    }
}

/// Reads certificates in PEM form.
///
/// # Errors
/// When there is none.
pub fn certificates_from_pem(pem: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    match chain {
        Ok(chain) if !chain.is_empty() => Ok(chain),
        _ => Err("there is no certificate in PEM form in it".to_owned()),
    }
}

/// What was seen of one connection's TLS.
#[derive(Debug, Default)]
pub struct TlsSeen {
    /// When the handshake began.
    pub began: Option<Instant>,
    /// When the first certificate of the chain to expire does so.
    pub chain_expires: Option<Timestamp>,
    /// What the chain says, whether it was accepted or not.
    pub chain: Option<ChainSeen>,
    /// Why the chain was refused, with the names and times that this is about.
    pub refusal: Option<String>,
}

/// What the other side's chain says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChainSeen {
    /// Whom the first certificate is for: `CN=mail.example`.
    pub subject: String,
    /// Who says so.
    pub issuer: String,
    /// The names and addresses it is for (subjectAltName), at most [`MOST_NAMES`].
    pub names: Vec<String>,
    /// From when the first certificate is valid.
    pub valid_from: Timestamp,
    /// Until when it is.
    pub valid_until: Timestamp,
    /// How many certificates were sent.
    pub length: usize,
}

/// So many names of a certificate are kept.
pub const MOST_NAMES: usize = 100;

/// Shared with the TLS library while a connection is made.
pub type TlsRecord = Arc<Mutex<TlsSeen>>;

impl TlsSettings {
    /// A configuration for one run, which writes what it sees into `record`.
    ///
    /// # Errors
    /// When the platform's roots or the client certificate cannot be used.
    pub fn client_config(&self, roots: &TlsRoots, record: &TlsRecord) -> Result<ClientConfig, String> {
        let inner = if self.insecure {
            None
        } else {
            Some(self.verifier(roots)?)
        };
        let builder = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Recorder {
                inner,
                record: Arc::clone(record),
            }));
        let mut config = match &self.identity {
            Some(identity) => builder
                .with_client_auth_cert(identity.chain.clone(), identity.key.clone_key())
                .map_err(|error| format!("the client certificate cannot be used: {error}"))?,
            None => builder.with_no_client_auth(),
        };
        config.resumption = Resumption::store(Arc::new(StartMark(Arc::clone(record))));
        Ok(config)
    }

    fn verifier(&self, roots: &TlsRoots) -> Result<Arc<dyn ServerCertVerifier>, String> {
        if self.extra_roots.is_empty() {
            return roots.platform();
        }
        self.own_verifier
            .get_or_init(|| {
                Verifier::new_with_extra_roots(self.extra_roots.clone(), provider())
                    .map(|verifier| Arc::new(verifier) as Arc<dyn ServerCertVerifier>)
                    .map_err(|error| format!("the certificates in `ca` cannot be used: {error}"))
            })
            .clone()
    }
}

/// Records the chain, then leaves the decision to the real verifier.
#[derive(Debug)]
struct Recorder {
    inner: Option<Arc<dyn ServerCertVerifier>>,
    record: TlsRecord,
}

impl ServerCertVerifier for Recorder {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let chain: Vec<Shown> = std::iter::once(end_entity)
            .chain(intermediates)
            .filter_map(Shown::of)
            .collect();
        let verdict = match &self.inner {
            Some(inner) => {
                inner.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
            }
            None => Ok(ServerCertVerified::assertion()),
        };
        let mut seen = self.record.lock().unwrap_or_else(PoisonError::into_inner);
        seen.chain_expires = chain.iter().map(|shown| shown.valid_until).min();
        seen.chain = chain.first().map(|leaf| ChainSeen {
            subject: leaf.subject.clone(),
            issuer: leaf.issuer.clone(),
            names: names_of(end_entity),
            valid_from: leaf.valid_from,
            valid_until: leaf.valid_until,
            length: 1 + intermediates.len(),
        });
        if let Err(error) = &verdict {
            let now =
                Timestamp::from_unix_ms(i64::try_from(now.as_secs()).unwrap_or(0).saturating_mul(1_000));
            seen.refusal = Some(refusal(error, &chain, now));
        }
        verdict
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        match &self.inner {
            Some(inner) => inner.verify_tls12_signature(message, certificate, signature),
            None => Ok(HandshakeSignatureValid::assertion()),
        }
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        match &self.inner {
            Some(inner) => inner.verify_tls13_signature(message, certificate, signature),
            None => Ok(HandshakeSignatureValid::assertion()),
        }
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        match &self.inner {
            Some(inner) => inner.supported_verify_schemes(),
            None => provider().signature_verification_algorithms.supported_schemes(),
        }
    }
}

/// One certificate of a chain, as far as messages need it.
struct Shown {
    subject: String,
    issuer: String,
    valid_from: Timestamp,
    valid_until: Timestamp,
    /// Whether it may vouch for others (RFC 5280 §4.2.1.9).
    is_authority: bool,
}

impl Shown {
    fn of(certificate: &CertificateDer<'_>) -> Option<Self> {
        let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
        let moment = |seconds: i64| Timestamp::from_unix_ms(seconds.saturating_mul(1_000));
        Some(Self {
            subject: short_name(parsed.subject()),
            issuer: short_name(parsed.issuer()),
            valid_from: moment(parsed.validity().not_before.timestamp()),
            valid_until: moment(parsed.validity().not_after.timestamp()),
            is_authority: parsed.is_ca(),
        })
    }
}

/// A distinguished name in one line of bounded length.
fn short_name(name: &X509Name<'_>) -> String {
    one_line(&name.to_string(), 200)
}

/// A text of the other side, fit for one line.
fn one_line(text: &str, longest: usize) -> String {
    text.chars().filter(|c| !c.is_control()).take(longest).collect()
}

/// What the first certificate is for: names and addresses of its subjectAltName (RFC 5280
/// §4.2.1.6). Its subject's common name counts nowhere any more (RFC 9525 §2).
fn names_of(certificate: &CertificateDer<'_>) -> Vec<String> {
    let Ok((_, parsed)) = X509Certificate::from_der(certificate) else {
        return Vec::new();
    };
    let Ok(Some(extension)) = parsed.subject_alternative_name() else {
        return Vec::new();
    };
    let names = extension
        .value
        .general_names
        .iter()
        .filter_map(|name| match name {
            GeneralName::DNSName(name) => Some(one_line(name, 255)),
            GeneralName::IPAddress(bytes) => <[u8; 4]>::try_from(*bytes)
                .map(|four| IpAddr::from(four).to_string())
                .or_else(|_| <[u8; 16]>::try_from(*bytes).map(|sixteen| IpAddr::from(sixteen).to_string()))
                .ok(),
            _ => None,
        });
    names.take(MOST_NAMES).collect()
}

/// Why a chain was refused, with the certificate and the time that this is about.
fn refusal(error: &rustls::Error, chain: &[Shown], now: Timestamp) -> String {
    let short = Fault::from_tls(error).what;
    let rustls::Error::InvalidCertificate(cause) = error else {
        return short;
    };
    match (cause, chain) {
        (Cert::Expired | Cert::ExpiredContext { .. }, _) => {
            chain.iter().find(|shown| shown.valid_until < now).map(|shown| {
                let ago = format_duration(now.since(shown.valid_until));
                let (until, subject) = (shown.valid_until, &shown.subject);
                format!("{short}: `{subject}` was valid until {until}, {ago} ago")
            })
        }
        (Cert::NotValidYet | Cert::NotValidYetContext { .. }, _) => {
            chain.iter().find(|shown| shown.valid_from > now).map(|shown| {
                let (from, subject) = (shown.valid_from, &shown.subject);
                format!("{short}: `{subject}` is valid from {from} on")
            })
        }
        (Cert::Other(_), [leaf, ..]) if leaf.is_authority => {
            let (subject, issuer) = (&leaf.subject, &leaf.issuer);
            let whose = match subject == issuer {
                true => "itself".to_owned(),
                false => format!("`{issuer}`"),
            };
            Some(format!(
                "the certificate is an authority's (CA), which no server may show: `{subject}`, issued by {whose}"
            ))
        }
        (Cert::UnknownIssuer, [only]) if only.subject == only.issuer => {
            Some(format!("{short}: `{}` vouches for itself", only.subject))
        }
        (Cert::UnknownIssuer, [.., last]) => Some(format!(
            "{short}: `{}` is issued by `{}`",
            last.subject, last.issuer
        )),
        _ => None,
    }
    .unwrap_or(short)
}

/// A session store that keeps nothing: every check shakes hands as a new visitor does. The
/// library asks it when a handshake begins, which is the moment that is wanted.
#[derive(Debug)]
struct StartMark(TlsRecord);

impl ClientSessionStore for StartMark {
    fn set_kx_hint(&self, _: ServerName<'static>, _: NamedGroup) {}

    fn kx_hint(&self, _: &ServerName<'_>) -> Option<NamedGroup> {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.began.get_or_insert_with(Instant::now);
        None
    }

    fn set_tls12_session(&self, _: ServerName<'static>, _: Tls12ClientSessionValue) {}

    fn tls12_session(&self, _: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        None
    }

    fn remove_tls12_session(&self, _: &ServerName<'static>) {}

    fn insert_tls13_ticket(&self, _: ServerName<'static>, _: Tls13ClientSessionValue) {}

    fn take_tls13_ticket(&self, _: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        None
    }
}
