//! Which RDAP server knows which endings (RFC 9224), asked for once a day.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value as Json;
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::check::net::fault::Fault;

/// Where IANA keeps the list.
pub const IANA: &str = "https://data.iana.org/rdap/dns.json";
/// The list changes a few times a year.
const KEPT: Duration = Duration::from_hours(24);

/// The lists by where they come from, shared by all checks.
#[derive(Default)]
pub struct RdapServers {
    known: Mutex<HashMap<String, (Instant, Arc<Table>)>>,
}

impl RdapServers {
    /// The list as it is known, or as `fetch` brings it. Whoever comes meanwhile waits for it
    /// instead of asking too.
    ///
    /// # Errors
    /// Why it cannot be had.
    pub(super) async fn get_or_fetch(
        &self,
        from: &str,
        fetch: impl Future<Output = Result<Table, Fault>>,
    ) -> Result<Arc<Table>, Fault> {
        let mut known = self.known.lock().await;
        if let Some((at, table)) = known.get(from)
            && at.elapsed() < KEPT
        {
            return Ok(Arc::clone(table));
        }
        let table = Arc::new(fetch.await?);
        known.insert(from.to_owned(), (Instant::now(), Arc::clone(&table)));
        Ok(table)
    }
}

/// Ending → server.
#[derive(Debug, Default)]
pub(super) struct Table(HashMap<String, String>);

impl Table {
    /// The server of the longest ending that fits.
    pub fn server_of(&self, name: &str) -> Option<String> {
        let mut ending = name;
        loop {
            if let Some(server) = self.0.get(ending) {
                return Some(server.clone());
            }
            (_, ending) = ending.split_once('.')?;
        }
    }
}

/// Reads the list; none when it is none. Servers over https are taken first.
pub(super) fn table(json: Option<&Json>) -> Option<Table> {
    let mut table = HashMap::new();
    for service in json?["services"].as_array()? {
        let texts = |n: usize| {
            let list = service.get(n).and_then(Json::as_array);
            list.into_iter().flatten().filter_map(Json::as_str)
        };
        let server = texts(1)
            .find(|url| url.starts_with("https:"))
            .or_else(|| texts(1).next());
        let Some(server) = server else { continue };
        for ending in texts(0) {
            table.insert(ending.to_lowercase(), server.to_owned());
        }
    }
    (!table.is_empty()).then_some(Table(table))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_longest_ending_decides_and_https_comes_first() {
        let list = json!({ "services": [
            [["com", "net"], ["http://a.example/", "https://b.example/"]],
            [["co.kr"], ["http://c.example/"]],
            [["kr"], ["https://d.example/"]],
        ]});
        let table = table(Some(&list)).unwrap();
        for (name, server) in [
            ("x.com", Some("https://b.example/")),
            ("y.co.kr", Some("http://c.example/")),
            ("y.or.kr", Some("https://d.example/")),
            ("y.test", None),
        ] {
            assert_eq!(table.server_of(name).as_deref(), server, "{name}");
        }
    }
}
