//! What a scenario's steps say when they fail, and what they remark on.

use super::Row;

/// Finding, acting, pages, the browser.
pub static STEPS: &[Row] = &[
    // around a failure
    ("step {0} `{1}` failed: {2:text}", "{0}단계 `{1}` 실패: {2}"),
    ("at {0}.yaml:{1}", "위치: {0}.yaml:{1}"),
    ("at {0}.yml:{1}", "위치: {0}.yml:{1}"),
    ("clean-up failed: {0:text}", "정리 단계 실패: {0}"),
    ("stopped by hand", "사용자가 중단했습니다"),
    (
        "the scenario's time was used up before this step",
        "이 단계를 시작하기 전에 시나리오의 제한 시간이 지났습니다",
    ),
    (
        "`${{0}}` has no value yet: no earlier step remembered it",
        "`${{0}}`: 아직 값이 없습니다. 앞 단계에서 기억하지(`remember`) 않았습니다",
    ),
    // finding
    (
        "nothing called \"{0}\" was found within {1}",
        "\"{0}\": {1} 안에 해당하는 요소를 찾지 못했습니다",
    ),
    (
        "nothing is called \"{0}\", and {1} things contain it",
        "이름이 \"{0}\"인 요소는 없고, 그 글자가 포함된 요소는 {1}개입니다",
    ),
    (
        "\"{0}\" fits {1} things; say which with `exact`, `nth`, `in` or `near`",
        "\"{0}\"에 해당하는 요소가 {1}개입니다. `exact`, `nth`, `in`, `near`로 하나를 지정하십시오",
    ),
    (
        "\"{0}\" fits {1} things: add `nth`, `in` or `near`",
        "\"{0}\"에 해당하는 요소가 {1}개입니다. `nth`, `in`, `near` 중 하나를 추가하십시오",
    ),
    ("\"{0}\" is not there", "\"{0}\": 페이지에 없습니다"),
    (
        "\"{0}\" is still there after {1}",
        "\"{0}\": {1} 뒤에도 아직 있습니다",
    ),
    (
        "\"{0}\" was not seen after {1} rounds",
        "\"{0}\": {1}번 반복해도 나타나지 않았습니다",
    ),
    (
        "\"{0}\" was not found; the fallback number {1} was used: mend the locator",
        "\"{0}\": 찾지 못해 {1}번째 대체 지정을 썼습니다. 요소 지정을 고치십시오",
    ),
    (
        "{0} is covered by {1:text}",
        "{0}: 다른 것에 가려져 있습니다. 가린 것: {1}",
    ),
    ("something", "알 수 없는 요소"),
    ("something else", "다른 요소"),
    ("something outside of its frame", "프레임 밖의 요소"),
    ("{0} is disabled", "{0}: 비활성 상태입니다"),
    ("{0} does not stand still", "{0}: 움직임이 멈추지 않습니다"),
    ("the CSS selector is not valid", "CSS 선택자가 올바르지 않습니다"),
    ("the XPath is not valid", "XPath가 올바르지 않습니다"),
    ("looked for: {0:text}", "찾으려던 것: {0}"),
    ("part of: {0}", "속한 단계: {0}"),
    ("waited: {0}", "기다린 시간: {0}"),
    ("fits: {0}", "해당하는 요소: {0}"),
    (
        "the element around it (`inside:`) is not there, or not the only one",
        "바깥 요소(`inside:`)가 없거나 하나가 아닙니다",
    ),
    ("on the page: {0}", "열려 있던 페이지: {0}"),
    (
        "on the page: {0} (title \"{1}\")",
        "현재 페이지: {0} (제목 \"{1}\")",
    ),
    ("similar on the page: {0}", "페이지의 비슷한 요소: {0}"),
    ("the page offers: {0}", "페이지에 있는 요소: {0}"),
    // acting
    (
        "{0} can only be read, not typed into",
        "{0}: 읽기 전용이라 입력할 수 없습니다",
    ),
    (
        "{0} does not take this value; a date is written as 2026-12-31, a time as 13:30",
        "{0}: 이 값을 받지 않습니다. 날짜는 2026-12-31, 시각은 13:30처럼 쓰십시오",
    ),
    (
        "the box was replaced again and again",
        "체크박스가 계속 새로 그려집니다",
    ),
    (
        "the box does not change when it is clicked",
        "체크박스를 클릭해도 바뀌지 않습니다",
    ),
    (
        "several options fit \"{0}\"",
        "\"{0}\"에 해당하는 선택 항목이 여러 개입니다",
    ),
    (
        "the option \"{0}\" is disabled",
        "선택 항목 \"{0}\": 비활성 상태입니다",
    ),
    ("there is no option \"{0}\"", "선택 항목 \"{0}\": 없습니다"),
    ("options: {0}", "선택 항목: {0}"),
    (
        "the file `{0}` to upload is not there; a relative path is looked up from the project folder",
        "올릴 파일 `{0}`: 파일이 없습니다. 상대 경로는 프로젝트 폴더를 기준으로 찾습니다",
    ),
    (
        "{0} has no field for files; {1} were found near it",
        "{0}: 파일을 올릴 필드가 아닙니다. 근처에서 찾은 파일 필드: {1}개",
    ),
    (
        "an unexpected dialog was dismissed: {0}; answer it with a `dialog:` step",
        "예상하지 못한 대화 상자를 닫았습니다: {0}. `dialog:` 단계로 응답하십시오",
    ),
    (
        "a `dialog:` step waited for a dialog that never came",
        "`dialog:` 단계가 기다린 대화 상자가 끝내 열리지 않았습니다",
    ),
    // pages, tabs, cookies, scripts
    (
        "the page did not finish loading in time",
        "시간 초과: 페이지를 다 불러오지 못했습니다",
    ),
    (
        "`{0}` does not make an address; is `browser: { url: … }` set?",
        "`{0}`: 주소가 되지 않습니다. `browser: { url: … }`을 설정했는지 확인하십시오",
    ),
    (
        "`browser: { url: {0} }` is not an address",
        "`browser: { url: {0} }`: 주소가 아닙니다",
    ),
    ("`{0}:` pages are not opened", "`{0}:` 페이지는 열지 않습니다"),
    (
        "there is no tab {0}: {1} are open",
        "{0}번 탭이 없습니다. 열려 있는 탭: {1}개",
    ),
    ("no tab is called \"{0}\"", "이름이 \"{0}\"인 탭이 없습니다"),
    ("open are: {0}", "열려 있는 탭: {0}"),
    (
        "this is the only tab, and a scenario needs one",
        "하나뿐인 탭이라 닫을 수 없습니다",
    ),
    ("there is no page to go to", "이동할 페이지가 기록에 없습니다"),
    ("the picture cannot be read", "화면 사진을 읽을 수 없습니다"),
    ("that is not a frame", "프레임이 아닙니다"),
    (
        "a cookie needs a page: open one first, or set `browser: { url: … }`",
        "쿠키를 넣을 페이지가 없습니다. 먼저 페이지를 열거나 `browser: { url: … }`을 설정하십시오",
    ),
    ("there is no cookie `{0}`", "쿠키 `{0}`: 없습니다"),
    (
        "\"{0}\" has no attribute `{1}`",
        "\"{0}\": 없는 속성입니다 (`{1}`)",
    ),
    (
        "the address {0} does not match {1}",
        "주소가 패턴과 맞지 않습니다. 주소: {0}, 패턴: {1}",
    ),
    ("the script returned false", "스크립트가 false를 반환했습니다"),
    (
        "the script returned nothing",
        "스크립트가 값을 반환하지 않았습니다",
    ),
    ("the script failed: {0}", "스크립트 실패: {0}"),
    (
        "the script failed: {0}the script did not end in time",
        "스크립트 실패: {0}시간 초과로 스크립트가 끝나지 않았습니다",
    ),
    (
        "another run's `{0}` did not end in time",
        "시간 초과: 다른 실행의 `{0}` 로그인이 끝나지 않았습니다",
    ),
    (
        "a log-in of an earlier run did not hold any more; it was done anew",
        "이전 실행의 로그인이 더는 유효하지 않아 다시 로그인했습니다",
    ),
    // the page is gone, or does not answer
    ("the page was left", "페이지를 벗어났습니다"),
    ("the page gave no answer", "페이지가 응답하지 않았습니다"),
    ("the element is gone", "요소가 사라졌습니다"),
    ("Error: the element is gone", "요소가 사라졌습니다"),
    (
        "the page, or the frame in it, is gone",
        "페이지나 그 안의 프레임이 사라졌습니다",
    ),
    (
        "the page does not respond (a script that never ends?)",
        "페이지가 응답하지 않습니다 (끝나지 않는 스크립트일 수 있습니다)",
    ),
    (
        "the page waits for an answer to its {0} \"{1}\" (one of many?)",
        "페이지가 대화 상자의 응답을 기다리고 있습니다: {0} \"{1}\" (계속 열리는 대화 상자일 수 있습니다)",
    ),
    (
        "the page used more than {0} MiB of memory and was ended",
        "페이지가 메모리를 {0}MiB 넘게 써서 종료했습니다",
    ),
    (
        "the page made the browser's tab crash",
        "페이지 때문에 브라우저 탭이 비정상 종료되었습니다",
    ),
    ("it could not be loaded", "페이지를 불러오지 못했습니다"),
    (
        "it became a download",
        "페이지 대신 파일 내려받기가 시작되었습니다",
    ),
    // the browser
    (
        "the browser does not respond any more",
        "브라우저가 더 이상 응답하지 않습니다",
    ),
    (
        "the browser or its driver is gone",
        "브라우저 또는 드라이버가 종료되었습니다",
    ),
    ("the browser's session is gone", "브라우저 세션이 사라졌습니다"),
    ("the browser refuses: {0}", "브라우저가 거부했습니다: {0}"),
    (
        "{0:text}; the run was done once more",
        "{0}. 처음부터 한 번 더 실행했습니다",
    ),
    (
        "no browser was free in time",
        "시간 초과: 비어 있는 브라우저가 없었습니다",
    ),
    (
        "no browser was ready in time",
        "시간 초과: 브라우저가 준비되지 않았습니다",
    ),
    ("haetae is shutting down", "haetae를 종료하는 중입니다"),
    (
        "the browser did not start in time",
        "시간 초과: 브라우저가 시작되지 않았습니다",
    ),
    (
        "the browser could not be started: {0}",
        "브라우저를 시작하지 못했습니다: {0}",
    ),
    (
        "the browser does not tell what happens in it: {0}",
        "브라우저가 이벤트를 알려 주지 않습니다: {0}",
    ),
    (
        "the browser's events cannot be had: {0}",
        "브라우저 이벤트를 받을 수 없습니다: {0}",
    ),
    (
        "this WebDriver does not speak BiDi (it gave no webSocketUrl); Selenium Grid 4, ChromeDriver and geckodriver do",
        "이 WebDriver는 BiDi를 지원하지 않습니다(webSocketUrl이 없습니다). Selenium Grid 4, ChromeDriver, geckodriver는 지원합니다",
    ),
    (
        "`{0}` is not installed: install the packages chromium and chromium-driver, or set `webdriver:` in haetae.yaml",
        "`{0}`: 설치되어 있지 않습니다. chromium과 chromium-driver 패키지를 설치하거나 haetae.yaml에 `webdriver:`를 설정하십시오",
    ),
    (
        "{0} cannot be told {1}; it was left out",
        "이 브라우저는 지원하지 않아 설정하지 않았습니다: {0}, {1}",
    ),
    (
        "the WebDriver at {0} has one session at a time, and somebody has it: set `browsers: { at_once: 1 }`, or put a Selenium Grid in front of it",
        "WebDriver {0}: 한 번에 한 세션만 열 수 있는데 이미 사용 중입니다. `browsers: { at_once: 1 }`로 설정하거나 앞에 Selenium Grid를 두십시오",
    ),
    (
        "the WebDriver at {0} gave no session in time: no place for {1} is free, or it has none",
        "시간 초과: WebDriver {0}에서 세션을 받지 못했습니다. {1}용 빈자리가 없거나 {1}을(를) 제공하지 않습니다",
    ),
    (
        "the grid at {0} gave no session in its own time: no place for {1} is free, or none of its nodes has it",
        "그리드 {0}의 대기 시간이 끝나도록 세션을 받지 못했습니다. {1}용 빈자리가 없거나 {1}을(를) 제공하는 노드가 없습니다",
    ),
    (
        "the WebDriver at {0} cannot be reached: {1}",
        "WebDriver {0}에 연결할 수 없습니다: {1}",
    ),
    (
        "the WebDriver at {0} does not start {1}: {2}",
        "WebDriver {0}에서 {1}을(를) 시작하지 못했습니다: {2}",
    ),
    (
        "what answers at {0} is no WebDriver: {1}",
        "{0}에서 응답한 것은 WebDriver가 아닙니다: {1}",
    ),
    (
        "files that a page gives stay where the browser runs: `download:` cannot be looked at with a WebDriver at a `url`",
        "페이지가 준 파일은 브라우저가 실행되는 곳에 남습니다. `url`의 WebDriver에서는 `download:`를 확인할 수 없습니다",
    ),
    (
        "cannot make the folder {0}: {1}",
        "폴더 {0}: 만들 수 없습니다 ({1})",
    ),
    (
        "ChromeDriver could not be started: {0}",
        "ChromeDriver를 시작하지 못했습니다: {0}",
    ),
    (
        "ChromeDriver has no output",
        "ChromeDriver의 출력을 받을 수 없습니다",
    ),
    (
        "ChromeDriver ended, or did not say its port within 10s",
        "ChromeDriver가 종료되었거나 10초 안에 포트를 알리지 않았습니다",
    ),
];
