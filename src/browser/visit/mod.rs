//! One run in a browser: its user context, its tabs and frames, and an end to every wait.

mod look;
mod moving;
mod profile;

pub use look::{Look, USUAL_VIEWPORT};

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Value as Json, json};
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::browser::bidi::{BidiError, Event};
use crate::browser::instance::Instance;
use crate::browser::seen::{Dialog, DialogAnswer, Progress, Seen};
use crate::browser::words::{first_line, network_error};

/// What runs inside the page, in a world of its own that the page cannot see.
const PAGE_SCRIPT: &str = include_str!("../page.js");
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
/// What is said of a browser that is there, and dead.
const SILENT: &str = "the browser does not respond any more";
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

    /// A page that is slow, or one that holds itself up with dialogs; or a browser that died
    /// behind a grid, which does not always tell.
    async fn still_loading(&self) -> Trouble {
        if !self.instance.answers(self.hard_limit + SLACK).await {
            return Trouble::Lost(SILENT.into());
        }
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
        // The run's own time may be over already; it is given a little more to know whose fault it is.
        if !self.instance.answers(self.hard_limit + SLACK).await {
            return Trouble::Lost(SILENT.into());
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
        self.instance.answers(Instant::now() + CLEAR_TIMEOUT).await
    }
}

fn lost(error: &BidiError) -> Trouble {
    Trouble::Lost(match error {
        BidiError::Closed => "the browser or its driver is gone".into(),
        BidiError::Silent => SILENT.into(),
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
