//! What all checks of a process share.

use std::path::PathBuf;
use std::sync::Arc;

use super::domain::RdapServers;
use super::heartbeat::Heartbeats;
use super::host::Disks;
use super::load::Load;
use super::net::dns::Dns;
use super::net::targets::TargetPolicy;
use super::net::tls::TlsRoots;
use super::net::tokens::Tokens;
use super::retry::RetryBudget;
use crate::browser::Browsers;
use crate::clock::wall_now;
use crate::model::{Language, Secret, SharedRedactor};

/// What all checks of a process share.
pub struct Services {
    /// How busy the runner is.
    pub load: Load,
    /// Names to addresses, each answer for as long as its TTL.
    pub dns: Dns,
    /// The platform's trusted roots, loaded once.
    pub roots: TlsRoots,
    /// Retries per target host.
    pub retry_budget: RetryBudget,
    /// Access tokens, fetched once for many checks.
    pub tokens: Tokens,
    /// Which RDAP server knows which domains.
    pub rdap: RdapServers,
    /// Which addresses may be asked at all.
    pub targets: Arc<TargetPolicy>,
    /// Browsers, started when first needed.
    pub browsers: Browsers,
    /// What jobs have told of themselves.
    pub heartbeats: Heartbeats,
    /// How full this machine's disks have been.
    pub disks: Disks,
    /// What people are told in.
    pub language: Language,
    /// The mask over everything that is kept.
    pub redactor: SharedRedactor,
    /// The project's folder, for files that scenarios upload.
    pub project_dir: PathBuf,
    /// Where screenshots and page sources go.
    pub evidence_dir: PathBuf,
}

/// The code that an authenticator shows now; its secret was looked at when it was read.
#[must_use]
pub fn one_time_code(secret: &Secret) -> String {
    let now_s = u64::try_from(wall_now().as_unix_us() / 1_000_000).unwrap_or(0);
    crate::model::one_time_code(secret.reveal(), now_s)
        .map(|code| code.code)
        .unwrap_or_default()
}

/// `length` random characters of a–z and 0–9.
#[must_use]
pub fn random_text(length: usize) -> String {
    std::iter::repeat_with(fastrand::alphanumeric)
        .map(|c| c.to_ascii_lowercase())
        .take(length)
        .collect()
}
