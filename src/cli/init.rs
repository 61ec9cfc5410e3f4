//! `haetae init`: a commented starter folder.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::Args;

use super::{Context, Exit};

/// What is written: path and content.
const STARTER: &[(&str, &str)] = &[
    ("haetae.yaml", include_str!("starter/haetae.yaml")),
    (
        "checks/web/front-page.yaml",
        include_str!("starter/front-page.yaml"),
    ),
    (
        "checks/partners/payment.yaml",
        include_str!("starter/payment.yaml"),
    ),
    ("checks/web/log-in.yaml", include_str!("starter/log-in.yaml")),
    (
        "flows/accept-cookies.yaml",
        include_str!("starter/accept-cookies.yaml"),
    ),
    ("alerts/oncall.yaml", include_str!("starter/oncall.yaml")),
    (".gitignore", include_str!("starter/gitignore")),
];

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  haetae init                     in the folder you are in\n  haetae init monitoring          in monitoring/, which is made\n  haetae init && haetae validate --no-secrets\n\nA file that is there is left alone."
)]
pub struct InitArgs {
    /// Where; without it the project folder
    #[arg(value_name = "DIR")]
    folder: Option<PathBuf>,
}

/// Writes the starter, and never over a file.
pub fn init(context: &Context, args: &InitArgs) -> Exit {
    let is_here = context.directory.as_os_str() == ".";
    let folder = match &args.folder {
        Some(folder) if is_here => folder.clone(),
        Some(folder) => context.directory.join(folder),
        None => context.directory.clone(),
    };
    let mut written = 0;
    for (name, content) in STARTER {
        let path = folder.join(name);
        match keep(&path, content) {
            Ok(()) => {
                out!("{}", path.display());
                written += 1;
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                eprintln!("{} is there already and was left alone", path.display());
            }
            Err(error) => {
                eprintln!("{} cannot be written: {error}", path.display());
                return Exit::Internal;
            }
        }
    }
    tell_next(&folder, written);
    Exit::Fine
}

fn keep(path: &Path, content: &str) -> io::Result<()> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
    file.write_all(content.as_bytes())
}

fn tell_next(folder: &Path, written: usize) {
    if written == 0 {
        eprintln!("everything is there; nothing was written");
        return;
    }
    let here = match folder.to_str() {
        Some("." | "") => String::new(),
        _ => format!(" -C {}", folder.display()),
    };
    eprintln!("\nnext:");
    eprintln!("  haetae{here} validate --no-secrets       the files are sound");
    eprintln!("  haetae{here} run web/front-page          one check, now");
    eprintln!("  export SLACK_ONCALL_WEBHOOK=…            what alerts/oncall.yaml names");
    eprintln!("  haetae{here} alert test oncall           a message that says it is a test");
    eprintln!("  haetae{here} serve                       watch; the dashboard is at http://127.0.0.1:8600/");
    eprintln!("checks of Gatus, Uptime Kuma or blackbox_exporter: haetae{here} import FILE");
}
