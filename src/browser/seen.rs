//! What the events of a run's pages tell: console, requests, pages, tabs, dialogs, downloads.
//! Pure: events and times in, state and answers to dialogs out.

use std::collections::{BTreeMap, VecDeque};

use serde_json::Value as Json;

use super::bidi::Event;
use crate::model::{FailedRequest, PageVisit};

/// Entries kept per list and run.
const MOST_KEPT: usize = 100;
/// Addresses remembered for `wait_for: { request: … }`.
const MOST_ANSWERED: usize = 1_000;
/// A page that opens more dialogs is left with the last one open, and its steps time out.
const MOST_DIALOGS: usize = 50;
/// Longest console line or address that is kept, in characters.
const LONGEST: usize = 2_000;

/// How a dialog is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DialogAnswer {
    /// OK, or Cancel.
    pub accept: bool,
    /// What is typed into a prompt.
    pub text: Option<String>,
}

/// A dialog that waits for an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dialog {
    /// In which page.
    pub page: String,
    /// `alert`, `confirm`, `prompt`, `beforeunload`
    pub kind: String,
    /// What it says.
    pub message: String,
}

/// A file that a page gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Download {
    id: String,
    /// What the page calls it.
    pub name: String,
    /// Where it lies, once it is whole.
    pub path: Option<String>,
    /// Whether it has ended, one way or the other.
    pub ended: bool,
}

/// Everything that happened so far.
#[derive(Debug, Default)]
pub struct Seen {
    /// Top-level pages in the order in which they were opened: windows and tabs.
    pub tabs: Vec<String>,
    /// Console entries: `error: x is not defined`.
    pub console: Vec<String>,
    /// How many of all entries were errors.
    pub console_errors: usize,
    /// Requests without an answer, or with one of 400 and above.
    pub failed: Vec<FailedRequest>,
    /// How many there were in all.
    pub failed_requests: usize,
    /// How many requests were answered.
    pub requests: usize,
    /// Addresses that were answered, the newest last.
    pub answered: VecDeque<String>,
    /// Requests that wait for their answer, and since when nothing changed in that.
    pub in_flight: usize,
    /// When a request last began or ended.
    pub quiet_since_ms: u64,
    /// The navigation timeline.
    pub pages: Vec<PageVisit>,
    /// Files that were offered.
    pub downloads: Vec<Download>,
    /// The dialog that is open now.
    pub dialog: Option<Dialog>,
    /// What the scenario wants of the browser and it cannot do, in words.
    pub unmet: Vec<String>,
    /// Dialogs that nobody expected: what they said.
    pub surprises: Vec<String>,
    /// Answers to the next dialogs, the next first.
    pub planned: VecDeque<DialogAnswer>,
    /// Leave an unexpected dialog open: the next step answers it.
    pub hold_dialog: bool,
    /// Pages of this browser that have crashed, by the browser's own numbers.
    pub crashed: Vec<String>,
    /// How often any page has begun to load another.
    pub navigations: usize,
    dialogs: usize,
    loading: BTreeMap<String, Loading>,
}

#[derive(Debug)]
struct Loading {
    navigation: String,
    has_dom: bool,
    page: Option<usize>,
    since_ms: u64,
}

/// How far a page is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// Another page was asked for and is not there yet.
    Waiting,
    /// The HTML is there since this moment; pictures and the like are not.
    HasDom(u64),
    /// Nothing is being loaded.
    Done,
}

impl Seen {
    /// Takes in an event. The answer, when a dialog is to be answered at once.
    pub fn take(&mut self, event: &Event, at_ms: u64) -> Option<(Dialog, DialogAnswer)> {
        let params = &event.params;
        match event.method.as_str() {
            "browsingContext.contextCreated" => self.context_created(params),
            "browsingContext.contextDestroyed" => {
                let gone = text(params, "context");
                self.tabs.retain(|tab| *tab != gone);
                self.loading.remove(&gone);
            }
            "browsingContext.navigationStarted" => self.navigation_started(params, at_ms),
            "browsingContext.domContentLoaded" => self.progressed(params, at_ms, true),
            "browsingContext.load" => self.progressed(params, at_ms, false),
            "browsingContext.navigationFailed" | "browsingContext.navigationAborted" => {
                self.ended(params, "it could not be loaded");
            }
            "browsingContext.fragmentNavigated" | "browsingContext.historyUpdated" => {
                self.ended(params, "");
            }
            "browsingContext.downloadWillBegin" => {
                self.ended(params, "it became a download");
                self.downloads.push(Download {
                    id: text(params, "navigation"),
                    name: text(params, "suggestedFilename"),
                    path: None,
                    ended: false,
                });
            }
            "browsingContext.downloadEnd" => self.download_ended(params),
            "browsingContext.userPromptOpened" => return self.dialog_opened(params),
            "browsingContext.userPromptClosed" => self.dialog = None,
            "log.entryAdded" => self.logged(params),
            "network.beforeRequestSent" => {
                self.in_flight += 1;
                self.quiet_since_ms = at_ms;
            }
            "network.responseStarted" => self.responded(params, at_ms),
            "network.responseCompleted" => {
                self.in_flight = self.in_flight.saturating_sub(1);
                self.quiet_since_ms = at_ms;
            }
            "network.fetchError" => self.request_failed(params, at_ms),
            "goog:cdp.Inspector.targetCrashed" => self.crashed.push(text(params, "session")),
            _ => {}
        }
        None
    }

    /// How far a page, or a frame, is.
    #[must_use]
    pub fn progress(&self, page: &str) -> Progress {
        match self.loading.get(page) {
            None => Progress::Done,
            Some(loading) if loading.has_dom => Progress::HasDom(loading.since_ms),
            Some(_) => Progress::Waiting,
        }
    }

    fn context_created(&mut self, params: &Json) {
        let context = text(params, "context");
        if params.get("parent").is_none_or(Json::is_null) && !self.tabs.contains(&context) {
            self.tabs.push(context);
        }
    }

    fn navigation_started(&mut self, params: &Json, at_ms: u64) {
        self.navigations += 1;
        let context = text(params, "context");
        let is_page = self.tabs.contains(&context);
        let url = text(params, "url");
        let page = (is_page && self.pages.len() < MOST_KEPT && url != "about:blank").then(|| {
            self.pages.push(PageVisit {
                at_ms,
                url: cut(&url),
                dom_content_loaded_ms: None,
                load_ms: None,
                failed: None,
            });
            self.pages.len() - 1
        });
        let loading = Loading {
            navigation: text(params, "navigation"),
            has_dom: false,
            page,
            since_ms: at_ms,
        };
        self.loading.insert(context, loading);
    }

    fn progressed(&mut self, params: &Json, at_ms: u64, only_dom: bool) {
        let context = text(params, "context");
        let Some(loading) = self.loading.get_mut(&context) else {
            return;
        };
        // An older page may still finish after the next one was asked for.
        if loading.navigation != text(params, "navigation") {
            return;
        }
        if let Some(page) = loading.page.and_then(|page| self.pages.get_mut(page)) {
            let took = at_ms.saturating_sub(page.at_ms);
            if only_dom {
                page.dom_content_loaded_ms = Some(took);
            } else {
                page.load_ms = Some(took);
            }
        }
        if only_dom {
            loading.has_dom = true;
            loading.since_ms = at_ms;
        } else {
            self.loading.remove(&context);
        }
    }

    fn ended(&mut self, params: &Json, why: &str) {
        let context = text(params, "context");
        let is_this = self
            .loading
            .get(&context)
            .is_some_and(|loading| loading.navigation == text(params, "navigation"));
        if !is_this {
            return;
        }
        if let Some(loading) = self.loading.remove(&context)
            && let Some(page) = loading.page.and_then(|page| self.pages.get_mut(page))
            && page.failed.is_none()
            && !why.is_empty()
        {
            page.failed = Some(why.to_owned());
        }
    }

    fn download_ended(&mut self, params: &Json) {
        let id = text(params, "navigation");
        if let Some(download) = self.downloads.iter_mut().rev().find(|download| download.id == id) {
            download.ended = true;
            if text(params, "status") == "complete" {
                download.path = Some(text(params, "filepath")).filter(|path| !path.is_empty());
            }
        }
    }

    fn dialog_opened(&mut self, params: &Json) -> Option<(Dialog, DialogAnswer)> {
        let dialog = Dialog {
            page: text(params, "context"),
            kind: text(params, "type"),
            message: cut(&text(params, "message")),
        };
        self.dialogs += 1;
        let leaving = dialog.kind == "beforeunload";
        let answer = if leaving {
            Some(DialogAnswer {
                accept: true,
                text: None,
            })
        } else if let Some(planned) = self.planned.pop_front() {
            Some(planned)
        } else if self.hold_dialog || self.dialogs > MOST_DIALOGS {
            None
        } else {
            let surprise = format!("{} \"{}\"", dialog.kind, dialog.message);
            if self.surprises.len() < 3 && !self.surprises.contains(&surprise) {
                self.surprises.push(surprise);
            }
            Some(DialogAnswer {
                accept: false,
                text: None,
            })
        };
        self.dialog = Some(dialog.clone());
        answer.map(|answer| (dialog, answer))
    }

    fn logged(&mut self, params: &Json) {
        let level = text(params, "level");
        self.console_errors += usize::from(level == "error");
        if self.console.len() < MOST_KEPT {
            self.console
                .push(cut(&format!("{level}: {}", text(params, "text"))));
        }
    }

    /// The head is enough to know how it went: browsers give up scripts that are not there
    /// without ever completing them.
    fn responded(&mut self, params: &Json, at_ms: u64) {
        self.quiet_since_ms = at_ms;
        self.requests += 1;
        let response = &params["response"];
        let url = text(response, "url");
        if self.answered.len() >= MOST_ANSWERED {
            self.answered.pop_front();
        }
        self.answered.push_back(url.clone());
        let status = response.get("status").and_then(Json::as_u64).unwrap_or(0);
        // The page stays as it is; not every browser says so.
        if matches!(status, 204 | 205) {
            self.ended(params, "there is nothing to show");
        }
        if status >= 400 {
            self.fail(params, &url, status.to_string(), at_ms);
        }
    }

    fn request_failed(&mut self, params: &Json, at_ms: u64) {
        self.in_flight = self.in_flight.saturating_sub(1);
        self.quiet_since_ms = at_ms;
        let why = text(params, "errorText");
        // A page that is left takes its requests with it: nobody's fault.
        if !why.contains("ERR_ABORTED") && !why.contains("NS_BINDING_ABORTED") {
            let url = text(&params["request"], "url");
            self.fail(params, &url, super::words::network_error(&why), at_ms);
        }
    }

    fn fail(&mut self, params: &Json, url: &str, what: String, at_ms: u64) {
        // Browsers ask for it by themselves; no user misses it.
        if url.ends_with("/favicon.ico") {
            return;
        }
        self.failed_requests += 1;
        if self.failed.len() < MOST_KEPT {
            self.failed.push(FailedRequest {
                at_ms,
                method: text(&params["request"], "method"),
                url: cut(url),
                what,
            });
        }
    }
}

fn text(from: &Json, key: &str) -> String {
    let text = from.get(key).and_then(Json::as_str);
    text.unwrap_or_default().to_owned()
}

fn cut(text: &str) -> String {
    text.chars().take(LONGEST).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn event(method: &str, params: Json) -> Event {
        Event {
            method: method.to_owned(),
            params,
        }
    }

    fn seen_with_tab() -> Seen {
        let mut seen = Seen::default();
        let created = json!({ "context": "T", "parent": null });
        seen.take(&event("browsingContext.contextCreated", created), 0);
        seen
    }

    #[test]
    fn a_page_is_waited_for_until_it_is_there_and_its_times_are_kept() {
        let mut seen = seen_with_tab();
        let step = |n: &str| json!({ "context": "T", "navigation": n, "url": "http://a/" });
        seen.take(&event("browsingContext.navigationStarted", step("1")), 10);
        assert_eq!(seen.progress("T"), Progress::Waiting);
        seen.take(&event("browsingContext.domContentLoaded", step("0")), 15);
        assert_eq!(seen.progress("T"), Progress::Waiting, "that was the page before");
        seen.take(&event("browsingContext.domContentLoaded", step("1")), 30);
        assert_eq!(seen.progress("T"), Progress::HasDom(30));
        seen.take(&event("browsingContext.load", step("1")), 50);
        assert_eq!(seen.progress("T"), Progress::Done);
        assert_eq!(seen.pages[0].dom_content_loaded_ms, Some(20));
        assert_eq!(seen.pages[0].load_ms, Some(40));
    }

    #[test]
    fn an_answer_with_nothing_to_show_ends_the_waiting() {
        let mut seen = seen_with_tab();
        let step = json!({ "context": "T", "navigation": "1", "url": "http://a/" });
        seen.take(&event("browsingContext.navigationStarted", step), 0);
        let nothing =
            json!({ "context": "T", "navigation": "1", "response": { "url": "http://a/", "status": 204 } });
        seen.take(&event("network.responseStarted", nothing), 5);
        assert_eq!(seen.progress("T"), Progress::Done);
    }

    #[test]
    fn a_download_is_no_page_and_ends_the_waiting() {
        let mut seen = seen_with_tab();
        let of = |extra: Json| {
            let mut all = json!({ "context": "T", "navigation": "1", "url": "http://a/f" });
            all.as_object_mut()
                .unwrap()
                .extend(extra.as_object().unwrap().clone());
            all
        };
        seen.take(&event("browsingContext.navigationStarted", of(json!({}))), 0);
        let begin = of(json!({ "suggestedFilename": "a.csv" }));
        seen.take(&event("browsingContext.downloadWillBegin", begin), 1);
        assert_eq!(seen.progress("T"), Progress::Done);
        let end = of(json!({ "status": "complete", "filepath": "/x/a.csv" }));
        seen.take(&event("browsingContext.downloadEnd", end), 2);
        assert_eq!(seen.downloads[0].path.as_deref(), Some("/x/a.csv"));
        assert_eq!(seen.pages[0].failed.as_deref(), Some("it became a download"));
    }

    #[test]
    fn dialogs_are_answered_as_planned_else_dismissed_and_endless_ones_are_left() {
        let mut seen = seen_with_tab();
        let opened = |message: &str| {
            let params = json!({ "context": "T", "type": "confirm", "message": message });
            event("browsingContext.userPromptOpened", params)
        };
        seen.planned.push_back(DialogAnswer {
            accept: true,
            text: None,
        });
        let (_, answer) = seen.take(&opened("sure?"), 0).unwrap();
        assert!(answer.accept);
        let (_, answer) = seen.take(&opened("really?"), 0).unwrap();
        assert!(!answer.accept);
        assert_eq!(seen.surprises, ["confirm \"really?\""]);
        seen.hold_dialog = true;
        assert!(seen.take(&opened("for the next step"), 0).is_none());
        seen.hold_dialog = false;
        let answered = (0..100)
            .filter(|_| seen.take(&opened("again"), 0).is_some())
            .count();
        assert_eq!(answered, MOST_DIALOGS - 3);
        assert!(seen.dialog.is_some());
    }

    #[test]
    fn failed_requests_are_those_without_answer_or_above_399() {
        let mut seen = seen_with_tab();
        let done = |url: &str, status: u16| {
            let params = json!({ "context": "T", "request": { "method": "GET", "url": url }, "response": { "url": url, "status": status } });
            event("network.responseStarted", params)
        };
        seen.take(&done("http://a/", 200), 1);
        seen.take(&done("http://a/x.js", 404), 2);
        seen.take(&done("http://a/favicon.ico", 404), 2);
        let broken = |why: &str| {
            let params = json!({ "context": "T", "errorText": why, "request": { "method": "POST", "url": "http://b/" } });
            event("network.fetchError", params)
        };
        seen.take(&broken("net::ERR_ABORTED"), 3);
        seen.take(&broken("net::ERR_CONNECTION_REFUSED"), 4);
        assert_eq!((seen.requests, seen.failed_requests), (3, 2));
        assert_eq!(seen.failed[0].what, "404");
        assert!(seen.failed[1].what.contains("refused"), "{:?}", seen.failed[1]);
    }
}
