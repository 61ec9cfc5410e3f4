//! Which files belong to a project.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::decode::{Node, Place, Problem, Reader, Source, Tree};

/// Folders in folders are followed this deep.
const DEEPEST: usize = 16;
/// A project has at most so many files.
const MOST_FILES: usize = 100_000;

/// A project's files, each list in order of names.
pub struct Files {
    /// `haetae.yaml`
    pub settings: Option<Arc<Source>>,
    /// `checks/**/*.yaml`
    pub checks: Vec<Arc<Source>>,
    /// `alerts/**/*.yaml`
    pub alerts: Vec<Arc<Source>>,
}

/// Finds and reads the files of a project folder.
pub fn find(root: &Path, reader: &mut Reader<'_>) -> Files {
    if root.is_file() {
        reader.report(
            Problem::general(format!("{} is a file, and a project is a folder", root.display()))
                .hint("name with -C the folder that holds checks/"),
        );
    } else if !root.is_dir() {
        reader.report(
            Problem::general(format!("there is no folder {}", root.display()))
                .hint("name the project folder with -C, the one that holds checks/"),
        );
    } else if !root.join("checks").is_dir() {
        reader.report(
            Problem::general(format!("the folder {} has no checks/ in it", root.display()))
                .hint("a project folder holds checks/ and alerts/; name it with -C"),
        );
    }
    let settings = ["haetae.yaml", "haetae.yml"]
        .iter()
        .map(|name| root.join(name))
        .find(|path| path.is_file());
    Files {
        settings: settings.and_then(|path| open(root, &path, reader)),
        checks: folder(root, "checks", reader),
        alerts: folder(root, "alerts", reader),
    }
}

/// Reads a file as a tree; its problems are reported. None when it holds nothing.
pub fn read(source: &Arc<Source>, reader: &mut Reader<'_>) -> Option<Node> {
    let tree = Tree::read(source);
    for problem in tree.problems {
        reader.report(problem);
    }
    tree.root
}

/// An emptied file must not switch its checks off in silence.
pub fn must_hold_something(source: &Arc<Source>, what: &str, reader: &mut Reader<'_>) {
    let told = reader.problems.iter().any(|problem| {
        problem
            .place
            .as_ref()
            .is_some_and(|place| place.source.name == source.name)
    });
    if !told {
        reader.report(
            Problem::error(&Place::start_of(source), format!("the file holds no {what}"))
                .hint("fill it, or remove it"),
        );
    }
}

fn folder(root: &Path, name: &str, reader: &mut Reader<'_>) -> Vec<Arc<Source>> {
    let mut paths = Vec::new();
    collect(&root.join(name), 0, &mut paths);
    paths.sort();
    paths.iter().filter_map(|path| open(root, path, reader)).collect()
}

fn collect(folder: &Path, depth: usize, paths: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        let hidden = entry.file_name().to_string_lossy().starts_with('.');
        if hidden || paths.len() >= MOST_FILES {
            continue;
        }
        if path.is_dir() {
            // Flows are read where a scenario calls them.
            if depth < DEEPEST && entry.file_name() != "flows" {
                collect(&path, depth + 1, paths);
            }
        } else if path
            .extension()
            .is_some_and(|ending| ending == "yaml" || ending == "yml")
        {
            paths.push(path);
        }
    }
}

fn open(root: &Path, path: &Path, reader: &mut Reader<'_>) -> Option<Arc<Source>> {
    let name = path.strip_prefix(root).unwrap_or(path).display().to_string();
    match fs::read_to_string(path) {
        Ok(text) => Some(Arc::new(Source {
            // A byte order mark is no text.
            text: text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text),
            name,
        })),
        Err(error) => {
            reader.report(Problem::general(format!(
                "{name} cannot be read: {}",
                super::in_words(&error)
            )));
            None
        }
    }
}
