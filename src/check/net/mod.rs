//! What every kind that opens a connection needs: names, addresses, certificates.

pub mod dns;
pub mod fault;
pub mod targets;
pub mod tls;
