//! The files of a run's evidence, as they stand inside the HTML report.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::html::Picture;
use crate::model::{Evidence, EvidenceFile, Quantity};

/// Bytes shown of a page's source.
const MOST_SOURCE_BYTES: usize = 200 * 1_024;
/// The picture that is taken when a run fails has this name; others are named by the scenario.
const FAILED_PICTURE: &str = "failed";

/// A run's files, each in its place.
#[derive(Debug, Default)]
pub struct Files<'a> {
    /// The page when the run failed.
    pub failed: Option<Embedded>,
    /// The other pictures.
    pub pictures: Vec<Embedded>,
    /// Page sources.
    pub sources: Vec<Source<'a>>,
    /// What the evidence names and nobody brought.
    pub absent: Vec<String>,
}

/// A picture as a `data:` address.
#[derive(Debug)]
pub struct Embedded {
    /// Its file's name.
    pub name: String,
    /// What an `img` takes as its `src`.
    pub address: String,
}

/// The source of a page, or the beginning of it.
#[derive(Debug)]
pub struct Source<'a> {
    /// What it shows.
    pub what: &'a str,
    /// Its file's name.
    pub name: String,
    /// What is shown.
    pub text: &'a str,
    /// That there is more, and where.
    pub cut: Option<String>,
}

/// Gives every file of the evidence its place; only a run that `has_failed` has a picture of it.
pub fn files<'a>(
    evidence: &'a Evidence,
    has_failed: bool,
    pictures: &[Picture],
    sources: &'a [(PathBuf, String)],
) -> Files<'a> {
    let mut placed = Files::default();
    // A scenario may keep two pictures under one name: the later one has replaced the file.
    let mut met: BTreeSet<&Path> = BTreeSet::new();
    for file in &evidence.files {
        if !met.insert(&file.path) {
            continue;
        }
        if let Some(picture) = pictures.iter().find(|picture| picture.path == file.path) {
            if has_failed && file.path.file_stem().is_some_and(|stem| stem == FAILED_PICTURE) {
                placed.failed = Some(embedded(picture));
            } else {
                placed.pictures.push(embedded(picture));
            }
        } else if let Some((_, text)) = sources.iter().find(|(path, _)| *path == file.path) {
            placed.sources.push(source(file, text));
        } else {
            placed
                .absent
                .push(format!("{}: {}", file.what, file.path.display()));
        }
    }
    placed
}

fn embedded(picture: &Picture) -> Embedded {
    Embedded {
        name: file_name(&picture.path),
        address: format!("data:image/png;base64,{}", STANDARD.encode(&picture.bytes)),
    }
}

fn source<'a>(file: &'a EvidenceFile, text: &'a str) -> Source<'a> {
    let end = text.floor_char_boundary(MOST_SOURCE_BYTES);
    let size = |bytes: usize| Quantity::bytes(bytes as u64);
    Source {
        what: &file.what,
        name: file_name(&file.path),
        text: &text[..end],
        cut: (end < text.len()).then(|| {
            format!(
                "The first {} of {}; the whole is in {}",
                size(end),
                size(text.len()),
                file.path.display()
            )
        }),
    }
}

fn file_name(path: &Path) -> String {
    path.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn evidence(names: &[&str]) -> Evidence {
        Evidence {
            files: names
                .iter()
                .map(|name| EvidenceFile {
                    what: "screenshot".into(),
                    path: PathBuf::from("out").join(name),
                })
                .collect(),
            ..Evidence::default()
        }
    }

    fn picture(name: &str) -> Picture {
        Picture {
            path: PathBuf::from("out").join(name),
            bytes: b"\x89PNG".to_vec(),
        }
    }

    fn names(pictures: &[Embedded]) -> Vec<&str> {
        pictures.iter().map(|picture| picture.name.as_str()).collect()
    }

    #[test]
    fn the_picture_of_the_failure_stands_apart_and_only_where_something_failed() {
        let evidence = evidence(&["cart.png", "failed.png", "cart.png"]);
        let pictures = [picture("failed.png"), picture("cart.png")];
        let bad = files(&evidence, true, &pictures, &[]);
        let failed = bad.failed.unwrap();
        assert_eq!(failed.name, "failed.png");
        assert_eq!(failed.address, "data:image/png;base64,iVBORw==");
        assert_eq!(names(&bad.pictures), ["cart.png"]);
        let ok = files(&evidence, false, &pictures, &[]);
        assert!(ok.failed.is_none());
        assert_eq!(names(&ok.pictures), ["cart.png", "failed.png"]);
    }

    #[test]
    fn a_file_that_nobody_brought_is_named() {
        let evidence = evidence(&["cart.png"]);
        let placed = files(&evidence, true, &[picture("other.png")], &[]);
        assert_eq!(placed.absent, ["screenshot: out/cart.png"]);
        assert!(placed.pictures.is_empty());
    }

    #[test]
    fn a_long_source_is_cut_between_characters() {
        let evidence = evidence(&["page.html"]);
        let sources = [(PathBuf::from("out/page.html"), "가".repeat(100_000))];
        let placed = files(&evidence, true, &[], &sources);
        assert_eq!(placed.sources[0].text.chars().count(), 68_266);
        assert_eq!(
            placed.sources[0].cut.as_deref(),
            Some("The first 200KiB of 293KiB; the whole is in out/page.html")
        );
    }
}
