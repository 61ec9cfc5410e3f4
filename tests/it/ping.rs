//! Pings of this machine's loopback; in a network of its own where it must keep silent.

use std::process::Command;

use crate::support::{Folder, program, run_all, text};

fn folder(keys: &str, more: &str) -> Folder {
    let folder = Folder::new();
    folder.write(
        "checks/a.yaml",
        &format!("every: 1m\ntimeout: 600ms\nping: {{ {keys} }}\n{more}"),
    );
    folder
}

/// Runs the checks through another program: a shell in a network of its own, a capability less.
fn run_under(wrapper: &[&str], folder: &Folder) -> (Option<i32>, String) {
    let haetae = program(folder.path());
    let mut command = Command::new(wrapper[0]);
    command
        .args(&wrapper[1..])
        .arg(haetae.get_program())
        .args(haetae.get_args())
        .arg("run")
        .env("NO_COLOR", "1");
    let answer = command.output().unwrap();
    (
        answer.status.code(),
        format!("{}{}", text(&answer.stdout), text(&answer.stderr)),
    )
}

#[test]
fn the_loopback_answers() {
    for keys in [
        "host: 127.0.0.1, interval: 10ms",
        "host: localhost, ip: 4, count: 3, interval: 20ms",
        "host: \"::1\", count: 1",
    ] {
        let (code, said, report) = run_all(&folder(
            keys,
            "thresholds: { loss: { critical: above 0% }, round_trip_time: { critical: above 500ms } }\n",
        ));
        assert_eq!(code, Some(0), "{keys}: {said}");
        let measured = &report["runs"][0]["run"]["outcome"]["measurements"];
        assert_eq!(measured["loss"]["value"], 0.0, "{measured}");
        let (median, longest) = (
            measured["round_trip_time"]["value"].as_f64().unwrap(),
            measured["round_trip_max"]["value"].as_f64().unwrap(),
        );
        assert!(median > 0.0 && median <= longest && longest < 600.0, "{measured}");
    }
}

#[test]
fn silence_is_no_answer_and_a_missing_network_is_our_own_fault() {
    let folder = folder("host: 127.0.0.1, count: 3, interval: 10ms", "");
    let silent = "ip link set lo up && echo 1 > /proc/sys/net/ipv4/icmp_echo_ignore_all && exec \"$@\"";
    let (code, said) = run_under(&["unshare", "-n", "sh", "-c", silent, "sh"], &folder);
    assert!(
        code == Some(2) && said.contains("127.0.0.1 did not answer any of 3 echo requests within 600ms"),
        "{code:?} {said}"
    );
    let (code, said) = run_under(&["unshare", "-n"], &folder);
    assert!(
        code == Some(3) && said.contains("our own network cannot reach 127.0.0.1"),
        "{code:?} {said}"
    );
    let refusing = "ip link set lo up && ip route add unreachable 198.51.100.0/24 && exec \"$@\"";
    let folder = self::folder("host: 198.51.100.7, count: 2, interval: 10ms", "");
    let (code, said) = run_under(&["unshare", "-n", "sh", "-c", refusing, "sh"], &folder);
    assert!(
        code == Some(2) && said.contains("no route to 198.51.100.7"),
        "{code:?} {said}"
    );
}

#[test]
fn who_may_not_ping_is_told_how_to_be_allowed() {
    let folder = folder("host: 127.0.0.1, count: 1", "");
    // A network of its own has the kernel's default: nobody may ping without the capability.
    let wrapper = [
        "unshare",
        "-n",
        "setpriv",
        "--bounding-set=-net_raw",
        "--inh-caps=-net_raw",
    ];
    let (code, said) = run_under(&wrapper, &folder);
    assert!(
        code == Some(3)
            && said.contains(
                "this process may not send pings: allow it with `sysctl -w net.ipv4.ping_group_range"
            )
            && said.contains("CAP_NET_RAW"),
        "{code:?} {said}"
    );
}

#[test]
fn denied_addresses_and_unknown_names_are_not_asked() {
    let denied = folder("host: 127.0.0.1, interval: 10ms", "");
    denied.write("haetae.yaml", "targets: { deny: [127.0.0.0/8] }\n");
    let (code, said, _) = run_all(&denied);
    assert!(
        code == Some(3) && said.contains("the settings deny the address 127.0.0.1"),
        "{said}"
    );
    let (code, said, _) = run_all(&folder("host: 127.0.0.1, ip: 6, interval: 10ms", ""));
    assert!(
        code == Some(2) && said.contains("127.0.0.1 has no IPv6 address"),
        "{said}"
    );
}
