//! Every endpoint, one entry each: the router, the guard and the `OpenAPI` document are made
//! of this table.

use axum::routing::{delete, get, post};

use super::endpoint::{
    ADMIN, AFTER, CALL, CHANGE, Endpoint, HTML, JSON, LIMIT, LOOK, OPEN, PAGE, Param, SEE_RUNS, SINCE,
    STREAM, TEXT, TRIGGER, WAIT, WAITING_LIMIT, optional,
};
use super::{
    audit, checks, deployments, events, heartbeats, incidents, login, metrics, oncall, openapi, pages, runs,
    schemas,
};

/// Everything that is answered.
pub static ENDPOINTS: &[Endpoint] = &[
    // pages
    Endpoint {
        path: "/",
        summary: "What is wrong now, then every check",
        handler: || get(pages::overview),
        ..PAGE
    },
    Endpoint {
        path: "/checks/{*id}",
        summary: "A check",
        fails: &[404],
        handler: || get(pages::check),
        ..PAGE
    },
    Endpoint {
        path: "/incidents/{id}",
        summary: "An incident",
        fails: &[404],
        handler: || get(pages::incident),
        ..PAGE
    },
    Endpoint {
        path: "/runs/{id}",
        summary: "The report of one check's run, or of a triggered run",
        scopes: SEE_RUNS,
        query: &[optional(
            "check",
            "Whose run it is; without it a triggered run is meant.",
            schemas::text,
        )],
        fails: &[400, 404],
        handler: || get(pages::run),
        ..PAGE
    },
    Endpoint {
        path: "/evidence/{*path}",
        summary: "A screenshot",
        answers: &[(200, "image/png", schemas::binary)],
        fails: &[404],
        handler: || get(pages::evidence),
        ..LOOK
    },
    Endpoint {
        path: "/style.css",
        summary: "How pages look",
        scopes: OPEN,
        answers: &[(200, "text/css", schemas::text)],
        handler: || get(pages::style),
        ..LOOK
    },
    Endpoint {
        path: "/login",
        summary: "Asks for a token",
        scopes: OPEN,
        query: &[optional("next", "Where to go then.", schemas::text)],
        answers: &[(200, HTML, schemas::text)],
        fails: &[400],
        handler: || get(login::ask),
        ..LOOK
    },
    Endpoint {
        method: "post",
        path: "/login",
        summary: "Takes a token, and remembers it in this browser",
        scopes: OPEN,
        body: Some(("application/x-www-form-urlencoded", schemas::log_in)),
        answers: &[(303, "", schemas::nothing), (401, HTML, schemas::text)],
        handler: || post(login::take),
        ..LOOK
    },
    Endpoint {
        method: "post",
        path: "/logout",
        summary: "Forgets the token in this browser",
        scopes: OPEN,
        answers: &[(303, "", schemas::nothing)],
        handler: || post(login::leave),
        ..LOOK
    },
    // checks
    Endpoint {
        path: "/api/v1/checks",
        summary: "Every check that fits, in order of ids",
        query: &[
            optional("group", "In this group or below it.", schemas::text),
            optional("level", "At this level.", schemas::level),
            optional("tag", "With this tag.", schemas::text),
            LIMIT,
            AFTER,
        ],
        answers: &[(200, JSON, schemas::checks)],
        fails: &[400],
        tagged: true,
        handler: || get(checks::list),
        ..LOOK
    },
    Endpoint {
        path: "/api/v1/checks/{*id}",
        summary: "One check",
        answers: &[(200, JSON, schemas::check)],
        fails: &[404],
        tagged: true,
        handler: || get(checks::show),
        ..LOOK
    },
    Endpoint {
        path: "/api/v1/results",
        summary: "A check's runs, the newest first",
        query: &[
            Param {
                name: "check",
                doc: "Whose.",
                required: true,
                schema: schemas::text,
            },
            SINCE,
            LIMIT,
            AFTER,
        ],
        answers: &[(200, JSON, schemas::results)],
        fails: &[400, 404],
        tagged: true,
        handler: || get(checks::results),
        ..LOOK
    },
    // incidents
    Endpoint {
        path: "/api/v1/incidents",
        summary: "Incidents, the newest first",
        query: &[
            optional(
                "state",
                "`open` leaves out those that are over.",
                schemas::incident_state,
            ),
            optional("check", "Of this check.", schemas::text),
            SINCE,
            LIMIT,
            AFTER,
        ],
        answers: &[(200, JSON, schemas::incidents)],
        fails: &[400],
        tagged: true,
        handler: || get(incidents::list),
        ..LOOK
    },
    Endpoint {
        path: "/api/v1/incidents/{id}",
        summary: "One incident with its timeline and its messages",
        answers: &[(200, JSON, schemas::incident_whole)],
        fails: &[404],
        tagged: true,
        handler: || get(incidents::show),
        ..LOOK
    },
    Endpoint {
        path: "/api/v1/incidents/{id}/ack",
        summary: "Somebody takes care: no reminders, no escalation, until it gets worse",
        action: Some("acknowledge"),
        body: Some((JSON, schemas::acknowledging)),
        answers: &[(200, JSON, schemas::incident_alone)],
        fails: &[404, 409],
        handler: || post(oncall::acknowledge),
        ..CHANGE
    },
    Endpoint {
        path: "/api/v1/incidents/{id}/mark",
        summary: "Somebody says what it was",
        action: Some("mark"),
        body: Some((JSON, schemas::marking)),
        answers: &[(200, JSON, schemas::incident_alone)],
        fails: &[404, 409],
        handler: || post(oncall::mark),
        ..CHANGE
    },
    Endpoint {
        path: "/api/v1/explain/{*what}",
        summary: "Why an incident, or a check, was or was not told",
        answers: &[(200, JSON, schemas::explained)],
        fails: &[404],
        handler: || get(oncall::explained),
        ..LOOK
    },
    // silences
    Endpoint {
        path: "/api/v1/silences",
        summary: "Silences and deployments that have not ended",
        query: &[LIMIT, AFTER],
        answers: &[(200, JSON, schemas::silences)],
        fails: &[400],
        tagged: true,
        handler: || get(oncall::silences),
        ..LOOK
    },
    Endpoint {
        path: "/api/v1/silences",
        summary: "Tells nothing of what matches, until its end",
        action: Some("silence"),
        body: Some((JSON, schemas::silencing)),
        answers: &[(201, JSON, schemas::silence_alone)],
        handler: || post(oncall::silence),
        ..CHANGE
    },
    Endpoint {
        method: "delete",
        path: "/api/v1/silences/{id}",
        summary: "Ends a silence or a deployment now; what still holds is told",
        action: Some("end silence"),
        answers: &[(200, JSON, schemas::ended)],
        fails: &[404, 409],
        handler: || delete(oncall::end_silence),
        ..CHANGE
    },
    // runs
    Endpoint {
        path: "/api/v1/runs",
        summary: "Triggered runs, the latest first",
        scopes: SEE_RUNS,
        query: &[LIMIT, AFTER],
        answers: &[(200, JSON, schemas::runs)],
        fails: &[400],
        tagged: true,
        handler: || get(runs::list),
        ..LOOK
    },
    Endpoint {
        path: "/api/v1/runs",
        summary: "Has checks run now; the same idempotency key within a day gives the same run",
        scopes: TRIGGER,
        action: Some("trigger"),
        query: &[WAIT],
        body: Some((JSON, schemas::triggering)),
        answers: &[(202, JSON, schemas::run), (200, JSON, schemas::run)],
        fails: &[409],
        limit: WAITING_LIMIT,
        handler: || post(runs::trigger),
        ..CHANGE
    },
    Endpoint {
        path: "/api/v1/runs/{id}",
        summary: "One triggered run",
        scopes: SEE_RUNS,
        query: &[WAIT],
        answers: &[(200, JSON, schemas::run)],
        fails: &[400, 404],
        limit: WAITING_LIMIT,
        handler: || get(runs::show),
        ..LOOK
    },
    Endpoint {
        method: "delete",
        path: "/api/v1/runs/{id}",
        summary: "Cancels a triggered run: what has not begun does not, what runs is abandoned",
        scopes: TRIGGER,
        action: Some("cancel run"),
        answers: &[(200, JSON, schemas::run)],
        fails: &[404, 409],
        handler: || delete(runs::cancel),
        ..CHANGE
    },
    Endpoint {
        path: "/api/v1/runs/{id}/junit.xml",
        summary: "The report of a triggered run that has ended",
        scopes: SEE_RUNS,
        query: &[optional(
            "fail_on",
            "From which level on a test case has failed.",
            schemas::fail_on,
        )],
        answers: &[(200, "application/xml", schemas::text)],
        fails: &[400, 404, 409],
        handler: || get(runs::report),
        ..LOOK
    },
    Endpoint {
        path: "/api/v1/runs/{id}/events",
        summary: "Its checks as they are done (`check`), then its end (`end`)",
        scopes: SEE_RUNS,
        answers: &[(200, STREAM, schemas::text)],
        fails: &[404],
        handler: || get(runs::follow),
        ..LOOK
    },
    // deployments
    Endpoint {
        path: "/api/v1/deployments",
        summary: "Deployments, the latest first",
        scopes: SEE_RUNS,
        query: &[LIMIT, AFTER],
        answers: &[(200, JSON, schemas::deployments)],
        fails: &[400],
        tagged: true,
        handler: || get(deployments::list),
        ..LOOK
    },
    Endpoint {
        path: "/api/v1/deployments",
        summary: "A release: quiet for a bounded time, warmed up, verified",
        scopes: TRIGGER,
        action: Some("deploy"),
        query: &[WAIT],
        body: Some((JSON, schemas::deploying)),
        answers: &[
            (201, JSON, schemas::deployment_alone),
            (200, JSON, schemas::deployment_alone),
        ],
        fails: &[409],
        limit: WAITING_LIMIT,
        handler: || post(deployments::deploy),
        ..CHANGE
    },
    Endpoint {
        path: "/api/v1/deployments/{id}",
        summary: "One deployment",
        scopes: SEE_RUNS,
        query: &[WAIT],
        answers: &[(200, JSON, schemas::deployment_alone)],
        fails: &[400, 404],
        limit: WAITING_LIMIT,
        handler: || get(deployments::show),
        ..LOOK
    },
    // jobs that call: whoever has the token in the path may, and it is written down nowhere
    Endpoint {
        path: "/api/v1/heartbeats/{token}",
        summary: "A job has done its work",
        handler: || get(heartbeats::success),
        ..CALL
    },
    Endpoint {
        method: "post",
        path: "/api/v1/heartbeats/{token}",
        summary: "A job has done its work",
        handler: || post(heartbeats::success),
        ..CALL
    },
    Endpoint {
        path: "/api/v1/heartbeats/{token}/start",
        summary: "A job begins",
        handler: || get(heartbeats::start),
        ..CALL
    },
    Endpoint {
        method: "post",
        path: "/api/v1/heartbeats/{token}/start",
        summary: "A job begins",
        handler: || post(heartbeats::start),
        ..CALL
    },
    Endpoint {
        path: "/api/v1/heartbeats/{token}/fail",
        summary: "A job could not do its work",
        handler: || get(heartbeats::fail),
        ..CALL
    },
    Endpoint {
        method: "post",
        path: "/api/v1/heartbeats/{token}/fail",
        summary: "A job could not do its work; what it sends along is shown",
        handler: || post(heartbeats::fail),
        ..CALL
    },
    // messages
    Endpoint {
        path: "/api/v1/channels",
        summary: "How every channel fares",
        query: &[LIMIT, AFTER],
        answers: &[(200, JSON, schemas::channels)],
        fails: &[400],
        tagged: true,
        handler: || get(oncall::channels),
        ..LOOK
    },
    Endpoint {
        path: "/api/v1/deliveries",
        summary: "Deliveries, the newest first",
        query: &[LIMIT, AFTER],
        answers: &[(200, JSON, schemas::deliveries)],
        fails: &[400],
        tagged: true,
        handler: || get(incidents::deliveries),
        ..LOOK
    },
    Endpoint {
        path: "/api/v1/deliveries/resend",
        summary: "Takes given-up deliveries up again: one, or all",
        action: Some("resend"),
        body: Some((JSON, schemas::resending)),
        answers: &[(200, JSON, schemas::resent)],
        fails: &[404],
        handler: || post(oncall::resend),
        ..CHANGE
    },
    Endpoint {
        path: "/slack/interactions",
        summary: "A button pressed in Slack; only what a channel's secret has signed is listened to",
        scopes: OPEN,
        action: Some("button"),
        body: Some(("application/x-www-form-urlencoded", schemas::anything)),
        answers: &[(200, "", schemas::nothing)],
        fails: &[404, 409],
        handler: || post(oncall::pressed),
        ..CHANGE
    },
    // what happens, and who did it
    Endpoint {
        path: "/api/v1/events",
        summary: "What happens, as it happens: `check`, `incident`, `delivery`, `run`, `deployment`",
        query: &[optional(
            "kind",
            "Only these kinds, divided by commas.",
            schemas::text,
        )],
        answers: &[(200, STREAM, schemas::text)],
        fails: &[400],
        handler: || get(events::events),
        ..LOOK
    },
    Endpoint {
        path: "/api/v1/audit",
        summary: "Who changed what, the latest first",
        scopes: ADMIN,
        query: &[SINCE, LIMIT, AFTER],
        answers: &[(200, JSON, schemas::audit)],
        fails: &[400],
        tagged: true,
        handler: || get(audit::list),
        ..LOOK
    },
    // for machines
    Endpoint {
        path: "/metrics",
        summary: "Numbers for Prometheus",
        answers: &[
            (200, TEXT, schemas::text),
            (200, "application/openmetrics-text", schemas::text),
        ],
        handler: || get(metrics::metrics),
        ..LOOK
    },
    Endpoint {
        path: "/healthz",
        summary: "The process answers",
        scopes: OPEN,
        answers: &[(200, TEXT, schemas::text)],
        counted: false,
        handler: || get(openapi::healthz),
        ..LOOK
    },
    Endpoint {
        path: "/readyz",
        summary: "The store can be read",
        scopes: OPEN,
        answers: &[(200, TEXT, schemas::text)],
        handler: || get(openapi::readyz),
        ..LOOK
    },
    Endpoint {
        path: "/-/reload",
        summary: "Takes changed files into use; how it went is shown at / and in the log",
        scopes: ADMIN,
        action: Some("reload"),
        answers: &[(202, JSON, schemas::accepted)],
        handler: || post(openapi::reload),
        ..CHANGE
    },
    Endpoint {
        path: "/api/openapi.json",
        summary: "This document",
        scopes: OPEN,
        answers: &[(200, JSON, schemas::object)],
        tagged: true,
        handler: || get(openapi::document),
        ..LOOK
    },
];
