//! `haetae serve`

use std::net::SocketAddr;

use clap::Args;
use tokio::signal::unix::{SignalKind, signal};

use super::{Context, Exit};
use crate::app::{AccessRules, App, AppOptions, StartError};
use crate::decode::SecretMode;
use crate::schedule::RunnerOptions;

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  haetae serve\n  haetae -C /etc/haetae serve --listen 127.0.0.1:9000 --store sqlite:///var/lib/haetae/haetae.db\n\nSIGHUP, a changed file or POST /-/reload take new files into use; files with errors change nothing."
)]
pub struct ServeArgs {
    /// Where API and pages are served
    #[arg(long, value_name = "ADDR:PORT", env = "HAETAE_LISTEN")]
    listen: Option<SocketAddr>,
    /// Where everything is kept: <sqlite://PATH>
    #[arg(long, value_name = "URL", env = "HAETAE_STORE_URL")]
    store: Option<String>,
    /// Let everybody who can reach it do everything, without any log-in
    #[arg(long)]
    insecure: bool,
    /// Ask for a token on loopback too: behind a proxy on this machine, or where others log in to it
    #[arg(long, env = "HAETAE_REQUIRE_TOKEN", conflicts_with = "insecure")]
    require_token: bool,
    /// A value for ${vars.NAME}
    #[arg(long = "var", value_name = "NAME=VALUE", value_parser = super::parse_var)]
    vars: Vec<(String, String)>,
}

/// Serves until SIGINT or SIGTERM.
pub async fn serve(context: &Context, args: ServeArgs) -> Exit {
    let project = context.load(SecretMode::Ask, args.vars.clone());
    context.print_problems(project.told());
    if !project.is_sound() {
        eprintln!("haetae does not start on files with errors; `haetae validate` shows them again");
        return Exit::Configuration;
    }
    let listen = args.listen.unwrap_or(project.settings.listen);
    let store_url = args.store.unwrap_or_else(|| project.settings.store_url.clone());
    if !store_url.starts_with("sqlite://") {
        eprintln!("this version keeps everything in SQLite: write --store sqlite://PATH");
        return Exit::Usage;
    }
    let checks = project.enabled().len();
    let options = AppOptions {
        load: context.load_options(SecretMode::Ask, args.vars),
        listen,
        store_url,
        redactor: context.redactor.clone(),
        runner: RunnerOptions::default(),
        watch_files: true,
        access: AccessRules {
            insecure: args.insecure,
            require_token: args.require_token,
        },
    };
    let (Ok(mut interrupt), Ok(mut terminate)) =
        (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        eprintln!("signals cannot be received");
        return Exit::Internal;
    };
    let app = match App::start(project, options).await {
        Ok(app) => app,
        Err(error) => {
            eprintln!("haetae cannot start: {error}");
            return match error {
                StartError::NoToken(_) => Exit::Usage,
                _ => Exit::Internal,
            };
        }
    };
    tracing::info!(checks, address = %app.address(), "haetae is watching");
    eprintln!(
        "haetae is watching {checks} checks; dashboard: http://{}/",
        app.address()
    );
    app.run(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
    .await;
    Exit::Fine
}
