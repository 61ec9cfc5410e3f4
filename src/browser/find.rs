//! Finding elements: wait until exactly one fits and can be acted on, or say what a person
//! needs to mend the step or the page.

use std::time::Duration;

use fantoccini::elements::Element;
use serde_json::{Value as Json, json};
use tokio::time::{Instant, sleep};

use super::locator::{Kind, Target};
use super::session::Trouble;
use super::steps::{Failure, LOOK_AGAIN, STANDS_STILL, Walk};
use crate::check::http::scope;
use crate::model::format_duration;

impl Walk<'_> {
    pub(super) async fn locate(
        &mut self,
        target: &Target,
        kind: Kind,
        act: bool,
        limit: Instant,
    ) -> Result<Element, Failure> {
        self.locate_with_reference(target, kind, act, limit)
            .await
            .map(|(element, _)| element)
    }

    /// Looks until exactly one element fits and, if it is to be acted on, until it is
    /// visible, enabled, uncovered, and stands still over two looks.
    pub(super) async fn locate_with_reference(
        &mut self,
        target: &Target,
        kind: Kind,
        act: bool,
        limit: Instant,
    ) -> Result<(Element, Json), Failure> {
        let began = Instant::now();
        let mut before: Option<Json> = None;
        loop {
            let found = self.find_once(target, kind, act, limit).await?;
            let ready = found.get("status").and_then(Json::as_str) == Some("ready");
            let element = if ready { self.session.element(&found) } else { None };
            if let Some(element) = element
                && (!act || before.as_ref() == Some(&found))
            {
                self.note_fallback(target, &found);
                return Ok((element, found["element"].clone()));
            }
            if Instant::now() >= limit {
                return Err(self.not_found(target, kind, &found, began).await);
            }
            before = ready.then_some(found);
            sleep(if ready { STANDS_STILL } else { LOOK_AGAIN }).await;
        }
    }

    pub(super) fn note_fallback(&mut self, target: &Target, found: &Json) {
        let used = found.get("fallback").and_then(Json::as_u64).unwrap_or(0);
        if used > 0 {
            let remark = format!(
                "\"{}\" was not found; the fallback number {used} was used: mend the locator",
                target.words()
            );
            if !self.ended.remarks.contains(&remark) {
                self.ended.remarks.push(remark);
            }
        }
    }

    pub(super) async fn find_once(
        &self,
        target: &Target,
        kind: Kind,
        act: bool,
        limit: Instant,
    ) -> Result<Json, Failure> {
        let scope = scope(self.run, &self.captured);
        let query = json!({
            "operation": "find",
            "locators": target.query(&scope, self.test_id(), self.container.as_ref())?,
            "kind": if kind == Kind::Field { "field" } else { "any" },
            "act": act,
        });
        self.look(query, limit).await
    }

    pub(super) async fn count(&self, target: &Target, limit: Instant) -> Result<u64, Failure> {
        let scope = scope(self.run, &self.captured);
        let query = json!({
            "operation": "find",
            "locators": target.query(&scope, self.test_id(), self.container.as_ref())?,
            "kind": "any",
            "count": true,
        });
        let answer = self.look(query, limit).await?;
        Ok(answer.get("count").and_then(Json::as_u64).unwrap_or(0))
    }

    /// Asks the page; a page in the middle of loading is asked again.
    pub(super) async fn look(&self, query: Json, limit: Instant) -> Result<Json, Failure> {
        loop {
            match self.session.page(limit, query.clone()).await {
                Ok(answer) => return Ok(answer),
                Err(Trouble::Refused(_) | Trouble::StillLoading) if Instant::now() < limit => {
                    sleep(LOOK_AGAIN).await;
                }
                Err(Trouble::Refused(why)) if why.contains("is not a valid selector") => {
                    return Err(Failure::page("the CSS selector is not valid"));
                }
                Err(trouble) => return Err(trouble.into()),
            }
        }
    }

    /// What a person needs to mend the step or the page.
    pub(super) async fn not_found(
        &self,
        target: &Target,
        kind: Kind,
        last: &Json,
        began: Instant,
    ) -> Failure {
        let waited = format_duration(began.elapsed());
        let words = target.words();
        let described = last.get("described").and_then(Json::as_str).unwrap_or("it");
        let why = match last.get("status").and_then(Json::as_str) {
            Some("many") => {
                let count = last.get("count").and_then(Json::as_u64).unwrap_or(0);
                let contained = last.get("grade").and_then(Json::as_str) == Some("partial");
                if contained {
                    format!("nothing is called \"{words}\", and {count} things contain it")
                } else {
                    format!("\"{words}\" fits {count} things; say which with `exact`, `nth`, `in` or `near`")
                }
            }
            Some("covered") => {
                let by = last.get("by").and_then(Json::as_str).unwrap_or("something");
                format!("{described} is covered by {by}")
            }
            Some("disabled") => format!("{described} is disabled"),
            Some("ready") => format!("{described} does not stand still"),
            _ => format!("nothing called \"{words}\" was found within {waited}"),
        };
        let mut detail = vec![
            format!("looked for: {}", target.described(kind)),
            format!("waited: {waited}"),
        ];
        detail.extend(
            strings(last.get("candidates"))
                .into_iter()
                .map(|candidate| format!("fits: {candidate}")),
        );
        let limit = Instant::now() + Duration::from_secs(1);
        if let Ok(offers) = self.session.page(limit, json!({ "operation": "offers" })).await {
            let text = |key: &str| {
                offers
                    .get(key)
                    .and_then(Json::as_str)
                    .unwrap_or_default()
                    .to_owned()
            };
            detail.push(format!(
                "on the page: {} (title \"{}\")",
                text("url"),
                text("title")
            ));
            let offered = strings(offers.get("offers"));
            let similar = most_similar(&words, offered.clone());
            if similar.is_empty() {
                let first: Vec<String> = offered.into_iter().take(8).collect();
                detail.push(format!("the page offers: {}", first.join(", ")));
            } else {
                detail.push(format!("similar on the page: {}", similar.join(", ")));
            }
        }
        Failure::Page { why, detail }
    }

    pub(super) fn test_id(&self) -> &str {
        &self.run.services.browsers.settings.test_id_attribute
    }
}

pub(super) fn strings(list: Option<&Json>) -> Vec<String> {
    list.and_then(Json::as_array)
        .map(|items| items.iter().filter_map(Json::as_str).map(str::to_owned).collect())
        .unwrap_or_default()
}

/// The offers nearest to the words, the nearest first; what has nothing in common is left out.
fn most_similar(words: &str, offers: Vec<String>) -> Vec<String> {
    let wanted = words.to_lowercase();
    let score = |offer: &str| {
        let name = offer.split('"').nth(1).unwrap_or(offer).to_lowercase();
        let shares_word = wanted
            .split_whitespace()
            .any(|word| word.chars().count() > 2 && name.contains(word));
        strsim::jaro_winkler(&wanted, &name) + f64::from(u8::from(shares_word || name.contains(&wanted)))
    };
    let mut scored: Vec<(f64, String)> = offers.into_iter().map(|offer| (score(&offer), offer)).collect();
    scored.retain(|(score, _)| *score > 0.6);
    scored.sort_by(|a, b| b.0.total_cmp(&a.0));
    scored.into_iter().take(5).map(|(_, offer)| offer).collect()
}
