//! What did not hold: of a page, of an answer, of one value.

use super::Row;

/// Rules of matchers, and what they are about.
pub static EXPECTATIONS: &[Row] = &[
    // a value
    ("{0:text} is missing", "{0}: 값이 없습니다"),
    (
        "{0:text} is missing, expected {1}",
        "{0}: 값이 없습니다 (예상: {1})",
    ),
    (
        "{0:text} is missing, expected to contain {1}",
        "{0}: 값이 없습니다 (예상: {1} 포함)",
    ),
    (
        "{0:text} is missing, expected to match {1}",
        "{0}: 값이 없습니다 (예상: 정규식 {1})",
    ),
    (
        "{0:text} is missing, expected one of {1}",
        "{0}: 값이 없습니다 (예상: {1} 중 하나)",
    ),
    (
        "{0:text} is missing, expected at least {1}",
        "{0}: 값이 없습니다 (예상: {1} 이상)",
    ),
    (
        "{0:text} is missing, expected at most {1}",
        "{0}: 값이 없습니다 (예상: {1} 이하)",
    ),
    (
        "{0:text} is missing, expected the type {1}",
        "{0}: 값이 없습니다 (예상: {1} 형식)",
    ),
    ("{0:text} is there, expected none", "{0}: 없어야 하는데 있습니다"),
    ("{0:text} is {1}, expected {2}", "{0}: {1} (예상: {2})"),
    (
        "{0:text} is {1}, expected anything but {2}",
        "{0}: {1} (예상: {2} 아닌 값)",
    ),
    (
        "{0:text} is {1}, expected to contain {2}",
        "{0}: {1} (예상: {2} 포함)",
    ),
    (
        "{0:text} is {1}, expected not to contain {2}",
        "{0}: {1} (예상: {2} 포함하지 않음)",
    ),
    (
        "{0:text} is {1}, expected to match {2}",
        "{0}: {1} (예상: 정규식 {2})",
    ),
    (
        "{0:text} is {1}, expected one of {2}",
        "{0}: {1} (예상: {2} 중 하나)",
    ),
    (
        "{0:text} is {1}, expected at least {2}",
        "{0}: {1} (예상: {2} 이상)",
    ),
    (
        "{0:text} is {1}, expected at most {2}",
        "{0}: {1} (예상: {2} 이하)",
    ),
    (
        "{0:text} is {1}, expected the type {2}",
        "{0}: {1} (예상: {2} 형식)",
    ),
    ("{0:text} is {1}, expected a list", "{0}: {1} (예상: 목록)"),
    // what the value is
    ("the title", "제목"),
    ("the address", "주소"),
    ("the text", "텍스트"),
    ("the value", "값"),
    ("the count", "개수"),
    ("the download", "내려받은 파일"),
    ("the attribute `{0}`", "속성 `{0}`"),
    ("the cookie `{0}`", "쿠키 `{0}`"),
    ("`{0}` in the local storage", "로컬 저장소의 `{0}`"),
    ("header {0}", "헤더 {0}"),
    ("body", "본문"),
    ("the length of {0:text}", "{0}의 길이"),
    ("item {0} of {1:text}", "{1}의 {0}번째 항목"),
    // a page
    ("it is ticked", "체크되어 있습니다"),
    ("it is not ticked", "체크되어 있지 않습니다"),
    ("it is usable", "사용할 수 있는 상태입니다"),
    ("it is not usable", "사용할 수 없는 상태입니다"),
    ("the console has errors: {0}", "콘솔에 오류가 있습니다: {0}"),
    (
        "{0} requests failed, the first: {1} → {2:text}",
        "요청 {0}건이 실패했습니다. 첫 번째: {1} → {2}",
    ),
    ("no file was downloaded", "내려받은 파일이 없습니다"),
    ("downloaded was only: {0}", "내려받은 파일은 다음뿐입니다: {0}"),
    (
        "no request to such an address was answered",
        "이런 주소로 보낸 요청 중 응답받은 것이 없습니다",
    ),
    ("answered: {0}", "응답받은 요청: {0}"),
    (
        "the page is not idle: {0} requests wait for their answer",
        "페이지의 통신이 끝나지 않았습니다. 응답을 기다리는 요청: {0}건",
    ),
    // a few rules of WCAG 2
    (
        "the page does not say its language (WCAG 3.1.1)",
        "페이지에 언어(lang)가 지정되어 있지 않습니다 (WCAG 3.1.1)",
    ),
    (
        "the page has no title (WCAG 2.4.2)",
        "페이지에 제목이 없습니다 (WCAG 2.4.2)",
    ),
    (
        "pictures without a text (WCAG 1.1.1): {0}, the first is {1}",
        "대체 텍스트가 없는 이미지 (WCAG 1.1.1): {0}개, 첫 번째: {1}",
    ),
    (
        "fields without a name (WCAG 4.1.2): {0}, the first is {1}",
        "이름이 없는 입력 필드 (WCAG 4.1.2): {0}개, 첫 번째: {1}",
    ),
    (
        "buttons and links without a name (WCAG 4.1.2): {0}, the first is {1}",
        "이름이 없는 버튼과 링크 (WCAG 4.1.2): {0}개, 첫 번째: {1}",
    ),
    (
        "ids that labels point at and that are there twice (WCAG 4.1.2): {0}, the first is {1}",
        "레이블이 가리키는데 중복된 id (WCAG 4.1.2): {0}개, 첫 번째: {1}",
    ),
    // an answer to a request of ours
    ("status is {0}, expected {1}", "응답 상태 {0} (예상: {1})"),
    ("it said: {0}", "응답 내용: {0}"),
    (
        "the answer is empty, expected JSON",
        "응답이 비어 있습니다 (예상: JSON)",
    ),
    ("the answer is not JSON", "응답이 JSON이 아닙니다"),
    (
        "the answer has nothing to remember as `{0}`",
        "응답에 `{0}`(으)로 기억할 값이 없습니다",
    ),
];
