//! What every kind that opens a connection needs: names, addresses, certificates.

pub mod ask;
pub mod dial;
pub mod dns;
pub mod fault;
pub mod fetch;
pub mod login;
pub mod nameserver;
pub mod secure;
pub mod starttls;
pub mod targets;
pub mod tls;
pub mod tokens;
