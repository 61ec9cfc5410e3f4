//! Asking a running server.

use std::time::Duration;

use clap::Args;
use reqwest::{Method, RequestBuilder, Response};
use serde_json::Value;

use super::{Context, Exit};
use crate::decode::SecretMode;

/// An answer is awaited this long.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Where the server is, and how to log in.
#[derive(Debug, Args)]
pub struct ReachArgs {
    /// The running server; without it the address that haetae.yaml listens on
    #[arg(long, value_name = "URL", env = "HAETAE_SERVER")]
    pub server: Option<String>,
    /// A token for it; better in the environment, where no list of processes shows it
    #[arg(long, value_name = "TOKEN", env = "HAETAE_TOKEN", hide_env_values = true)]
    pub token: Option<String>,
}

#[derive(Debug, Args)]
pub struct ServerArgs {
    #[command(flatten)]
    pub reach: ReachArgs,
    /// For machines
    #[arg(long)]
    pub json: bool,
}

/// A server that is asked.
pub struct Remote {
    client: reqwest::Client,
    base: String,
    token: Option<String>,
}

impl Remote {
    /// Where the arguments, or the settings, say.
    ///
    /// # Errors
    /// How the program ends then.
    pub fn new(context: &Context, reach: &ReachArgs) -> Result<Self, Exit> {
        let base = reach.server.clone().unwrap_or_else(|| {
            let project = context.load(SecretMode::Skip, Vec::new());
            format!("http://{}", project.settings.listen)
        });
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|error| internal(&error.to_string()))?;
        Ok(Self {
            client,
            base: base.trim_end_matches('/').to_owned(),
            token: reach.token.clone().filter(|token| !token.is_empty()),
        })
    }

    fn request(&self, method: Method, path: &str, body: Option<&Value>) -> RequestBuilder {
        let mut request = self.client.request(method, format!("{}{path}", self.base));
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        match body {
            Some(body) => request.json(body),
            None => request,
        }
    }

    /// Asks, and prints why when the server does not do as asked.
    ///
    /// # Errors
    /// How the program ends then.
    pub async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        patience: Duration,
    ) -> Result<Value, Exit> {
        let text = self.text(method, path, body, patience).await?;
        Ok(serde_json::from_str(&text).unwrap_or_default())
    }

    /// The same, with the answer as it comes.
    ///
    /// # Errors
    /// How the program ends then.
    pub async fn text(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        patience: Duration,
    ) -> Result<String, Exit> {
        let answer = self.request(method, path, body).timeout(patience).send().await;
        let answer = self.taken(answer).await?;
        answer
            .text()
            .await
            .map_err(|error| internal(&error.without_url().to_string()))
    }

    /// An answer that goes on.
    ///
    /// # Errors
    /// How the program ends then.
    pub async fn stream(&self, path: &str) -> Result<Response, Exit> {
        let answer = self.request(Method::GET, path, None).send().await;
        self.taken(answer).await
    }

    async fn taken(&self, answer: Result<Response, reqwest::Error>) -> Result<Response, Exit> {
        let base = &self.base;
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) => {
                eprintln!("no haetae answers at {base}: {}", error.without_url());
                eprintln!("start it with `haetae serve`, or name it with --server URL");
                return Err(Exit::Internal);
            }
        };
        let status = answer.status();
        if status.is_success() {
            return Ok(answer);
        }
        let text = answer.text().await.unwrap_or_default();
        let json: Value = serde_json::from_str(&text).unwrap_or_default();
        let detail = json.get("detail").and_then(Value::as_str).unwrap_or(text.trim());
        eprintln!("{base} refuses: {detail}");
        if status == reqwest::StatusCode::UNAUTHORIZED {
            eprintln!("give a token with --token, or in HAETAE_TOKEN");
        }
        Err(if status.is_client_error() {
            Exit::Usage
        } else {
            Exit::Internal
        })
    }
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
    let remote = Remote::new(context, &server.reach)?;
    remote.ask(method, path, body.as_ref(), PATIENCE).await
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
