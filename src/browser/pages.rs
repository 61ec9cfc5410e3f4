//! Pages and what surrounds them: addresses, tabs, dialogs, cookies, requests, scripts.

use serde_json::{Value as Json, json};
use tokio::time::Instant;
use url::Url;

use super::scenario::{Delete, Source, Tab};
use super::seen::DialogAnswer;
use super::steps::{Failure, LOOK_AGAIN, Walk};
use crate::check::RunContext;
use crate::check::http::{HttpProbe, scope};
use crate::model::Text;

impl Walk<'_> {
    pub(super) async fn open(&mut self, address: &Text, limit: Instant) -> Result<(), Failure> {
        let url = self.address(address)?;
        refuse_scheme(&url)?;
        crate::check::http::refuse_denied_literal(&url, &self.run.services)
            .map_err(|fault| Failure::Ours(fault.what))?;
        Ok(self.visit.go_to(limit, url.as_str()).await?)
    }

    fn address(&self, address: &Text) -> Result<Url, Failure> {
        let text = address.fill(&scope(self.run, &self.captured))?;
        let joined = match self.base()? {
            Some(base) => base.join(&text).ok(),
            None => Url::parse(&text).ok(),
        };
        joined.ok_or_else(|| {
            Failure::page(format!(
                "`{address}` does not make an address; is `browser: {{ url: … }}` set?"
            ))
        })
    }

    /// The scenario's `browser.url`.
    fn base(&self) -> Result<Option<Url>, Failure> {
        let Some(base) = &self.scenario.surroundings.url else {
            return Ok(None);
        };
        let text = base.fill(&scope(self.run, &self.captured))?;
        match Url::parse(&text) {
            Ok(url) => Ok(Some(url)),
            Err(_) => Err(Failure::page(format!(
                "`browser: {{ url: {base} }}` is not an address"
            ))),
        }
    }

    pub(super) async fn tab(&mut self, tab: &Tab, limit: Instant) -> Result<(), Failure> {
        match tab {
            Tab::New => {
                let new = self.visit.new_tab(limit).await?;
                self.visit.switch_to(new);
                Ok(())
            }
            Tab::Close => Ok(self.visit.close_tab(limit).await?),
            Tab::Number(number) => {
                loop {
                    let (tab, count) = {
                        let seen = self.visit.seen();
                        (seen.tabs.get(number - 1).cloned(), seen.tabs.len())
                    };
                    if let Some(tab) = tab {
                        self.visit.switch_to(tab);
                        break;
                    }
                    if Instant::now() >= limit {
                        return Err(Failure::page(format!(
                            "there is no tab {number}: {count} are open"
                        )));
                    }
                    self.visit.change(limit).await;
                }
                Ok(self.visit.settled(limit).await?)
            }
            Tab::Called(part) => self.tab_called(part, limit).await,
        }
    }

    async fn tab_called(&mut self, part: &Text, limit: Instant) -> Result<(), Failure> {
        let wanted = part.fill(&scope(self.run, &self.captured))?.to_lowercase();
        loop {
            let tabs = self.visit.seen().tabs.clone();
            let mut titles = Vec::new();
            for tab in tabs {
                let query = json!({ "operation": "page" });
                let Ok(page) = self.visit.ask_in(&tab, limit, &query).await else {
                    continue;
                };
                let text = |key: &str| page[key].as_str().unwrap_or_default().to_owned();
                let fits = |text: &str| text.to_lowercase().contains(&wanted);
                if fits(&text("title")) || fits(&text("url")) {
                    self.visit.switch_to(tab);
                    return Ok(self.visit.settled(limit).await?);
                }
                titles.push(format!("\"{}\" ({})", text("title"), text("url")));
            }
            if Instant::now() >= limit {
                return Err(Failure::Page {
                    why: format!("no tab is called \"{part}\""),
                    detail: vec![format!("open are: {}", titles.join(", "))],
                });
            }
            self.visit.change(limit.min(Instant::now() + LOOK_AGAIN)).await;
        }
    }

    pub(super) async fn dialog(
        &mut self,
        accept: bool,
        text: Option<&Text>,
        limit: Instant,
    ) -> Result<(), Failure> {
        let text = match text {
            Some(text) => Some(text.fill(&scope(self.run, &self.captured))?),
            None => None,
        };
        let answer = DialogAnswer { accept, text };
        let open = self.visit.seen().dialog.clone();
        if let Some(dialog) = open {
            return Ok(self.visit.answer(limit, &dialog, &answer).await?);
        }
        self.visit.seen().planned.push_back(answer);
        Ok(())
    }

    pub(super) async fn cookies(
        &mut self,
        set: &[(String, Text)],
        delete: &Delete,
        limit: Instant,
    ) -> Result<(), Failure> {
        match delete {
            Delete::Nothing => {}
            Delete::All => self.visit.delete_cookies(limit, None).await?,
            Delete::Named(names) => {
                for name in names {
                    self.visit.delete_cookies(limit, Some(name)).await?;
                }
            }
        }
        if set.is_empty() {
            return Ok(());
        }
        let page = self.look(json!({ "operation": "page" }), limit).await?;
        let shown = page["url"].as_str().and_then(|url| Url::parse(url).ok());
        let site = match shown.filter(|url| matches!(url.scheme(), "http" | "https")) {
            Some(url) => Some(url),
            None => self.base()?,
        };
        let Some(domain) = site.as_ref().and_then(Url::host_str) else {
            return Err(Failure::page(
                "a cookie needs a page: open one first, or set `browser: { url: … }`",
            ));
        };
        for (name, value) in set {
            let value = value.fill(&scope(self.run, &self.captured))?;
            let cookie = json!({
                "name": name, "value": { "type": "string", "value": value }, "domain": domain, "path": "/",
            });
            self.visit.set_cookie(limit, cookie).await?;
        }
        Ok(())
    }

    pub(super) async fn http(&mut self, probe: &HttpProbe, limit: Instant) -> Result<(), Failure> {
        let run = RunContext {
            check: self.run.check.clone(),
            id: self.run.id.clone(),
            started: self.run.started,
            deadline: limit,
            captured: self.captured.clone(),
            services: self.run.services.clone(),
        };
        let kept = probe.step(&run).await.map_err(Failure::page)?;
        self.captured.extend(kept);
        Ok(())
    }

    /// A script that returns `false` says that something is wrong.
    pub(super) async fn script(&mut self, code: &Text, limit: Instant) -> Result<(), Failure> {
        let code = code.fill(&scope(self.run, &self.captured))?;
        self.visit.settled(limit).await?;
        match self.visit.script(limit, &code).await? {
            Json::Bool(false) => Err(Failure::page("the script returned false")),
            _ => Ok(()),
        }
    }

    pub(super) async fn remember(
        &mut self,
        sources: &[(String, Source)],
        limit: Instant,
    ) -> Result<(), Failure> {
        for (name, source) in sources {
            let value = self.value_of(source, limit).await?;
            self.captured.insert(name.clone(), value);
        }
        Ok(())
    }

    async fn value_of(&mut self, source: &Source, limit: Instant) -> Result<String, Failure> {
        match source {
            Source::Element(target) => {
                let read = self.read_only(target, &[], limit).await?;
                let text = |key: &str| read.get(key).and_then(Json::as_str).map(str::to_owned);
                Ok(text("value")
                    .filter(|value| !value.is_empty())
                    .or_else(|| text("text"))
                    .unwrap_or_default())
            }
            Source::Attribute(target, name) => {
                let read = self.read_only(target, std::slice::from_ref(name), limit).await?;
                match read["attributes"][name].as_str() {
                    Some(value) => Ok(value.to_owned()),
                    None => Err(Failure::page(format!(
                        "\"{}\" has no attribute `{name}`",
                        self.words(target)
                    ))),
                }
            }
            Source::Script(code) => {
                let code = code.fill(&scope(self.run, &self.captured))?;
                Ok(match self.visit.script(limit, &code).await? {
                    Json::String(text) => text,
                    Json::Null => return Err(Failure::page("the script returned nothing")),
                    other => other.to_string(),
                })
            }
            Source::Cookie(name) => match self.cookie(name, limit).await? {
                Some(value) => Ok(value),
                None => Err(Failure::page(format!("there is no cookie `{name}`"))),
            },
            Source::Url(pattern) => {
                let page = self.look(json!({ "operation": "page" }), limit).await?;
                let url = page.get("url").and_then(Json::as_str).unwrap_or_default();
                let found = pattern.captures(url);
                let group = found
                    .as_ref()
                    .and_then(|found| found.get(1).or_else(|| found.get(0)));
                match group {
                    Some(group) => Ok(group.as_str().to_owned()),
                    None => Err(Failure::page(format!(
                        "the address {url} does not match {pattern}"
                    ))),
                }
            }
        }
    }

    pub(super) async fn cookie(&self, name: &str, limit: Instant) -> Result<Option<String>, Failure> {
        let cookies = self.visit.cookies(limit).await?;
        let found = cookies.iter().find(|cookie| cookie["name"] == name);
        Ok(found.map(|cookie| cookie["value"]["value"].as_str().unwrap_or_default().to_owned()))
    }
}

/// Only web pages: `file:` and friends never open.
fn refuse_scheme(url: &Url) -> Result<(), Failure> {
    if matches!(url.scheme(), "http" | "https" | "about") {
        return Ok(());
    }
    Err(Failure::page(format!("`{}:` pages are not opened", url.scheme())))
}
