//! Which DNS server a check asks: one of its own, or those of the system.

use std::net::SocketAddr;

use tokio::time::Instant;

use super::ask::{Question, Reply, Transport, ask};
use super::dial::{Address, addresses_of};
use super::fault::Fault;
use crate::check::RunContext;
use crate::check::attempt::Limit;
use crate::check::http::scope;
use crate::decode::{Fields, Key, Reader, Shape};

/// `server:` of every kind that asks DNS itself.
pub const SERVER: Key = Key::or(
    "server",
    Shape::Text,
    "the system's resolvers",
    "The DNS server that is asked: `192.0.2.53`, `ns1.example:5353`, `[2001:db8::53]`.",
);
const DNS_PORT: u16 = 53;

/// The server a check asks.
#[derive(Debug, Clone)]
pub struct NameServer(Option<Address>);

impl NameServer {
    /// Reads [`SERVER`].
    pub fn read(fields: &Fields<'_>, reader: &mut Reader<'_>) -> Self {
        Self(
            fields
                .get(SERVER.name)
                .and_then(|node| Address::read(node, Some(DNS_PORT), reader)),
        )
    }

    /// The host as far as it is known at load, for the retry budget.
    #[must_use]
    pub fn host(&self) -> String {
        self.0
            .as_ref()
            .map_or_else(|| "the system's resolvers".to_owned(), Address::host)
    }

    /// Where to ask, in turn. The system's own resolvers are always allowed: every check
    /// uses them.
    ///
    /// # Errors
    /// When the server's name does not resolve or its address is denied.
    pub async fn addresses(&self, run: &RunContext, limit: &Limit) -> Result<Vec<SocketAddr>, Fault> {
        let Some(address) = &self.0 else {
            return run.services.dns.servers().map(<[SocketAddr]>::to_vec);
        };
        let peer = address.fill(&scope(run, &run.captured))?;
        let found = limit
            .wait(addresses_of(&peer, &run.services), |time| {
                format!("the name {} was not resolved within {time}", peer.host)
            })
            .await?;
        Ok(found
            .into_iter()
            .map(|address| SocketAddr::new(address, peer.port))
            .collect())
    }
}

/// Asks the servers in turn until one answers; each gets an equal share of the time left.
///
/// # Errors
/// The fault of the last one.
pub async fn ask_any(
    servers: &[SocketAddr],
    question: &Question,
    transport: Transport,
    limit: &Limit,
) -> Result<Reply, Fault> {
    let mut last = Fault::ours("there is no DNS server to ask");
    for (n, server) in servers.iter().enumerate() {
        let others = u32::try_from(servers.len() - n - 1).unwrap_or(u32::MAX);
        let answer = if others == 0 {
            ask(*server, question, transport, limit).await
        } else {
            let left = limit.until().saturating_duration_since(Instant::now());
            let share = Limit::new(limit.until(), left / (others + 1));
            ask(*server, question, transport, &share).await
        };
        match answer {
            Ok(reply) => return Ok(reply),
            Err(fault) => last = fault,
        }
    }
    Err(last)
}
