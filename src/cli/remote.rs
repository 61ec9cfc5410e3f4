//! Asking a running server.

use std::time::Duration;

use clap::Args;
use reqwest::Method;
use serde_json::Value;

use super::{Context, Exit};
use crate::decode::SecretMode;

/// An answer is awaited this long.
const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Debug, Args)]
pub struct ServerArgs {
    /// The running server; without it the address that haetae.yaml listens on
    #[arg(long, value_name = "URL", env = "HAETAE_SERVER")]
    pub server: Option<String>,
    /// For machines
    #[arg(long)]
    pub json: bool,
}

/// Asks a server, and prints why when it does not do as asked.
///
/// # Errors
/// How the program ends then.
pub async fn ask(
    context: &Context,
    server: &ServerArgs,
    method: Method,
    path: &str,
    body: Option<Value>,
) -> Result<Value, Exit> {
    let base = server.server.clone().unwrap_or_else(|| {
        let project = context.load(SecretMode::Skip, Vec::new());
        format!("http://{}", project.settings.listen)
    });
    let base = base.trim_end_matches('/');
    let client = reqwest::Client::builder()
        .timeout(PATIENCE)
        .build()
        .map_err(|error| internal(&error.to_string()))?;
    let mut request = client.request(method, format!("{base}{path}"));
    if let Some(body) = body {
        request = request.json(&body);
    }
    let answer = match request.send().await {
        Ok(answer) => answer,
        Err(error) => {
            eprintln!("no haetae answers at {base}: {}", error.without_url());
            eprintln!("start it with `haetae serve`, or name it with --server URL");
            return Err(Exit::Internal);
        }
    };
    let status = answer.status();
    let text = answer
        .text()
        .await
        .map_err(|error| internal(&error.to_string()))?;
    let json: Value = serde_json::from_str(&text).unwrap_or_default();
    if status.is_success() {
        return Ok(json);
    }
    let detail = json.get("detail").and_then(Value::as_str).unwrap_or(text.trim());
    eprintln!("{base} refuses: {detail}");
    Err(if status.is_client_error() {
        Exit::Usage
    } else {
        Exit::Internal
    })
}

fn internal(why: &str) -> Exit {
    eprintln!("{why}");
    Exit::Internal
}

/// Who does it: as they say, or as they are logged in.
#[must_use]
pub fn who(by: Option<String>) -> String {
    by.or_else(|| std::env::var("USER").ok())
        .or_else(|| std::env::var("LOGNAME").ok())
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| "somebody".into())
}
