//! Looking: what is visible, and what holds for the page or one element of it.

use serde_json::{Value as Json, json};
use tokio::time::{Instant, sleep};

use super::evidence::keep_console;
use super::locator::{Kind, Target};
use super::scenario::{Await, PageExpect};
use super::steps::{Failure, LOOK_AGAIN, Walk};
use crate::check::http::scope;
use crate::check::matcher::Matcher;
use crate::model::{Broken, Level, Unfilled, format_duration};

impl Walk<'_> {
    pub(super) async fn see(&mut self, target: &Target, limit: Instant) -> Result<(), Failure> {
        let began = Instant::now();
        loop {
            if self.count(target, limit).await? > 0 {
                return Ok(());
            }
            if Instant::now() >= limit {
                return Err(self
                    .not_found(target, Kind::Any, &json!({ "status": "none" }), began)
                    .await);
            }
            sleep(LOOK_AGAIN).await;
        }
    }

    pub(super) async fn not_see(&mut self, target: &Target, limit: Instant) -> Result<(), Failure> {
        let began = Instant::now();
        loop {
            if self.count(target, limit).await? == 0 {
                return Ok(());
            }
            if Instant::now() >= limit {
                let waited = format_duration(began.elapsed());
                return Err(Failure::page(format!(
                    "\"{}\" is still there after {waited}",
                    target.words()
                )));
            }
            sleep(LOOK_AGAIN).await;
        }
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

    pub(super) async fn broken(
        &mut self,
        block: &PageExpect,
        limit: Instant,
    ) -> Result<Vec<String>, Failure> {
        let page = self.look(json!({ "operation": "page" }), limit).await?;
        let (count, element) = match &block.of {
            Some(of) => self.read_element(of, limit).await?,
            None => (0, None),
        };
        let scope = scope(self.run, &self.captured);
        let mut broken = Vec::new();
        let mut hold = |matcher: &Option<Matcher>, what: &str, value: Option<&Json>| {
            if let Some(matcher) = matcher {
                broken.extend(matcher.broken(what, value, &scope)?);
            }
            Ok::<(), Unfilled>(())
        };
        let of_element = |key: &str| element.as_ref().and_then(|element: &Json| element.get(key));
        hold(&block.title, "the title", page.get("title"))?;
        hold(&block.url, "the address", page.get("url"))?;
        let text = if block.of.is_some() {
            of_element("text")
        } else {
            page.get("text")
        };
        hold(&block.text, "the text", text)?;
        hold(&block.value, "the value", of_element("value"))?;
        hold(&block.count, "the count", Some(&json!(count)))?;
        if let (Some(of), None) = (&block.of, &block.count)
            && count != 1
        {
            broken.push(match count {
                0 => format!("\"{}\" is not there", of.words()),
                _ => format!(
                    "\"{}\" fits {count} things: add `nth`, `in` or `near`",
                    of.words()
                ),
            });
        }
        for (wanted, key, word) in [
            (block.checked, "checked", "ticked"),
            (block.enabled, "enabled", "usable"),
        ] {
            let is = of_element(key).and_then(Json::as_bool);
            if let (Some(wanted), Some(is)) = (wanted, is)
                && wanted != is
            {
                let not = if wanted { "not " } else { "" };
                broken.push(format!("it is {not}{word}"));
            }
        }
        if block.no_console_errors {
            broken.extend(self.console_error(limit).await);
        }
        Ok(broken)
    }

    /// How many elements fit, and what the only one holds.
    async fn read_element(&self, of: &Target, limit: Instant) -> Result<(u64, Option<Json>), Failure> {
        let count = self.count(of, limit).await?;
        if count != 1 {
            return Ok((count, None));
        }
        let found = self.find_once(of, Kind::Any, false, limit).await?;
        match found.get("element") {
            Some(reference) => {
                let query = json!({ "operation": "read", "element": reference });
                Ok((count, Some(self.look(query, limit).await?)))
            }
            None => Ok((count, None)),
        }
    }

    async fn console_error(&mut self, limit: Instant) -> Option<String> {
        self.console_errors += keep_console(self.session, limit, &mut self.ended.evidence).await;
        let lines = &self.ended.evidence.console;
        let first = lines.iter().find(|line| line.starts_with("error"));
        (self.console_errors > 0)
            .then(|| format!("the console has errors: {}", first.cloned().unwrap_or_default()))
    }
}
