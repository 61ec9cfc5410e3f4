//! Why a target gave no answer, in words that help at three in the morning.

use std::error::Error as StdError;
use std::io;

use rustls::CertificateError;

/// Whose fault it is that there is nothing to judge, and whether trying again may help.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// What happened, for people.
    pub what: String,
    /// Whose side it is on.
    pub side: Side,
    /// Whether it may pass by itself.
    pub passing: bool,
}

/// Whose side a fault is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The target did not answer.
    Target,
    /// We could not ask.
    Ours,
}

impl Fault {
    /// The target's fault, and it may pass by itself: refused, reset, timed out.
    #[must_use]
    pub fn passing(what: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            side: Side::Target,
            passing: true,
        }
    }

    /// The target's fault, and asking again gives the same.
    #[must_use]
    pub fn lasting(what: impl Into<String>) -> Self {
        Self {
            passing: false,
            ..Self::passing(what)
        }
    }

    /// Our own fault: nothing is known of the target.
    #[must_use]
    pub fn ours(what: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            side: Side::Ours,
            passing: false,
        }
    }

    /// Reads the cause out of a chain of errors; none when nothing in it is known.
    #[must_use]
    pub fn from_chain(error: &(dyn StdError + 'static), address: &str) -> Option<Self> {
        let mut link = Some(error);
        while let Some(current) = link {
            if let Some(fault) = current.downcast_ref::<FaultError>() {
                return Some(fault.0.clone());
            }
            if let Some(tls) = current.downcast_ref::<rustls::Error>() {
                return Some(Self::from_tls(tls));
            }
            if let Some(io) = current.downcast_ref::<io::Error>() {
                // An io::Error may carry a TLS error inside without naming it as source.
                if let Some(inner) = io.get_ref()
                    && let Some(fault) = Self::from_chain(inner, address)
                {
                    return Some(fault);
                }
                if let Some(fault) = Self::from_io(io, address) {
                    return Some(fault);
                }
            }
            link = current.source();
        }
        None
    }

    /// What an operating-system error means for a connection to `address`.
    #[must_use]
    pub fn from_io(error: &io::Error, address: &str) -> Option<Self> {
        use io::ErrorKind as Kind;
        Some(match error.kind() {
            Kind::ConnectionRefused => {
                Self::passing(format!("connection refused by {address}: nothing listens there"))
            }
            Kind::ConnectionReset => Self::passing(format!("{address} reset the connection")),
            Kind::ConnectionAborted | Kind::BrokenPipe | Kind::NotConnected => {
                Self::passing(format!("{address} closed the connection"))
            }
            Kind::UnexpectedEof => Self::passing(format!(
                "{address} closed the connection in the middle of its answer"
            )),
            Kind::TimedOut => Self::passing(format!("the connection to {address} timed out")),
            Kind::HostUnreachable => Self::passing(format!("no route to {address}")),
            Kind::NetworkUnreachable | Kind::NetworkDown | Kind::AddrNotAvailable => {
                Self::ours(format!("our own network cannot reach {address}: {error}"))
            }
            _ if matches!(error.raw_os_error(), Some(23 | 24)) => {
                Self::ours("this process has too many open files")
            }
            _ => return None,
        })
    }

    /// What a TLS error means.
    #[must_use]
    pub fn from_tls(error: &rustls::Error) -> Self {
        use CertificateError as Cert;
        let what = match error {
            rustls::Error::InvalidCertificate(cause) => match cause {
                Cert::Expired | Cert::ExpiredContext { .. } => "the certificate has expired".to_owned(),
                Cert::NotValidYet | Cert::NotValidYetContext { .. } => {
                    "the certificate is not valid yet".to_owned()
                }
                Cert::NotValidForName => "the certificate is for another name".to_owned(),
                Cert::NotValidForNameContext { presented, .. } => {
                    let names: Vec<&str> = presented.iter().take(MOST_NAMES).map(|name| bare(name)).collect();
                    let more = if presented.len() > MOST_NAMES { " …" } else { "" };
                    format!(
                        "the certificate is for another name: it names {}{more}",
                        names.join(", ")
                    )
                }
                Cert::UnknownIssuer => {
                    "the certificate's issuer is not trusted (self-signed, or an intermediate is missing)"
                        .to_owned()
                }
                Cert::BadSignature => {
                    "the certificate's signature is wrong: it is not by the issuer it names".to_owned()
                }
                Cert::Revoked => "the certificate has been revoked".to_owned(),
                other => format!("the certificate is not valid: {other}"),
            },
            rustls::Error::InvalidMessage(_) => {
                "the other side does not speak TLS here (a plain-text port?)".to_owned()
            }
            rustls::Error::AlertReceived(alert) => format!("the other side refused TLS: {alert:?}"),
            other => format!("TLS failed: {other}"),
        };
        Self::lasting(what)
    }
}

/// So many names of a certificate are told.
const MOST_NAMES: usize = 10;

/// `other.example` out of `DnsName("other.example")`, as the verifier spells it.
fn bare(name: &str) -> &str {
    name.split_once('(')
        .and_then(|(_, inner)| inner.strip_suffix(')'))
        .map_or(name, |inner| inner.trim_matches('"'))
}

/// Carries a fault through libraries that pass on any error.
#[derive(Debug)]
pub struct FaultError(pub Fault);

impl std::fmt::Display for FaultError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0.what)
    }
}

impl StdError for FaultError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_a_certificate_are_told_as_people_write_them() {
        for (name, told) in [
            ("DnsName(\"other.example\")", "other.example"),
            ("IpAddress(127.0.0.1)", "127.0.0.1"),
            ("other.example", "other.example"),
        ] {
            assert_eq!(bare(name), told);
        }
    }
}
