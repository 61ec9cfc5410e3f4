//! Commands: real Nagios plugins, and scripts that misbehave.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::Value;

use crate::support::{Folder, run_all};

const PLUGINS: &str = "/usr/lib/nagios/plugins";

struct Run {
    code: Option<i32>,
    said: String,
    record: Value,
}

impl Run {
    fn measured(&self, name: &str) -> Option<f64> {
        self.record["outcome"]["measurements"][name]["value"].as_f64()
    }

    fn fact(&self, name: &str) -> Option<&str> {
        let facts = self.record["outcome"]["evidence"]["facts"].as_array()?;
        let found = facts.iter().find(|fact| fact[0] == name)?;
        found[1].as_str()
    }

    fn says(&self, code: i32, part: &str) {
        assert!(
            self.code == Some(code) && self.said.contains(part),
            "{:?}, wanted {code}: {part}\n{}\n{:#}",
            self.code,
            self.said,
            self.record
        );
    }
}

fn run(folder: &Folder, lines: &str) -> Run {
    folder.write("checks/a.yaml", &format!("every: 1m\n{lines}\n"));
    let (code, said, report) = run_all(folder);
    Run {
        code,
        said,
        record: report["runs"][0]["run"].clone(),
    }
}

fn plugin(line: &str, more: &str) -> Run {
    let plugin = Path::new(PLUGINS).join(line.split(' ').next().unwrap());
    assert!(plugin.exists(), "run scripts/install-test-servers.sh");
    let argv = format!("[{PLUGINS}/{}]", line.replace(' ', ", "));
    let lines = format!("timeout: 10s\ncommand: {{ argv: {argv} }}\n{more}");
    run(&Folder::new(), &lines)
}

/// A folder with one script in it.
fn with_script(script: &str) -> Folder {
    let folder = Folder::new();
    folder.write("probe.sh", &format!("#!/bin/sh\n{script}\n"));
    let path = folder.path().join("probe.sh");
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
    folder
}

fn script(script: &str, more: &str) -> Run {
    let lines = format!("timeout: 5s\ncommand: {{ argv: [./probe.sh] }}\n{more}");
    run(&with_script(script), &lines)
}

#[test]
fn real_plugins_are_understood() {
    let load = plugin(
        "check_load -w '10000,10000,10000' -c '20000,20000,20000'",
        "thresholds: { load1: { critical: above 9000 }, load15: { warning: above 9000 } }",
    );
    load.says(0, "");
    assert!(
        load.measured("load1").is_some() && load.measured("load15").is_some(),
        "{:#}",
        load.record
    );
    assert!(
        load.fact("message").unwrap().starts_with("LOAD OK"),
        "{:#}",
        load.record
    );

    let disk = plugin(
        "check_disk -w 1% -c 0% -p /",
        "measure: { root_used: { perfdata: / } }\nthresholds: { root_used: { critical: below 1MiB }, /: { critical: below 1MiB } }",
    );
    disk.says(0, "");
    assert_eq!(
        disk.record["outcome"]["measurements"]["root_used"]["unit"],
        "bytes"
    );

    let procs = plugin("check_procs -w '0:0' -c '0:100000'", "");
    procs.says(0, "warning: PROCS WARNING");
    assert!(procs.measured("procs").unwrap() >= 1.0);
    assert!(
        procs
            .fact("procs")
            .unwrap()
            .ends_with("is warning by the plugin's own range `0`"),
        "{:#}",
        procs.record
    );

    plugin("check_dummy 0 fine", "").says(0, "");
    plugin("check_dummy 1 slow", "").says(0, "warning: WARNING: slow");
    plugin("check_dummy 2 broken", "").says(2, "critical: CRITICAL: broken");
    plugin("check_dummy 3 lost", "").says(3, "could not measure: UNKNOWN: lost");
    plugin("check_load -x", "").says(3, "could not measure: ");
}

#[test]
fn output_is_message_text_and_numbers() {
    let ran = script(
        "echo \"DISK WARNING - / is full | '/ used'=85%;80;90\"\necho 'line two'\necho \"line three | 'it''s=odd'=1500000us\"\necho 'c=7c'\nexit 1",
        "thresholds: { \"it's=odd\": { critical: above 1s } }",
    );
    ran.says(2, "it's=odd is 1.5s, above 1s");
    ran.says(2, "DISK WARNING - / is full");
    assert_eq!(ran.measured("/ used"), Some(85.0));
    assert_eq!(ran.measured("c"), Some(7.0));
    let broken = &ran.record["outcome"]["broken"][0];
    assert_eq!(
        (broken["level"].as_str(), broken["detail"].as_str()),
        (Some("warning"), Some("line two\nline three"))
    );
}

#[test]
fn what_is_missing_or_of_another_unit_is_not_measured() {
    script("echo 'OK | a=1'", "thresholds: { b: { critical: above 1 } }").says(3, "the answer has no b");
    script("echo 'OK | a=U'", "thresholds: { a: { critical: above 1 } }").says(3, "the answer has no a");
    let ran = script(
        "echo 'OK | a=5s'",
        "thresholds: { a: { critical: above 1000000 } }",
    );
    ran.says(3, "could not measure: `a` is a time");
    assert_eq!(
        ran.record["outcome"]["remarks"][0],
        "`a` is a time, 5s, and its threshold `above 1000000` is for a plain number"
    );
    let ran = script(
        "echo 'OK | a=5 b=oops'",
        "measure: { t: { perfdata: a, unit: s } }\nthresholds: { t: { critical: above 4s } }",
    );
    ran.says(2, "t is 5s, above 4s");
    assert_eq!(
        ran.record["outcome"]["remarks"][0],
        "the value of `b`, `oops`, is no number"
    );
    let ran = script(
        "echo '{\"depth\": 12}'",
        "measure: { depth: { json: $.depth }, digits: { text: '(\\d+)' } }\nthresholds: { depth: { critical: above 11 } }",
    );
    ran.says(2, "depth is 12, above 11");
    assert_eq!(ran.measured("digits"), Some(12.0));
}

#[test]
fn the_output_can_be_expected() {
    script(
        "echo 'clock: synchronised'",
        "expect: { output: { contains: synchronised } }",
    )
    .says(0, "");
    script(
        "echo 'clock: free-running'",
        "expect: { output: { contains: synchronised } }",
    )
    .says(
        2,
        "the output is \"clock: free-running\", expected to contain \"synchronised\"",
    );
    script("echo no", "expect: { output: yes, level: warning }").says(0, "warning: the output is \"no\"");
}

#[test]
fn every_other_end_is_told_as_what_it_is() {
    script("echo out of order; exit 4", "").says(
        3,
        "`./probe.sh` ended with code 4, which is none of 0 to 3: out of order",
    );
    script("kill -9 $$", "").says(3, "`./probe.sh` was ended by signal 9 (SIGKILL): it said nothing");
    script("echo 'no such table' >&2; exit 2", "").says(2, "critical: no such table");
    script("exit 2", "").says(2, "critical: it said nothing");
    script("exit 0", "").says(0, "");
}

#[test]
fn what_cannot_be_run_is_unknown() {
    let says = |lines: &str, part: &str| run(&Folder::new(), lines).says(3, part);
    says(
        "timeout: 2s\ncommand: { argv: [haetae-has-no-such-plugin] }",
        "`haetae-has-no-such-plugin` was not run: it is in none of /",
    );
    says(
        "timeout: 2s\ncommand: { argv: [/opt/none/check_it] }",
        "`/opt/none/check_it` was not run: there is no such program",
    );
    says(
        "timeout: 2s\ncommand: { argv: [\"true\"], directory: nowhere }",
        "`true` was not run: there is no folder ",
    );
    let folder = with_script("exit 0");
    let path = folder.path().join("probe.sh");
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o644)).unwrap();
    run(&folder, "timeout: 2s\ncommand: { argv: [./probe.sh] }")
        .says(3, "`./probe.sh` was not run: haetae's user may not execute it");
}

#[test]
fn no_shell_reads_the_arguments_and_the_environment_is_its_own() {
    let folder = with_script("printf '%s|' \"$@\"; pwd; env | sort");
    folder.write("work/x", "");
    let lines = "timeout: 5s\ncommand: { argv: [./probe.sh, \"a b; echo $HOME\", '*'], env: { WHERE: here }, directory: work }\nexpect: { output: { contains: none } }";
    let ran = run(&folder, lines);
    let excerpt = ran.record["outcome"]["evidence"]["excerpt"].as_str().unwrap();
    assert!(excerpt.starts_with("a b; echo $HOME|*|"), "{excerpt}");
    assert!(excerpt.lines().next().unwrap().ends_with("/work"), "{excerpt}");
    let names: Vec<&str> = excerpt
        .lines()
        .skip(1)
        .filter_map(|line| line.split('=').next())
        .filter(|name| !matches!(*name, "PWD" | "OLDPWD" | "_" | "SHLVL"))
        .collect();
    assert_eq!(names, ["HAETAE_RUN", "LANG", "PATH", "WHERE"], "{excerpt}");
}

#[test]
fn a_secret_is_shown_by_its_name() {
    let folder = with_script("echo \"bad login with $1\"; exit 2");
    folder.write("password", "hunter2-hunter2");
    let ran = run(
        &folder,
        "timeout: 5s\ncommand: { argv: [./probe.sh, \"${file:password}\"] }",
    );
    ran.says(2, "bad login with");
    assert!(!ran.record.to_string().contains("hunter2-hunter2") && !ran.said.contains("hunter2-hunter2"));
    assert_eq!(ran.fact("command"), Some("./probe.sh ${file:password}"));
}

/// Processes whose command line has `mark`.
fn running(mark: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        if line.starts_with("sleep ") && line.contains(mark) {
            found.push(line);
        }
    }
    found
}

#[test]
fn a_time_out_ends_all_that_was_started() {
    let late = |script: &str| {
        let folder = with_script(script);
        run(&folder, "timeout: 400ms\ncommand: { argv: [./probe.sh] }")
    };
    // One that waits, one with children, one whose child has left for a session of its own,
    // one that does not want to end.
    let ran = late("echo began; sleep 4101.5");
    ran.says(2, "`./probe.sh` did not end within 400ms and was killed");
    assert_eq!(ran.record["outcome"]["evidence"]["excerpt"], "began");
    late("sleep 4101.5 & sleep 4101.5 & wait").says(2, "did not end within 400ms");
    late("setsid sleep 4101.5 & wait").says(2, "did not end within 400ms");
    late("trap '' TERM INT HUP; while :; do sleep 4101.5; done").says(2, "did not end within 400ms");
    assert_eq!(running("4101.5"), Vec::<String>::new());
}

#[test]
fn a_child_that_holds_the_output_open_holds_up_nothing() {
    let left = "what it left running was ended; a check starts nothing that stays";
    // The second one has left for a session of its own before the script ends.
    let leaves = "setsid sh -c 'touch left; exec sleep 4102.5' & until [ -e left ]; do :; done";
    for start in ["sleep 4102.5 &", leaves] {
        let ran = script(
            &format!("echo 'OK | a=1'; {start}\nexit 0"),
            "thresholds: { a: { critical: above 1 } }",
        );
        ran.says(0, "");
        let took = ran.measured("duration").unwrap();
        assert!(took < 3_000.0, "{start} took {took} ms");
        if start.starts_with("setsid") {
            assert_eq!(ran.record["outcome"]["remarks"][0], left, "{:#}", ran.record);
        }
    }
    assert_eq!(running("4102.5"), Vec::<String>::new());
}

#[test]
fn output_without_end_is_bounded() {
    let ran = script("yes haetae", "");
    ran.says(3, "`./probe.sh` wrote more than 16MiB and was killed");
    let ran = script("yes haetae >&2", "");
    ran.says(3, "`./probe.sh` wrote more than 16MiB and was killed");
    // 64 KiB are kept, and what is cut is no number.
    let ran = script(
        "printf 'OK | '; for i in $(seq 20000); do printf 'a%s=123456 ' $i; done",
        "",
    );
    ran.says(0, "");
    let remarks = ran.record["outcome"]["remarks"].to_string();
    assert!(remarks.contains("only the first 64KiB"), "{remarks}");
    assert!(
        remarks.contains("numbers the first 200 were measured"),
        "{remarks}"
    );
    let measured = ran.record["outcome"]["measurements"].as_object().unwrap();
    assert_eq!(measured.len(), 201);
    assert!(
        measured
            .iter()
            .all(|(name, number)| name == "duration" || number["value"] == 123_456.0)
    );
}

#[test]
fn a_closed_output_and_odd_bytes_are_no_trouble() {
    script("exec >&- 2>&-; exit 2", "").says(2, "critical: it said nothing");
    script("printf 'bad \\377 byte | a=1'; exit 2", "").says(2, "critical: bad \u{fffd} byte");
    script("cat; echo done", "expect: { output: done }").says(0, "");
}
