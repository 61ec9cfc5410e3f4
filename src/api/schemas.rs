//! The forms of what goes in and out, for the `OpenAPI` document. The test that drives the
//! server from that document holds them against what is really answered.

use serde_json::{Map, Value, json};

/// A named form.
#[must_use]
pub fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

/// An object: `name` must be there, `name?` need not, `name~` may be null.
fn form(fields: &[(&str, Value)]) -> Value {
    let (mut properties, mut required) = (Map::new(), Vec::new());
    for (field, schema) in fields {
        let name = field.trim_end_matches(['?', '~']);
        let schema = if field.ends_with('~') {
            or_null(schema.clone())
        } else {
            schema.clone()
        };
        properties.insert(name.to_owned(), schema);
        if !field.ends_with('?') {
            required.push(name);
        }
    }
    json!({ "type": "object", "properties": properties, "required": required })
}

/// A body: as [`form`], and nothing else in it.
fn body(fields: &[(&str, Value)]) -> Value {
    let mut schema = form(fields);
    schema["additionalProperties"] = json!(false);
    schema
}

#[allow(clippy::needless_pass_by_value, reason = "forms are put together by value")]
fn or_null(schema: Value) -> Value {
    json!({ "anyOf": [schema, { "type": "null" }] })
}

fn link() -> Value {
    json!({ "type": "string", "maxLength": 2000, "pattern": "^$|^https?://" })
}

#[allow(clippy::needless_pass_by_value, reason = "forms are put together by value")]
fn list_of(schema: Value) -> Value {
    json!({ "type": "array", "items": schema })
}

fn one_of(words: &[&str]) -> Value {
    json!({ "type": "string", "enum": words })
}

fn short(longest: u32) -> Value {
    json!({ "type": "string", "maxLength": longest })
}

fn said(longest: u32) -> Value {
    json!({ "type": "string", "maxLength": longest, "minLength": 1 })
}

fn count() -> Value {
    json!({ "type": "integer", "minimum": 0 })
}

fn number() -> Value {
    json!({ "type": "number" })
}

fn boolean() -> Value {
    json!({ "type": "boolean" })
}

fn texts() -> Value {
    list_of(text())
}

/// Any text.
pub fn text() -> Value {
    json!({ "type": "string" })
}

/// Bytes.
pub fn binary() -> Value {
    json!({ "type": "string", "format": "binary" })
}

/// No body.
pub fn nothing() -> Value {
    json!({})
}

/// Whatever is sent.
pub fn anything() -> Value {
    json!({ "type": "object" })
}

/// An object without a form of its own here.
pub fn object() -> Value {
    json!({ "type": "object" })
}

/// Rows in an answer.
pub fn limit() -> Value {
    json!({ "type": "integer", "minimum": 1, "maximum": 4_294_967_295_u32 })
}

/// A moment.
pub fn moment() -> Value {
    json!({ "type": "string", "format": "date-time" })
}

/// A duration.
pub fn duration() -> Value {
    json!({ "type": "string", "pattern": "^([0-9]+(ms|s|m|h|d|w))+$", "examples": ["60s"] })
}

/// A level.
pub fn level() -> Value {
    one_of(&["ok", "warning", "unknown", "critical"])
}

/// Which incidents.
pub fn incident_state() -> Value {
    one_of(&["open", "all"])
}

/// From which level on.
pub fn fail_on() -> Value {
    one_of(&["warning", "critical"])
}

fn page_of(name: &str, row: Value) -> Value {
    form(&[(name, list_of(row)), ("next~", text())])
}

/// A list of checks.
pub fn checks() -> Value {
    page_of("checks", reference("Check"))
}

/// A check.
pub fn check() -> Value {
    reference("Check")
}

/// A list of results.
pub fn results() -> Value {
    page_of("results", reference("Result"))
}

/// A list of incidents.
pub fn incidents() -> Value {
    page_of("incidents", reference("Incident"))
}

/// An incident with all that belongs to it.
pub fn incident_whole() -> Value {
    form(&[
        ("incident", reference("Incident")),
        ("transitions", list_of(reference("Transition"))),
        ("timeline", list_of(reference("TimelineEntry"))),
        ("deliveries", list_of(reference("Delivery"))),
    ])
}

/// An incident as it is now.
pub fn incident_alone() -> Value {
    form(&[("incident~", reference("Incident"))])
}

/// Somebody takes care.
pub fn acknowledging() -> Value {
    body(&[("by", said(500)), ("note?", short(500))])
}

/// What it was.
pub fn marking() -> Value {
    body(&[("by", said(500)), ("as", one_of(&["false", "actioned", "known"]))])
}

/// Why.
pub fn explained() -> Value {
    form(&[("lines", texts())])
}

/// A list of silences.
pub fn silences() -> Value {
    page_of("silences", reference("Silence"))
}

/// A silence to begin.
pub fn silencing() -> Value {
    body(&[
        ("match", reference("Match")),
        ("by", said(500)),
        ("reason", said(500)),
        ("for?", or_null(duration())),
        ("ends?", or_null(moment())),
        ("starts?", or_null(moment())),
    ])
}

/// A silence that has begun.
pub fn silence_alone() -> Value {
    form(&[("silence", reference("Silence"))])
}

/// A silence that has ended.
pub fn ended() -> Value {
    form(&[("ended", text())])
}

/// What is to be run.
pub fn triggering() -> Value {
    body(&[
        (
            "select",
            json!({ "type": "array", "items": { "type": "string" }, "maxItems": 1000 }),
        ),
        ("idempotency_key?", or_null(said(500))),
        ("reason?", short(500)),
        ("link?", or_null(link())),
        ("notify?", boolean()),
        ("by?", short(500)),
    ])
}

/// A triggered run.
pub fn run() -> Value {
    let mut whole = run_head();
    whole["properties"]["checks"] = list_of(form(&[
        ("check", text()),
        ("name", text()),
        ("place", text()),
        ("run~", reference("Run")),
    ]));
    if let Some(required) = whole["required"].as_array_mut() {
        required.push(json!("checks"));
    }
    whole
}

fn run_head() -> Value {
    form(&[
        ("id", text()),
        ("reason", text()),
        ("link~", text()),
        ("by", text()),
        ("notify", boolean()),
        ("select", texts()),
        ("idempotency_key~", text()),
        (
            "state",
            one_of(&["running", "finished", "cancelled", "interrupted"]),
        ),
        ("worst", level()),
        ("created", moment()),
        ("ended~", moment()),
        ("done", count()),
        ("total", count()),
        ("page", text()),
    ])
}

/// A list of triggered runs.
pub fn runs() -> Value {
    page_of("runs", run_head())
}

/// A release under way.
pub fn deploying() -> Value {
    let selectors = json!({ "type": "array", "items": { "type": "string" }, "maxItems": 1000 });
    body(&[
        ("match", reference("Match")),
        ("quiet_for", duration()),
        ("note", said(500)),
        ("by?", short(500)),
        ("link?", or_null(link())),
        ("idempotency_key?", or_null(said(500))),
        ("warm_up?", selectors.clone()),
        ("verify?", selectors),
        ("verify_for?", or_null(duration())),
    ])
}

/// A deployment.
pub fn deployment_alone() -> Value {
    form(&[("deployment", reference("Deployment"))])
}

/// A list of deployments.
pub fn deployments() -> Value {
    page_of("deployments", reference("Deployment"))
}

/// A list of channels.
pub fn channels() -> Value {
    page_of(
        "channels",
        form(&[
            ("channel", text()),
            ("kind", text()),
            ("fallback", texts()),
            ("deliveries~", object()),
        ]),
    )
}

/// A list of deliveries.
pub fn deliveries() -> Value {
    page_of("deliveries", reference("Delivery"))
}

/// Which deliveries.
pub fn resending() -> Value {
    json!({
        "type": "object", "additionalProperties": false,
        "properties": { "key": { "type": ["string", "null"] } },
    })
}

/// How many were taken up again.
pub fn resent() -> Value {
    form(&[("resent", count())])
}

/// The audit log.
pub fn audit() -> Value {
    page_of(
        "entries",
        form(&[
            ("id", count()),
            ("at", moment()),
            ("who", text()),
            ("by~", text()),
            ("address~", text()),
            ("what", text()),
            ("target", text()),
            ("detail", json!({})),
        ]),
    )
}

/// A reload was asked for.
pub fn accepted() -> Value {
    form(&[("accepted", boolean()), ("result", text())])
}

/// A token, typed.
pub fn log_in() -> Value {
    form(&[("token", text()), ("next?", text())])
}

fn silence_fields() -> Vec<(&'static str, Value)> {
    vec![
        ("id", text()),
        ("kind", one_of(&["silence", "deployment"])),
        ("match", object()),
        ("by", text()),
        ("reason", text()),
        ("starts", moment()),
        ("ends", moment()),
    ]
}

fn deployment() -> Value {
    let mut fields = silence_fields();
    let states = [
        "quiet",
        "warming_up",
        "verifying",
        "verified",
        "failed",
        "interrupted",
    ];
    fields.extend([
        ("link~", text()),
        ("idempotency_key~", text()),
        ("state", one_of(&states)),
        ("warm_up~", text()),
        ("verify", texts()),
        ("bad", texts()),
    ]);
    form(&fields)
}

fn check_whole() -> Value {
    let status = form(&[
        ("level", level()),
        ("last_level~", level()),
        ("last_run~", moment()),
        ("last_took_ms", count()),
        ("headline", text()),
        ("measured", measurements()),
        ("runs", count()),
        ("flaky", count()),
        ("late", count()),
    ]);
    form(&[
        ("id", text()),
        ("name", text()),
        ("group", text()),
        ("kind", text()),
        ("tags", texts()),
        ("owner~", text()),
        ("enabled", boolean()),
        ("schedule", object()),
        ("status", status),
    ])
}

fn measurements() -> Value {
    json!({ "type": "object", "additionalProperties": form(&[("value", number()), ("unit?", text())]) })
}

fn tag() -> Value {
    form(&[
        ("id", text()),
        ("reason", text()),
        ("link~", text()),
        ("by", text()),
        ("notify", boolean()),
    ])
}

fn result() -> Value {
    form(&[
        ("check", text()),
        ("run", text()),
        ("started", moment()),
        ("took_ms", count()),
        ("level", one_of(&["ok", "warning", "unknown", "critical", "late"])),
        ("headline", text()),
        ("attempts", count()),
        ("measured", measurements()),
        ("detail~", object()),
        ("triggered~", tag()),
    ])
}

fn incident() -> Value {
    form(&[
        ("id", text()),
        ("check", text()),
        ("level", level()),
        ("worst", level()),
        ("opened", moment()),
        ("resolved~", moment()),
        ("headline", text()),
    ])
}

fn delivery() -> Value {
    form(&[
        ("key", text()),
        ("channel", text()),
        ("route", text()),
        ("group_key", text()),
        ("form", text()),
        (
            "status",
            one_of(&["waiting", "claimed", "sent", "dead", "dropped"]),
        ),
        ("due", moment()),
        ("created", moment()),
        ("attempts", count()),
        ("last_error~", text()),
        ("settled~", moment()),
        ("incidents", texts()),
    ])
}

fn matcher() -> Value {
    let words =
        json!({ "anyOf": [{ "type": "string" }, { "type": "array", "items": { "type": "string" } }] });
    let keys = ["level", "check", "group", "tags", "kind", "owner", "during"];
    let properties: Map<String, Value> = keys
        .iter()
        .map(|key| ((*key).to_owned(), words.clone()))
        .collect();
    json!({
        "type": "object", "description": "As `match` in alerts: what is said must all hold.",
        "properties": properties, "additionalProperties": false, "minProperties": 1,
    })
}

/// The named forms.
#[must_use]
pub fn components() -> Value {
    json!({
        "Problem": form(&[
            ("type", text()), ("title", text()), ("status", json!({ "type": "integer" })), ("detail", text()),
        ]),
        "Match": matcher(),
        "Check": check_whole(),
        "Result": result(),
        "Incident": incident(),
        "Transition": form(&[("transition", object()), ("silence~", text())]),
        "TimelineEntry": form(&[("at", moment()), ("what", text()), ("by", text()), ("text", text())]),
        "Delivery": delivery(),
        "Silence": form(&silence_fields()),
        "Deployment": deployment(),
        "Run": form(&[
            ("run", text()), ("check", text()), ("started", moment()), ("took_ms", number()),
            ("outcome", object()), ("verdict", form(&[("level", level()), ("reasons", list_of(json!({})))])),
        ]),
    })
}
