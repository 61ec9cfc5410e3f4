//! `haetae schema`

use std::path::PathBuf;

use clap::Args;

use super::Exit;
use crate::config::schemas;

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  haetae schema check > check.schema.json\n  haetae schema --out .vscode        writes haetae-check.schema.json and the others\n\nIn a YAML file, for editors with a YAML language server:\n  # yaml-language-server: $schema=../haetae-check.schema.json"
)]
pub struct SchemaArgs {
    /// Which one
    #[arg(value_parser = ["check", "flow", "alerts", "settings"], default_value = "check")]
    which: String,
    /// Write all of them into this folder instead
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// Prints or writes JSON Schemas.
pub fn schema(args: &SchemaArgs) -> Exit {
    let Some(folder) = &args.out else {
        for (_, schema) in schemas().iter().filter(|(name, _)| *name == args.which) {
            out!("{schema:#}");
        }
        return Exit::Fine;
    };
    for (name, schema) in schemas() {
        let path = folder.join(format!("haetae-{name}.schema.json"));
        let written =
            std::fs::create_dir_all(folder).and_then(|()| std::fs::write(&path, format!("{schema:#}\n")));
        if let Err(error) = written {
            eprintln!("{} cannot be written: {error}", path.display());
            return Exit::Internal;
        }
        out!("{}", path.display());
    }
    Exit::Fine
}
