//! What is wrong with a file or a value, whatever it is for.

use super::Row;

/// YAML, values, units, times, `${…}`.
pub static PROBLEMS: &[Row] = &[
    // hints that go with many problems
    ("did you mean `{0}`?", "혹시 `{0}`인가요?"),
    ("for example `{0}`", "예: `{0}`"),
    ("known are {0}", "쓸 수 있는 것: {0}"),
    ("it stands already in line {0}", "{0}번째 줄에 이미 있습니다"),
    ("it stands already at {0}", "이미 있는 위치: {0}"),
    // files and YAML
    ("this is not YAML: {0}", "YAML 형식이 아닙니다: {0}"),
    (
        "YAML is indented with spaces; replace the tab",
        "YAML 들여쓰기에는 공백만 쓸 수 있습니다. 탭을 공백으로 바꾸십시오",
    ),
    (
        "a text that begins with @ or ` must be quoted: \"@team\"",
        "@ 또는 `로 시작하는 텍스트는 따옴표로 감싸야 합니다: \"@team\"",
    ),
    (
        "a text that begins with { must be quoted",
        "{로 시작하는 텍스트는 따옴표로 감싸야 합니다",
    ),
    (
        "a quote is opened and never closed",
        "따옴표를 열고 닫지 않았습니다",
    ),
    (
        "a `{` or `[` above is not closed; a text in it that begins with # must be quoted",
        "위에서 연 `{` 또는 `[`를 닫지 않았습니다. 그 안에서 #으로 시작하는 텍스트는 따옴표로 감싸야 합니다",
    ),
    (
        "the indentation here, or of the line above, does not fit: what belongs together begins in one column",
        "이 줄이나 윗줄의 들여쓰기가 맞지 않습니다. 함께 묶이는 항목은 같은 열에서 시작해야 합니다",
    ),
    (
        "a text with a colon and a space in it must be quoted",
        "콜론과 공백(`: `)이 들어 있는 텍스트는 따옴표로 감싸야 합니다",
    ),
    (
        "the file has {0} bytes; {1} is the most haetae reads",
        "파일이 너무 큽니다: {0}바이트 (최대 {1}바이트)",
    ),
    (
        "the file is too large or too deeply nested: {0}",
        "파일이 너무 크거나 중첩이 너무 깊습니다: {0}",
    ),
    (
        "the file is too large once its aliases are expanded",
        "별칭(alias)을 펼치면 파일이 너무 큽니다",
    ),
    (
        "a second document begins here",
        "여기서 두 번째 문서가 시작됩니다",
    ),
    (
        "one file holds one document: put several checks under `checks:`",
        "파일 하나에는 문서 하나만 둘 수 있습니다. 점검이 여러 개이면 `checks:` 아래에 쓰십시오",
    ),
    (
        "this alias refers to itself",
        "자기 자신을 가리키는 별칭(alias)입니다",
    ),
    ("a value is missing here", "여기에 값이 없습니다"),
    ("a key must be a text", "키는 텍스트여야 합니다"),
    ("`{0}` is here a second time", "`{0}`: 두 번 쓰였습니다"),
    (
        "{0} cannot be read: {1:text}",
        "{0}: 파일을 읽을 수 없습니다 ({1})",
    ),
    (
        "the file `{0}` cannot be read: {1:text}",
        "파일 `{0}`: 읽을 수 없습니다 ({1})",
    ),
    ("there is no such file", "파일이 없습니다"),
    ("haetae may not read it", "haetae에 읽기 권한이 없습니다"),
    ("it is not text in UTF-8", "UTF-8 텍스트가 아닙니다"),
    (
        "it has {0} bytes; {1} is the most",
        "크기가 {0}바이트입니다. 최대 {1}바이트까지 읽습니다",
    ),
    ("{0}: there is no such file", "{0}: 파일이 없습니다"),
    (
        "{0}: haetae may not read it",
        "{0}: haetae에 읽기 권한이 없습니다",
    ),
    ("{0}: it is not text in UTF-8", "{0}: UTF-8 텍스트가 아닙니다"),
    (
        "{0}: it has {1} bytes; {2} is the most",
        "{0}: 크기가 {1}바이트입니다. 최대 {2}바이트까지 읽습니다",
    ),
    (
        "a relative path is looked up from the project folder",
        "상대 경로는 프로젝트 폴더를 기준으로 찾습니다",
    ),
    // keys
    ("unknown key `{0}` in `{1:text}`", "`{1}`에 없는 키입니다: `{0}`"),
    ("`{0:text}` needs `{1}`", "`{0}`에 필요한 키가 없습니다: `{1}`"),
    (
        "`{0:text}` needs its keys here, not {1:text}",
        "여기에는 `{0}`의 키를 써야 합니다 (현재: {1})",
    ),
    (
        "`{0}` is not available in this version of haetae",
        "`{0}`: 이 버전의 haetae에서는 쓸 수 없습니다",
    ),
    (
        "it is part of the format, and comes with a later version",
        "형식에는 있으며, 이후 버전에서 제공됩니다",
    ),
    // kinds of values
    ("a text is missing here", "여기에 텍스트가 없습니다"),
    (
        "a text that begins with `#`, or is `null` or `~`, must be quoted",
        "`#`으로 시작하는 텍스트, `null`, `~`는 따옴표로 감싸야 합니다",
    ),
    (
        "a text belongs here, not {0:text}",
        "여기에는 텍스트를 써야 합니다 (현재: {0})",
    ),
    (
        "a list belongs here, not {0:text}",
        "여기에는 목록을 써야 합니다 (현재: {0})",
    ),
    (
        "a map belongs here, not {0:text}",
        "여기에는 맵(키: 값)을 써야 합니다 (현재: {0})",
    ),
    (
        "`{0}` does not fit here: a whole number from {1} to {2} is wanted",
        "`{0}`은(는) 여기에 쓸 수 없습니다. {1}~{2} 범위의 정수를 쓰십시오",
    ),
    (
        "`{0}` does not fit here: write `true` or `false`",
        "`{0}`은(는) 여기에 쓸 수 없습니다. `true` 또는 `false`를 쓰십시오",
    ),
    (
        "`{0}` does not fit here: use {1}",
        "`{0}`은(는) 여기에 쓸 수 없습니다. 쓸 수 있는 값: {1}",
    ),
    (
        "`{0}` does not fit here: write for example `{1}`",
        "`{0}`은(는) 여기에 쓸 수 없습니다. 예: `{1}`",
    ),
    ("`{0}` is not a number", "`{0}`은(는) 숫자가 아닙니다"),
    (
        "`{0}` is not a regular expression: {1}",
        "`{0}`은(는) 올바른 정규식이 아닙니다: {1}",
    ),
    (
        "`{0}` is not a date: write for example `{1}`",
        "`{0}`은(는) 날짜가 아닙니다. 예: `{1}`",
    ),
    // quantities and bounds
    (
        "`{0}` is not a size: write for example `10KB` or `4MiB`",
        "`{0}`은(는) 크기가 아닙니다. 예: `10KB`, `4MiB`",
    ),
    (
        "`{0}` is not a number with a unit: write for example `300ms`, `4MiB`, `85%` or `10`",
        "`{0}`은(는) 단위가 있는 숫자가 아닙니다. 예: `300ms`, `4MiB`, `85%`, `10`",
    ),
    (
        "`{0}` is not a bound: write `above 300ms`, `below 3`, `outside 3..10` or `inside 80..90`",
        "`{0}`은(는) 임계값이 아닙니다. 예: `above 300ms`, `below 3`, `outside 3..10`, `inside 80..90`",
    ),
    (
        "the range `{0}` is empty: the first number must be below the second",
        "범위 `{0}`: 비어 있습니다. 첫 번째 숫자가 두 번째보다 작아야 합니다",
    ),
    (
        "the two ends of `{0}` have different units",
        "`{0}`: 범위 양 끝의 단위가 서로 다릅니다",
    ),
    (
        "`{0}` is {1:text}, but this measures {2:text}: write for example `{3}`",
        "`{0}`: 값의 종류가 맞지 않습니다. 쓴 값: {1}, 측정 대상: {2}. 예: `{3}`",
    ),
    (
        "`{0}`: relative bounds are not available in this version of haetae",
        "`{0}`: 상대 임계값은 이 버전의 haetae에서는 쓸 수 없습니다",
    ),
    // times
    (
        "`{0}` has no unit: write `{0}ms` or `{0}s`",
        "`{0}`: 단위가 없습니다. `{0}ms` 또는 `{0}s`로 쓰십시오",
    ),
    (
        "{0}: `{1}` has no unit: write `{1}ms` or `{1}s`",
        "{0}: `{1}`에 단위가 없습니다. `{1}ms` 또는 `{1}s`로 쓰십시오",
    ),
    (
        "`{0}` is not a unit of time: use ms, s, m, h, d or w",
        "`{0}`은(는) 시간 단위가 아닙니다. ms, s, m, h, d, w 중에서 쓰십시오",
    ),
    (
        "`{0}` is not a duration: write for example `250ms`, `30s`, `5m` or `1h30m`",
        "`{0}`은(는) 시간 길이가 아닙니다. 예: `250ms`, `30s`, `5m`, `1h30m`",
    ),
    ("`{0}` is too long", "`{0}`: 시간이 너무 깁니다"),
    ("this must be longer than zero", "0보다 길어야 합니다"),
    (
        "`{0}` is not a cron expression: {1:text}",
        "`{0}`은(는) cron 식이 아닙니다: {1}",
    ),
    (
        "it has {0} fields, and needs 5 (minute hour day month weekday) or 6 (with seconds first)",
        "필드가 {0}개입니다. 5개(분 시 일 월 요일) 또는 6개(맨 앞에 초)가 필요합니다",
    ),
    (
        "`{0}` never comes: no date fits it",
        "`{0}`: 여기에 맞는 날짜가 없어 한 번도 실행되지 않습니다",
    ),
    (
        "`{0}` is not a time zone: write for example `Asia/Seoul` or `UTC`",
        "`{0}`은(는) 표준 시간대 이름이 아닙니다. 예: `Asia/Seoul`, `UTC`",
    ),
    (
        "`{0}` is not a day: write MON, TUE, WED, THU, FRI, SAT or SUN, or a range as MON-FRI",
        "`{0}`은(는) 요일이 아닙니다. MON, TUE, WED, THU, FRI, SAT, SUN 또는 MON-FRI 같은 범위로 쓰십시오",
    ),
    (
        "`{0}` are no hours: write for example `09:00-18:00`",
        "`{0}`은(는) 시각 범위가 아닙니다. 예: `09:00-18:00`",
    ),
    (
        "`{0}` is no time at all; leave `hours` out for the whole day",
        "`{0}`: 길이가 없는 범위입니다. 하루 종일이면 `hours`를 빼십시오",
    ),
    (
        "`{0}` is not a moment: write date, time and offset, for example `{1}`",
        "`{0}`은(는) 시점이 아닙니다. 날짜, 시각, UTC 차이를 함께 쓰십시오. 예: `{1}`",
    ),
    // `${…}`
    ("`${` is opened and never closed", "`${`를 열고 닫지 않았습니다"),
    (
        "write `$${` for a literal `${`",
        "`${`라는 글자 그대로를 쓰려면 `$${`로 쓰십시오",
    ),
    (
        "nothing is known by the name `${{0}}`",
        "`${{0}}`: 이런 이름의 값이 없습니다",
    ),
    (
        "use ${env:NAME}, ${file:PATH}, ${vars.name}, ${params.name} in a flow, ${run.id}, ${now}, ${random:8}, ${totp:env:NAME}, or a name that an earlier step remembers",
        "쓸 수 있는 것: ${env:NAME}, ${file:PATH}, ${vars.name}, 플로 안에서는 ${params.name}, ${run.id}, ${now}, ${random:8}, ${totp:env:NAME}, 또는 앞 단계가 기억한(`remember`) 이름",
    ),
    (
        "`${{0}:}` needs a name behind the colon",
        "`${{0}:}`: 콜론 뒤에 이름이 필요합니다",
    ),
    (
        "the environment variable `{0}` is not set",
        "설정되지 않은 환경 변수입니다: `{0}`",
    ),
    (
        "set {0} where haetae is started",
        "haetae를 시작하는 환경에 {0} 값을 설정하십시오",
    ),
    ("`${{0}}` is empty", "`${{0}}`: 값이 비어 있습니다"),
    ("there is no variable `{0}`", "없는 변수입니다: `{0}`"),
    (
        "add it under `vars:`, or give it with --var {0}=…",
        "`vars:` 아래에 추가하거나 --var {0}=…로 지정하십시오",
    ),
    (
        "this flow has no parameter `{0}`",
        "이 플로에 없는 매개변수입니다: `{0}`",
    ),
    (
        "name it under `params:` of the flow's file",
        "플로 파일의 `params:` 아래에 이름을 쓰십시오",
    ),
    (
        "`${totp:…}` needs to say where the authenticator's secret is",
        "`${totp:…}`: OTP 비밀 값이 어디에 있는지 써야 합니다",
    ),
    (
        "write `${totp:env:NAME}` or `${totp:file:PATH}`",
        "`${totp:env:NAME}` 또는 `${totp:file:PATH}`로 쓰십시오",
    ),
    (
        "`{0}` is no authenticator's secret: {1:text}",
        "`{0}`: OTP 비밀 값이 아닙니다 ({1})",
    ),
    (
        "it is not an otpauth://totp/ address",
        "otpauth://totp/ 주소가 아닙니다",
    ),
    (
        "it is not base32: the letters A–Z and the digits 2–7",
        "base32가 아닙니다. A–Z와 2–7만 쓸 수 있습니다",
    ),
    ("it is empty", "비어 있습니다"),
    (
        "take the text that the service shows beside the QR code",
        "서비스가 QR 코드 옆에 보여 주는 텍스트를 쓰십시오",
    ),
    (
        "`${{0}}` is not a moment: write for example `${now+1d:%Y-%m-%d}`",
        "`${{0}}`은(는) 시점이 아닙니다. 예: `${now+1d:%Y-%m-%d}`",
    ),
    (
        "`${random:{0}}` needs a length from 1 to {1}",
        "`${random:{0}}`: 길이는 1~{1} 범위여야 합니다",
    ),
    // secrets
    (
        "the secret `{0}` is under {1} characters",
        "비밀 값 `{0}`: {1}자보다 짧습니다",
    ),
    (
        "so short a text is masked only where it stands alone; use `vars:` for what is no secret",
        "이렇게 짧은 값은 홀로 있을 때만 가려집니다. 비밀이 아닌 값은 `vars:`에 쓰십시오",
    ),
    (
        "{0:text} must not stand in the file",
        "파일에 직접 쓸 수 없는 값입니다: {0}",
    ),
    (
        "name it instead: `${env:NAME}` or `${file:PATH}`; `secrets: { deny_literals: false }` in haetae.yaml allows it",
        "대신 `${env:NAME}` 또는 `${file:PATH}`로 쓰십시오. haetae.yaml의 `secrets: { deny_literals: false }`로 허용할 수 있습니다",
    ),
];
