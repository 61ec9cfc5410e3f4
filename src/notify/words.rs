//! The words of messages, in English and Korean.

use std::time::Duration;

use crate::model::{Language, Level, Notice, Purpose, TransitionKind, format_duration};

/// A level as a headline says it.
#[must_use]
pub fn level(language: Language, level: Level) -> &'static str {
    match (language, level) {
        (Language::En, Level::Ok) => "OK",
        (Language::En, Level::Warning) => "WARNING",
        (Language::En, Level::Unknown) => "UNKNOWN",
        (Language::En, Level::Critical) => "CRITICAL",
        (Language::Ko, Level::Ok) => "정상",
        (Language::Ko, Level::Warning) => "경고",
        (Language::Ko, Level::Unknown) => "확인 불가",
        (Language::Ko, Level::Critical) => "심각",
    }
}

/// A duration with at most two units: `4m30s`, `4분 30초`.
#[must_use]
pub fn duration(language: Language, span: Duration) -> String {
    let text = format_duration(span);
    if language == Language::En {
        return text;
    }
    let mut written = String::new();
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let digits = rest
            .find(|c: char| !(c.is_ascii_digit() || c == '.'))
            .unwrap_or(rest.len());
        let after = &rest[digits..];
        let letters = after.find(|c: char| c.is_ascii_digit()).unwrap_or(after.len());
        let unit = match &after[..letters] {
            "d" => "일",
            "h" => "시간",
            "m" => "분",
            "s" => "초",
            "ms" => "밀리초",
            other => other,
        };
        if !written.is_empty() {
            written.push(' ');
        }
        written.push_str(&rest[..digits]);
        written.push_str(unit);
        rest = &after[letters..];
    }
    written
}

/// The line that says what changed, with the check's name.
#[must_use]
pub fn headline(language: Language, notice: &Notice, name: &str) -> String {
    use TransitionKind::{
        Closed, FlappingBegan, FlappingEnded, Improved, Opened, Reopened, Resolved, Worsened,
    };
    let now = level(language, notice.level);
    let was = level(language, notice.from);
    let lasted = duration(language, notice.at.since(notice.opened));
    let is_korean = language == Language::Ko;
    let flaps = match (notice.flapping, is_korean) {
        (false, _) => "",
        (true, false) => ", flapping",
        (true, true) => ", 불안정",
    };
    match (notice.purpose, notice.change, is_korean) {
        (Purpose::Heartbeat, _, _) => name.to_owned(),
        (Purpose::Escalation, _, false) => {
            format!("ESCALATED, {now} for {lasted}, nobody has acknowledged: {name}")
        }
        (Purpose::Escalation, _, true) => {
            format!("상위 전달: {lasted}째 {now}, 아직 확인한 사람 없음: {name}")
        }
        (Purpose::Note, _, false) => format!("about {now}: {name}"),
        (Purpose::Note, _, true) => format!("{now} 관련: {name}"),
        (_, Some(Opened), _) => format!("{now}{flaps}: {name}"),
        (_, Some(Reopened), false) => format!("{now} again{flaps}: {name}"),
        (_, Some(Reopened), true) => format!("{now} 재발{flaps}: {name}"),
        (_, Some(Worsened), false) => format!("{now} (was {}){flaps}: {name}", notice.from),
        (_, Some(Worsened), true) => format!("{now} (이전 {was}){flaps}: {name}"),
        (_, Some(Improved), false) => format!(
            "better, now {} (was {}){flaps}: {name}",
            notice.level, notice.from
        ),
        (_, Some(Improved), true) => format!("호전, 현재 {now} (이전 {was}){flaps}: {name}"),
        (_, Some(Resolved), false) => format!("RESOLVED after {lasted}: {name}"),
        (_, Some(Resolved), true) => format!("해결됨 ({lasted} 지속): {name}"),
        (_, Some(Closed), false) => format!("closed: {name}"),
        (_, Some(Closed), true) => format!("종료: {name}"),
        (_, Some(FlappingBegan), false) => format!("FLAPPING, now {now}: {name}"),
        (_, Some(FlappingBegan), true) => format!("불안정 시작, 현재 {now}: {name}"),
        (_, Some(FlappingEnded), false) => format!("calm again, still {now}: {name}"),
        (_, Some(FlappingEnded), true) => format!("안정됨, 여전히 {now}: {name}"),
        (_, None, false) => format!("still {now} after {lasted}{flaps}: {name}"),
        (_, None, true) => format!("{lasted}째 {now}{flaps}: {name}"),
    }
}

/// The name of a fact or of a link.
#[must_use]
pub fn label(language: Language, word: &'static str) -> &'static str {
    if language == Language::En {
        return word;
    }
    match word {
        "check" => "점검",
        "since" => "시작",
        "at" => "시각",
        "owner" => "담당",
        "acknowledged by" => "확인",
        "Runbook" => "대응 절차",
        "Incident" => "장애 상세",
        "Incidents" => "전체 장애",
        other => other,
    }
}

/// `and 3 more`
#[must_use]
pub fn more(language: Language, count: usize) -> String {
    match language {
        Language::En => format!("and {count} more"),
        Language::Ko => format!("외 {count}건"),
    }
}

/// A reason in the language, as far as haetae itself has phrased it.
#[must_use]
pub fn reason(language: Language, text: &str) -> String {
    if language == Language::En {
        return text.to_owned();
    }
    bound_in_korean(text)
        .or_else(|| phrase_in_korean(text))
        .unwrap_or_else(|| text.to_owned())
}

/// `response_time is 420ms, above 300ms`
fn bound_in_korean(text: &str) -> Option<String> {
    let (name, rest) = text.split_once(" is ")?;
    let (value, bound) = rest.rsplit_once(", ")?;
    let (word, limit) = bound.split_once(' ')?;
    let relation = match word {
        "above" => "초과",
        "below" => "미만",
        "outside" => "범위를 벗어남",
        "inside" => "금지 범위에 있음",
        _ => return None,
    };
    Some(format!("{name} {value} (기준 {limit} {relation})"))
}

/// Beginnings of what haetae says most often.
fn phrase_in_korean(text: &str) -> Option<String> {
    const PHRASES: [(&str, &str); 5] = [
        ("could not measure: ", "측정하지 못함: "),
        ("connection refused by ", "연결 거부: "),
        ("flapping: ", "불안정: "),
        ("status is ", "응답 상태 "),
        ("no answer", "응답 없음"),
    ];
    PHRASES
        .iter()
        .find_map(|(english, korean)| Some(format!("{korean}{}", text.strip_prefix(english)?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn korean_durations_and_bounds_read_naturally() {
        assert_eq!(duration(Language::Ko, Duration::from_secs(270)), "4분 30초");
        assert_eq!(duration(Language::Ko, Duration::from_millis(350)), "350밀리초");
        assert_eq!(
            reason(Language::Ko, "response_time is 420ms, above 300ms"),
            "response_time 420ms (기준 300ms 초과)"
        );
        assert_eq!(reason(Language::Ko, "anything else"), "anything else");
    }
}
