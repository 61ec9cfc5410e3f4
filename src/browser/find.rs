//! Finding elements: wait until exactly one fits and can be acted on, or say what a person
//! needs to mend the step or the page.

use std::time::Duration;

use serde_json::{Value as Json, json};
use tokio::time::Instant;

use super::locator::{Kind, Target};
use super::steps::{Failure, Walk};
use super::visit::Visit;
use crate::check::http::scope;
use crate::model::format_duration;

/// An element that was found.
#[derive(Debug, Clone)]
pub struct Found {
    /// Its number in the page script.
    pub element: Json,
    /// Where to press, in CSS pixels of its page or frame.
    pub point: (f64, f64),
    /// `SELECT`
    pub tag: String,
    /// `button "Pay" #pay`
    pub described: String,
}

impl Found {
    fn read(answer: &Json) -> Self {
        let text = |key: &str| answer[key].as_str().unwrap_or_default().to_owned();
        let number = |key: &str| answer[key].as_f64().unwrap_or(0.0);
        Self {
            element: answer["element"].clone(),
            point: (number("x"), number("y")),
            tag: text("tag"),
            described: text("described"),
        }
    }
}

impl Walk<'_> {
    /// Looks until exactly one element fits and, if it is to be acted on, until it is
    /// visible, enabled, uncovered, and stands still over two looks.
    pub(super) async fn locate(
        &mut self,
        target: &Target,
        kind: Kind,
        act: bool,
        limit: Instant,
    ) -> Result<Found, Failure> {
        self.locate_for(target, kind, (act, false), limit).await
    }

    /// The same; with a guard against a press that hits something else.
    pub(super) async fn locate_for(
        &mut self,
        target: &Target,
        kind: Kind,
        (act, guard): (bool, bool),
        limit: Instant,
    ) -> Result<Found, Failure> {
        let began = Instant::now();
        if act {
            self.visit.settled(limit).await?;
        }
        let mut query = self.query(target, kind)?;
        query["operation"] = json!("wait");
        query["until"] = json!("ready");
        query["act"] = json!(act);
        query["guard"] = json!(guard);
        loop {
            let answer = self.look(query.clone(), limit).await?;
            let found = Found::read(&answer);
            if !found.element.is_null() {
                self.marked = Some(found.element.clone());
            }
            if answer.get("late").is_none() {
                self.note_fallback(target, &answer);
                return Ok(found);
            }
            if Instant::now() >= limit {
                return Err(self.not_found(target, kind, &answer, began).await);
            }
        }
    }

    fn query(&self, target: &Target, kind: Kind) -> Result<Json, Failure> {
        let scope = scope(self.run, &self.captured);
        Ok(json!({
            "locators": target.query(&scope, self.test_id())?,
            "kind": kind.word(),
            "inside": self.inside,
        }))
    }

    fn note_fallback(&mut self, target: &Target, found: &Json) {
        let used = found.get("fallback").and_then(Json::as_u64).unwrap_or(0);
        if used > 0 {
            let remark = format!(
                "\"{}\" was not found; the fallback number {used} was used: mend the locator",
                self.words(target)
            );
            if !self.ended.remarks.contains(&remark) {
                self.ended.remarks.push(remark);
            }
        }
    }

    /// The only element that fits, now; none when there is none or more.
    pub(super) async fn find_once(&self, target: &Target, limit: Instant) -> Result<Option<Json>, Failure> {
        let mut query = self.query(target, Kind::Any)?;
        query["operation"] = json!("find");
        let answer = self.look(query, limit).await?;
        let is_one = answer["status"] == "ready";
        Ok(is_one.then(|| answer["element"].clone()))
    }

    /// How many fit, now.
    pub(super) async fn count(&self, target: &Target, limit: Instant) -> Result<u64, Failure> {
        let mut query = self.query(target, Kind::Any)?;
        query["operation"] = json!("find");
        query["count"] = json!(true);
        let answer = self.look(query, limit).await?;
        Ok(answer.get("count").and_then(Json::as_u64).unwrap_or(0))
    }

    /// Looks until something fits, or until nothing does; false when the time is up before.
    pub(super) async fn becomes(
        &self,
        target: &Target,
        until: &'static str,
        limit: Instant,
    ) -> Result<bool, Failure> {
        let mut query = self.query(target, Kind::Any)?;
        query["operation"] = json!("wait");
        query["until"] = json!(until);
        query["count"] = json!(true);
        loop {
            let answer = self.look(query.clone(), limit).await?;
            if answer.get("late").is_none() {
                return Ok(true);
            }
            if Instant::now() >= limit {
                return Ok(false);
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
        let mut detail = vec![
            format!("looked for: {}", target.described(kind)),
            format!("waited: {waited}"),
        ];
        detail.extend(
            strings(last.get("candidates"))
                .into_iter()
                .map(|candidate| format!("fits: {candidate}")),
        );
        if last.get("outside").is_some() {
            detail.push("the element around it (`inside:`) is not there, or not the only one".into());
        }
        let offers = Offers::of(&self.visit).await;
        if let Some(offers) = offers {
            detail.push(format!(
                "on the page: {} (title \"{}\")",
                offers.url, offers.title
            ));
            let similar = most_similar(&self.words(target), offers.all.clone());
            if similar.is_empty() {
                let first: Vec<String> = offers.all.into_iter().take(8).collect();
                detail.push(format!("the page offers: {}", first.join(", ")));
            } else {
                detail.push(format!("similar on the page: {}", similar.join(", ")));
            }
        }
        Failure::Page {
            why: why_not(&self.words(target), last, &waited),
            detail,
        }
    }
}

fn why_not(words: &str, last: &Json, waited: &str) -> String {
    let described = last.get("described").and_then(Json::as_str).unwrap_or("it");
    match last.get("status").and_then(Json::as_str) {
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
        Some("disabled") => format!("{} is disabled", described.trim_end_matches(", disabled")),
        Some("ready") => format!("{described} does not stand still"),
        _ => format!("nothing called \"{words}\" was found within {waited}"),
    }
}

/// What a page offers to act on.
struct Offers {
    /// The page's address.
    url: String,
    /// Its title.
    title: String,
    /// `button "Pay" #pay`, in the order of the page.
    all: Vec<String>,
}

impl Offers {
    /// Asks the page; none when it does not answer at once.
    async fn of(visit: &Visit) -> Option<Self> {
        let limit = Instant::now() + Duration::from_secs(1);
        let answer = visit.ask(limit, &json!({ "operation": "offers" })).await.ok()?;
        let text = |key: &str| answer[key].as_str().unwrap_or_default().to_owned();
        Some(Self {
            url: text("url"),
            title: text("title"),
            all: strings(answer.get("offers")),
        })
    }
}

/// A control of the page and how a scenario names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offered {
    /// `click`, `type`, `choose`, `check`
    pub verb: String,
    /// As it stands in YAML: `Log in`, `{ css: "#pay" }`.
    pub locator: String,
    /// What it is called, when the locator does not say so.
    pub called: Option<String>,
}

/// What the page offers, as locators; empty when it does not answer at once.
pub async fn offered(visit: &Visit, test_id_attribute: &str) -> Vec<Offered> {
    let limit = Instant::now() + Duration::from_secs(2);
    let query = json!({ "operation": "locators", "test_id_attribute": test_id_attribute });
    let Ok(answer) = visit.ask(limit, &query).await else {
        return Vec::new();
    };
    let list = answer["list"].as_array().cloned().unwrap_or_default();
    list.iter().filter_map(Offered::read).collect()
}

impl Offered {
    fn read(told: &Json) -> Option<Self> {
        let text = |key: &str| {
            told[key]
                .as_str()
                .filter(|text| !text.is_empty())
                .map(str::to_owned)
        };
        let name = text("name");
        let (locator, called) = if let (Some(name), true) = (&name, told["alone"] == true) {
            (in_yaml(name), None)
        } else {
            let precise = text("test_id")
                .map(|id| format!("{{ test_id: {} }}", in_yaml(&id)))
                .or_else(|| text("id").map(|id| format!("{{ css: \"#{id}\" }}")))
                .or_else(|| {
                    name.as_ref()
                        .map(|name| format!("{{ text: {}, near: … }}", in_yaml(name)))
                })?;
            (precise, name)
        };
        Some(Self {
            verb: text("verb")?,
            locator,
            called,
        })
    }
}

/// A text as YAML takes it.
fn in_yaml(text: &str) -> String {
    let plain = text.chars().next().is_some_and(char::is_alphabetic)
        && !text.contains(": ")
        && !text.contains(" #")
        && !text.contains(['"', '{', '}', '[', ']', ',', '\\'])
        && !text.ends_with(':')
        && !matches!(
            text.to_lowercase().as_str(),
            "true" | "false" | "null" | "yes" | "no" | "on" | "off"
        );
    if plain {
        text.to_owned()
    } else {
        json!(text).to_string()
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
