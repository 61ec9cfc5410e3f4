//! Looking: what is visible, and what holds for the page or one element of it.

use std::time::Duration;

use serde_json::{Value as Json, json};
use tokio::time::{Instant, sleep};

use super::locator::{Kind, Target};
use super::scenario::{Await, PageExpect};
use super::steps::{Failure, LOOK_AGAIN, Walk};
use crate::check::http::scope;
use crate::check::matcher::Matcher;
use crate::model::{Broken, Level, format_duration};

/// So long no request may begin or end for the page to be idle.
const IDLE_MS: u64 = 500;

impl Walk<'_> {
    pub(super) async fn see(&mut self, target: &Target, limit: Instant) -> Result<(), Failure> {
        let began = Instant::now();
        if self.becomes(target, "seen", limit).await? {
            return Ok(());
        }
        let none = json!({ "status": "none" });
        Err(self.not_found(target, Kind::Any, &none, began).await)
    }

    pub(super) async fn not_see(&mut self, target: &Target, limit: Instant) -> Result<(), Failure> {
        let began = Instant::now();
        if self.becomes(target, "gone", limit).await? {
            return Ok(());
        }
        self.marked = self.find_once(target, limit).await.ok().flatten();
        let waited = format_duration(began.elapsed());
        Err(Failure::page(format!(
            "\"{}\" is still there after {waited}",
            self.words(target)
        )))
    }

    pub(super) async fn wait_for(&mut self, what: &Await, limit: Instant) -> Result<(), Failure> {
        match what {
            Await::Text(target) => self.see(target, limit).await,
            Await::Gone(target) => self.not_see(target, limit).await,
            Await::Url(matcher) => {
                let block = PageExpect {
                    url: Some(matcher.clone()),
                    ..PageExpect::default()
                };
                self.expect(&[(Level::Critical, block)], limit).await
            }
            Await::Request(matcher) => self.wait_for_request(matcher, limit).await,
            Await::Idle => self.wait_until_idle(limit).await,
        }
    }

    /// The step before may have asked already: its answers count too.
    async fn wait_for_request(&mut self, matcher: &Matcher, limit: Instant) -> Result<(), Failure> {
        loop {
            let answered: Vec<String> = {
                let seen = self.visit.seen();
                let new = seen.requests.saturating_sub(self.answered_before);
                seen.answered.iter().rev().take(new).cloned().collect()
            };
            let scope = scope(self.run, &self.captured);
            for url in &answered {
                if matcher
                    .broken("the address", Some(&json!(url)), &scope)?
                    .is_empty()
                {
                    return Ok(());
                }
            }
            if Instant::now() >= limit {
                let last: Vec<String> = answered
                    .iter()
                    .take(5)
                    .map(|url| format!("answered: {url}"))
                    .collect();
                return Err(Failure::Page {
                    why: "no request to such an address was answered".into(),
                    detail: last,
                });
            }
            self.visit.change(limit).await;
        }
    }

    async fn wait_until_idle(&mut self, limit: Instant) -> Result<(), Failure> {
        loop {
            let (in_flight, quiet_since_ms) = {
                let seen = self.visit.seen();
                (seen.in_flight, seen.quiet_since_ms)
            };
            let quiet_at = self.visit.began() + Duration::from_millis(quiet_since_ms + IDLE_MS);
            let now = Instant::now();
            if in_flight == 0 && now >= quiet_at {
                return Ok(());
            }
            if now >= limit {
                return Err(Failure::page(format!(
                    "the page is not idle: {in_flight} requests wait for their answer"
                )));
            }
            let until = if in_flight == 0 {
                limit.min(quiet_at)
            } else {
                limit
            };
            self.visit.change(until).await;
        }
    }

    /// Looks until everything holds. What only warns is recorded and does not stop.
    pub async fn expect(&mut self, blocks: &[(Level, PageExpect)], limit: Instant) -> Result<(), Failure> {
        for (level, block) in blocks {
            let broken = loop {
                let broken = self.broken(block, limit).await?;
                if broken.is_empty() || Instant::now() >= limit {
                    break broken;
                }
                sleep(LOOK_AGAIN).await;
            };
            if broken.is_empty() {
                continue;
            }
            if *level == Level::Warning {
                let told = broken.into_iter().map(|what| Broken {
                    level: Level::Warning,
                    what,
                    detail: String::new(),
                });
                self.ended.broken.extend(told);
                continue;
            }
            return Err(Failure::page(broken.join("; ")));
        }
        Ok(())
    }

    async fn broken(&mut self, block: &PageExpect, limit: Instant) -> Result<Vec<String>, Failure> {
        let page = self.look(json!({ "operation": "page" }), limit).await?;
        let mut broken = self.broken_of_page(block, &page)?;
        if let Some(of) = &block.of {
            broken.extend(self.broken_of_element(block, of, limit).await?);
        }
        let scope = scope(self.run, &self.captured);
        for (name, matcher) in &block.cookie {
            let value = self.cookie(name, limit).await?.map(Json::String);
            broken.extend(matcher.broken(&format!("the cookie `{name}`"), value.as_ref(), &scope)?);
        }
        if !block.storage.is_empty() {
            let storage = self.look(json!({ "operation": "store" }), limit).await?;
            for (name, matcher) in &block.storage {
                let value = storage["local"].get(name);
                broken.extend(matcher.broken(&format!("`{name}` in the local storage"), value, &scope)?);
            }
        }
        if block.accessible {
            let found = self.look(json!({ "operation": "barriers" }), limit).await?;
            broken.extend(super::find::strings(found.get("broken")));
        }
        broken.extend(self.broken_of_events(block)?);
        Ok(broken)
    }

    fn broken_of_page(&self, block: &PageExpect, page: &Json) -> Result<Vec<String>, Failure> {
        let scope = scope(self.run, &self.captured);
        let mut broken = Vec::new();
        let mut hold = |matcher: &Option<Matcher>, what: &str, key: &str| {
            if let Some(matcher) = matcher {
                broken.extend(matcher.broken(what, page.get(key), &scope)?);
            }
            Ok::<(), Failure>(())
        };
        hold(&block.title, "the title", "title")?;
        hold(&block.url, "the address", "url")?;
        if block.of.is_none() {
            hold(&block.text, "the text", "text")?;
        }
        Ok(broken)
    }

    async fn broken_of_element(
        &mut self,
        block: &PageExpect,
        of: &Target,
        limit: Instant,
    ) -> Result<Vec<String>, Failure> {
        let count = self.count(of, limit).await?;
        let mut element = None;
        if count == 1
            && let Some(number) = self.find_once(of, limit).await?
        {
            let names: Vec<&String> = block.attribute.iter().map(|(name, _)| name).collect();
            let query = json!({ "operation": "read", "element": number, "attributes": names });
            self.marked = Some(number);
            // It may have been replaced since: then it is looked at again.
            element = self.visit.ask(limit, &query).await.ok();
        }
        let scope = scope(self.run, &self.captured);
        let value = |key: &str| element.as_ref().and_then(|element: &Json| element.get(key));
        let mut broken = Vec::new();
        for (matcher, what, of_element) in [
            (&block.text, "the text", value("text")),
            (&block.value, "the value", value("value")),
            (&block.count, "the count", Some(&json!(count))),
        ] {
            if let Some(matcher) = matcher {
                broken.extend(matcher.broken(what, of_element, &scope)?);
            }
        }
        for (name, matcher) in &block.attribute {
            let found = value("attributes").and_then(|all| all.get(name));
            let found = found.filter(|value| !value.is_null());
            broken.extend(matcher.broken(&format!("the attribute `{name}`"), found, &scope)?);
        }
        if count != 1 && block.count.is_none() {
            broken.push(match count {
                0 => format!("\"{}\" is not there", self.words(of)),
                _ => format!(
                    "\"{}\" fits {count} things: add `nth`, `in` or `near`",
                    self.words(of)
                ),
            });
        }
        for (wanted, key, word) in [
            (block.checked, "checked", "ticked"),
            (block.enabled, "enabled", "usable"),
        ] {
            let is = value(key).and_then(Json::as_bool);
            if let (Some(wanted), Some(is)) = (wanted, is)
                && wanted != is
            {
                let not = if wanted { "not " } else { "" };
                broken.push(format!("it is {not}{word}"));
            }
        }
        Ok(broken)
    }

    /// What the pages did over the whole run so far.
    fn broken_of_events(&self, block: &PageExpect) -> Result<Vec<String>, Failure> {
        let scope = scope(self.run, &self.captured);
        let seen = self.visit.seen();
        let mut broken = Vec::new();
        if block.no_console_errors && seen.console_errors > 0 {
            let first = seen.console.iter().find(|line| line.starts_with("error"));
            broken.push(format!(
                "the console has errors: {}",
                first.cloned().unwrap_or_default()
            ));
        }
        if block.no_failed_requests
            && let Some(first) = seen.failed.first()
        {
            broken.push(format!(
                "{} requests failed, the first: {} {} → {}",
                seen.failed_requests, first.method, first.url, first.what
            ));
        }
        if let Some(matcher) = &block.download {
            let whole: Vec<&str> = seen
                .downloads
                .iter()
                .filter(|download| download.path.is_some())
                .map(|download| download.name.as_str())
                .collect();
            let fits = |name: &&str| {
                matcher
                    .broken("the download", Some(&json!(name)), &scope)
                    .map(|broken| broken.is_empty())
            };
            let mut found = false;
            for name in &whole {
                found |= fits(name)?;
            }
            if !found {
                broken.push(match whole.as_slice() {
                    [] => "no file was downloaded".to_owned(),
                    names => format!("downloaded was only: {}", names.join(", ")),
                });
            }
        }
        Ok(broken)
    }

    /// What the only element that fits holds.
    pub(super) async fn read_only(
        &mut self,
        target: &Target,
        attributes: &[String],
        limit: Instant,
    ) -> Result<Json, Failure> {
        loop {
            let found = self.locate(target, Kind::Any, false, limit).await?;
            let query = json!({ "operation": "read", "element": found.element, "attributes": attributes });
            match self.visit.ask(limit, &query).await {
                Ok(read) => return Ok(read),
                Err(_) if Instant::now() < limit => sleep(LOOK_AGAIN).await,
                Err(trouble) => return Err(trouble.into()),
            }
        }
    }
}
