//! Sentences of haetae in Korean.
//!
//! Messages are written in English where they arise, values inside. The tables here know
//! them as patterns with holes, so that they can be turned into Korean when they are told.
//! What no pattern fits stays as it is.

mod checks;
mod connections;
mod expectations;
mod local;
mod names;
mod network;
mod pattern;
mod problems;
mod settings;
mod steps;

use std::cmp::Reverse;
use std::sync::OnceLock;

use pattern::Pattern;

/// A pattern in English, and the same in Korean.
type Row = (&'static str, &'static str);

/// Sentences in sentences are followed this deep.
const DEEPEST: usize = 6;
/// More sentences than this in one text are looked at as one.
const MOST_SENTENCES: usize = 8;

fn rows() -> impl Iterator<Item = &'static Row> {
    [
        problems::PROBLEMS,
        settings::SETTINGS,
        checks::CHECKS,
        connections::CONNECTIONS,
        local::LOCAL,
        steps::STEPS,
        expectations::EXPECTATIONS,
        network::NETWORK,
        names::NAMES,
        names::ELEMENTS,
    ]
    .into_iter()
    .flatten()
}

/// Every pattern, those that say the most by themselves first.
fn patterns() -> &'static [Pattern] {
    static PATTERNS: OnceLock<Vec<Pattern>> = OnceLock::new();
    PATTERNS.get_or_init(|| {
        let mut all: Vec<Pattern> = rows().map(Pattern::new).collect();
        all.sort_by_key(|pattern| Reverse(pattern.weight()));
        all
    })
}

/// A message of haetae in Korean; none when no pattern fits it.
///
/// Several sentences joined by `; ` are told one by one. Of several lines, those after the
/// first stay as they are when nothing fits them.
#[must_use]
pub fn in_korean(text: &str) -> Option<String> {
    lines(text, 0)
}

fn lines(text: &str, depth: usize) -> Option<String> {
    if depth > DEEPEST {
        return None;
    }
    let Some((first, rest)) = text.split_once('\n') else {
        return sentences(text, depth);
    };
    let Some(mut korean) = sentences(first, depth) else {
        // A value in the middle of the sentence may have several lines.
        return sentence(text, depth);
    };
    for line in rest.split('\n') {
        korean.push('\n');
        korean.push_str(sentences(line, depth).as_deref().unwrap_or(line));
    }
    Some(korean)
}

/// Cuts at `; ` into as many sentences as possible, so that every one is known. A sentence or
/// a value may hold `; ` too, so that not every one is a cut.
fn sentences(text: &str, depth: usize) -> Option<String> {
    let cuts: Vec<usize> = text.match_indices("; ").map(|(at, _)| at + 2).collect();
    if cuts.len() >= MOST_SENTENCES {
        return sentence(text, depth);
    }
    // From where on everything is known, and how it is told; the last first. The end counts
    // as a cut of its own.
    let mut known: Vec<(usize, Option<String>)> = vec![(text.len() + 2, None)];
    for start in cuts.into_iter().rev().chain([0]) {
        let told = known.iter().rev().find_map(|(next, rest)| {
            let first = sentence(&text[start..next - 2], depth)?;
            Some(match rest {
                Some(rest) => format!("{first}; {rest}"),
                None => first,
            })
        });
        if told.is_some() {
            known.push((start, told));
        }
    }
    known
        .pop()
        .filter(|(start, _)| *start == 0)
        .and_then(|(_, told)| told)
}

fn sentence(text: &str, depth: usize) -> Option<String> {
    patterns().iter().find_map(|pattern| pattern.told(text, depth))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::pattern::Part;
    use super::*;

    fn told(text: &str) -> String {
        in_korean(text).unwrap_or_else(|| panic!("no pattern fits: {text}"))
    }

    #[test]
    fn typical_messages_read_as_korean() {
        for (english, korean) in [
            (
                "unknown key `timout` in `a check`",
                "`점검`에 없는 키입니다: `timout`",
            ),
            ("did you mean `timeout`?", "혹시 `timeout`인가요?"),
            (
                "timeout: `500` has no unit: write `500ms` or `500s`",
                "timeout: `500`에 단위가 없습니다. `500ms` 또는 `500s`로 쓰십시오",
            ),
            (
                "`criticall` does not fit here: use `warning`, `critical`, `unknown`",
                "`criticall`은(는) 여기에 쓸 수 없습니다. 쓸 수 있는 값: `warning`, `critical`, `unknown`",
            ),
            (
                "`big` is not a size: write for example `1280x800`",
                "`big`은(는) 크기가 아닙니다. 예: `1280x800`",
            ),
            (
                "`85%` is a percentage, but this measures a size: write for example `4MiB`",
                "`85%`: 값의 종류가 맞지 않습니다. 쓴 값: 백분율, 측정 대상: 크기. 예: `4MiB`",
            ),
            (
                "this is not YAML: unclosed quote",
                "YAML 형식이 아닙니다: unclosed quote",
            ),
            (
                "a password must not stand in the file",
                "파일에 직접 쓸 수 없는 값입니다: 비밀번호",
            ),
            (
                "nothing is known by the name `${run.di}`",
                "`${run.di}`: 이런 이름의 값이 없습니다",
            ),
            (
                "checks/a.yaml:1: nobody would hear of the level critical of `a`",
                "checks/a.yaml:1: `a`의 critical 수준을 전달받을 채널이 없습니다",
            ),
            (
                "nothing called \"Log in\" was found within 3s",
                "\"Log in\": 3s 안에 해당하는 요소를 찾지 못했습니다",
            ),
            (
                "looked for: a field called \"Password\" inside the CSS selector `form` (number 2)",
                "찾으려던 것: CSS 선택자 `form` 안의 이름이 \"Password\"인 입력 필드 중 2번째",
            ),
            (
                "the title is \"Cart\", expected to contain \"Checkout\"",
                "제목: \"Cart\" (예상: \"Checkout\" 포함)",
            ),
            (
                "3 requests failed, the first: GET http://a/ → the server refused the connection (ERR_CONNECTION_REFUSED)",
                "요청 3건이 실패했습니다. 첫 번째: GET http://a/ → 서버가 연결을 거부했습니다 (ERR_CONNECTION_REFUSED)",
            ),
            (
                "the page did not finish loading in time",
                "시간 초과: 페이지를 다 불러오지 못했습니다",
            ),
        ] {
            assert_eq!(told(english), korean);
        }
    }

    #[test]
    fn sentences_in_sentences_are_told_too() {
        assert_eq!(
            told("step 3 `click: Pay; or not` failed: button \"Pay\" #pay is covered by something else"),
            "3단계 `click: Pay; or not` 실패: button \"Pay\" #pay: 다른 것에 가려져 있습니다. 가린 것: 다른 요소",
        );
        assert_eq!(
            told("step 1 `open: /` failed: ERR nobody knows"),
            "1단계 `open: /` 실패: ERR nobody knows",
        );
        assert_eq!(
            told("the length of item 2 of the text is 3, expected at most 2"),
            "텍스트의 2번째 항목의 길이: 3 (예상: 2 이하)",
        );
    }

    #[test]
    fn several_sentences_and_lines_are_told_one_by_one() {
        assert_eq!(
            told("the title is \"a; b\", expected \"c\"; it is not ticked; \"Pay\" is not there"),
            "제목: \"a; b\" (예상: \"c\"); 체크되어 있지 않습니다; \"Pay\": 페이지에 없습니다",
        );
        assert_eq!(
            told("at checks/a.yaml:5\nwaited: 3s\nwhatever\noptions: a, b"),
            "위치: checks/a.yaml:5\n기다린 시간: 3s\nwhatever\n선택 항목: a, b",
        );
        assert_eq!(
            told("step 2 `script: a\nb` failed: the script returned false"),
            "2단계 `script: a\nb` 실패: 스크립트가 false를 반환했습니다",
        );
        assert_eq!(in_korean("the title is \"a\", expected"), None);
    }

    #[test]
    fn what_no_pattern_fits_is_left_to_the_caller() {
        for text in [
            "",
            "; ",
            "\n",
            "Cannot read properties of null",
            "it was a dark night",
        ] {
            assert_eq!(in_korean(text), None, "{text}");
        }
        assert!(in_korean(&"a; ".repeat(10_000)).is_none());
        assert!(in_korean(&"a field called \"a\" inside ".repeat(200)).is_none());
    }

    fn holes(parts: &[Part]) -> BTreeSet<usize> {
        parts
            .iter()
            .filter_map(|part| match part {
                Part::Literal(_) => None,
                Part::Hole(number, _) => Some(*number),
            })
            .collect()
    }

    fn filled(parts: &[Part]) -> String {
        parts
            .iter()
            .map(|part| match part {
                Part::Literal(text) => (*text).to_owned(),
                Part::Hole(number, _) => format!("v{number}"),
            })
            .collect()
    }

    #[test]
    fn patterns_are_sound() {
        let mut seen = BTreeSet::new();
        for row in rows() {
            assert!(seen.insert(row.0), "twice: {}", row.0);
            let pattern = Pattern::new(row);
            assert_eq!(
                holes(&pattern.english),
                holes(&pattern.korean),
                "other holes: {}",
                row.0
            );
            assert!(pattern.regex().is_some(), "does not compile: {}", row.0);
            assert!(pattern.weight() > 2, "says too little: {}", row.0);
            let side_by_side = pattern
                .english
                .windows(2)
                .any(|pair| matches!(pair, [Part::Hole(..), Part::Hole(..)]));
            assert!(!side_by_side, "two holes side by side: {}", row.0);
        }
    }

    #[test]
    fn every_pattern_is_reached_by_its_own_sentence() {
        for row in rows().filter(|row| !row.0.contains(":known}")) {
            let pattern = Pattern::new(row);
            assert_eq!(
                told(&filled(&pattern.english)),
                filled(&pattern.korean),
                "{}",
                row.0
            );
        }
    }
}
