//! Tokens by client credentials (RFC 6749 §4.4).

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use reqwest::StatusCode;
use reqwest::cookie::Jar;
use ring::digest::{Context, SHA256};
use serde_json::Value as Json;
use tokio::time::Instant;

use super::exchange::Received;
use super::{HttpProbe, scope};
use crate::check::RunContext;
use crate::check::net::fault::{Fault, Side};
use crate::check::net::tokens::{Token, TokenKey};
use crate::model::{Outcome, Secret, Text};

/// How an error's description is cut.
const LONGEST_REASON: usize = 200;

/// Where tokens come from.
pub struct OAuth {
    /// The request for one.
    pub(super) endpoint: HttpProbe,
    /// All that makes one token another, in a fixed order.
    pub(super) asked_with: Vec<(String, Text)>,
}

impl OAuth {
    /// The endpoint as people know it.
    pub(super) fn name(&self) -> String {
        format!("the token endpoint {}", self.endpoint.url)
    }

    /// A token, kept or new.
    ///
    /// # Errors
    /// Why there is none; it names the endpoint.
    pub(super) async fn token(&self, run: &RunContext) -> Result<(TokenKey, Arc<Token>), Fault> {
        let key = self.key(run)?;
        let token = run.services.tokens.get(key, self.fetch(run)).await?;
        Ok((key, token))
    }

    /// Masks this endpoint's tokens in an outcome.
    pub(super) fn mask(&self, run: &RunContext, outcome: &mut Outcome) {
        if let Ok(key) = self.key(run) {
            outcome.redact(&run.services.tokens.redactor(key));
        }
    }

    fn key(&self, run: &RunContext) -> Result<TokenKey, Fault> {
        let scope = scope(run, &run.captured);
        let mut digest = Context::new(&SHA256);
        for (name, text) in &self.asked_with {
            let value = text
                .fill(&scope)
                .map_err(|unfilled| Fault::ours(unfilled.to_string()))?;
            for part in [name.as_bytes(), value.as_bytes()] {
                digest.update(&part.len().to_le_bytes());
                digest.update(part);
            }
        }
        let mut key = TokenKey::default();
        key.copy_from_slice(digest.finish().as_ref());
        Ok(key)
    }

    fn fetch<'a>(
        &'a self,
        run: &'a RunContext,
    ) -> Pin<Box<dyn Future<Output = Result<Token, Fault>> + Send + 'a>> {
        Box::pin(async move {
            let asked = Instant::now();
            let cookies = Arc::new(Jar::default());
            let received = self
                .endpoint
                .attempt(run, 0, &cookies)
                .await
                .map_err(|fault| self.told(&fault))?;
            read_token(&received, asked).map_err(|fault| self.told(&fault))
        })
    }

    fn told(&self, fault: &Fault) -> Fault {
        let said = match fault.side {
            Side::Target => "gives no token",
            Side::Ours => "could not be asked",
        };
        Fault {
            what: format!("{} {said}: {}", self.name(), fault.what),
            ..fault.clone()
        }
    }
}

/// RFC 6749 §5.1 and §5.2.
fn read_token(received: &Received, asked: Instant) -> Result<Token, Fault> {
    let json = received.json();
    if received.status != StatusCode::OK {
        return Err(refusal(received.status, json));
    }
    let field = |name: &str| json?.get(name);
    let Some(token) = field("access_token")
        .and_then(Json::as_str)
        .filter(|token| !token.is_empty())
    else {
        return Err(Fault::lasting("its answer has no `access_token`"));
    };
    let kind = field("token_type").and_then(Json::as_str).unwrap_or("bearer");
    if !kind.eq_ignore_ascii_case("bearer") {
        let what = format!("its token is of the type `{kind}`, and only `bearer` can be sent");
        return Err(Fault::lasting(what));
    }
    let expires_in = field("expires_in")
        .and_then(|value| value.as_f64().or_else(|| value.as_str()?.parse().ok()))
        .filter(|seconds| seconds.is_finite())
        .map(|seconds| Duration::from_secs(seconds.clamp(0.0, 1e9) as u64));
    Ok(Token::new(Secret::new(token.to_owned()), asked, expires_in))
}

fn refusal(status: StatusCode, json: Option<&Json>) -> Fault {
    let field = |name: &str| json?.get(name)?.as_str();
    let mut what = format!("it answers {}", status.as_u16());
    if let Some(error) = field("error") {
        what.push_str(&format!(" `{error}`"));
    }
    if let Some(why) = field("error_description") {
        let why: String = why
            .chars()
            .filter(|c| !c.is_control())
            .take(LONGEST_REASON)
            .collect();
        what.push_str(&format!(" ({why})"));
    }
    match status.as_u16() {
        429 | 500..=599 => Fault::passing(what),
        _ => Fault::lasting(what),
    }
}
