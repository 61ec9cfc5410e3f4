//! How a run's pages are shown: size, device, language, clock, headers, downloads.

use std::path::{Path, PathBuf};

use serde_json::{Value as Json, json};

use super::{PAGE_SCRIPT, SANDBOX, Trouble, Visit};

/// The size of windows as our own browsers are started.
pub const USUAL_VIEWPORT: (u32, u32) = (1280, 800);

/// What a user context is given besides its isolation.
#[derive(Debug, Clone, Default)]
pub struct Look {
    /// Width and height in CSS pixels.
    pub viewport: (u32, u32),
    /// Device pixels per CSS pixel.
    pub pixel_ratio: Option<f64>,
    /// What the browser says it is.
    pub user_agent: Option<String>,
    /// Whether it has a touch screen.
    pub touch: bool,
    /// What it says it speaks.
    pub locale: Option<String>,
    /// Its clock.
    pub timezone: Option<String>,
    /// Sent with every request.
    pub headers: Vec<(String, String)>,
    /// Certificates are not looked at.
    pub insecure_tls: bool,
    /// Where downloads go; none are taken without it.
    pub downloads: Option<PathBuf>,
    /// Whether requests are followed one by one.
    pub follows_requests: bool,
}

impl Visit {
    /// Makes the browser look as the scenario wants it, before its first page.
    pub(super) async fn dress(&self, look: &Look) -> Result<(), Trouble> {
        let (width, height) = look.viewport;
        let mut size = json!({ "viewport": { "width": width, "height": height } });
        if let Some(ratio) = look.pixel_ratio {
            size["devicePixelRatio"] = json!(ratio);
        }
        let mut wanted = Vec::new();
        if self.instance.viewport != Some(look.viewport) || look.pixel_ratio.is_some() {
            wanted.push(("browsingContext.setViewport", size, "the size of its pages"));
        }
        if let Some(agent) = &look.user_agent {
            let agent = json!({ "userAgent": agent });
            wanted.push((
                "emulation.setUserAgentOverride",
                agent,
                "another name of the browser",
            ));
        }
        if look.touch {
            let points = json!({ "maxTouchPoints": 5 });
            wanted.push(("emulation.setTouchOverride", points, "a touch screen"));
        }
        if let Some(locale) = &look.locale {
            wanted.push((
                "emulation.setLocaleOverride",
                json!({ "locale": locale }),
                "a locale",
            ));
        }
        if let Some(zone) = &look.timezone {
            wanted.push((
                "emulation.setTimezoneOverride",
                json!({ "timezone": zone }),
                "a time zone",
            ));
        }
        if !look.headers.is_empty() {
            let headers: Vec<Json> = look
                .headers
                .iter()
                .map(|(name, value)| json!({ "name": name, "value": { "type": "string", "value": value } }))
                .collect();
            wanted.push((
                "network.setExtraHeaders",
                json!({ "headers": headers }),
                "headers",
            ));
        }
        // Without being told, browsers of our own take no downloads.
        if look.downloads.is_some() || self.instance.folder().is_none() {
            let behaviour = download_behaviour(look);
            wanted.push(("browser.setDownloadBehavior", behaviour, "what becomes of files"));
        }
        for (method, mut params, what) in wanted {
            params["userContexts"] = json!([self.user]);
            match self.command(self.hard_limit, method, params).await {
                Ok(_) => {}
                Err(Trouble::Refused(why)) => {
                    tracing::debug!(method, why, "the browser cannot do what the scenario asks for");
                    let unmet = format!("{} cannot be told {what}; it was left out", self.instance.name);
                    self.seen().unmet.push(unmet);
                }
                Err(trouble) => return Err(trouble),
            }
        }
        if look.follows_requests {
            let params = json!({ "events": ["network.beforeRequestSent", "network.responseCompleted"], "userContexts": [self.user] });
            self.command(self.hard_limit, "session.subscribe", params).await?;
        }
        Ok(())
    }

    /// Puts the page script into every page and frame before it is asked anything.
    pub(super) async fn bring_script(&self) -> Result<(), Trouble> {
        let params = json!({
            "functionDeclaration": PAGE_SCRIPT, "sandbox": SANDBOX, "userContexts": [self.user],
        });
        match self
            .command(self.hard_limit, "script.addPreloadScript", params)
            .await
        {
            // Then it is brought when it is first needed.
            Ok(_) | Err(Trouble::Refused(_)) => Ok(()),
            Err(trouble) => Err(trouble),
        }
    }
}

fn download_behaviour(look: &Look) -> Json {
    let behaviour = match look.downloads.as_deref().map(Path::display) {
        Some(folder) => json!({ "type": "allowed", "destinationFolder": folder.to_string() }),
        None => json!({ "type": "denied" }),
    };
    json!({ "downloadBehavior": behaviour })
}
