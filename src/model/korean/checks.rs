//! What is wrong with a check or a scenario.

use super::Row;

/// Keys of checks, of their kinds, and of scenarios.
pub static CHECKS: &[Row] = &[
    // every check
    (
        "a list of checks belongs here, not {0:text}",
        "여기에는 점검 목록을 써야 합니다 (현재: {0})",
    ),
    ("the id `{0}` is here a second time", "ID `{0}`: 두 번 쓰였습니다"),
    (
        "it stands already at {0}; ids are unique",
        "이미 있는 위치: {0}. ID는 겹칠 수 없습니다",
    ),
    (
        "`{0}` cannot be an id: `haetae/` is haetae's own",
        "`{0}`은(는) ID로 쓸 수 없습니다. `haetae/`는 haetae가 직접 쓰는 이름입니다",
    ),
    ("name the folder otherwise", "폴더 이름을 바꾸십시오"),
    (
        "`{0}` cannot be an id: letters, digits, `-`, `_`, `.` and `/` can",
        "`{0}`은(는) ID로 쓸 수 없습니다. 글자, 숫자, `-`, `_`, `.`, `/`만 쓸 수 있습니다",
    ),
    ("name it `{0}`", "이렇게 쓰십시오: `{0}`"),
    (
        "nothing says what is checked",
        "무엇을 점검하는지 쓰여 있지 않습니다",
    ),
    (
        "a check needs one of {0}",
        "점검에는 다음 중 하나가 필요합니다: {0}",
    ),
    (
        "a check is of one kind, and this one has `{0}` and `{1}`",
        "점검의 종류는 하나여야 하는데 두 가지가 쓰였습니다: `{0}`, `{1}`",
    ),
    (
        "`{0}` checks have no `{1}:` in this version",
        "이 버전에서는 `{0}` 점검에 쓸 수 없는 키입니다: `{1}:`",
    ),
    ("there is no check `{0}`", "없는 점검입니다: `{0}`"),
    (
        "`haetae list` shows the ids",
        "`haetae list`로 ID를 볼 수 있습니다",
    ),
    (
        "`{0}` depends on itself: {1}",
        "`{0}`: 자기 자신에 의존합니다 ({1})",
    ),
    (
        "take one of these dependencies out",
        "이 의존 관계 중 하나를 빼십시오",
    ),
    // times
    (
        "there is no `timeout`, and no silent default",
        "`timeout`이 없습니다. 정해진 기본값도 없습니다",
    ),
    (
        "add `timeout: 10s` here, under the file's `defaults:` or under `defaults:` in haetae.yaml",
        "여기나 이 파일의 `defaults:`, 또는 haetae.yaml의 `defaults:` 아래에 `timeout: 10s`를 추가하십시오",
    ),
    (
        "`attempt_timeout` ({0}) is longer than `timeout` ({1})",
        "`attempt_timeout`({0})이 `timeout`({1})보다 깁니다",
    ),
    (
        "`timezone` goes with `cron`, not with `every`",
        "`timezone`은 `cron`과 함께 쓰며, `every`와는 쓸 수 없습니다",
    ),
    (
        "`every` must be 100ms or longer",
        "`every`는 100ms 이상이어야 합니다",
    ),
    (
        "a check has either `every` or `cron`",
        "점검에는 `every`와 `cron` 중 하나만 쓸 수 있습니다",
    ),
    ("nothing says when it runs", "언제 실행하는지 쓰여 있지 않습니다"),
    (
        "add `every: 30s`, or `cron: \"*/5 9-18 * * MON-FRI\"` with `timezone:`",
        "`every: 30s`를 추가하거나, `cron: \"*/5 9-18 * * MON-FRI\"`를 `timezone:`과 함께 추가하십시오",
    ),
    (
        "`{0}` does not fit here: write `2`, or `2 of 3`; {1} runs at most",
        "`{0}`은(는) 여기에 쓸 수 없습니다. `2` 또는 `2 of 3`처럼 쓰십시오. 최대 {1}회 실행까지입니다",
    ),
    // thresholds, measurements, expectations
    (
        "`{0}` is nothing that {1} checks measure",
        "`{0}`은(는) {1} 점검이 측정하지 않는 항목입니다",
    ),
    (
        "`{0}` can be critical without being a warning first (`{1}`)",
        "`{0}`: 경고(`{1}`)를 거치지 않고 심각이 될 수 있습니다",
    ),
    (
        "every value that is critical must violate the warning bound too",
        "심각인 값은 모두 경고 임계값도 벗어나야 합니다",
    ),
    (
        "the threshold `{0}` sets no bound",
        "임계값 `{0}`에 기준이 없습니다",
    ),
    (
        "`{0}` needs exactly one of {1}",
        "`{0}`에는 {1} 중 정확히 하나가 필요합니다",
    ),
    (
        "`{0}` is not a JSONPath: {1}; write for example `{2}`",
        "`{0}`은(는) JSONPath가 아닙니다: {1}. 예: `{2}`",
    ),
    (
        "a matcher needs at least one rule, like `{ contains: text }`",
        "비교 조건에는 `{ contains: text }` 같은 규칙이 하나 이상 필요합니다",
    ),
    // http
    ("`{0}` is not a status", "`{0}`은(는) 응답 상태 코드가 아닙니다"),
    (
        "write `200`, `200..299` or `[200, 204]`",
        "`200`, `200..299`, `[200, 204]`처럼 쓰십시오",
    ),
    (
        "`{0}:` is not a scheme for http checks",
        "`{0}:`은(는) http 점검에 쓸 수 없는 주소 형식입니다",
    ),
    (
        "write `https://…` or `http://…`",
        "`https://…` 또는 `http://…`로 쓰십시오",
    ),
    (
        "user and password must not stand in the URL",
        "URL에 사용자와 비밀번호를 쓸 수 없습니다",
    ),
    (
        "use `auth: { basic: { user: …, password: \"${env:NAME}\" } }`",
        "`auth: { basic: { user: …, password: \"${env:NAME}\" } }`를 쓰십시오",
    ),
    ("`{0}` is not a URL: {1:text}", "`{0}`은(는) URL이 아닙니다: {1}"),
    (
        "relative URL without a base",
        "`https://` 같은 시작 부분이 없습니다",
    ),
    ("empty host", "호스트가 비어 있습니다"),
    ("invalid port number", "포트 번호가 올바르지 않습니다"),
    ("invalid domain character", "도메인에 쓸 수 없는 글자가 있습니다"),
    (
        "invalid international domain name",
        "국제 도메인 이름이 올바르지 않습니다",
    ),
    ("invalid IPv4 address", "IPv4 주소가 올바르지 않습니다"),
    ("invalid IPv6 address", "IPv6 주소가 올바르지 않습니다"),
    (
        "write for example `https://pg.example/health`",
        "예: `https://pg.example/health`",
    ),
    ("`{0}` is not a header's name", "`{0}`은(는) 헤더 이름이 아닙니다"),
    (
        "use only one of `body`, `json` and `form`",
        "`body`, `json`, `form` 중 하나만 쓰십시오",
    ),
    (
        "`auth` needs one of `basic`, `bearer` and `oauth2`",
        "`auth`에는 `basic`, `bearer`, `oauth2` 중 하나가 필요합니다",
    ),
    (
        "HTTP/3 is not spoken by this version of haetae",
        "이 버전의 haetae는 HTTP/3을 지원하지 않습니다",
    ),
    (
        "write `1.1` or `2`, or leave it out for the server's choice of the two",
        "`1.1`이나 `2`를 쓰십시오. 빼면 둘 중에서 서버가 고릅니다",
    ),
    // chains
    (
        "`always:` needs `steps:` before it",
        "`always:` 앞에 `steps:`가 있어야 합니다",
    ),
    (
        "`thresholds` go with a step that has a name",
        "`thresholds`는 이름 있는 단계에만 쓸 수 있습니다",
    ),
    ("name it: `{0}`", "이름을 붙이십시오: `{0}`"),
    (
        "beside `steps:`, `http` holds what all steps share, and `{0}` is of one step",
        "`steps:`가 있으면 `http`에는 모든 단계에 공통인 것만 씁니다. `{0}`은(는) 단계 하나에 쓰는 키입니다",
    ),
    (
        "beside `steps:`, `{0}` belongs to a step",
        "`steps:`가 있으면 `{0}`은(는) 단계 안에 씁니다",
    ),
    (
        "write it beside the step's `http:`: `{0}`",
        "단계의 `http:` 옆에 쓰십시오: `{0}`",
    ),
    (
        "the steps of a chain have fresh connections: take `connection` out",
        "여러 요청으로 된 점검은 단계마다 새로 연결합니다. `connection`을 빼십시오",
    ),
    ("there is no step in it", "단계가 하나도 없습니다"),
    ("a chain has at most {0} steps", "단계는 {0}개까지 쓸 수 있습니다"),
    ("`ca` cannot be used: {0:text}", "`ca`를 쓸 수 없습니다: {0}"),
    (
        "`client_certificate` cannot be used: {0:text}",
        "`client_certificate`를 쓸 수 없습니다: {0}",
    ),
    (
        "there is no private key in PEM form in it",
        "PEM 형식의 개인 키가 들어 있지 않습니다",
    ),
    (
        "there is no certificate in PEM form in it",
        "PEM 형식의 인증서가 들어 있지 않습니다",
    ),
    ("`{0}` is not an IP address", "`{0}`은(는) IP 주소가 아닙니다"),
    // tcp
    (
        "`{0}` is not a host with a port",
        "`{0}`: 호스트와 포트를 함께 써야 합니다",
    ),
    (
        "write for example `mail.example:25` or `[::1]:6379`",
        "예: `mail.example:25`, `[::1]:6379`",
    ),
    // scenarios
    (
        "a browser check is not retried inside one run: what it did on the page cannot be undone",
        "브라우저 점검은 한 번의 실행 안에서 재시도하지 않습니다. 페이지에서 한 일을 되돌릴 수 없기 때문입니다",
    ),
    (
        "take `retry:` out; `fail_after` keeps a single bad run from being believed",
        "`retry:`를 빼십시오. 한 번의 실패로 판정하지 않으려면 `fail_after`를 쓰십시오",
    ),
    (
        "a browser check needs `steps:`",
        "브라우저 점검에는 `steps:`가 필요합니다",
    ),
    (
        "`measure:` is for checks that get one answer",
        "`measure:`는 응답을 하나 받는 점검에만 쓸 수 있습니다",
    ),
    (
        "a browser check measures its named steps: `step: Search` with `steps:`",
        "브라우저 점검은 이름 있는 단계의 시간을 측정합니다: `steps:`가 있는 `step: Search`",
    ),
    ("there is no named step `{0}`", "이름이 `{0}`인 단계가 없습니다"),
    (
        "name the step at whose end the page is shown: `step: {0}`",
        "끝났을 때 그 페이지가 보이는 단계에 이름을 붙이십시오: `step: {0}`",
    ),
    (
        "steps under `always:` have no thresholds: clean-up is not judged",
        "`always:` 아래 단계에는 임계값을 쓸 수 없습니다. 정리 단계는 판정하지 않습니다",
    ),
    (
        "`device` says the size already: take `viewport` or `device` out",
        "크기는 `device`에 이미 정해져 있습니다. `viewport`와 `device` 중 하나를 빼십시오",
    ),
    ("there is no device `{0}`", "없는 기기입니다: `{0}`"),
    (
        "known are {0}; or set `viewport`",
        "쓸 수 있는 것: {0}. 또는 `viewport`를 지정하십시오",
    ),
    (
        "`{0}` is not a size: write for example `1280x800`",
        "`{0}`은(는) 크기가 아닙니다. 예: `1280x800`",
    ),
    (
        "`{0}` is not a locale: write for example `ko-KR`",
        "`{0}`은(는) 언어·지역 코드가 아닙니다. 예: `ko-KR`",
    ),
    (
        "a scenario has at most {0} steps",
        "시나리오의 단계는 최대 {0}개입니다",
    ),
    // steps
    ("this step does nothing", "하는 일이 없는 단계입니다"),
    (
        "a step needs a verb, like `click: Log in`",
        "단계에는 `click: Log in` 같은 동작이 필요합니다",
    ),
    (
        "a step has one verb, and this one has `{0}` and `{1}`: make two steps of it",
        "단계 하나에는 동작을 하나만 쓸 수 있는데 두 가지가 쓰였습니다: `{0}`, `{1}`. 두 단계로 나누십시오",
    ),
    (
        "`{0}` takes no steps of its own",
        "`{0}`에는 하위 단계를 쓸 수 없습니다",
    ),
    ("this needs `steps:` of its own", "여기에는 `steps:`가 필요합니다"),
    (
        "`thresholds` go with a named `step:`, not with `{0}`",
        "`thresholds`는 이름 있는 `step:`과 함께 쓰며, `{0}`에는 쓸 수 없습니다",
    ),
    (
        "`with` goes with `flow:`, not with `{0}`",
        "`with`는 `flow:`와 함께 쓰며, `{0}`에는 쓸 수 없습니다",
    ),
    (
        "`inside` needs one of `frame` and `element`",
        "`inside`에는 `frame`과 `element` 중 하나가 필요합니다",
    ),
    (
        "`{0}:` pages are not opened: write an http or https address, or a path",
        "`{0}:` 페이지는 열지 않습니다. http 또는 https 주소나 경로를 쓰십시오",
    ),
    (
        "`{0}` is not a key: write a character, one of {1}, or several with +",
        "`{0}`은(는) 키보드 키가 아닙니다. 글자 하나나 다음 중 하나를 쓰고, 여러 개는 +로 이으십시오: {1}",
    ),
    (
        "a pause makes a scenario slow, and still fails when the page is slower",
        "`pause`는 시나리오를 느리게 하고, 페이지가 더 느리면 그래도 실패합니다",
    ),
    (
        "wait for what you want to see: `see: …` or `wait_for: …`",
        "보여야 할 것을 기다리십시오: `see: …` 또는 `wait_for: …`",
    ),
    (
        "this needs `of:`, to say which element is meant",
        "어느 요소인지 알 수 있도록 `of:`가 필요합니다",
    ),
    (
        "`wait_for` needs exactly one of `url`, `text`, `gone`, `request`, `idle`",
        "`wait_for`에는 `url`, `text`, `gone`, `request`, `idle` 중 정확히 하나가 필요합니다",
    ),
    ("tabs are counted from 1", "탭 번호는 1부터 시작합니다"),
    (
        "`cookies` needs `set` or `delete`",
        "`cookies`에는 `set` 또는 `delete`가 필요합니다",
    ),
    ("for example `{0}` or `{1}`", "예: `{0}`, `{1}`"),
    ("the script is empty", "스크립트가 비어 있습니다"),
    (
        "an empty text names nothing",
        "빈 텍스트로는 요소를 가리킬 수 없습니다",
    ),
    (
        "an element needs exactly one of {0}",
        "요소에는 다음 중 정확히 하나가 필요합니다: {0}",
    ),
    // flows
    (
        "`valid_for` is for log-ins: call this flow by `log_in_as:`",
        "`valid_for`는 로그인에만 쓸 수 있습니다. 이 플로를 `log_in_as:`로 부르십시오",
    ),
    (
        "a log-in is not done in every run: its steps have no thresholds",
        "로그인은 실행할 때마다 하지는 않으므로, 그 단계에는 임계값을 쓸 수 없습니다",
    ),
    (
        "the flow `{0}` would call itself for ever: {1}",
        "플로 `{0}`: 자기 자신을 끝없이 부르게 됩니다 ({1})",
    ),
    (
        "`{0}` cannot be a flow's name",
        "`{0}`은(는) 플로 이름으로 쓸 수 없습니다",
    ),
    (
        "letters, digits, `-`, `_` and `/` can; without `flows/` and `.yaml`",
        "글자, 숫자, `-`, `_`, `/`만 쓸 수 있고, `flows/`와 `.yaml`은 빼고 씁니다",
    ),
    ("there is no flow `{0}`", "없는 플로입니다: `{0}`"),
    ("looked for {0}", "찾아본 파일: {0}"),
    ("the flow's file is empty", "플로 파일이 비어 있습니다"),
    (
        "the flow `{0}` needs `{1}`",
        "플로 `{0}`에 필요한 매개변수가 없습니다: `{1}`",
    ),
    (
        "give it: `with: { {0}: … }`",
        "이렇게 지정하십시오: `with: { {0}: … }`",
    ),
    (
        "the flow `{0}` has no `{1}`",
        "플로 `{0}`에 없는 매개변수입니다: `{1}`",
    ),
    (
        "it has no parameters; name them in its file: `params: { … }`",
        "매개변수가 없는 플로입니다. 플로 파일에 쓰십시오: `params: { … }`",
    ),
    ("it has `{0}`", "이 플로의 매개변수: `{0}`"),
    // the past, sets, matrices
    (
        "`{0}` is not a bound: write `above 3x usual`, `below 0.5x usual`, `rising 10% per 1h` or `falling 10% per 1h` (7 days at most)",
        "`{0}`은(는) 기준값이 아닙니다. `above 3x usual`, `below 0.5x usual`, `rising 10% per 1h`, `falling 10% per 1h`처럼 쓰십시오 (최대 7일)",
    ),
    (
        "`{0}` changes by {1:known}, but this measures {2:known}: write for example {3}",
        "`{0}`의 변화량은 {1}인데, 측정값은 {2}입니다. 예: {3}",
    ),
    (
        "`{0}` goes with a bound against the past",
        "`{0}`은(는) 과거와 비교하는 기준값과 함께 씁니다",
    ),
    (
        "there is no set of thresholds called `{0}`",
        "`{0}`이라는 기준값 모음이 없습니다",
    ),
    (
        "sets stand in haetae.yaml under `thresholds:`",
        "모음은 haetae.yaml의 `thresholds:` 아래에 둡니다",
    ),
    ("there are {0}", "있는 것: {0}"),
    (
        "the set `{0}` has no threshold for `{1}`",
        "`{0}` 모음에 `{1}`의 기준값이 없습니다",
    ),
    ("`matrix` has no `{0}`", "`matrix`에 `{0}`이(가) 없습니다"),
    ("it has {0}", "있는 것: {0}"),
    ("`matrix` has no values", "`matrix`에 값이 없습니다"),
    (
        "`{0}` gives no name for an id",
        "`{0}`(으)로는 id를 만들 수 없습니다",
    ),
    ("name the values: `{0}`", "값마다 이름을 붙이십시오: `{0}`"),
    ("`{0}` needs a list of values", "`{0}`에는 값의 목록이 필요합니다"),
    (
        "`{0}` has `{1}` twice, which makes the same id twice",
        "`{0}`에 `{1}`이(가) 두 번 있어 같은 id가 두 번 생깁니다",
    ),
    (
        "this makes {0} checks; {1} is the most",
        "점검이 {0}개가 됩니다. 최대 {1}개입니다",
    ),
    (
        "nobody has said when these numbers were last looked at, which is to be every {0}",
        "이 값을 언제 마지막으로 검토했는지 적혀 있지 않습니다. {0}마다 검토해야 합니다",
    ),
    (
        "these numbers were last looked at on {0}, which is to be every {1}",
        "이 값은 {0}에 마지막으로 검토했습니다. {1}마다 검토해야 합니다",
    ),
    (
        "look whether they still fit, and write the day: `{0}`",
        "아직 맞는지 살펴보고 날짜를 적으십시오: `{0}`",
    ),
    (
        "`tls: true` speaks TLS from the start, and `starttls` asks for it: use one",
        "`tls: true`는 처음부터 TLS로, `starttls`는 도중에 TLS로 바꿉니다. 하나만 쓰십시오",
    ),
];
