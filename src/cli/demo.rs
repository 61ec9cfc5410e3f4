//! `haetae demo`

use std::net::SocketAddr;

use clap::Args;
use tokio::signal::unix::{SignalKind, signal};

use super::Exit;
use crate::demo::{Demo, DemoOptions};

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  haetae demo\n  curl -d partner=slow http://127.0.0.1:8700/demo/control     bring a warning\n  curl -d partner=dead http://127.0.0.1:8700/demo/control     bring a critical\n  curl -d partner=ok   http://127.0.0.1:8700/demo/control     bring it back"
)]
pub struct DemoArgs {
    /// Where shop, inbox and control page are served
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:8700")]
    listen: SocketAddr,
    /// Where the partner's API is served
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:8701")]
    partner_listen: SocketAddr,
}

/// Serves the demo until SIGINT or SIGTERM.
pub async fn demo(args: DemoArgs) -> Exit {
    if !args.listen.ip().is_loopback() || !args.partner_listen.ip().is_loopback() {
        eprintln!("note: others can reach the demo, and it knows no log-in");
    }
    let (Ok(mut interrupt), Ok(mut terminate)) =
        (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        return Exit::Internal;
    };
    let options = DemoOptions {
        listen: args.listen,
        partner_listen: args.partner_listen,
    };
    let demo = match Demo::start(options).await {
        Ok(demo) => demo,
        Err(error) => {
            eprintln!(
                "the demo cannot listen on {} and {}: {error}",
                args.listen, args.partner_listen
            );
            return Exit::Internal;
        }
    };
    out!("shop      http://{}/shop/", demo.site());
    out!("partner   http://{}/health", demo.partner());
    out!("inbox     http://{}/inbox", demo.site());
    out!("control   http://{}/demo/control", demo.site());
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    demo.stop().await;
    Exit::Fine
}
