//! Remediation: when a route names it, something is done about the incident, and its result
//! is told to those who heard of the incident.

use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::json;
use tokio::process::Command;
use tokio::time::timeout;
use url::Url;

use super::message::cut;
use super::{ChannelKind, Desk, OutboxNews, Sender};
use crate::clock::wall_now;
use crate::decode::{Fields, Key, Node, Problem, Reader, Shape, Spec};
use crate::model::{
    AttemptResult, Level, Message, Notice, Purpose, Secret, Timestamp, TransitionKind, format_duration,
    parse_duration,
};

/// The table's line.
pub static KIND: ChannelKind = ChannelKind {
    name: "action",
    doc: "Does something about it: a command, a StackStorm webhook, a Jenkins build.",
    settings: &ACTION,
    read: read_settings,
};

static ACTION: Spec = Spec {
    name: "action",
    example: "action: { command: [systemctl, restart, batchd], limit: 3 per 1h }",
    keys: &[
        Key::new(
            "command",
            Shape::List(&Shape::Text),
            "A program and its arguments; never a shell.",
        ),
        Key::new("stackstorm", Shape::Object(&STACKSTORM), "A StackStorm webhook."),
        Key::new("jenkins", Shape::Object(&JENKINS), "A Jenkins build."),
        Key::or(
            "limit",
            Shape::Plain,
            "3 per 1h",
            "How often at most, over all incidents.",
        ),
        Key::or(
            "cool_down",
            Shape::Duration,
            "1m",
            "How long nothing is done after it was done.",
        ),
        Key::or(
            "timeout",
            Shape::Duration,
            "30s",
            "How long it may take; 35s at most.",
        ),
        Key::or(
            "dry_run",
            Shape::Boolean,
            "false",
            "Says what would be done, and does nothing.",
        ),
    ],
};

static STACKSTORM: Spec = Spec {
    name: "stackstorm",
    example: "stackstorm: { url: https://st2.example, webhook: restart, api_key: \"${env:ST2_KEY}\" }",
    keys: &[
        Key::required("url", Shape::Text, "StackStorm's address."),
        Key::required("webhook", Shape::Plain, "The webhook's name."),
        Key::required("api_key", Shape::Text, "A secret."),
    ],
};

static JENKINS: Spec = Spec {
    name: "jenkins",
    example: "jenkins: { url: https://ci.example, job: restart-batchd, user: haetae, token: \"${env:JENKINS_TOKEN}\" }",
    keys: &[
        Key::required("url", Shape::Text, "Jenkins' address."),
        Key::required("job", Shape::Plain, "The job; `folder/job` in a folder."),
        Key::required("user", Shape::Plain, "Who starts it."),
        Key::required("token", Shape::Text, "The user's API token; a secret."),
    ],
};

/// Less than a sender may take.
const LONGEST: Duration = Duration::from_secs(35);
const LONGEST_SAID: usize = 300;
/// What is remembered between messages: when it was done.
const RUNS: &str = "runs";

enum Kind {
    Command(Vec<Secret>, String),
    StackStorm {
        url: Url,
        key: Secret,
        name: String,
    },
    Jenkins {
        url: Url,
        user: String,
        token: Secret,
        job: String,
    },
}

struct Action {
    kind: Kind,
    most: usize,
    within: Duration,
    cool_down: Duration,
    timeout: Duration,
    dry_run: bool,
}

fn read_settings(node: &Node, reader: &mut Reader<'_>) -> Option<Arc<dyn Sender>> {
    let fields = Fields::open(node, &ACTION, reader)?;
    let given: Vec<&str> = ["command", "stackstorm", "jenkins"]
        .into_iter()
        .filter(|key| fields.get(key).is_some())
        .collect();
    if given.len() != 1 {
        reader.report(
            Problem::error(
                fields.place(),
                "an action is one of `command`, `stackstorm` and `jenkins`",
            )
            .hint(format!("for example `{}`", ACTION.example)),
        );
        return None;
    }
    let kind = read_kind(&fields, given[0], reader);
    let (most, within) = match fields.get("limit") {
        None => (3, Duration::from_hours(1)),
        Some(node) => read_limit(node, reader)?,
    };
    let mut span = |key: &str, usual: Duration| match fields.get(key) {
        Some(node) => reader.duration(node),
        None => Some(usual),
    };
    let cool_down = span("cool_down", Duration::from_mins(1));
    let timeout = span("timeout", Duration::from_secs(30));
    if let (Some(node), Some(span)) = (fields.get("timeout"), timeout)
        && span > LONGEST
    {
        reader.error(
            node,
            "an action may take 35s at most; let it start what takes longer",
        );
        return None;
    }
    Some(Arc::new(Action {
        kind: kind?,
        most,
        within,
        cool_down: cool_down?,
        timeout: timeout?,
        dry_run: fields
            .get("dry_run")
            .and_then(|node| reader.boolean(node))
            .unwrap_or(false),
    }))
}

fn read_kind(fields: &Fields<'_>, key: &str, reader: &mut Reader<'_>) -> Option<Kind> {
    let node = fields.get(key)?;
    match key {
        "command" => {
            let argv = reader.list(node, Reader::text);
            let shown: Vec<&str> = argv.iter().map(crate::model::Text::as_written).collect();
            let shown = shown.join(" ");
            let argv: Vec<Secret> = argv
                .iter()
                .filter_map(crate::model::Text::constant)
                .map(Secret::new)
                .collect();
            if argv.is_empty() {
                reader.error(node, "a command needs a program: `[systemctl, restart, batchd]`");
                return None;
            }
            Some(Kind::Command(argv, shown))
        }
        "stackstorm" => {
            let fields = Fields::open(node, &STACKSTORM, reader)?;
            let name = reader.plain(fields.get("webhook")?)?;
            reader.refuse_literal_secret(fields.get("api_key")?, "an API key");
            let key = reader
                .text(fields.get("api_key")?)?
                .constant()
                .unwrap_or_default();
            let url = read_base(fields.get("url")?, reader)?;
            let url = url.join(&format!("api/v1/webhooks/{name}")).ok()?;
            Some(Kind::StackStorm {
                url,
                key: Secret::new(key),
                name,
            })
        }
        _ => {
            let fields = Fields::open(node, &JENKINS, reader)?;
            let job = reader.plain(fields.get("job")?)?;
            let user = reader.plain(fields.get("user")?)?;
            reader.refuse_literal_secret(fields.get("token")?, "a token");
            let token = reader.text(fields.get("token")?)?.constant().unwrap_or_default();
            let url = read_base(fields.get("url")?, reader)?;
            let path: String = job.split('/').map(|part| format!("job/{part}/")).collect();
            let url = url.join(&format!("{path}buildWithParameters")).ok()?;
            Some(Kind::Jenkins {
                url,
                user,
                token: Secret::new(token),
                job,
            })
        }
    }
}

fn read_base(node: &Node, reader: &mut Reader<'_>) -> Option<Url> {
    let mut text = reader.text(node)?.constant().unwrap_or_default();
    if text.is_empty() {
        // Only looked at, without secrets.
        text = "http://not.looked.up/".into();
    }
    if !text.ends_with('/') {
        text.push('/');
    }
    match Url::parse(&text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") => Some(url),
        _ => {
            reader.error(node, "this is not an http or https address");
            None
        }
    }
}

/// `3 per 1h`
fn read_limit(node: &Node, reader: &mut Reader<'_>) -> Option<(usize, Duration)> {
    let text = reader.plain(node)?;
    let limit = text.split_once(" per ").and_then(|(most, within)| {
        let most = most.trim().parse::<usize>().ok().filter(|most| *most > 0)?;
        Some((most, parse_duration(within.trim()).ok()?))
    });
    if limit.is_none() {
        reader.error(
            node,
            format!("`{text}` does not fit here: write for example `3 per 1h`"),
        );
    }
    limit
}

#[async_trait]
impl Sender for Action {
    async fn send(&self, message: &Message, desk: &Desk<'_>) -> AttemptResult {
        for notice in message.notices.iter().filter(|notice| calls_for_action(notice)) {
            let (done, said) = match self.may_run(desk).await {
                Ok(()) if self.dry_run => (false, format!("would {} (dry run)", self.what())),
                Ok(()) => self.run(notice, desk).await,
                Err(why) => (false, why),
            };
            let said = desk
                .redactor
                .current()
                .clean(&cut(&said, LONGEST_SAID))
                .into_owned();
            tracing::info!(channel = %desk.channel, incident = %notice.incident, done, said, "action taken");
            (desk.listener)(OutboxNews::Action {
                channel: desk.channel.clone(),
                incident: notice.incident.clone(),
                done,
                said,
            });
        }
        // An action is not tried again by itself: the limit counts what was tried.
        AttemptResult::Sent
    }

    fn preview(&self, message: &Message) -> String {
        let count = message
            .notices
            .iter()
            .filter(|notice| calls_for_action(notice))
            .count();
        format!("{count} × {}", self.what())
    }
}

/// Something is done when it gets bad, and by escalation; not for reminders, nor for the end.
fn calls_for_action(notice: &Notice) -> bool {
    let is_worse = matches!(
        notice.change,
        Some(TransitionKind::Opened | TransitionKind::Reopened | TransitionKind::Worsened)
    );
    notice.level != Level::Ok
        && (notice.purpose == Purpose::News && is_worse || notice.purpose == Purpose::Escalation)
}

/// Whether one more run at `now` is within the limit, and if so all runs that count.
fn counted(
    runs: &[Timestamp],
    now: Timestamp,
    most: usize,
    within: Duration,
    cool_down: Duration,
) -> Result<Vec<Timestamp>, String> {
    let mut lately: Vec<Timestamp> = runs.iter().copied().filter(|at| *at + within > now).collect();
    if let Some(last) = lately.last().filter(|last| **last + cool_down > now) {
        let ago = format_duration(now.since(*last));
        return Err(format!(
            "not done again: it was done {ago} ago, and waits {} in between",
            format_duration(cool_down)
        ));
    }
    if lately.len() >= most {
        return Err(format!(
            "not done again: {most} per {} are the limit; somebody must look",
            format_duration(within)
        ));
    }
    lately.push(now);
    Ok(lately)
}

impl Action {
    fn what(&self) -> String {
        match &self.kind {
            Kind::Command(_, shown) => format!("run `{shown}`"),
            Kind::StackStorm { name, .. } => format!("call StackStorm's webhook `{name}`"),
            Kind::Jenkins { job, .. } => format!("start the Jenkins job `{job}`"),
        }
    }

    /// Counts this run before it is made: after a crash it is not made once more for free.
    async fn may_run(&self, desk: &Desk<'_>) -> Result<(), String> {
        let unreadable = |error| format!("not done: how often it was done is not known ({error})");
        let known = desk.store.receipt(desk.channel, RUNS).await.map_err(unreadable)?;
        let runs: Vec<Timestamp> = known
            .and_then(|json| serde_json::from_value(json).ok())
            .unwrap_or_default();
        let now = wall_now();
        let runs = counted(&runs, now, self.most, self.within, self.cool_down)?;
        desk.store
            .keep_receipt(desk.channel, RUNS, &json!(runs), now)
            .await
            .map_err(unreadable)
    }

    async fn run(&self, notice: &Notice, desk: &Desk<'_>) -> (bool, String) {
        let outcome = match timeout(self.timeout, self.act(notice, desk)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(format!("did not end within {}", format_duration(self.timeout))),
        };
        let what = self.what();
        match outcome {
            Ok(said) if said.is_empty() => (true, format!("{}: done", past(&what))),
            Ok(said) => (true, format!("{}: {said}", past(&what))),
            Err(why) => (false, format!("tried to {what}, and failed: {why}")),
        }
    }

    async fn act(&self, notice: &Notice, desk: &Desk<'_>) -> Result<String, String> {
        match &self.kind {
            Kind::Command(argv, _) => command(argv, notice).await,
            Kind::StackStorm { url, key, .. } => {
                let body = json!({ "incident": notice.incident, "check": notice.check, "level": notice.level,
                    "name": notice.name, "reasons": notice.reasons, "target": notice.target });
                let request = desk
                    .transport
                    .client()
                    .post(url.clone())
                    .header("st2-api-key", key.reveal())
                    .json(&body);
                let said = exchange(desk, request).await?;
                (said.status == 202)
                    .then(|| "accepted".to_owned())
                    .ok_or_else(|| format!("{} {}", said.status, cut(said.body.trim(), 200)))
            }
            Kind::Jenkins { url, user, token, .. } => {
                let request = desk
                    .transport
                    .client()
                    .post(url.clone())
                    .basic_auth(user, Some(token.reveal()))
                    .form(&[
                        ("HAETAE_INCIDENT", notice.incident.to_string()),
                        ("HAETAE_CHECK", notice.check.to_string()),
                        ("HAETAE_LEVEL", notice.level.to_string()),
                    ]);
                let said = exchange(desk, request).await?;
                match said.status {
                    201 => Ok("queued".into()),
                    303 => Ok("it was queued already".into()),
                    status => Err(format!("{status} {}", cut(said.body.trim(), 200))),
                }
            }
        }
    }
}

async fn exchange(
    desk: &Desk<'_>,
    request: reqwest::RequestBuilder,
) -> Result<super::transport::Said, String> {
    desk.transport
        .exchange(request)
        .await
        .map_err(|result| match result {
            AttemptResult::Retry { why, .. } | AttemptResult::Dead { why } => why,
            AttemptResult::Sent => String::new(),
        })
}

/// Runs a program, never a shell, with the incident in its environment.
async fn command(argv: &[Secret], notice: &Notice) -> Result<String, String> {
    let output = Command::new(argv[0].reveal())
        .args(argv[1..].iter().map(Secret::reveal))
        .env("HAETAE_INCIDENT", notice.incident.to_string())
        .env("HAETAE_CHECK", notice.check.as_str())
        .env("HAETAE_LEVEL", notice.level.as_str())
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .map_err(|error| format!("it cannot be started: {error}"))?;
    let said = |bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes).into_owned();
        text.lines()
            .map(str::trim)
            .find(|line| !line.is_empty())
            .unwrap_or_default()
            .to_owned()
    };
    if output.status.success() {
        return Ok(said(&output.stdout));
    }
    let why = [said(&output.stderr), said(&output.stdout)];
    let why = why.into_iter().find(|text| !text.is_empty()).unwrap_or_default();
    Err(format!("{} {why}", output.status))
}

/// `run x` → `ran x`
fn past(what: &str) -> String {
    [("run ", "ran "), ("call ", "called "), ("start ", "started ")]
        .iter()
        .find_map(|(now, then)| Some(format!("{then}{}", what.strip_prefix(now)?)))
        .unwrap_or_else(|| what.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_unix_ms(second * 1_000)
    }

    #[test]
    fn a_limit_and_a_pause_keep_a_restart_from_becoming_the_problem() {
        let may = |runs: &[Timestamp], now| {
            counted(runs, at(now), 2, Duration::from_mins(10), Duration::from_mins(1))
        };
        let first = may(&[], 0).unwrap();
        assert!(may(&first, 30).unwrap_err().contains("waits 1m in between"));
        let second = may(&first, 60).unwrap();
        assert!(may(&second, 300).unwrap_err().contains("2 per 10m are the limit"));
        assert_eq!(may(&second, 601).unwrap().len(), 2);
    }

    #[test]
    fn it_acts_when_it_gets_worse_and_not_when_it_is_over() {
        let mut notice = crate::notify::message::tests::notice();
        assert!(calls_for_action(&notice));
        notice.purpose = Purpose::Reminder;
        notice.change = None;
        assert!(!calls_for_action(&notice));
        notice.purpose = Purpose::Escalation;
        assert!(calls_for_action(&notice));
        notice.level = Level::Ok;
        assert!(!calls_for_action(&notice));
    }
}
