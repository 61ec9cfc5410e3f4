//! argv in, exit code out.

use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;
use haetae::cli::{self, Exit};

fn main() -> ExitCode {
    let args = match cli::Args::try_parse() {
        Ok(args) => args,
        Err(error) => {
            let _ = error.print();
            let asked = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
            return if asked { Exit::Fine } else { Exit::Usage }.into();
        }
    };
    // One TLS provider for the whole process; a second one anywhere would panic.
    if rustls::crypto::ring::default_provider()
        .install_default()
        .is_err()
    {
        eprintln!("the TLS provider could not be set");
        return Exit::Internal.into();
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    match runtime {
        Ok(runtime) => {
            let exit = runtime.block_on(cli::main(args));
            // A reader that is stuck in a blocking call must not hold up the end.
            runtime.shutdown_timeout(std::time::Duration::from_secs(2));
            exit.into()
        }
        Err(error) => {
            eprintln!("the runtime could not be started: {error}");
            Exit::Internal.into()
        }
    }
}
