//! What is kept of a page for the reader: picture, source, console.

use std::path::{Path, PathBuf};

use tokio::time::Instant;

use super::session::Session;
use crate::model::{Evidence, EvidenceFile, Redactor};

/// Console entries kept per run.
const MOST_CONSOLE_LINES: usize = 100;

/// Writes a picture of the window and tells where. What cannot be had is left out.
pub async fn keep_screenshot(
    session: &Session,
    limit: Instant,
    folder: &Path,
    name: &str,
    evidence: &mut Evidence,
) {
    match session.screenshot(limit).await {
        Ok(png) => {
            if let Some(path) = write(folder, &format!("{}.png", file_name(name)), &png).await {
                evidence.files.push(EvidenceFile {
                    what: "screenshot".into(),
                    path,
                });
            }
        }
        Err(trouble) => tracing::debug!(?trouble, "no screenshot"),
    }
}

/// Writes the page's source, secrets masked.
pub async fn keep_source(
    session: &Session,
    limit: Instant,
    folder: &Path,
    redactor: &Redactor,
    evidence: &mut Evidence,
) {
    match session.source(limit).await {
        Ok(html) => {
            if let Some(path) = write(folder, "page.html", redactor.clean(&html).as_bytes()).await {
                evidence.files.push(EvidenceFile {
                    what: "page source".into(),
                    path,
                });
            }
        }
        Err(trouble) => tracing::debug!(?trouble, "no page source"),
    }
}

/// Takes over what the page has written to its console. Returns how many of it are errors.
pub async fn keep_console(session: &Session, limit: Instant, evidence: &mut Evidence) -> usize {
    let entries = session.console(limit).await;
    let errors = entries.iter().filter(|(level, _)| level == "SEVERE").count();
    for (level, text) in entries {
        if evidence.console.len() < MOST_CONSOLE_LINES {
            let level = if level == "SEVERE" {
                "error".to_owned()
            } else {
                level.to_lowercase()
            };
            evidence.console.push(format!("{level}: {text}"));
        }
    }
    errors
}

async fn write(folder: &Path, name: &str, content: &[u8]) -> Option<PathBuf> {
    let path = folder.join(name);
    let written = async {
        tokio::fs::create_dir_all(folder).await?;
        tokio::fs::write(&path, content).await
    };
    match written.await {
        Ok(()) => Some(path),
        Err(error) => {
            tracing::warn!(path = %path.display(), %error, "evidence could not be written");
            None
        }
    }
}

/// A name without anything that could lead out of the folder.
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
