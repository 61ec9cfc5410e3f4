//! `haetae completions` and `haetae man`: made of the command line's own description.

use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;

use clap::{Args as ClapArgs, CommandFactory};
use clap_complete::Shell;
use clap_mangen::Man;

use super::{Args, Exit};

#[derive(Debug, ClapArgs)]
#[command(
    after_help = "Examples:\n  haetae completions bash > /etc/bash_completion.d/haetae\n  haetae completions zsh > ~/.zfunc/_haetae            with ~/.zfunc in fpath\n  haetae completions fish > ~/.config/fish/completions/haetae.fish"
)]
pub struct CompletionsArgs {
    /// Which shell
    #[arg(value_enum)]
    shell: Shell,
}

/// Prints what the shell reads.
pub fn completions(args: &CompletionsArgs) -> Exit {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Args::command(), "haetae", &mut script);
    // A reader that has gone has what it wanted.
    let _ = io::stdout().write_all(&script);
    Exit::Fine
}

#[derive(Debug, ClapArgs)]
#[command(
    after_help = "Examples:\n  haetae man | man -l -                                 the main page\n  haetae man --out /usr/local/share/man/man1            a page for each command"
)]
pub struct ManArgs {
    /// Write all pages into this folder instead
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// Prints the main page, or writes all of them.
pub fn man(args: &ManArgs) -> Exit {
    let command = Args::command().disable_help_subcommand(true);
    let Some(folder) = &args.out else {
        let mut page = Vec::new();
        if let Err(error) = Man::new(command).render(&mut page) {
            eprintln!("the page cannot be made: {error}");
            return Exit::Internal;
        }
        let _ = io::stdout().write_all(&page);
        return Exit::Fine;
    };
    match fs::create_dir_all(folder).and_then(|()| clap_mangen::generate_to(command, folder)) {
        Ok(()) => {
            eprintln!(
                "wrote haetae.1 and a page for each command to {}",
                folder.display()
            );
            Exit::Fine
        }
        Err(error) => {
            eprintln!("the pages cannot be written to {}: {error}", folder.display());
            Exit::Internal
        }
    }
}
