//! Which addresses in a message Slack can do something with. A wrong one loses the whole message.

use std::net::{Ipv4Addr, Ipv6Addr};

use url::{Host, Url};

/// Whether a button may lead there.
pub(super) fn can_be_opened(address: &str) -> bool {
    Url::parse(address).is_ok_and(|url| match url.scheme() {
        "http" | "https" => url.has_host(),
        scheme => matches!(scheme, "mailto" | "slack"),
    })
}

/// Whether Slack could get an image from there.
///
/// The service fetches images itself, so an address that only we can reach loses the message.
pub(super) fn can_be_fetched(address: &str) -> bool {
    let Ok(url) = Url::parse(address) else {
        return false;
    };
    let is_public = match url.host() {
        Some(Host::Domain(name)) => name.contains('.') && !name.ends_with(".localhost"),
        Some(Host::Ipv4(ip)) => is_public_v4(ip),
        Some(Host::Ipv6(ip)) => is_public_v6(ip),
        None => false,
    };
    is_public && matches!(url.scheme(), "http" | "https")
}

fn is_public_v4(ip: Ipv4Addr) -> bool {
    !(ip.is_loopback() || ip.is_private() || ip.is_link_local() || ip.is_unspecified())
}

fn is_public_v6(ip: Ipv6Addr) -> bool {
    !(ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local() || ip.is_unspecified())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_button_needs_a_scheme_that_opens() {
        for good in [
            "https://a.example/1?x=y",
            "http://localhost:8600",
            "mailto:a@b.example",
        ] {
            assert!(can_be_opened(good), "{good}");
        }
        for bad in [
            "db.example:5432",
            "a.example",
            "tcp://a.example",
            "/incidents/1",
            "",
        ] {
            assert!(!can_be_opened(bad), "{bad}");
        }
    }

    #[test]
    fn an_image_must_be_public() {
        for good in [
            "https://a.example/x.png",
            "http://93.184.216.34/x.png",
            "https://[2606:2800:220:1::1]/x.png",
        ] {
            assert!(can_be_fetched(good), "{good}");
        }
        for bad in [
            "http://localhost:8600/x.png",
            "http://shop.localhost/x.png",
            "http://127.0.0.1/x.png",
            "http://192.168.0.7/x.png",
            "http://[::1]/x.png",
            "http://grafana/x.png",
            "ftp://a.example/x.png",
            "x.png",
        ] {
            assert!(!can_be_fetched(bad), "{bad}");
        }
    }
}
