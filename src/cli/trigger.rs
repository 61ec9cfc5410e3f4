//! `haetae trigger`: the same as `run`, done by a running server. `haetae deploy`: a release
//! that is quiet, warmed up and verified.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use futures_util::StreamExt;
use reqwest::Method;
use serde_json::{Map, Value, json};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{Instant, sleep_until};

use super::remote::{PATIENCE, ReachArgs, Remote, ServerArgs, who};
use super::run::{FailOn, Progress, print_summary, write_by_rename};
use super::{Context, Exit};
use crate::model::{Level, TriggeredCheck, TriggeredRun, parse_duration};
use crate::report::{Judged, worst};

/// The server lets an answer wait for a minute; this is a little more.
const WAITING: Duration = Duration::from_secs(75);
/// After a connection broke, how long until it is tried again.
const PAUSE: Duration = Duration::from_secs(1);
/// An event is no longer.
const LONGEST_EVENT: usize = 32 * 1024 * 1024;

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  haetae trigger 'partners/**' --server https://haetae.example\n  haetae trigger tag:smoke --reason \"$JOB_NAME #$BUILD_NUMBER\" --link \"$BUILD_URL\" --junit haetae.xml\n  haetae trigger tag:smoke --idempotency-key \"$BUILD_TAG\" --timeout 10m\n\nThe server judges the single runs; its incidents stay as they are unless --notify is given. Ctrl-C cancels.\nThe token is taken from HAETAE_TOKEN. Exit codes are those of `haetae run`; 3 too when not every check was run."
)]
pub struct TriggerArgs {
    /// Ids, globs, tag:x, group:x; none = all enabled
    selectors: Vec<String>,
    #[command(flatten)]
    reach: ReachArgs,
    /// From which level on the run has failed
    #[arg(long, value_enum, default_value = "critical")]
    fail_on: FailOn,
    /// Write a JUnit report
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Write everything as JSON; - is stdout
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// What for; shown in the history
    #[arg(long, default_value = "")]
    reason: String,
    /// The page it came from; shown in the history
    #[arg(long, value_name = "URL")]
    link: Option<String>,
    /// Asked again with the same key within a day, the same run is meant
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
    /// Cancel it after so long
    #[arg(long, value_name = "DURATION", default_value = "30m")]
    timeout: String,
    /// Its results count for incidents and alerts
    #[arg(long)]
    notify: bool,
    /// Who asks; without it who is logged in
    #[arg(long)]
    by: Option<String>,
}

/// How waiting ended.
enum Ended {
    /// By itself.
    Over,
    /// By Ctrl-C or SIGTERM.
    Signal(Exit),
    /// It took too long.
    TooLong,
}

/// Has a server run checks, shows them as they are done, and reports.
pub async fn trigger(context: &Context, args: TriggerArgs) -> Exit {
    let timeout = match parse_duration(&args.timeout) {
        Ok(timeout) => timeout,
        Err(error) => {
            eprintln!("--timeout: {error}");
            return Exit::Usage;
        }
    };
    match triggered(context, &args, timeout).await {
        Ok(exit) | Err(exit) => exit,
    }
}

async fn triggered(context: &Context, args: &TriggerArgs, timeout: Duration) -> Result<Exit, Exit> {
    let remote = Remote::new(context, &args.reach)?;
    let mut body = json!({
        "select": args.selectors, "reason": args.reason, "notify": args.notify, "by": who(args.by.clone()),
    });
    if let Some(link) = &args.link {
        body["link"] = json!(link);
    }
    if let Some(key) = &args.idempotency_key {
        body["idempotency_key"] = json!(key);
    }
    let begun = remote
        .ask(Method::POST, "/api/v1/runs", Some(&body), PATIENCE)
        .await?;
    let id = begun["id"].as_str().unwrap_or_default().to_owned();
    let total = begun["total"]
        .as_u64()
        .and_then(|total| usize::try_from(total).ok());
    let to_stderr = args.json.as_ref().is_some_and(|path| path.as_os_str() == "-");
    let mut progress = Progress::new(total.unwrap_or_default(), to_stderr);
    let ended = wait(&remote, &id, &mut progress, timeout).await?;
    progress.finish();
    if !matches!(ended, Ended::Over) {
        // Over in the meantime is as good.
        let _ = remote
            .ask(Method::DELETE, &format!("/api/v1/runs/{id}"), None, PATIENCE)
            .await;
    }
    let whole = remote
        .ask(Method::GET, &format!("/api/v1/runs/{id}"), None, PATIENCE)
        .await?;
    let run: TriggeredRun = serde_json::from_value(whole.clone()).map_err(|error| {
        eprintln!("the server answers in a form that is not understood: {error}");
        Exit::Internal
    })?;
    let runs: Vec<Judged> = run.checks.into_iter().filter_map(judged).collect();
    write(args, &remote, &id, &whole).await?;
    print_summary(&runs, total.unwrap_or(runs.len()), to_stderr);
    let exit = Exit::of_worst(worst(&runs), args.fail_on.level());
    Ok(match ended {
        Ended::Signal(exit) => exit,
        Ended::TooLong => {
            eprintln!("not done within {}: cancelled", args.timeout);
            at_least_unknown(exit)
        }
        Ended::Over if Some(runs.len()) != total => {
            eprintln!("the run was cancelled, or haetae ended before it did");
            at_least_unknown(exit)
        }
        Ended::Over => exit,
    })
}

/// What was not run could not be measured.
fn at_least_unknown(exit: Exit) -> Exit {
    match exit {
        Exit::Fine | Exit::Warning => Exit::Unknown,
        worse => worse,
    }
}

fn judged(part: TriggeredCheck) -> Option<Judged> {
    Some(Judged {
        record: part.run?,
        name: part.name,
        place: part.place,
    })
}

async fn wait(remote: &Remote, id: &str, progress: &mut Progress, timeout: Duration) -> Result<Ended, Exit> {
    let (Ok(mut interrupt), Ok(mut terminate)) =
        (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        return Err(Exit::Internal);
    };
    let until = Instant::now() + timeout;
    tokio::select! {
        over = follow(remote, id, progress) => over.map(|()| Ended::Over),
        _ = interrupt.recv() => Ok(Ended::Signal(Exit::Interrupted)),
        _ = terminate.recv() => Ok(Ended::Signal(Exit::Terminated)),
        () = sleep_until(until) => Ok(Ended::TooLong),
    }
}

/// Shows checks as they are done, until the run has ended. A connection that breaks is made
/// anew; what was shown is not shown twice.
async fn follow(remote: &Remote, id: &str, progress: &mut Progress) -> Result<(), Exit> {
    let mut told: Vec<String> = Vec::new();
    loop {
        let answer = remote.stream(&format!("/api/v1/runs/{id}/events")).await?;
        let mut chunks = answer.bytes_stream();
        let mut events = Events::default();
        while let Some(Ok(chunk)) = chunks.next().await {
            for (kind, data) in events.take(&chunk) {
                if kind == "end" {
                    return Ok(());
                }
                if let Ok(part) = serde_json::from_str::<TriggeredCheck>(&data)
                    && !told.contains(&part.check.to_string())
                {
                    told.push(part.check.to_string());
                    if let Some(judged) = judged(part) {
                        progress.tell(&judged);
                    }
                }
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Server-sent events out of what comes in pieces.
#[derive(Default)]
struct Events {
    rest: Vec<u8>,
}

impl Events {
    /// The events that are whole: kind and data.
    fn take(&mut self, chunk: &[u8]) -> Vec<(String, String)> {
        self.rest.extend_from_slice(chunk);
        let mut whole = Vec::new();
        while let Some(end) = self.rest.windows(2).position(|two| two == b"\n\n") {
            let block: Vec<u8> = self.rest.drain(..end + 2).collect();
            let (mut kind, mut data) = (String::new(), String::new());
            for line in String::from_utf8_lossy(&block).lines() {
                if let Some(word) = line.strip_prefix("event:") {
                    word.trim().clone_into(&mut kind);
                } else if let Some(text) = line.strip_prefix("data:") {
                    data.push_str(text.trim_start());
                }
            }
            if !kind.is_empty() {
                whole.push((kind, data));
            }
        }
        if self.rest.len() > LONGEST_EVENT {
            self.rest.clear();
        }
        whole
    }
}

async fn write(args: &TriggerArgs, remote: &Remote, id: &str, whole: &Value) -> Result<(), Exit> {
    let failed = |path: &Path, error: std::io::Error| {
        eprintln!("{} cannot be written: {error}", path.display());
        Exit::Internal
    };
    if let Some(path) = &args.junit {
        let level = args.fail_on.level();
        let asked = format!("/api/v1/runs/{id}/junit.xml?fail_on={level}");
        let xml = remote.text(Method::GET, &asked, None, PATIENCE).await?;
        write_by_rename(path, xml.as_bytes()).map_err(|error| failed(path, error))?;
    }
    if let Some(path) = &args.json {
        let text = format!("{whole:#}\n");
        if path.as_os_str() == "-" {
            out!("{}", text.trim_end());
        } else {
            write_by_rename(path, text.as_bytes()).map_err(|error| failed(path, error))?;
        }
    }
    Ok(())
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  haetae deploy --group shop --quiet-for 5m --note 'shop 2.14' --warm-up tag:warm --verify group:shop\n  haetae deploy --check 'shop/**' --quiet-for 10m --note \"$BUILD_TAG\" --idempotency-key \"$BUILD_TAG\"\n\nMatching alerts are quiet for a bounded time. The warm-up counts for nothing; then the checks to verify are\nrun until all are well, or --verify-for is over. Exit codes: 0 all well, 2 not, 3 not known."
)]
pub struct DeployArgs {
    /// Ids or globs, any of them
    #[arg(long)]
    check: Vec<String>,
    /// Groups with their subgroups, any of them
    #[arg(long)]
    group: Vec<String>,
    /// Tags, all of them
    #[arg(long)]
    tag: Vec<String>,
    /// For how long matching alerts are quiet: 5m, 2h at most
    #[arg(long, value_name = "DURATION")]
    quiet_for: String,
    /// What is released
    #[arg(long)]
    note: String,
    /// Run these first, for nothing: cold caches are no incident
    #[arg(long, value_name = "SELECTOR")]
    warm_up: Vec<String>,
    /// These must come good
    #[arg(long, value_name = "SELECTOR")]
    verify: Vec<String>,
    /// How long they may take for it
    #[arg(long, value_name = "DURATION", default_value = "1m")]
    verify_for: String,
    /// The page it came from
    #[arg(long, value_name = "URL")]
    link: Option<String>,
    /// Asked again with the same key within a day, the same deployment is meant
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
    /// Who; without it who is logged in
    #[arg(long)]
    by: Option<String>,
    #[command(flatten)]
    server: ServerArgs,
}

/// Tells a server of a release, and waits until it is known whether all is well.
pub async fn deploy(context: &Context, args: DeployArgs) -> Exit {
    match deployed(context, args).await {
        Ok(exit) | Err(exit) => exit,
    }
}

async fn deployed(context: &Context, args: DeployArgs) -> Result<Exit, Exit> {
    let mut matcher = Map::new();
    for (key, values) in [
        ("check", &args.check),
        ("group", &args.group),
        ("tags", &args.tag),
    ] {
        if !values.is_empty() {
            matcher.insert(key.into(), json!(values));
        }
    }
    if matcher.is_empty() {
        eprintln!("say what is released: --check, --group or --tag");
        return Err(Exit::Usage);
    }
    let mut body = json!({
        "match": matcher, "quiet_for": args.quiet_for, "note": args.note, "by": who(args.by),
        "warm_up": args.warm_up, "verify": args.verify, "verify_for": args.verify_for,
    });
    if let Some(link) = &args.link {
        body["link"] = json!(link);
    }
    if let Some(key) = &args.idempotency_key {
        body["idempotency_key"] = json!(key);
    }
    let remote = Remote::new(context, &args.server.reach)?;
    let mut answer = remote
        .ask(Method::POST, "/api/v1/deployments", Some(&body), PATIENCE)
        .await?;
    let id = answer["deployment"]["id"].as_str().unwrap_or_default().to_owned();
    while matches!(
        answer["deployment"]["state"].as_str(),
        Some("warming_up" | "verifying")
    ) {
        let path = format!("/api/v1/deployments/{id}?wait=60s");
        answer = remote.ask(Method::GET, &path, None, WAITING).await?;
    }
    if args.server.json {
        out!("{answer:#}");
    }
    Ok(told(&answer["deployment"], args.server.json))
}

fn told(deployment: &Value, is_told_already: bool) -> Exit {
    let (exit, words) = match deployment["state"].as_str() {
        Some("verified") => (Exit::Fine, "all is well"),
        Some("quiet") => (Exit::Fine, "quiet; nothing was to be verified"),
        Some("failed") => (Exit::of_worst(Level::Critical, Level::Critical), "not well"),
        _ => (Exit::Unknown, "not known: haetae ended before it did"),
    };
    if !is_told_already {
        let text = |key: &str| deployment[key].as_str().unwrap_or_default().to_owned();
        out!("deployment {} until {}: {words}", text("id"), text("ends"));
        for line in deployment["bad"].as_array().into_iter().flatten() {
            out!("  {}", line.as_str().unwrap_or_default());
        }
    }
    exit
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_whole_however_they_come() {
        let text = "event: check\ndata: {\"a\":\"결제\"}\n\n: still there\n\nevent:end\ndata:{}\n\n";
        let expected = vec![
            ("check".to_owned(), "{\"a\":\"결제\"}".to_owned()),
            ("end".to_owned(), "{}".to_owned()),
        ];
        for size in [1, 3, 7, text.len()] {
            let mut events = Events::default();
            let whole: Vec<_> = text
                .as_bytes()
                .chunks(size)
                .flat_map(|chunk| events.take(chunk))
                .collect();
            assert_eq!(whole, expected, "in pieces of {size}");
        }
    }

    #[test]
    fn what_was_not_run_is_never_fine() {
        assert_eq!(at_least_unknown(Exit::Fine), Exit::Unknown);
        assert_eq!(at_least_unknown(Exit::Warning), Exit::Unknown);
        assert_eq!(at_least_unknown(Exit::Critical), Exit::Critical);
    }
}
