//! What is wrong with the project folder, `haetae.yaml`, or a file of alerts.

use super::Row;

/// The folder, settings, channels, routes, windows.
pub static SETTINGS: &[Row] = &[
    // the folder
    (
        "{0} is a file, and a project is a folder",
        "{0}: 파일입니다. 프로젝트는 폴더여야 합니다",
    ),
    (
        "name with -C the folder that holds checks/",
        "checks/가 들어 있는 폴더를 -C로 지정하십시오",
    ),
    ("there is no folder {0}", "폴더가 없습니다: {0}"),
    (
        "name the project folder with -C, the one that holds checks/",
        "checks/가 들어 있는 프로젝트 폴더를 -C로 지정하십시오",
    ),
    (
        "the folder {0} has no checks/ in it",
        "폴더 안에 checks/가 없습니다: {0}",
    ),
    (
        "a project folder holds checks/ and alerts/; name it with -C",
        "프로젝트 폴더에는 checks/와 alerts/가 있습니다. -C로 지정하십시오",
    ),
    ("the file holds no check", "파일에 점검이 없습니다"),
    (
        "the file holds no channel or route",
        "파일에 채널이나 경로가 없습니다",
    ),
    ("fill it, or remove it", "내용을 채우거나 파일을 지우십시오"),
    // haetae.yaml
    (
        "this is not a store that this version can use",
        "이 버전에서 쓸 수 없는 저장소입니다",
    ),
    ("write `sqlite://PATH`", "`sqlite://PATH`로 쓰십시오"),
    (
        "`{0}` is not an address with a port: write for example `127.0.0.1:8600`",
        "`{0}`은(는) 포트가 있는 주소가 아닙니다. 예: `127.0.0.1:8600`",
    ),
    (
        "`{0}` is not an address: it must begin with https:// or http://",
        "`{0}`은(는) 주소가 아닙니다. https:// 또는 http://로 시작해야 합니다",
    ),
    (
        "`browser` goes with `url`; haetae itself starts Chromium, or `browsers: { program: … }`",
        "`browser`는 `url`과 함께 씁니다. haetae가 직접 시작하는 것은 Chromium 또는 `browsers: { program: … }`입니다",
    ),
    (
        "pages of today do not run in less than 128MiB",
        "요즘 페이지는 128MiB보다 적은 메모리에서는 동작하지 않습니다",
    ),
    (
        "`{0}` is not a network: write for example `169.254.0.0/16` or `fe80::/10`",
        "`{0}`은(는) 네트워크 주소가 아닙니다. 예: `169.254.0.0/16`, `fe80::/10`",
    ),
    // channels
    (
        "the channel `{0}` is here a second time",
        "채널 `{0}`: 두 번 쓰였습니다",
    ),
    (
        "the channel `{0}` needs exactly one of {1}",
        "채널 `{0}`에는 다음 중 정확히 하나가 필요합니다: {1}",
    ),
    (
        "`{0}` is not a kind of channel that this version knows",
        "이 버전에 없는 채널 종류입니다: `{0}`",
    ),
    ("there is no channel `{0}`", "없는 채널입니다: `{0}`"),
    ("define it under `channels:`", "`channels:` 아래에 정의하십시오"),
    (
        "this is not an http or https address",
        "http 또는 https 주소가 아닙니다",
    ),
    (
        "this webhook is not an http or https address",
        "웹훅이 http 또는 https 주소가 아닙니다",
    ),
    (
        "`slack` needs `webhook`, or `token` and `channel`",
        "`slack`에는 `webhook`, 또는 `token`과 `channel`이 필요합니다",
    ),
    (
        "`webhook` and `token` are two ways to the same place; keep one",
        "`webhook`과 `token`은 같은 곳으로 보내는 두 가지 방법입니다. 하나만 남기십시오",
    ),
    (
        "with `token`, `slack` needs `channel`",
        "`token`을 쓰면 `slack`에 `channel`이 필요합니다",
    ),
    (
        "write the channel's ID, such as `C0123456789`",
        "`C0123456789` 같은 채널 ID를 쓰십시오",
    ),
    (
        "PagerDuty needs `routing_key`",
        "PagerDuty에는 `routing_key`가 필요합니다",
    ),
    (
        "write `routing_key: \"${env:PAGERDUTY_KEY}\"`",
        "`routing_key: \"${env:PAGERDUTY_KEY}\"`로 쓰십시오",
    ),
    ("`{0}` is not a mail address", "`{0}`은(는) 메일 주소가 아닙니다"),
    (
        "{0} holds no certificate in PEM",
        "{0}: PEM 형식의 인증서가 없습니다",
    ),
    (
        "this is not a mail server: write `smtps://user:${env:PASSWORD}@host`",
        "메일 서버 주소가 아닙니다. `smtps://user:${env:PASSWORD}@host`처럼 쓰십시오",
    ),
    ("TLS cannot be used: {0}", "TLS를 쓸 수 없습니다: {0}"),
    (
        "an action is one of `command`, `stackstorm` and `jenkins`",
        "`action`에는 `command`, `stackstorm`, `jenkins` 중 하나가 필요합니다",
    ),
    (
        "an action may take 35s at most; let it start what takes longer",
        "`action`의 제한 시간은 최대 35초입니다. 더 오래 걸리는 작업은 시작만 시키십시오",
    ),
    (
        "a command needs a program: `[systemctl, restart, batchd]`",
        "`command`에는 프로그램이 필요합니다: `[systemctl, restart, batchd]`",
    ),
    // routes, windows, maintenance, inhibition
    (
        "there are two routes called `{0}`",
        "이름이 `{0}`인 경로가 두 개입니다",
    ),
    (
        "{0}: nobody would hear of the level {1} of `{2}`",
        "{0}: `{2}`의 {1} 수준을 전달받을 채널이 없습니다",
    ),
    (
        "add a route that matches it; `to: []` says that nobody should",
        "해당하는 경로를 추가하십시오. 아무에게도 알리지 않으려면 `to: []`로 쓰십시오",
    ),
    ("there is no kind of check `{0}`", "없는 점검 종류입니다: `{0}`"),
    (
        "the window `{0}` is here a second time",
        "시간대 `{0}`: 두 번 쓰였습니다",
    ),
    ("there is no window `{0}`", "없는 시간대입니다: `{0}`"),
    (
        "define it: `windows: { office: { days: MON-FRI, hours: 09:00-18:00, timezone: Asia/Seoul } }`",
        "이렇게 정의하십시오: `windows: { office: { days: MON-FRI, hours: 09:00-18:00, timezone: Asia/Seoul } }`",
    ),
    (
        "a maintenance window has `cron` and `for`, or `from` and `to`",
        "유지보수 시간에는 `cron`과 `for`, 또는 `from`과 `to`가 필요합니다",
    ),
    ("`to` is not after `from`", "`to`가 `from`보다 뒤가 아닙니다"),
    (
        "`{0}` names nothing, and would match every incident",
        "`{0}`에 조건이 없어 모든 장애에 해당하게 됩니다",
    ),
];
