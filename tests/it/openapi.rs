//! The API, driven by schemathesis from its own document.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{Folder, Running, Site, text};

/// What may not be found: answers that the document does not know, or knows otherwise.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,response_schema_conformance,negative_data_rejection,unsupported_method";

fn schemathesis() -> PathBuf {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/test-tools/venv/bin/schemathesis");
    assert!(
        program.exists(),
        "schemathesis is not installed: run scripts/install-test-tools.sh"
    );
    program
}

/// Names of things that are there, so that more than "not found" is answered.
fn names(incident: &str) -> String {
    let named = |(path, name, value): (&str, &str, &str)| {
        format!(
            "[[operations]]\ninclude-path = \"{path}\"\nparameters = {{ \"path.{name}\" = \"{value}\" }}\n\n"
        )
    };
    [
        ("/api/v1/incidents/{id}", "id", incident),
        ("/api/v1/incidents/{id}/ack", "id", incident),
        ("/api/v1/incidents/{id}/mark", "id", incident),
        ("/incidents/{id}", "id", incident),
        ("/api/v1/checks/{id}", "id", "partners/payment"),
        ("/checks/{id}", "id", "partners/payment"),
        ("/api/v1/explain/{what}", "what", "partners/payment"),
    ]
    .map(named)
    .concat()
}

#[tokio::test(flavor = "multi_thread")]
async fn schemathesis_finds_nothing_that_the_document_does_not_say() {
    let program = schemathesis();
    let site = Site::start().await;
    site.control("partner=dead").await;
    let folder = Folder::new();
    folder.with_alerts(&site).with_partner(&site).write(
        "checks/shop.yaml",
        &format!(
            "every: 1m\ntimeout: 2s\nhttp: {{ url: {}/shop/login }}\n",
            site.shop()
        ),
    );
    let running = Running::start(&folder).await;
    let open = running
        .wait("/api/v1/incidents?state=open", "an incident", |answer| {
            answer["incidents"]
                .as_array()
                .is_some_and(|list| !list.is_empty())
        })
        .await;
    let incident = open["incidents"][0]["id"].as_str().unwrap().to_owned();
    let config = folder.path().join("schemathesis.toml");
    std::fs::write(&config, names(&incident)).unwrap();
    let address = running.address;
    let output = tokio::task::spawn_blocking(move || {
        Command::new(program)
            .arg("--config-file")
            .arg(config)
            .args(["run", &format!("http://{address}/api/openapi.json")])
            .args([
                "--checks",
                CHECKS,
                "--seed",
                "6",
                "--max-examples",
                "20",
                "--no-color",
            ])
            // Streams never end by themselves.
            .args([
                "--exclude-path-regex",
                "events$",
                "--rate-limit",
                "200/s",
                "--warnings",
                "off",
            ])
            .args([
                "--phases",
                "examples,coverage,fuzzing,stateful",
                "--request-timeout",
                "20",
            ])
            .current_dir(std::env::temp_dir())
            .output()
            .unwrap()
    })
    .await
    .unwrap();
    let said = format!("{}{}", text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{said}");
    let selected = said
        .split("Tested: ")
        .nth(1)
        .and_then(|rest| rest.lines().next())
        .unwrap_or_default();
    assert_eq!(selected.trim(), "43", "all but the two streams are tried: {said}");
    running.stop().await;
}
