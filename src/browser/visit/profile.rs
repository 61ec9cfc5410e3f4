//! What belongs to the run's profile: pictures, files, cookies, dialogs, the network.

use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value as Json, json};
use tokio::time::Instant;

use super::{Trouble, Visit, prompt};
use crate::browser::seen::{Dialog, DialogAnswer};

impl Visit {
    /// What the window shows, as PNG.
    ///
    /// # Errors
    /// When the page cannot be painted.
    pub async fn screenshot(&self, limit: Instant) -> Result<Vec<u8>, Trouble> {
        let params = json!({ "context": self.tab });
        let shot = self
            .command(limit, "browsingContext.captureScreenshot", params)
            .await?;
        let data = shot["data"].as_str().unwrap_or_default();
        BASE64
            .decode(data)
            .map_err(|_| Trouble::Refused("the picture cannot be read".into()))
    }

    /// Puts files into a file field.
    ///
    /// # Errors
    /// When the element takes none.
    pub async fn set_files(&self, limit: Instant, element: &Json, files: &[PathBuf]) -> Result<(), Trouble> {
        let node = self.node(limit, element).await?;
        let params = json!({ "context": self.here(), "element": node, "files": files });
        self.command(limit, "input.setFiles", params).await.map(drop)
    }

    /// All cookies of the run, as the standard gives them.
    ///
    /// # Errors
    /// When the browser refuses.
    pub async fn cookies(&self, limit: Instant) -> Result<Vec<Json>, Trouble> {
        let params = json!({ "partition": { "type": "storageKey", "userContext": self.user } });
        let got = self.command(limit, "storage.getCookies", params).await?;
        Ok(got["cookies"].as_array().cloned().unwrap_or_default())
    }

    /// Sets a cookie, as the standard takes it.
    ///
    /// # Errors
    /// When the browser refuses it.
    pub async fn set_cookie(&self, limit: Instant, cookie: Json) -> Result<(), Trouble> {
        let params =
            json!({ "cookie": cookie, "partition": { "type": "storageKey", "userContext": self.user } });
        self.command(limit, "storage.setCookie", params).await.map(drop)
    }

    /// Deletes the cookies of this name, or all.
    ///
    /// # Errors
    /// When the browser refuses.
    pub async fn delete_cookies(&self, limit: Instant, name: Option<&str>) -> Result<(), Trouble> {
        let mut params = json!({ "partition": { "type": "storageKey", "userContext": self.user } });
        if let Some(name) = name {
            params["filter"] = json!({ "name": name });
        }
        self.command(limit, "storage.deleteCookies", params)
            .await
            .map(drop)
    }

    /// Runs a function in every page of the run before the page's own scripts.
    ///
    /// # Errors
    /// When the browser refuses.
    pub async fn before_every_page(&self, limit: Instant, function: &str) -> Result<(), Trouble> {
        let params = json!({ "functionDeclaration": function, "userContexts": [self.user] });
        self.command(limit, "script.addPreloadScript", params)
            .await
            .map(drop)
    }

    /// Cuts the run off from the network, or back on.
    ///
    /// # Errors
    /// When the browser cannot do that.
    pub async fn set_offline(&self, limit: Instant, offline: bool) -> Result<(), Trouble> {
        let conditions = if offline {
            json!({ "type": "offline" })
        } else {
            Json::Null
        };
        let params = json!({ "networkConditions": conditions, "userContexts": [self.user] });
        self.command(limit, "emulation.setNetworkConditions", params)
            .await
            .map(drop)
    }

    /// Answers the dialog that is open.
    ///
    /// # Errors
    /// When it is gone.
    pub async fn answer(
        &self,
        limit: Instant,
        dialog: &Dialog,
        answer: &DialogAnswer,
    ) -> Result<(), Trouble> {
        let params = prompt(dialog, answer);
        self.command(limit, "browsingContext.handleUserPrompt", params)
            .await
            .map(drop)?;
        self.seen().dialog = None;
        Ok(())
    }
}
