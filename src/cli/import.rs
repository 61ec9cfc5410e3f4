//! `haetae import`: what other programs keep, as checks.

use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use clap::builder::PossibleValuesParser;

use super::{Context, Exit};
use crate::check::KINDS;
use crate::import::{FORMS, Imported, ImportedCheck, Wishes, import as import_text};

/// Below the project folder.
const USUAL_FOLDER: &str = "checks/imported";

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  haetae import login.json               writes checks/imported/<title>.yaml\n  haetae import orders.side --to checks/shop\n  haetae import session.har              a chain of requests\n  haetae import openapi.yaml --target https://api.example\n  haetae import uptime-kuma-backup.json\n  haetae import config.yaml --from gatus\n  haetae import blackbox.yml --scrape prometheus.yml\n  haetae import blackbox.yml --target http_2xx=https://shop.example --stdout\n\nWhat a file is, its content says; --from says it where it does not.\nSecrets are not kept: the checks name environment variables in their place.\nWhat could not be carried over is said here, and in the checks at its place."
)]
pub struct ImportArgs {
    #[arg(
        required = true,
        value_name = "FILE",
        help = "Recordings (Chrome DevTools Recorder, Selenium IDE .side, HAR), OpenAPI documents, configurations (Uptime Kuma backup, Gatus, blackbox_exporter)"
    )]
    files: Vec<PathBuf>,
    /// What the files are
    #[arg(long, value_name = "NAME", value_parser = PossibleValuesParser::new(FORMS.iter().map(|(name, ..)| *name)))]
    from: Option<String>,
    #[arg(
        long = "target",
        value_name = "ADDRESS",
        help = "What modules of blackbox_exporter ask (MODULE=ADDRESS, or ADDRESS for all of them), or where the API of an OpenAPI document is"
    )]
    targets: Vec<String>,
    #[arg(
        long,
        value_name = "FILE",
        help = "Prometheus' configuration: what the modules of blackbox_exporter ask"
    )]
    scrape: Option<PathBuf>,
    /// A check for each request of a HAR, instead of a chain
    #[arg(long)]
    apart: bool,
    /// Where the checks go, from the current folder; without it checks/imported in the project folder
    #[arg(long, value_name = "DIR", conflicts_with = "stdout")]
    to: Option<PathBuf>,
    /// Print the checks, write nothing
    #[arg(long)]
    stdout: bool,
    /// Overwrite checks that are there
    #[arg(long)]
    force: bool,
}

/// Makes checks of files; one that fails does not keep the others from it.
pub fn import(context: &Context, args: &ImportArgs) -> Exit {
    let folder = match &args.to {
        Some(folder) => folder.clone(),
        None => context.directory.join(USUAL_FOLDER),
    };
    let wishes = match wishes(args) {
        Ok(wishes) => wishes,
        Err(why) => {
            eprintln!("{why}");
            return Exit::Usage;
        }
    };
    let mut exit = Exit::Fine;
    let mut written = BTreeSet::new();
    for file in &args.files {
        let imported = match read(file, &wishes) {
            Ok(imported) => imported,
            Err(why) => {
                eprintln!("{} cannot be imported: {why}", file.display());
                exit = Exit::Usage;
                continue;
            }
        };
        for check in &imported.checks {
            if args.stdout {
                // One file cannot hold several of them as they are.
                out!("# {}\n{}", check.file_name, check.yaml.trim_end());
            } else if let Err(failed) = keep(check, &folder, args.force, &mut written) {
                exit = failed;
                continue;
            }
            for note in &check.left_out {
                eprintln!("  left out: {}", one_line(note));
            }
        }
    }
    if !written.is_empty() {
        eprintln!(
            "read them through, then: haetae validate --no-secrets, and haetae run ID (--headed for scenarios)"
        );
    }
    exit
}

/// What was said besides the files.
fn wishes(args: &ImportArgs) -> Result<Wishes, String> {
    let scrape = match &args.scrape {
        None => None,
        Some(path) => {
            let text = text_of(path).map_err(|why| format!("{} cannot be read: {why}", path.display()))?;
            Some((name_of(path), text))
        }
    };
    let from = args.from.as_ref();
    Ok(Wishes {
        from: from.and_then(|wanted| {
            FORMS
                .iter()
                .find(|(name, ..)| name == wanted)
                .map(|(_, form, _)| *form)
        }),
        targets: args.targets.clone(),
        scrape,
        apart: args.apart,
        kinds: KINDS.iter().map(|kind| kind.name).collect(),
    })
}

fn read(file: &Path, wishes: &Wishes) -> Result<Imported, String> {
    import_text(&name_of(file), &text_of(file)?, wishes)
}

fn name_of(file: &Path) -> String {
    file.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

fn text_of(file: &Path) -> Result<String, String> {
    fs::read_to_string(file).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => "there is no such file".to_owned(),
        io::ErrorKind::PermissionDenied => "haetae may not read it".to_owned(),
        io::ErrorKind::InvalidData => "it is not text in UTF-8".to_owned(),
        _ => error.to_string(),
    })
}

/// Writes a check, and never over one that is there, unless that is wanted.
fn keep(
    check: &ImportedCheck,
    folder: &Path,
    force: bool,
    written: &mut BTreeSet<PathBuf>,
) -> Result<(), Exit> {
    let path = free_path(folder, &check.file_name, written);
    let mut options = OpenOptions::new();
    options.write(true);
    if force {
        options.create(true).truncate(true);
    } else {
        options.create_new(true);
    }
    // A group's file may lie in a folder of its own.
    let result = fs::create_dir_all(path.parent().unwrap_or(folder))
        .and_then(|()| options.open(&path))
        .and_then(|mut file| file.write_all(check.yaml.as_bytes()));
    match result {
        Ok(()) => {
            eprintln!("wrote {}", path.display());
            written.insert(path);
            Ok(())
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && !force => {
            eprintln!(
                "{} is there already and was left alone; --force overwrites it, --to DIR writes elsewhere",
                path.display()
            );
            Err(Exit::Usage)
        }
        Err(error) => {
            eprintln!("{} cannot be written: {error}", path.display());
            Err(Exit::Internal)
        }
    }
}

/// Two recordings of one title must not overwrite each other, not even with `--force`.
fn free_path(folder: &Path, file_name: &str, written: &BTreeSet<PathBuf>) -> PathBuf {
    let stem = file_name.strip_suffix(".yaml").unwrap_or(file_name);
    let first = folder.join(file_name);
    let others = (2..10_000).map(|number| folder.join(format!("{stem}-{number}.yaml")));
    std::iter::once(first.clone())
        .chain(others)
        .find(|path| !written.contains(path))
        .unwrap_or(first)
}

/// What a recording holds cannot forge lines of ours, nor steer a terminal.
fn one_line(note: &str) -> String {
    note.split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
        .chars()
        .filter(|c| !c.is_control())
        .collect()
}
