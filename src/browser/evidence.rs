//! What is kept of a page for the reader: picture and source, what is secret covered.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value as Json, json};
use tokio::time::Instant;

use super::steps::{Failure, Walk};
use crate::check::http::scope;
use crate::model::{EvidenceFile, Text};

/// Keeping evidence takes this long at most.
const PATIENCE: Duration = Duration::from_secs(3);
/// A page's source is kept up to this size, in bytes.
const LARGEST_SOURCE: usize = 2 << 20;
/// Pictures of one run.
const MOST_PICTURES: usize = 20;

impl Walk<'_> {
    pub(super) async fn screenshot(&mut self, name: &Text) -> Result<(), Failure> {
        let name = name.fill(&scope(self.run, &self.captured))?;
        self.marked = None;
        self.keep_picture(&name).await;
        Ok(())
    }

    /// A picture of the window and the source of the page, as they are now.
    pub(super) async fn keep_evidence(&mut self, name: &str) {
        self.keep_picture(name).await;
        self.keep_source().await;
    }

    async fn keep_picture(&mut self, name: &str) {
        let pictures = self.ended.evidence.files.iter();
        if pictures.filter(|file| file.what == "screenshot").count() >= MOST_PICTURES {
            return;
        }
        let limit = self.run.deadline.min(Instant::now() + PATIENCE);
        let places = self.dress(limit).await;
        let picture = self.visit.screenshot(limit).await;
        for place in &places {
            let _ = self
                .visit
                .ask_in(place, limit, &json!({ "operation": "uncover" }))
                .await;
        }
        match picture {
            Ok(png) => {
                let name = self.free_name(name, "png");
                self.write(&name, "screenshot", &png).await;
            }
            Err(trouble) => tracing::debug!(?trouble, "no screenshot"),
        }
    }

    /// Covers what is not to be seen, in the page and its frames, and marks the element that
    /// the step is about. Returns where something was drawn.
    async fn dress(&mut self, limit: Instant) -> Vec<String> {
        let mask = self.mask();
        let here = self.visit.here().to_owned();
        // Without anything to cover, only the page of the mark needs to be asked.
        let places = if self.secrets.is_empty() && mask.as_array().is_none_or(Vec::is_empty) {
            vec![here.clone()]
        } else {
            self.visit.places(limit).await
        };
        let mut drawn = Vec::new();
        for place in places {
            let mark = if place == here { &self.marked } else { &None };
            let query = json!({
                "operation": "dress", "locators": mask, "secrets": self.secrets, "element": mark,
            });
            match self.visit.ask_in(&place, limit, &query).await {
                Ok(told) if told["covered"] != 0 => drawn.push(place),
                Ok(_) => {}
                Err(trouble) => tracing::debug!(?trouble, "a page could not be covered"),
            }
        }
        drawn
    }

    fn mask(&self) -> Json {
        let scope = scope(self.run, &self.captured);
        let mut all = Vec::new();
        for target in &self.scenario.surroundings.mask {
            if let Ok(Json::Array(locators)) = target.query(&scope, self.test_id()) {
                all.extend(locators);
            }
        }
        Json::Array(all)
    }

    async fn keep_source(&mut self) {
        let limit = self.run.deadline.min(Instant::now() + PATIENCE);
        let query = json!({ "operation": "source", "locators": self.mask(), "secrets": self.secrets });
        match self.visit.ask(limit, &query).await {
            Ok(answer) => {
                let html = answer["html"].as_str().unwrap_or_default();
                let end = html.floor_char_boundary(LARGEST_SOURCE);
                let mut clean = self
                    .run
                    .services
                    .redactor
                    .current()
                    .clean(&html[..end])
                    .into_owned();
                for secret in self.secrets.iter().filter(|secret| secret.len() >= 4) {
                    clean = clean.replace(secret.as_str(), "***");
                }
                let name = self.free_name("page", "html");
                self.write(&name, "page source", clean.as_bytes()).await;
            }
            Err(trouble) => {
                tracing::debug!(?trouble, "no page source");
                let remark = "the page's source could not be kept: it did not come in time";
                self.ended.remarks.push(remark.into());
            }
        }
    }

    /// A name without anything that could lead out of the folder, that no file has yet.
    fn free_name(&self, name: &str, ending: &str) -> String {
        let stem = file_name(name);
        let taken = |name: &str| {
            let files = &self.ended.evidence.files;
            files.iter().any(|file| file.path.ends_with(name))
        };
        (1..=MOST_PICTURES + 1)
            .map(|number| match number {
                1 => format!("{stem}.{ending}"),
                _ => format!("{stem}-{number}.{ending}"),
            })
            .find(|name| !taken(name))
            .unwrap_or_default()
    }

    async fn write(&mut self, name: &str, what: &str, content: &[u8]) {
        let path: PathBuf = self.folder.join(name);
        let written = async {
            tokio::fs::create_dir_all(&self.folder).await?;
            tokio::fs::write(&path, content).await
        };
        match written.await {
            Ok(()) => self.ended.evidence.files.push(EvidenceFile {
                what: what.to_owned(),
                path,
            }),
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "evidence could not be written");
            }
        }
    }
}

fn file_name(name: &str) -> String {
    let kept: String = name
        .chars()
        .map(|c| {
            if c.is_alphanumeric() || matches!(c, '-' | '_') {
                c
            } else {
                '-'
            }
        })
        .take(60)
        .collect();
    if kept.is_empty() {
        "screenshot".into()
    } else {
        kept
    }
}
