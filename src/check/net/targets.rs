//! Which addresses may be asked: a check must not become a way into the network.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;
use std::sync::{PoisonError, RwLock};

/// A network: `169.254.0.0/16`, `fe80::/10`, or one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    base: IpAddr,
    bits: u8,
}

impl Network {
    fn contains(self, address: IpAddr) -> bool {
        match (self.base, address) {
            (IpAddr::V4(base), IpAddr::V4(address)) => {
                shift(u128::from(base.to_bits()), 32, self.bits)
                    == shift(u128::from(address.to_bits()), 32, self.bits)
            }
            (IpAddr::V6(base), IpAddr::V6(address)) => {
                shift(base.to_bits(), 128, self.bits) == shift(address.to_bits(), 128, self.bits)
            }
            _ => false,
        }
    }
}

impl Network {
    /// As patterns with `*` over the address as it is written; none where that cannot be said.
    fn patterns(self) -> Vec<String> {
        match self.base {
            IpAddr::V4(base) => {
                let octets = base.octets();
                let whole = usize::from(self.bits / 8);
                let rest = self.bits % 8;
                let start: String = octets[..whole].iter().map(|octet| format!("{octet}.")).collect();
                if whole == 4 {
                    return vec![start.trim_end_matches('.').to_owned()];
                }
                if rest == 0 {
                    return vec![format!("{start}*")];
                }
                let size = 1_u16 << (8 - rest);
                let first = u16::from(octets[whole]) / size * size;
                (first..first + size)
                    .map(|octet| match whole {
                        3 => format!("{start}{octet}"),
                        _ => format!("{start}{octet}.*"),
                    })
                    .collect()
            }
            IpAddr::V6(base) if self.bits == 128 => vec![format!("[{base}]")],
            IpAddr::V6(base) if (1..=16).contains(&self.bits) => {
                let size = 1_u32 << (16 - u32::from(self.bits).min(16));
                let nibbles = u32::from(self.bits).div_ceil(4);
                let step = 1_u32 << (16 - 4 * nibbles);
                let first = u32::from(base.segments()[0]) / size * size;
                (first..first + size)
                    .step_by(step as usize)
                    .map(|group| {
                        let digits = format!("{group:04x}");
                        format!("[{}*", &digits[..nibbles as usize])
                    })
                    .collect()
            }
            IpAddr::V6(_) => Vec::new(),
        }
    }
}

fn shift(value: u128, width: u8, bits: u8) -> u128 {
    if bits == 0 { 0 } else { value >> (width - bits) }
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong =
            || format!("`{text}` is not a network: write for example `169.254.0.0/16` or `fe80::/10`");
        let (base, bits) = text.split_once('/').unwrap_or((text, ""));
        let base: IpAddr = base.parse().map_err(|_| wrong())?;
        let widest = if base.is_ipv4() { 32 } else { 128 };
        let bits = match bits {
            "" => widest,
            bits => bits
                .parse()
                .ok()
                .filter(|bits| *bits <= widest)
                .ok_or_else(wrong)?,
        };
        Ok(Self { base, bits })
    }
}

/// The settings' `targets:` and haetae's own ports.
#[derive(Debug, Default)]
pub struct TargetPolicy {
    deny: Vec<Network>,
    allow: Vec<Network>,
    strict: bool,
    own_ports: RwLock<Vec<u16>>,
}

impl TargetPolicy {
    /// `allow` is stronger than `deny` and `strict`; own ports are denied whatever is allowed.
    #[must_use]
    pub fn new(deny: Vec<Network>, allow: Vec<Network>, strict: bool) -> Self {
        Self {
            deny,
            allow,
            strict,
            own_ports: RwLock::default(),
        }
    }

    /// Denies a loopback port of ours: the dashboard's, a driver's.
    pub fn deny_own_port(&self, port: u16) {
        let mut ports = self.own_ports.write().unwrap_or_else(PoisonError::into_inner);
        if !ports.contains(&port) {
            ports.push(port);
        }
    }

    /// Takes back what [`TargetPolicy::deny_own_port`] denied.
    pub fn release_own_port(&self, port: u16) {
        let mut ports = self.own_ports.write().unwrap_or_else(PoisonError::into_inner);
        ports.retain(|own| *own != port);
    }

    /// Why this address must not be asked; none when it may.
    #[must_use]
    pub fn refusal(&self, address: IpAddr, port: u16) -> Option<String> {
        let address = address.to_canonical();
        let local = is_loopback(address);
        if local && self.is_own_port(port) {
            return Some(format!(
                "{address} port {port} is haetae's own and must not be checked"
            ));
        }
        if self.allow.iter().any(|network| network.contains(address)) {
            return None;
        }
        let denied = self.deny.iter().any(|network| network.contains(address))
            || (self.strict && (local || is_private(address)));
        denied.then(|| format!("the settings deny the address {address} (`targets:` in haetae.yaml)"))
    }

    /// The same policy as rules for Chromium's resolver (`--host-resolver-rules`), as far as
    /// these reach: they look at names, not at what a name resolves to.
    #[must_use]
    pub fn browser_rules(&self) -> Vec<String> {
        let mut rules: Vec<String> = self
            .allow
            .iter()
            .flat_map(|network| network.patterns())
            .map(|pattern| format!("EXCLUDE {pattern}"))
            .collect();
        let mut denied: Vec<String> = self.deny.iter().flat_map(|network| network.patterns()).collect();
        if self.strict {
            denied.push("localhost".into());
            let private = [
                "127.0.0.0/8",
                "10.0.0.0/8",
                "172.16.0.0/12",
                "192.168.0.0/16",
                "100.64.0.0/10",
                "fc00::/7",
                "::1",
            ];
            let networks = private.iter().filter_map(|text| text.parse::<Network>().ok());
            denied.extend(networks.flat_map(Network::patterns));
        }
        let ports = self.own_ports.read().unwrap_or_else(PoisonError::into_inner);
        for port in ports.iter() {
            denied.extend(["127.0.0.1", "localhost", "[::1]"].map(|host| format!("{host}:{port}")));
        }
        // Own ports come before what is allowed: they are denied whatever the settings say.
        let own: Vec<String> = denied
            .iter()
            .filter(|pattern| {
                pattern
                    .rsplit_once(':')
                    .is_some_and(|(_, port)| port.parse::<u16>().is_ok())
            })
            .cloned()
            .collect();
        denied.retain(|pattern| !own.contains(pattern));
        let deny = |pattern: String| format!("MAP {pattern} ~NOTFOUND");
        rules.splice(0..0, own.into_iter().map(deny));
        rules.extend(denied.into_iter().map(deny));
        rules
    }

    fn is_own_port(&self, port: u16) -> bool {
        let ports = self.own_ports.read().unwrap_or_else(PoisonError::into_inner);
        ports.contains(&port)
    }
}

fn is_loopback(address: IpAddr) -> bool {
    address.is_loopback() || address.is_unspecified()
}

fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => {
            let shared = Ipv4Addr::new(100, 64, 0, 0).to_bits() >> 22;
            address.is_private() || address.is_link_local() || address.to_bits() >> 22 == shared
        }
        IpAddr::V6(address) => is_private_v6(address),
    }
}

fn is_private_v6(address: Ipv6Addr) -> bool {
    address.is_unique_local() || address.is_unicast_link_local()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(deny: &[&str], allow: &[&str], strict: bool) -> TargetPolicy {
        let parse = |list: &[&str]| list.iter().map(|text| text.parse().unwrap()).collect();
        TargetPolicy::new(parse(deny), parse(allow), strict)
    }

    fn denied(policy: &TargetPolicy, address: &str) -> bool {
        policy.refusal(address.parse().unwrap(), 80).is_some()
    }

    #[test]
    fn denied_networks_are_denied_in_every_spelling() {
        let policy = policy(&["169.254.0.0/16", "fe80::/10"], &[], false);
        assert!(denied(&policy, "169.254.169.254"));
        assert!(denied(&policy, "::ffff:169.254.169.254"));
        assert!(denied(&policy, "fe80::1"));
        assert!(!denied(&policy, "127.0.0.1"));
        assert!(!denied(&policy, "192.0.2.1"));
    }

    #[test]
    fn strict_denies_what_is_private_unless_allowed() {
        let policy = policy(&[], &["10.1.0.0/16"], true);
        assert!(denied(&policy, "127.0.0.1") && denied(&policy, "100.64.1.1") && denied(&policy, "fd00::1"));
        assert!(!denied(&policy, "10.1.2.3") && !denied(&policy, "1.1.1.1"));
    }

    #[test]
    fn our_own_ports_are_denied_whatever_is_allowed() {
        let policy = policy(&[], &["127.0.0.0/8"], false);
        policy.deny_own_port(80);
        assert!(denied(&policy, "127.0.0.1") && denied(&policy, "0.0.0.0"));
        assert!(!denied(&policy, "192.0.2.1"));
        policy.release_own_port(80);
        assert!(!denied(&policy, "127.0.0.1"));
    }

    #[test]
    fn what_is_no_network_is_refused() {
        for text in ["10.0.0.0/33", "banana", "10.0.0/8", ""] {
            assert!(text.parse::<Network>().is_err(), "{text}");
        }
    }
}
