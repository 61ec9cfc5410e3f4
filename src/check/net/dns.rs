//! Names to addresses.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{LookupIpStrategy, ProtocolConfig};
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::system_conf::read_system_conf;

use super::fault::Fault;

/// Resolves names as the system is set up to, and keeps each answer for as long as its TTL
/// says, not longer.
pub struct Dns {
    resolver: Result<TokioResolver, String>,
    servers: Result<Vec<SocketAddr>, String>,
}

/// One question to one server may take this long; a run's own time-out is stronger.
const ASK_TIMEOUT: Duration = Duration::from_secs(3);
const MOST_CACHED: u64 = 4_096;

impl Dns {
    /// Reads the system's configuration. When that fails, every look-up says why.
    #[must_use]
    pub fn from_system() -> Self {
        let resolver = TokioResolver::builder_tokio().and_then(|mut builder| {
            let options = builder.options_mut();
            options.timeout = ASK_TIMEOUT;
            options.attempts = 1;
            options.cache_size = MOST_CACHED;
            options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
            builder.build()
        });
        Self {
            resolver: resolver.map_err(|error| error.to_string()),
            servers: system_servers(),
        }
    }

    /// The servers this machine asks, in their order.
    ///
    /// # Errors
    /// Our own fault when the system's configuration names none.
    pub fn servers(&self) -> Result<&[SocketAddr], Fault> {
        self.servers
            .as_deref()
            .map_err(|why| Fault::ours(format!("this machine's DNS settings cannot be used: {why}")))
    }

    /// Every address of a name; an address in text form is its own.
    ///
    /// # Errors
    /// The target's fault when the name does not exist, ours when nobody could be asked.
    pub async fn resolve(&self, name: &str) -> Result<Vec<IpAddr>, Fault> {
        if let Ok(address) = name.trim_matches(['[', ']']).parse() {
            return Ok(vec![address]);
        }
        let resolver = self
            .resolver
            .as_ref()
            .map_err(|why| Fault::ours(format!("this machine's DNS settings cannot be used: {why}")))?;
        let answer = resolver
            .lookup_ip(name)
            .await
            .map_err(|error| fault(name, &error))?;
        let addresses: Vec<IpAddr> = answer.iter().collect();
        if addresses.is_empty() {
            return Err(no_such_name(name));
        }
        Ok(addresses)
    }
}

fn system_servers() -> Result<Vec<SocketAddr>, String> {
    let (config, _) = read_system_conf().map_err(|error| error.to_string())?;
    let mut servers = Vec::new();
    for server in &config.name_servers {
        let mut over_udp = server
            .connections
            .iter()
            .filter(|connection| matches!(connection.protocol, ProtocolConfig::Udp));
        if let Some(connection) = over_udp.next() {
            servers.push(SocketAddr::new(server.ip, connection.port));
        }
    }
    match servers.is_empty() {
        true => Err("they name no server".to_owned()),
        false => Ok(servers),
    }
}

fn no_such_name(name: &str) -> Fault {
    Fault::lasting(format!("the name {name} does not resolve"))
}

fn fault(name: &str, error: &NetError) -> Fault {
    match error {
        NetError::Dns(DnsError::NoRecordsFound(_)) => no_such_name(name),
        NetError::Dns(DnsError::ResponseCode(code)) => Fault::passing(format!(
            "the name {name} does not resolve: the DNS server answers {code}"
        )),
        NetError::Proto(_) => Fault::lasting(format!("`{name}` is not a name that can be resolved")),
        other => Fault::ours(format!("no DNS server could be asked for {name}: {other}")),
    }
}
