//! `haetae token`: who may ask a server. Works on the store itself; a server that runs on it
//! sees the change with the next request.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use clap::{Args, Subcommand};
use ring::rand::{SecureRandom, SystemRandom};
use serde_json::{Value, json};

use super::remote::who;
use super::{Context, Exit, print_table};
use crate::app::store_path;
use crate::clock::wall_now;
use crate::decode::SecretMode;
use crate::model::{AuditEntry, Scope, Timestamp, Token, TokenDigest, format_duration, parse_duration};
use crate::store::{AccessStore, SqliteStore, Store, StoreError};

/// A token has so many random bytes: 256 bits are not found by trying.
const RANDOM_BYTES: usize = 32;
const LONGEST_NAME: usize = 60;

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  haetae token create --scope trigger --name jenkins --expires 90d\n  haetae token create --scope read,trigger\n  haetae token list\n  haetae token revoke jenkins\n\nScopes: read looks (pages and metrics too), trigger runs checks and deployments, operate does on-call work\nand both of these, admin everything.\nA server that runs on this store knows a new token, and forgets a revoked one, at once."
)]
pub struct TokenArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Make a token; it is shown once, on stdout
    #[command(
        after_help = "Examples:\n  haetae token create --scope trigger --name jenkins --expires 90d\n  haetae token create --scope read,trigger > token.txt"
    )]
    Create(CreateArgs),
    /// Every token, without what makes it one
    #[command(after_help = "Examples:\n  haetae token list\n  haetae token list --json | jq .tokens")]
    List {
        #[command(flatten)]
        at: StoreArgs,
        /// For machines
        #[arg(long)]
        json: bool,
    },
    /// Take a token away
    #[command(after_help = "Examples:\n  haetae token revoke jenkins")]
    Revoke {
        /// Its name
        name: String,
        #[command(flatten)]
        at: StoreArgs,
    },
}

#[derive(Debug, Args)]
struct CreateArgs {
    /// What it is good for: read, trigger, operate, admin; several with commas
    #[arg(long, required = true, value_delimiter = ',', value_parser = scope)]
    scope: Vec<Scope>,
    /// What it is called; without it haetae finds a name
    #[arg(long)]
    name: Option<String>,
    /// Ends by itself after so long: 90d
    #[arg(long, value_name = "DURATION")]
    expires: Option<String>,
    #[command(flatten)]
    at: StoreArgs,
}

#[derive(Debug, Args)]
struct StoreArgs {
    /// Where everything is kept: <sqlite://PATH>; without it the store of haetae.yaml
    #[arg(long, value_name = "URL", env = "HAETAE_STORE_URL")]
    store: Option<String>,
}

fn scope(text: &str) -> Result<Scope, String> {
    Scope::from_word(text).ok_or_else(|| format!("`{text}` is not a scope: read, trigger, operate, admin"))
}

/// Makes, lists or revokes tokens.
pub async fn token(context: &Context, args: TokenArgs) -> Exit {
    let result = match args.verb {
        Verb::Create(args) => create(context, args).await,
        Verb::List { at, json } => list(context, &at, json).await,
        Verb::Revoke { name, at } => revoke(context, &name, &at).await,
    };
    result.unwrap_or_else(|exit| exit)
}

async fn open(context: &Context, at: &StoreArgs) -> Result<SqliteStore, Exit> {
    let url = at.store.clone().unwrap_or_else(|| {
        let project = context.load(SecretMode::Skip, Vec::new());
        project.settings.store_url
    });
    if !url.starts_with("sqlite://") {
        eprintln!("this version keeps everything in SQLite: write --store sqlite://PATH");
        return Err(Exit::Usage);
    }
    let path = store_path(&url, &context.directory);
    SqliteStore::open(&path).await.map_err(|error| failed(&error))
}

fn failed(error: &StoreError) -> Exit {
    let cause = std::error::Error::source(error).map(|cause| format!(": {cause}"));
    eprintln!("{error}{}", cause.unwrap_or_default());
    Exit::Internal
}

async fn create(context: &Context, args: CreateArgs) -> Result<Exit, Exit> {
    let now = wall_now();
    let expires = match args.expires.as_deref().map(parse_duration) {
        None => None,
        Some(Ok(span)) if !span.is_zero() => Some(now + span),
        Some(Ok(_)) => return Err(wrong("--expires: it would end at once")),
        Some(Err(error)) => return Err(wrong(&format!("--expires: {error}"))),
    };
    let words: Vec<&str> = args.scope.iter().map(|scope| scope.as_str()).collect();
    let words = words.join("-");
    let found = || format!("{words}-{:05}", fastrand::u32(..100_000));
    let token = Token {
        name: args.name.unwrap_or_else(found),
        scopes: args.scope,
        created: now,
        expires,
        last_used: None,
    };
    must_be_a_name(&token.name)?;
    let secret = new_secret()?;
    let store = open(context, &args.at).await?;
    let added = store.add_token(&token, &TokenDigest::of(&secret)).await;
    if !added.map_err(|error| failed(&error))? {
        return Err(wrong(&format!(
            "there is a token `{0}` already: choose another name, or `haetae token revoke {0}` first",
            token.name
        )));
    }
    let detail = json!({ "scopes": token.scopes, "expires": token.expires });
    note(&store, "create token", &token.name, detail).await?;
    store.close().await;
    let ends = expires.map_or_else(
        || "it does not end by itself".into(),
        |end| format!("it ends {end}"),
    );
    eprintln!("token `{}`; {ends}. It is shown this once:", token.name);
    out!("{secret}");
    Ok(Exit::Fine)
}

fn new_secret() -> Result<String, Exit> {
    let mut random = [0; RANDOM_BYTES];
    if SystemRandom::new().fill(&mut random).is_err() {
        eprintln!("the system gives no random numbers");
        return Err(Exit::Internal);
    }
    Ok(format!("haetae_{}", URL_SAFE_NO_PAD.encode(random)))
}

/// The audit log calls people by it.
fn must_be_a_name(name: &str) -> Result<(), Exit> {
    let is_plain = |c: char| c.is_alphanumeric() || "-_.@".contains(c);
    if name.is_empty() || name.chars().count() > LONGEST_NAME || !name.chars().all(is_plain) {
        let why = "a name is made of letters, digits, `-`, `_`, `.` and `@`, 60 at most";
        return Err(wrong(why));
    }
    if ["local", "anonymous"].contains(&name) {
        return Err(wrong(&format!(
            "`{name}` means somebody without a token; choose another name"
        )));
    }
    Ok(())
}

fn wrong(why: &str) -> Exit {
    eprintln!("{why}");
    Exit::Usage
}

async fn note(store: &SqliteStore, what: &str, name: &str, detail: Value) -> Result<(), Exit> {
    let entry = AuditEntry {
        id: 0,
        at: wall_now(),
        who: "local".into(),
        by: Some(who(None)),
        address: None,
        what: what.into(),
        target: name.into(),
        detail,
    };
    store.audit(&entry).await.map_err(|error| failed(&error))
}

async fn list(context: &Context, at: &StoreArgs, as_json: bool) -> Result<Exit, Exit> {
    let store = open(context, at).await?;
    let tokens = store.tokens().await.map_err(|error| failed(&error))?;
    store.close().await;
    let tokens: Vec<Token> = tokens.into_iter().map(|(token, _)| token).collect();
    if as_json {
        out!("{:#}", json!({ "tokens": tokens }));
        return Ok(Exit::Fine);
    }
    if tokens.is_empty() {
        out!("there is no token");
        return Ok(Exit::Fine);
    }
    let now = wall_now();
    let mut rows = vec![
        ["NAME", "SCOPES", "CREATED", "ENDS", "LAST USED"]
            .map(str::to_owned)
            .to_vec(),
    ];
    rows.extend(tokens.iter().map(|token| row(token, now)));
    print_table(&rows);
    Ok(Exit::Fine)
}

fn row(token: &Token, now: Timestamp) -> Vec<String> {
    let words: Vec<&str> = token.scopes.iter().map(|scope| scope.as_str()).collect();
    let ends = match token.expires {
        None => "never".to_owned(),
        Some(_) if !token.holds(now) => "has ended".to_owned(),
        Some(end) => format!("in {}", format_duration(end.since(now))),
    };
    let used = token
        .last_used
        .map_or_else(|| "never".to_owned(), |at| at.to_string());
    vec![
        token.name.clone(),
        words.join(","),
        token.created.to_string(),
        ends,
        used,
    ]
}

async fn revoke(context: &Context, name: &str, at: &StoreArgs) -> Result<Exit, Exit> {
    let store = open(context, at).await?;
    let was_there = store.revoke_token(name).await.map_err(|error| failed(&error))?;
    if !was_there {
        return Err(wrong(&format!(
            "there is no token `{name}`; `haetae token list` shows them"
        )));
    }
    note(&store, "revoke token", name, Value::Null).await?;
    store.close().await;
    out!("token `{name}` is good for nothing any more");
    Ok(Exit::Fine)
}
