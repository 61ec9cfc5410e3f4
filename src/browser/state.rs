//! Log-in states that runs share: cookies and storages, in memory only.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value as Json, json};
use tokio::time::Instant;

use super::visit::{Trouble, Visit};

/// What a log-in left in the browser.
#[derive(Debug, Clone)]
pub struct Saved {
    /// When it was taken.
    pub at: Instant,
    cookies: Vec<Json>,
    /// Origin → storages, as `page.js` gives them.
    storages: BTreeMap<String, Json>,
}

/// One log-in: locked while somebody logs in, so that the others wait for the outcome.
pub type Place = Arc<tokio::sync::Mutex<Option<Saved>>>;

/// All log-ins of a process.
#[derive(Debug, Default)]
pub struct SavedStates {
    places: Mutex<HashMap<u64, Place>>,
}

impl SavedStates {
    /// The place of one log-in.
    pub fn place(&self, key: u64) -> Place {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(places.entry(key).or_default())
    }

    /// Forgets a log-in that no longer holds.
    pub fn forget(&self, key: u64) {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        places.remove(&key);
    }
}

/// Takes cookies and the storages of the page that is shown.
///
/// # Errors
/// As the browser refuses.
pub async fn save(visit: &Visit, limit: Instant) -> Result<Saved, Trouble> {
    let cookies = visit.cookies(limit).await?;
    let storage = visit.ask(limit, &json!({ "operation": "store" })).await?;
    let origin = storage["origin"].as_str().unwrap_or_default().to_owned();
    Ok(Saved {
        at: Instant::now(),
        cookies,
        storages: BTreeMap::from([(origin, storage)]),
    })
}

/// Puts a saved state into a fresh profile.
///
/// # Errors
/// As the browser refuses.
pub async fn restore(visit: &Visit, limit: Instant, saved: &Saved) -> Result<(), Trouble> {
    for cookie in &saved.cookies {
        visit.set_cookie(limit, as_set(cookie)).await?;
    }
    let has_storage = |storage: &&Json| {
        ["local", "session"]
            .iter()
            .any(|key| storage[*key].as_object().is_some_and(|items| !items.is_empty()))
    };
    if saved.storages.values().any(|storage| has_storage(&storage)) {
        visit
            .before_every_page(limit, &fill_storages(&saved.storages))
            .await?;
    }
    Ok(())
}

/// A cookie as the standard takes it: what `storage.getCookies` adds is left out.
fn as_set(cookie: &Json) -> Json {
    let kept = ["name", "value", "domain", "path", "httpOnly", "secure", "expiry"];
    let mut set = serde_json::Map::new();
    for key in kept {
        if let Some(value) = cookie.get(key) {
            set.insert(key.to_owned(), value.clone());
        }
    }
    let same_site = cookie.get("sameSite").and_then(Json::as_str);
    if let Some(same_site) = same_site.filter(|policy| matches!(*policy, "lax" | "strict")) {
        set.insert("sameSite".to_owned(), json!(same_site));
    }
    Json::Object(set)
}

/// Fills the storages once per tab, so that what the page changes later stays changed.
fn fill_storages(storages: &BTreeMap<String, Json>) -> String {
    let all = json!(storages);
    format!(
        "() => {{ try {{
            const mine = ({all})[location.origin];
            if (!mine || sessionStorage.getItem('haetae.restored')) return;
            for (const [key, value] of Object.entries(mine.local)) localStorage.setItem(key, value);
            for (const [key, value] of Object.entries(mine.session)) sessionStorage.setItem(key, value);
            sessionStorage.setItem('haetae.restored', '1');
        }} catch (denied) {{ /* a page without storages */ }} }}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_set_with_what_the_standard_takes_only() {
        let got = json!({
            "name": "a", "value": { "type": "string", "value": "1" }, "domain": "x", "path": "/",
            "size": 2, "goog:session": true, "sameSite": "none", "secure": false, "httpOnly": true,
        });
        let set = as_set(&got);
        assert!(set.get("size").is_none() && set.get("goog:session").is_none());
        assert!(set.get("sameSite").is_none(), "none is refused without secure");
        assert_eq!(set["httpOnly"], true);
    }
}
