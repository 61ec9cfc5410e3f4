//! One run in a browser: its user context, its tabs and frames, and an end to every wait.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value as Json, json};
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

use super::bidi::{BidiError, Event};
use super::instance::Instance;
use super::scenario::Travel;
use super::seen::{Dialog, DialogAnswer, Progress, Seen};
use super::words::{first_line, network_error};

/// What runs inside the page, in a world of its own that the page cannot see.
const PAGE_SCRIPT: &str = include_str!("page.js");
/// The world's name.
const SANDBOX: &str = "haetae";
/// Asks the page; `absent` when it has not got the script yet.
const ASK: &str = "(query) => globalThis.__haetae ? globalThis.__haetae.ask(query) : 'absent'";
/// A command that has not answered so long after its step's time is over never will.
const SLACK: Duration = Duration::from_secs(1);
/// A page looks for itself this long before we ask again: a frozen one is noticed.
const LOOK_SLICE: Duration = Duration::from_millis(1500);
/// A page whose HTML is there is acted on after this, pictures or not.
const PICTURES_PATIENCE: Duration = Duration::from_secs(3);
/// An empty page is there within this time, or the browser is broken.
const OPEN_TIMEOUT: Duration = Duration::from_secs(8);
/// Taking the user context away may take this long.
const CLEAR_TIMEOUT: Duration = Duration::from_secs(10);
/// Asking which page has crashed takes no page to answer.
const CRASH_TIMEOUT: Duration = Duration::from_secs(2);

/// Why a command gave no answer to work with.
#[derive(Debug, Clone)]
pub enum Trouble {
    /// The page does not let the browser answer: the target's fault.
    Hung(String),
    /// The page made its tab crash, or was ended for its memory.
    Crashed(String),
    /// The browser or its driver is gone: ours.
    Lost(String),
    /// The browser says no; asking again may help.
    Refused(String),
    /// The page is still loading when its time is up.
    StillLoading,
}

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

/// A run's part of a browser.
pub struct Visit {
    instance: Arc<Instance>,
    user: String,
    shared: Arc<Shared>,
    hard_limit: Instant,
    tab: String,
    frames: Vec<String>,
}

struct Shared {
    seen: Mutex<Seen>,
    changed: Notify,
    began: Instant,
}

impl Shared {
    fn hear(&self, instance: &Instance, event: &Event) {
        let at_ms = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let answer = self.lock().take(event, at_ms);
        if let Some((dialog, answer)) = answer {
            instance
                .bidi
                .post("browsingContext.handleUserPrompt", &prompt(&dialog, &answer));
        }
        self.changed.notify_waiters();
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn prompt(dialog: &Dialog, answer: &DialogAnswer) -> Json {
    let mut params = json!({ "context": dialog.page, "accept": answer.accept });
    if let Some(text) = &answer.text {
        params["userText"] = json!(text);
    }
    params
}

impl Visit {
    /// A fresh, isolated profile with one empty page.
    ///
    /// # Errors
    /// In words for people.
    pub async fn open(instance: Arc<Instance>, look: &Look, hard_limit: Instant) -> Result<Self, Trouble> {
        let options = json!({
            "acceptInsecureCerts": look.insecure_tls,
            "unhandledPromptBehavior": { "default": "ignore" },
        });
        let soon = hard_limit.min(Instant::now() + OPEN_TIMEOUT);
        let created = instance
            .bidi
            .call(soon, "browser.createUserContext", options)
            .await
            .map_err(|error| lost(&error))?;
        let user = created["userContext"].as_str().unwrap_or_default().to_owned();
        let shared = Arc::new(Shared {
            seen: Mutex::default(),
            changed: Notify::new(),
            began: Instant::now(),
        });
        let (heard, weak) = (Arc::clone(&shared), Arc::downgrade(&instance));
        instance.bidi.listen(
            &user,
            Arc::new(move |event: &Event| {
                if let Some(instance) = weak.upgrade() {
                    heard.hear(&instance, event);
                }
            }),
        );
        let mut visit = Self {
            instance,
            user,
            shared,
            hard_limit,
            tab: String::new(),
            frames: Vec::new(),
        };
        visit.dress(look).await?;
        visit.bring_script().await?;
        visit.tab = visit.new_tab(soon).await?;
        Ok(visit)
    }

    /// Makes the browser look as the scenario wants it, before its first page.
    async fn dress(&self, look: &Look) -> Result<(), Trouble> {
        let (width, height) = look.viewport;
        let mut size = json!({ "viewport": { "width": width, "height": height } });
        if let Some(ratio) = look.pixel_ratio {
            size["devicePixelRatio"] = json!(ratio);
        }
        let mut wanted = Vec::new();
        if look.viewport != USUAL_VIEWPORT || look.pixel_ratio.is_some() || self.instance.folder().is_none() {
            wanted.push(("browsingContext.setViewport", size));
        }
        if let Some(agent) = &look.user_agent {
            wanted.push(("emulation.setUserAgentOverride", json!({ "userAgent": agent })));
        }
        if look.touch {
            wanted.push(("emulation.setTouchOverride", json!({ "maxTouchPoints": 5 })));
        }
        if let Some(locale) = &look.locale {
            wanted.push(("emulation.setLocaleOverride", json!({ "locale": locale })));
        }
        if let Some(zone) = &look.timezone {
            wanted.push(("emulation.setTimezoneOverride", json!({ "timezone": zone })));
        }
        if !look.headers.is_empty() {
            let headers: Vec<Json> = look
                .headers
                .iter()
                .map(|(name, value)| json!({ "name": name, "value": { "type": "string", "value": value } }))
                .collect();
            wanted.push(("network.setExtraHeaders", json!({ "headers": headers })));
        }
        // Without being told, browsers of our own take no downloads.
        if look.downloads.is_some() || self.instance.folder().is_none() {
            wanted.push(("browser.setDownloadBehavior", download_behaviour(look)));
        }
        for (method, mut params) in wanted {
            params["userContexts"] = json!([self.user]);
            match self.command(self.hard_limit, method, params).await {
                Ok(_) => {}
                Err(Trouble::Refused(why)) => {
                    tracing::warn!(method, why, "this browser cannot do what the scenario asks for");
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
    async fn bring_script(&self) -> Result<(), Trouble> {
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

    /// What happened so far. Not to be held over a wait.
    pub fn seen(&self) -> MutexGuard<'_, Seen> {
        self.shared.lock()
    }

    /// When the visit began; what happened is told in milliseconds after it.
    #[must_use]
    pub fn began(&self) -> Instant {
        self.shared.began
    }

    /// The page or frame that is looked at.
    #[must_use]
    pub fn here(&self) -> &str {
        self.frames.last().unwrap_or(&self.tab)
    }

    /// The tab that is looked at.
    #[must_use]
    pub fn tab(&self) -> &str {
        &self.tab
    }

    /// Does a command of the standard; `limit` is the step's.
    ///
    /// # Errors
    /// Why there is no answer, and whose fault it is.
    pub async fn command(&self, limit: Instant, method: &str, params: Json) -> Result<Json, Trouble> {
        let crashes = self.seen().crashed.len();
        let patience = self.hard_limit.min(limit.max(Instant::now()) + SLACK);
        let call = self.instance.bidi.call(patience, method, params);
        tokio::pin!(call);
        // A crash answers nothing: whoever waits for that page must be told.
        let reply = loop {
            let changed = self.shared.changed.notified();
            tokio::select! {
                reply = &mut call => break reply,
                () = changed => {
                    if self.seen().crashed.len() > crashes && self.is_crashed().await {
                        return Err(Trouble::Crashed(self.crash_words()));
                    }
                }
            }
        };
        match reply {
            Ok(answer) => Ok(answer),
            Err(BidiError::Closed) => Err(lost(&BidiError::Closed)),
            Err(BidiError::Said(code, message)) => Err(refusal(&code, &message)),
            Err(BidiError::Silent) => Err(self.why_silent().await),
        }
    }

    /// A crash event names no page, but the browser's own number of its connection to one.
    async fn is_crashed(&self) -> bool {
        let limit = Instant::now() + CRASH_TIMEOUT;
        let params = json!({ "context": self.tab });
        let Ok(own) = self
            .instance
            .bidi
            .call(limit, "goog:cdp.getSession", params)
            .await
        else {
            return false;
        };
        let session = own["session"].as_str().unwrap_or_default();
        self.seen().crashed.iter().any(|crashed| crashed == session)
    }

    fn crash_words(&self) -> String {
        match self.instance.memory().ended_above {
            Some(limit) => format!(
                "the page used more than {} MiB of memory and was ended",
                limit >> 20
            ),
            None => "the page made the browser's tab crash".into(),
        }
    }

    /// A page that is slow, or one that holds itself up with dialogs.
    fn still_loading(&self) -> Trouble {
        self.held_by_dialog().unwrap_or(Trouble::StillLoading)
    }

    fn held_by_dialog(&self) -> Option<Trouble> {
        let seen = self.seen();
        let dialog = seen.dialog.as_ref()?;
        Some(Trouble::Hung(format!(
            "the page waits for an answer to its {} \"{}\" (one of many?)",
            dialog.kind, dialog.message
        )))
    }

    async fn why_silent(&self) -> Trouble {
        if !self.instance.answers().await {
            return Trouble::Lost("the browser does not respond any more".into());
        }
        if let Some(trouble) = self.held_by_dialog() {
            return trouble;
        }
        Trouble::Hung("the page does not respond (a script that never ends?)".into())
    }

    /// Runs one of `page.js`'s operations where we are.
    ///
    /// # Errors
    /// As [`Visit::command`]; what the page was replaced under is refused.
    pub async fn ask(&self, limit: Instant, query: &Json) -> Result<Json, Trouble> {
        self.ask_in(self.here(), limit, query).await
    }

    /// Runs one of `page.js`'s operations in a page or frame.
    ///
    /// # Errors
    /// As [`Visit::ask`].
    pub async fn ask_in(&self, place: &str, limit: Instant, query: &Json) -> Result<Json, Trouble> {
        let navigations = self.seen().navigations;
        let slice = limit.min(Instant::now() + LOOK_SLICE);
        let mut query = query.clone();
        query["for_ms"] = json!(slice.saturating_duration_since(Instant::now()).as_millis());
        let argument = query.to_string();
        let mut answer = self.call(place, slice, ASK, &[json!(argument)]).await;
        if matches!(&answer, Ok(value) if value.get("value").and_then(Json::as_str) == Some("absent")) {
            self.call(place, slice, PAGE_SCRIPT, &[]).await?;
            answer = self.call(place, slice, ASK, &[json!(argument)]).await;
        }
        match answer {
            // A page that was left behind stops in the middle of an answer, one that is on
            // its way gives none yet, and a busy one may still come round.
            Err(Trouble::Hung(_)) if self.seen().navigations > navigations => {
                Err(Trouble::Refused("the page was left".into()))
            }
            Err(Trouble::Hung(_)) if self.seen().progress(&self.tab) == Progress::Waiting => {
                Err(Trouble::StillLoading)
            }
            Err(Trouble::Hung(_)) if Instant::now() < limit => {
                Err(Trouble::Refused("the page is busy".into()))
            }
            Err(trouble) => Err(trouble),
            Ok(value) => {
                let text = value.get("value").and_then(Json::as_str).unwrap_or("null");
                serde_json::from_str(text).map_err(|_| Trouble::Refused("the page gave no answer".into()))
            }
        }
    }

    /// Calls a function in our world of a page: texts in, a remote value out.
    async fn call(
        &self,
        place: &str,
        limit: Instant,
        function: &str,
        arguments: &[Json],
    ) -> Result<Json, Trouble> {
        let arguments: Vec<Json> = arguments
            .iter()
            .map(|argument| match argument {
                Json::String(_) => json!({ "type": "string", "value": argument }),
                other => json!({ "type": "number", "value": other }),
            })
            .collect();
        let params = json!({
            "functionDeclaration": function,
            "arguments": arguments,
            "awaitPromise": true,
            "target": { "context": place, "sandbox": SANDBOX },
            "serializationOptions": { "maxDomDepth": 0 },
        });
        let answer = self.command(limit, "script.callFunction", params).await?;
        if answer["type"] == "exception" {
            let said = answer["exceptionDetails"]["text"].as_str().unwrap_or_default();
            return Err(Trouble::Refused(first_line(said)));
        }
        Ok(answer["result"].clone())
    }

    /// Runs a user's script in the page's own world; it may return a value.
    ///
    /// # Errors
    /// What it throws is refused.
    pub async fn script(&self, limit: Instant, code: &str) -> Result<Json, Trouble> {
        let left_ms = limit.saturating_duration_since(Instant::now()).as_millis();
        // Its own end of time, so that a promise that never settles is told as such.
        let function = format!(
            "async () => {{ const late = new Promise((_, no) => setTimeout(() => no(new Error('the script did not end in time')), {left_ms})); \
             const value = await Promise.race([(async () => {{ {code}\n }})(), late]); \
             return value === undefined ? 'null' : JSON.stringify(value); }}"
        );
        let params = json!({
            "functionDeclaration": function,
            "awaitPromise": true,
            "userActivation": true,
            "target": { "context": self.here() },
        });
        let answer = self.command(limit, "script.callFunction", params).await?;
        if answer["type"] == "exception" {
            let said = answer["exceptionDetails"]["text"].as_str().unwrap_or_default();
            return Err(Trouble::Refused(format!(
                "the script failed: {}",
                first_line(said)
            )));
        }
        let text = answer["result"]["value"].as_str().unwrap_or("null");
        Ok(serde_json::from_str(text).unwrap_or(Json::Null))
    }

    /// The browser's own name of an element that the page script found.
    ///
    /// # Errors
    /// When the element is gone.
    pub async fn node(&self, limit: Instant, element: &Json) -> Result<Json, Trouble> {
        let function = "(id) => globalThis.__haetae.element(id)";
        let node = self
            .call(self.here(), limit, function, std::slice::from_ref(element))
            .await?;
        match node.get("sharedId") {
            Some(id) => Ok(json!({ "sharedId": id })),
            None => Err(Trouble::Refused("the element is gone".into())),
        }
    }

    /// Opens a URL and waits until the page has loaded.
    ///
    /// # Errors
    /// Why it could not be loaded.
    pub async fn go_to(&self, limit: Instant, url: &str) -> Result<(), Trouble> {
        let params = json!({ "context": self.tab, "url": url, "wait": "complete" });
        let loaded = timeout_at(limit, self.command(limit, "browsingContext.navigate", params)).await;
        match loaded {
            Ok(result) => result.map(drop),
            Err(_) => Err(self.still_loading()),
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
                    Err(_) => Err(self.still_loading()),
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
                return Err(Trouble::StillLoading);
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

    /// Takes everything of the run out of the browser; false when the browser is hung.
    pub async fn clear(self) -> bool {
        self.instance.bidi.forget(&self.user);
        let params = json!({ "userContext": self.user });
        let limit = Instant::now() + CLEAR_TIMEOUT;
        let removed = self
            .instance
            .bidi
            .call(limit, "browser.removeUserContext", params)
            .await;
        if removed.is_ok() {
            return true;
        }
        // A page that would not go ends with the browser, once its neighbours have left.
        self.instance.retire();
        self.instance.answers().await
    }
}

fn download_behaviour(look: &Look) -> Json {
    let behaviour = match look.downloads.as_deref().map(Path::display) {
        Some(folder) => json!({ "type": "allowed", "destinationFolder": folder.to_string() }),
        None => json!({ "type": "denied" }),
    };
    json!({ "downloadBehavior": behaviour })
}

fn lost(error: &BidiError) -> Trouble {
    Trouble::Lost(match error {
        BidiError::Closed => "the browser or its driver is gone".into(),
        BidiError::Silent => "the browser does not respond any more".into(),
        BidiError::Said(code, message) => format!("the browser refuses: {code} {}", first_line(message)),
    })
}

fn refusal(code: &str, message: &str) -> Trouble {
    if message.contains("ERR_") || message.contains("NS_ERROR_") {
        return Trouble::Refused(network_error(message));
    }
    match code {
        "invalid session id" => Trouble::Lost("the browser's session is gone".into()),
        "no such frame" => Trouble::Refused("the page, or the frame in it, is gone".into()),
        _ => Trouble::Refused(first_line(message)),
    }
}
