//! Checks of the machine itself, of programs on it, and of jobs that call.

use super::Row;

/// `command`, `host`, `heartbeat`.
pub static LOCAL: &[Row] = &[
    // command
    (
        "`argv` is a list: the program, then each argument by itself",
        "`argv`는 목록입니다. 프로그램을 먼저 쓰고, 인수를 하나씩 쓰십시오",
    ),
    (
        "for example `argv: [check_disk, -w, 10%, -p, /]`; no shell takes a line apart",
        "예: `argv: [check_disk, -w, 10%, -p, /]`. 셸이 한 줄을 나누어 주지 않습니다",
    ),
    (
        "`argv` is empty: it begins with the program",
        "`argv`가 비어 있습니다. 첫 번째는 프로그램입니다",
    ),
    (
        "the first of `argv` is the program, and it is empty",
        "`argv`의 첫 번째는 프로그램인데 비어 있습니다",
    ),
    (
        "`{0}` cannot name an environment variable",
        "`{0}`은(는) 환경 변수 이름으로 쓸 수 없습니다",
    ),
    (
        "a command is run once per run: what it did cannot be undone",
        "명령은 한 번의 점검에 한 번만 실행합니다. 실행한 일은 되돌릴 수 없기 때문입니다",
    ),
    (
        "what answers here has no `{0}`",
        "이 점검의 응답에는 `{0}`이(가) 없습니다",
    ),
    (
        "`{0}` was not run: it is in none of {1}",
        "`{0}`을(를) 실행하지 못했습니다. 다음 어디에도 없습니다: {1}",
    ),
    (
        "`{0}` was not run: there is no such program, or not what its first line names",
        "`{0}`을(를) 실행하지 못했습니다. 프로그램이 없거나, 첫 줄에 적힌 해석기가 없습니다",
    ),
    (
        "`{0}` was not run: there is no folder {1}",
        "`{0}`을(를) 실행하지 못했습니다. 폴더가 없습니다: {1}",
    ),
    (
        "`{0}` was not run: haetae's user may not execute it",
        "`{0}`을(를) 실행하지 못했습니다. haetae 사용자에게 실행 권한이 없습니다",
    ),
    (
        "`{0}` did not end within {1} and was killed",
        "`{0}`이(가) {1} 안에 끝나지 않아 강제 종료했습니다",
    ),
    (
        "`{0}` ended with code {1}, which is none of 0 to 3: {2}",
        "`{0}`이(가) 종료 코드 {1}(으)로 끝났습니다. 0~3이 아닙니다: {2}",
    ),
    (
        "`{0}` was ended by signal {1}: {2}",
        "`{0}`이(가) 신호 {1}(으)로 종료되었습니다: {2}",
    ),
    (
        "`{0}` wrote more than {1} and was killed",
        "`{0}`이(가) {1}보다 많이 출력하여 강제 종료했습니다",
    ),
    ("it said nothing", "출력이 없었습니다"),
    // host
    (
        "`{0}` does not begin with `/`: a disk is named by where it is mounted",
        "`{0}`이(가) `/`로 시작하지 않습니다. 디스크는 마운트 지점으로 지정합니다",
    ),
    (
        "`{0}` checks have nothing for `{1}`",
        "{0} 점검에는 `{1}`을(를) 쓸 수 없습니다",
    ),
    (
        "set bounds on what it measures with `thresholds:`",
        "측정값의 임계값은 `thresholds:`로 정하십시오",
    ),
    (
        "the process `{0}` is named twice",
        "프로세스 `{0}`이(가) 두 번 쓰여 있습니다",
    ),
    (
        "`{0}` did not answer within {1}: the disk hangs",
        "`{0}`이(가) {1} 안에 응답하지 않았습니다. 디스크가 멈춘 상태입니다",
    ),
    ("`{0}` does not exist", "`{0}`이(가) 없습니다"),
    (
        "nothing is mounted at `{0}`: it lies on the disk of `{1}`",
        "`{0}`에 마운트된 것이 없습니다. `{1}`의 디스크에 속한 폴더입니다",
    ),
    (
        "`{0}` cannot be looked at: {1}",
        "`{0}`을(를) 살펴볼 수 없습니다: {1}",
    ),
    (
        "`{0}` is no disk: it has no size",
        "`{0}`은(는) 디스크가 아닙니다. 크기가 없습니다",
    ),
    (
        "other users' processes are hidden from haetae (`hidepid`)",
        "다른 사용자의 프로세스가 haetae에 보이지 않습니다(`hidepid`)",
    ),
    // heartbeat
    (
        "a token is the same in every run: no `${now}`, no `${random:…}`",
        "토큰은 항상 같아야 합니다. `${now}`나 `${random:…}`은 쓸 수 없습니다",
    ),
    (
        "the token is too short: it needs 16 characters at least, or it can be guessed",
        "토큰이 너무 짧아 추측될 수 있습니다. 16자 이상이어야 합니다",
    ),
    (
        "the token has characters that cannot stand in an address: use letters, digits, `-`, `.`, `_`, `~`",
        "토큰에 주소에 쓸 수 없는 문자가 있습니다. 글자, 숫자, `-`, `.`, `_`, `~`만 쓰십시오",
    ),
    (
        "make one with `openssl rand -hex 16`",
        "`openssl rand -hex 16`으로 만들 수 있습니다",
    ),
    (
        "jobs call the server: only `haetae serve` hears them, a single run has heard nobody",
        "작업은 서버를 호출합니다. `haetae serve`만 들을 수 있고, 한 번의 실행으로는 알 수 없습니다",
    ),
    ("the job failed {0} ago: {1}", "작업이 {0} 전에 실패했습니다: {1}"),
    ("the job failed {0} ago", "작업이 {0} 전에 실패했습니다"),
    (
        "the job started {0} ago and did not end",
        "작업이 {0} 전에 시작하여 끝나지 않았습니다",
    ),
    (
        "no success for {0}, {1} at most are allowed",
        "{0} 동안 성공이 없었습니다. 최대 {1}까지 허용됩니다",
    ),
    (
        "the job has never called, and was waited for {0}",
        "작업이 한 번도 호출하지 않았습니다. {0} 동안 기다렸습니다",
    ),
    (
        "`{0}` is a path, and processes are known by their name",
        "`{0}`은(는) 경로입니다. 프로세스는 이름으로 찾습니다",
    ),
    (
        "write the name that `ps -o comm` shows, or `NAME: { command: regex }` for the whole command line",
        "`ps -o comm`에 나오는 이름을 쓰거나, 명령줄 전체는 `NAME: { command: regex }`로 찾으십시오",
    ),
];
