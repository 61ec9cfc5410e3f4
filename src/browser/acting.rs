//! Acting on elements: press, type, choose, tick, drag, upload.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value as Json, json};
use tokio::time::{Instant, sleep};

use super::actions::{drag, hover, press_chord, press_each, press_mouse};
use super::find::{Found, strings};
use super::locator::{Kind, Target};
use super::scenario::{Chord, Press};
use super::steps::{Failure, LOOK_AGAIN, Walk};
use super::visit::Trouble;
use crate::check::http::scope;
use crate::clock::wall_now;
use crate::model::Text;

/// A one-time code is not typed with less than this left: it may be too late when it arrives.
const FRESH_CODE: Duration = Duration::from_secs(3);
/// What authenticators usually take for one code.
const CODE_PERIOD_S: u64 = 30;

impl Walk<'_> {
    pub(super) async fn click(
        &mut self,
        target: &Target,
        press: Press,
        limit: Instant,
    ) -> Result<(), Failure> {
        loop {
            let found = self.locate_for(target, Kind::Any, (true, true), limit).await?;
            match self.press_on(&found, press, limit).await? {
                None => return Ok(()),
                // Something slid under the mouse; nothing was pressed.
                Some(_) if Instant::now() < limit => sleep(LOOK_AGAIN).await,
                Some(by) => {
                    return Err(Failure::page(format!("{} is covered by {by}", found.described)));
                }
            }
        }
    }

    /// Presses; what was in the way, if something was.
    async fn press_on(&self, found: &Found, press: Press, limit: Instant) -> Result<Option<String>, Failure> {
        match self.visit.perform(limit, press_mouse(found.point, press)).await {
            Ok(()) => {}
            Err(Trouble::Refused(why)) => return Ok(Some(why)),
            Err(trouble) => return Err(trouble.into()),
        }
        if self.visit.seen().dialog.is_some() {
            return Ok(None);
        }
        match self.visit.ask(limit, &json!({ "operation": "guarded" })).await {
            Ok(told) => Ok(match told["hit"].as_bool() {
                Some(true) => None,
                Some(false) => Some(told["by"].as_str().unwrap_or("something else").to_owned()),
                // The press has led to another page already.
                None if told["armed"] == false => None,
                // No press arrived: what lies over a frame is outside of it.
                None if self.visit.here() != self.visit.tab() => {
                    Some("something outside of its frame".to_owned())
                }
                None => None,
            }),
            // The press has led to another page.
            Err(Trouble::Refused(_) | Trouble::StillLoading) => Ok(None),
            Err(trouble) => Err(trouble.into()),
        }
    }

    pub(super) async fn hover(&mut self, target: &Target, limit: Instant) -> Result<(), Failure> {
        let found = self.locate(target, Kind::Any, true, limit).await?;
        Ok(self.visit.perform(limit, hover(found.point)).await?)
    }

    pub(super) async fn press(&mut self, chord: &Chord, limit: Instant) -> Result<(), Failure> {
        self.visit.settled(limit).await?;
        Ok(self.visit.perform(limit, press_chord(chord)).await?)
    }

    pub(super) async fn type_text(
        &mut self,
        into: &Target,
        text: &Text,
        (clear, keys): (bool, bool),
        limit: Instant,
    ) -> Result<(), Failure> {
        if text.holds_one_time_code() {
            wait_for_fresh_code(limit).await;
        }
        let filled = text.fill(&scope(self.run, &self.captured))?;
        if text.holds_secret() && !self.secrets.contains(&filled) {
            self.secrets.push(filled.clone());
        }
        loop {
            let found = self.locate(into, Kind::Field, true, limit).await?;
            let query = json!({
                "operation": "fill", "element": found.element, "text": filled,
                "clear": clear, "keys": keys, "secret": text.holds_secret(),
            });
            let answer = match self.visit.ask(limit, &query).await {
                Ok(answer) => answer,
                // It was replaced between the look and now.
                Err(Trouble::Refused(_)) if Instant::now() < limit => {
                    sleep(LOOK_AGAIN).await;
                    continue;
                }
                Err(trouble) => return Err(trouble.into()),
            };
            let rest = answer["text"].as_str().unwrap_or_default();
            return match answer["status"].as_str() {
                Some("last" | "keys") => Ok(self.visit.perform(limit, press_each(rest)).await?),
                Some("readonly") if Instant::now() < limit => {
                    sleep(LOOK_AGAIN).await;
                    continue;
                }
                Some("readonly") => Err(Failure::page(format!(
                    "{} can only be read, not typed into",
                    found.described
                ))),
                Some("refused") => Err(Failure::page(format!(
                    "{} does not take this value; a date is written as 2026-12-31, a time as 13:30",
                    found.described
                ))),
                _ => Ok(()),
            };
        }
    }

    pub(super) async fn clear(&mut self, target: &Target, limit: Instant) -> Result<(), Failure> {
        let found = self.locate(target, Kind::Field, true, limit).await?;
        let query = json!({ "operation": "empty", "element": found.element });
        self.look(query, limit).await.map(drop)
    }

    pub(super) async fn choose(
        &mut self,
        option: &Text,
        from: Option<&Target>,
        limit: Instant,
    ) -> Result<(), Failure> {
        let wanted = option.fill(&scope(self.run, &self.captured))?;
        let mut last = None;
        loop {
            let list = match from {
                Some(from) => match self.locate(from, Kind::Field, true, limit).await {
                    Ok(list) => Some(list),
                    // What was wrong with the option says more than the end of the time.
                    Err(failure) => return Err(last.unwrap_or(failure)),
                },
                None => None,
            };
            if let (Some(list), Some(from)) = (&list, from)
                && list.tag != "SELECT"
            {
                return self.choose_from_box(option, from, limit).await;
            }
            let query = json!({
                "operation": "options", "option": wanted, "inside": self.inside,
                "element": list.map(|list| list.element),
            });
            let answer = self.look(query, limit).await?;
            match answer.get("status").and_then(Json::as_str) {
                Some("ready") => return Ok(()),
                status if Instant::now() < limit => {
                    last = Some(not_chosen(option, status, &answer));
                    sleep(LOOK_AGAIN).await;
                }
                status => return Err(not_chosen(option, status, &answer)),
            }
        }
    }

    /// A list that pages draw themselves: opened by a press, and its option pressed.
    async fn choose_from_box(&mut self, option: &Text, from: &Target, limit: Instant) -> Result<(), Failure> {
        let wanted = Target::option(option);
        if self.count(&wanted, limit).await? == 0 {
            self.click(from, Press::Once, limit).await?;
        }
        let around = std::mem::take(&mut self.inside);
        let chosen = self.click(&wanted, Press::Once, limit).await;
        self.inside = around;
        chosen
    }

    pub(super) async fn tick(
        &mut self,
        target: &Target,
        wanted: bool,
        limit: Instant,
    ) -> Result<(), Failure> {
        loop {
            let found = self.locate_for(target, Kind::Field, (true, true), limit).await?;
            let query = json!({ "operation": "read", "element": found.element });
            let Ok(read) = self.visit.ask(limit, &query).await else {
                if Instant::now() >= limit {
                    return Err(Failure::page("the box was replaced again and again"));
                }
                sleep(LOOK_AGAIN).await;
                continue;
            };
            if read.get("checked").and_then(Json::as_bool) == Some(wanted) {
                return Ok(());
            }
            if Instant::now() >= limit {
                return Err(Failure::page("the box does not change when it is clicked"));
            }
            self.press_on(&found, Press::Once, limit).await?;
            sleep(LOOK_AGAIN).await;
        }
    }

    pub(super) async fn drag(&mut self, from: &Target, to: &Target, limit: Instant) -> Result<(), Failure> {
        let onto = self.locate(to, Kind::Any, true, limit).await?;
        let taken = self.locate(from, Kind::Any, true, limit).await?;
        // Bringing the second into view may have moved the first.
        let query = json!({ "operation": "point", "element": onto.element });
        let point = self.look(query, limit).await?;
        let to = (
            point["x"].as_f64().unwrap_or(onto.point.0),
            point["y"].as_f64().unwrap_or(onto.point.1),
        );
        Ok(self.visit.perform(limit, drag(taken.point, to)).await?)
    }

    pub(super) async fn upload(
        &mut self,
        files: &[Text],
        to: &Target,
        limit: Instant,
    ) -> Result<(), Failure> {
        let mut paths = Vec::new();
        for file in files {
            let name = file.fill(&scope(self.run, &self.captured))?;
            let path = self.run.services.project_dir.join(&name);
            match tokio::fs::canonicalize(&path).await {
                Ok(path) => paths.push(path),
                Err(_) => {
                    return Err(Failure::Ours(format!(
                        "the file `{name}` to upload is not there; a relative path is looked up from the project folder"
                    )));
                }
            }
        }
        self.put_files(&paths, to, limit).await
    }

    async fn put_files(&mut self, paths: &[PathBuf], to: &Target, limit: Instant) -> Result<(), Failure> {
        let found = self.locate(to, Kind::File, false, limit).await?;
        let query = json!({ "operation": "file_field", "element": found.element });
        let field = self.look(query, limit).await?;
        if field["element"].is_null() {
            return Err(Failure::page(format!(
                "{} has no field for files; {} were found near it",
                found.described, field["count"]
            )));
        }
        Ok(self.visit.set_files(limit, &field["element"], paths).await?)
    }
}

fn not_chosen(option: &Text, status: Option<&str>, answer: &Json) -> Failure {
    let why = match status {
        Some("many") => format!("several options fit \"{option}\""),
        Some("disabled") => format!("the option \"{option}\" is disabled"),
        _ => format!("there is no option \"{option}\""),
    };
    let offered = strings(answer.get("offers").or_else(|| answer.get("candidates"))).join(", ");
    Failure::Page {
        why,
        detail: vec![format!("options: {offered}")],
    }
}

/// Waits for the next code when the present one is about to end.
async fn wait_for_fresh_code(limit: Instant) {
    let now_s = u64::try_from(wall_now().as_unix_us() / 1_000_000).unwrap_or(0);
    let left = Duration::from_secs(CODE_PERIOD_S - now_s % CODE_PERIOD_S);
    if left < FRESH_CODE && Instant::now() + left < limit {
        sleep(left).await;
    }
}
