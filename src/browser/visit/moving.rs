//! Going from page to page: addresses, tabs, frames, mouse and keyboard.

use std::time::Duration;

use serde_json::{Value as Json, json};
use tokio::time::{Instant, timeout_at};

use super::{PICTURES_PATIENCE, Trouble, Visit, lost};
use crate::browser::bidi::BidiError;
use crate::browser::scenario::Travel;
use crate::browser::seen::Progress;

impl Visit {
    /// Opens a URL and waits until the page has loaded.
    ///
    /// # Errors
    /// Why it could not be loaded.
    pub async fn go_to(&self, limit: Instant, url: &str) -> Result<(), Trouble> {
        let params = json!({ "context": self.tab, "url": url, "wait": "complete" });
        let loaded = timeout_at(limit, self.command(limit, "browsingContext.navigate", params)).await;
        match loaded {
            Ok(result) => result.map(drop),
            Err(_) => Err(self.still_loading().await),
        }
    }

    /// `back`, `forward` and `reload`.
    ///
    /// # Errors
    /// Why it could not be done.
    pub async fn travel(&self, limit: Instant, way: Travel) -> Result<(), Trouble> {
        match way {
            Travel::Reload => {
                let params = json!({ "context": self.tab, "wait": "complete" });
                match timeout_at(limit, self.command(limit, "browsingContext.reload", params)).await {
                    Ok(result) => result.map(drop),
                    Err(_) => Err(self.still_loading().await),
                }
            }
            Travel::Back | Travel::Forward => {
                let delta = if way == Travel::Back { -1 } else { 1 };
                let params = json!({ "context": self.tab, "delta": delta });
                match self
                    .command(limit, "browsingContext.traverseHistory", params)
                    .await
                {
                    Err(Trouble::Refused(why)) if why.contains("history") => {
                        Err(Trouble::Refused("there is no page to go to".into()))
                    }
                    other => other.map(drop),
                }?;
                self.settled(limit).await
            }
        }
    }

    /// Waits until no other page is on its way: acting on one that is about to be replaced
    /// is acting on nothing. Pictures are waited for a while only.
    ///
    /// # Errors
    /// `StillLoading` at the limit.
    pub async fn settled(&self, limit: Instant) -> Result<(), Trouble> {
        loop {
            let changed = self.shared.changed.notified();
            let (progress, gone) = {
                let seen = self.seen();
                let gone = seen.dialog.is_some();
                (seen.progress(&self.tab), gone)
            };
            let until = match progress {
                Progress::Done => return Ok(()),
                // A dialog holds the page up; the next question says so.
                _ if gone => return Ok(()),
                Progress::Waiting => limit,
                Progress::HasDom(since_ms) => {
                    let enough = self.began() + Duration::from_millis(since_ms) + PICTURES_PATIENCE;
                    if Instant::now() >= enough {
                        return Ok(());
                    }
                    limit.min(enough)
                }
            };
            if timeout_at(until, changed).await.is_err() && until == limit && Instant::now() >= limit {
                return Err(self.still_loading().await);
            }
            if self.instance.bidi.is_closed() {
                return Err(lost(&BidiError::Closed));
            }
        }
    }

    /// Waits until something happens in the pages, or until `limit`.
    pub async fn change(&self, limit: Instant) {
        let _ = timeout_at(limit, self.shared.changed.notified()).await;
    }

    /// Moves, presses and releases; the standard's action sequences.
    ///
    /// # Errors
    /// When the browser refuses them.
    pub async fn perform(&self, limit: Instant, sources: Json) -> Result<(), Trouble> {
        let params = json!({ "context": self.here(), "actions": sources });
        let performed = self.command(limit, "input.performActions", params);
        tokio::pin!(performed);
        loop {
            let changed = self.shared.changed.notified();
            tokio::select! {
                result = &mut performed => return result.map(drop),
                () = changed => {
                    // A press that opens a dialog ends with it; the next step answers it.
                    let seen = self.seen();
                    if seen.hold_dialog && seen.dialog.is_some() {
                        return Ok(());
                    }
                }
            }
        }
    }

    /// Looks into a frame from now on.
    ///
    /// # Errors
    /// When the element is no frame, or gone.
    pub async fn enter_frame(&mut self, limit: Instant, element: &Json) -> Result<(), Trouble> {
        let function = "(id) => globalThis.__haetae.element(id).contentWindow";
        let window = self
            .call(self.here(), limit, function, std::slice::from_ref(element))
            .await?;
        match window["value"]["context"].as_str() {
            Some(frame) => {
                self.frames.push(frame.to_owned());
                Ok(())
            }
            None => Err(Trouble::Refused("that is not a frame".into())),
        }
    }

    /// Looks at the page around the frame again.
    pub fn leave_frame(&mut self) {
        self.frames.pop();
    }

    /// Opens an empty tab and tells which; the one that is looked at stays.
    ///
    /// # Errors
    /// When the browser refuses.
    pub async fn new_tab(&self, limit: Instant) -> Result<String, Trouble> {
        let params = json!({ "type": "tab", "userContext": self.user });
        let created = self.command(limit, "browsingContext.create", params).await?;
        let context = created["context"].as_str().unwrap_or_default().to_owned();
        let mut seen = self.seen();
        if !seen.tabs.contains(&context) {
            seen.tabs.push(context.clone());
        }
        Ok(context)
    }

    /// Looks at another tab from now on.
    pub fn switch_to(&mut self, tab: String) {
        self.tab = tab;
        self.frames.clear();
    }

    /// Closes the tab that is looked at, and looks at the one before it.
    ///
    /// # Errors
    /// When it is the last one.
    pub async fn close_tab(&mut self, limit: Instant) -> Result<(), Trouble> {
        let others: Vec<String> = {
            let seen = self.seen();
            let at = seen.tabs.iter().position(|tab| *tab == self.tab).unwrap_or(0);
            let before = seen.tabs[..at].iter().rev();
            let after = seen.tabs.iter().skip(at + 1);
            before.chain(after).cloned().collect()
        };
        let Some(next) = others.into_iter().next() else {
            return Err(Trouble::Refused(
                "this is the only tab, and a scenario needs one".into(),
            ));
        };
        let params = json!({ "context": self.tab });
        self.command(limit, "browsingContext.close", params).await?;
        let closed = std::mem::take(&mut self.tab);
        self.seen().tabs.retain(|tab| *tab != closed);
        self.switch_to(next);
        Ok(())
    }

    /// The pages and frames below the tab, the tab first.
    pub async fn places(&self, limit: Instant) -> Vec<String> {
        fn collect(tree: &Json, places: &mut Vec<String>) {
            for item in tree.as_array().into_iter().flatten() {
                places.extend(item["context"].as_str().map(str::to_owned));
                collect(&item["children"], places);
            }
        }
        let params = json!({ "root": self.tab });
        let mut places = Vec::new();
        if let Ok(tree) = self.command(limit, "browsingContext.getTree", params).await {
            collect(&tree["contexts"], &mut places);
        }
        places
    }
}
