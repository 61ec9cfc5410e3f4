//! What a message says, whatever the channel: short, and readable on a phone.

use crate::model::{Form, Language, Level, Message, Notice, Purpose, TransitionKind};

use super::common::in_common;
use super::words;

/// Reasons shown per incident; the rest is counted.
const MOST_REASONS: usize = 3;
/// A reason is cut after this many characters.
const LONGEST_REASON: usize = 500;
/// Incidents that a storm's summary names.
const MOST_NAMED: usize = 5;

/// One incident in a message.
pub struct Paragraph {
    /// `CRITICAL: Payment gateway`
    pub headline: String,
    /// Why, a line each.
    pub reasons: Vec<String>,
    /// Name and value: since, owner, check …
    pub facts: Vec<(&'static str, String)>,
    /// Words and address.
    pub links: Vec<(&'static str, String)>,
    /// The level that gives the colour.
    pub level: Level,
}

/// What a message says of each incident: the latest, once. An incident that began and ended
/// within one message is told as over.
#[must_use]
pub fn latest(message: &Message) -> Vec<&Notice> {
    let mut latest: Vec<&Notice> = Vec::new();
    for notice in &message.notices {
        let known = latest.iter().position(|other| other.incident == notice.incident);
        match known {
            // What an action did is told beside the change, not instead of it.
            Some(_) if notice.purpose == Purpose::Note => latest.push(notice),
            Some(at) => {
                latest.remove(at);
                latest.push(notice);
            }
            None => latest.push(notice),
        }
    }
    latest
}

/// The paragraphs of a message, in its order. A single one leaves out what [`summary`] says
/// above it already.
#[must_use]
pub fn paragraphs(message: &Message) -> Vec<Paragraph> {
    let latest = latest(message);
    if is_storm(message.form) && latest.len() > 1 {
        return vec![storm_paragraph(message, &latest)];
    }
    let is_single = latest.len() == 1;
    latest
        .into_iter()
        .map(|notice| {
            let mut paragraph = paragraph(notice, message);
            if is_single {
                paragraph.headline = notice.check.to_string();
                let check = words::label(message.language, "check");
                paragraph.facts.retain(|(name, _)| *name != check);
                if says_reason(notice) {
                    paragraph.reasons.remove(0);
                }
            }
            paragraph
        })
        .collect()
}

/// The whole message in one line, for notifications on a locked screen.
#[must_use]
pub fn summary(message: &Message) -> String {
    let latest = latest(message);
    let language = message.language;
    if let [only] = latest.as_slice() {
        let headline = headline(only, language);
        return if says_reason(only) {
            format!(
                "{headline}: {}",
                line(&words::reason(language, &only.reasons[0]), LONGEST_REASON)
            )
        } else if only.purpose == Purpose::Note {
            format!("{headline}: {}", only.note.as_deref().unwrap_or_default())
        } else {
            headline
        };
    }
    let counts = counts(&latest, language);
    let all = latest.len();
    match (message.form, language) {
        (Form::Storm | Form::StormEnd, _) => storm_headline(message.form, &latest, language),
        (Form::Digest, Language::En) => format!("digest of {all}: {counts}"),
        (Form::Digest, Language::Ko) => format!("요약 {all}건: {counts}"),
        (Form::Changes, Language::En) => format!("{all} changes: {counts}"),
        (Form::Changes, Language::Ko) => format!("변경 {all}건: {counts}"),
    }
}

/// The worst level in a message; ok when all is over.
#[must_use]
pub fn worst(message: &Message) -> Level {
    latest(message)
        .iter()
        .map(|notice| notice.level)
        .max()
        .unwrap_or_default()
}

fn is_storm(form: Form) -> bool {
    matches!(form, Form::Storm | Form::StormEnd)
}

fn says_reason(notice: &Notice) -> bool {
    notice.level != Level::Ok && !notice.reasons.is_empty() && notice.purpose != Purpose::Note
}

fn counts(notices: &[&Notice], language: Language) -> String {
    let parts: Vec<String> = [Level::Critical, Level::Unknown, Level::Warning, Level::Ok]
        .iter()
        .filter_map(|level| {
            let count = notices.iter().filter(|notice| notice.level == *level).count();
            let word = match (language, level) {
                (Language::En, Level::Ok) => "resolved",
                (Language::Ko, Level::Ok) => "해결됨",
                (Language::En, level) => level.as_str(),
                (Language::Ko, level) => words::level(language, *level),
            };
            (count > 0).then(|| match language {
                Language::En => format!("{count} {word}"),
                Language::Ko => format!("{word} {count}건"),
            })
        })
        .collect();
    parts.join(", ")
}

/// A storm in one line: how many, and what they have in common; or that it is over.
fn storm_headline(form: Form, notices: &[&Notice], language: Language) -> String {
    let all = notices.len();
    let counts = counts(notices, language);
    let left = notices.iter().filter(|notice| notice.level != Level::Ok).count();
    let is_end = form == Form::StormEnd;
    let bad: Vec<&Notice> = notices
        .iter()
        .copied()
        .filter(|notice| notice.level != Level::Ok)
        .collect();
    let common = in_common(if bad.is_empty() { notices } else { &bad }, language).join(" · ");
    let common = if common.is_empty() {
        common
    } else {
        format!(" — {common}")
    };
    match (is_end, language) {
        (false, Language::En) => format!("STORM, {all} incidents: {counts}{common}"),
        (false, Language::Ko) => format!("동시 장애 {all}건: {counts}{common}"),
        (true, Language::En) if left == 0 => format!("STORM OVER, all {all} resolved{common}"),
        (true, Language::Ko) if left == 0 => format!("동시 장애 종료, {all}건 모두 해결됨{common}"),
        (true, Language::En) => format!("STORM OVER: {counts}{common}"),
        (true, Language::Ko) => format!("동시 장애 종료: {counts}{common}"),
    }
}

fn storm_paragraph(message: &Message, latest: &[&Notice]) -> Paragraph {
    let language = message.language;
    let mut by_level: Vec<&Notice> = latest.to_vec();
    by_level.sort_by_key(|notice| std::cmp::Reverse(notice.level));
    let mut lines: Vec<String> = by_level
        .iter()
        .take(MOST_NAMED)
        .map(|notice| headline(notice, language))
        .collect();
    if latest.len() > MOST_NAMED {
        lines.push(words::more(language, latest.len() - MOST_NAMED));
    }
    let since = latest.iter().map(|notice| notice.opened).min();
    let title = match language {
        Language::En => "The worst of them",
        Language::Ko => "주요 장애",
    };
    Paragraph {
        headline: title.to_owned(),
        reasons: lines,
        facts: since
            .map(|since| (words::label(language, "since"), since.to_string()))
            .into_iter()
            .collect(),
        links: message
            .public_url
            .iter()
            .map(|base| (words::label(language, "Incidents"), format!("{base}/")))
            .collect(),
        level: worst(message),
    }
}

/// The colour that stands for a level.
#[must_use]
pub fn colour(level: Level) -> &'static str {
    match level {
        Level::Ok => "#2e7d32",
        Level::Warning => "#f9a825",
        Level::Unknown => "#6a5acd",
        Level::Critical => "#d32f2f",
    }
}

fn paragraph(notice: &Notice, message: &Message) -> Paragraph {
    let language = message.language;
    let mut reasons: Vec<String> = notice
        .reasons
        .iter()
        .take(MOST_REASONS)
        .map(|reason| line(&words::reason(language, reason), LONGEST_REASON))
        .collect();
    if notice.reasons.len() > MOST_REASONS {
        reasons.push(words::more(language, notice.reasons.len() - MOST_REASONS));
    }
    if notice.level == Level::Ok || notice.purpose == Purpose::Note {
        reasons.clear();
    } else if let Some(description) = &notice.description {
        reasons.push(line(description, LONGEST_REASON));
    }
    reasons.extend(notice.note.iter().map(|note| line(note, LONGEST_REASON)));
    let label = |word| words::label(language, word);
    let mut facts = vec![(label("check"), notice.check.to_string())];
    if notice.change != Some(TransitionKind::Opened) || notice.at > notice.opened {
        facts.push((label("since"), notice.opened.to_string()));
    }
    facts.push((label("at"), notice.at.to_string()));
    facts.extend(notice.owner.clone().map(|owner| (label("owner"), owner)));
    facts.extend(
        notice
            .acknowledged_by
            .clone()
            .map(|by| (label("acknowledged by"), by)),
    );
    let base = message.public_url.as_deref();
    let links = [
        notice.runbook.clone().map(|url| (label("Runbook"), url)),
        base.map(|base| (label("Incident"), format!("{base}/incidents/{}", notice.incident))),
    ];
    Paragraph {
        headline: headline(notice, language),
        reasons,
        facts,
        // A link without a scheme would make the whole message be refused.
        links: links
            .into_iter()
            .flatten()
            .filter(|(_, url)| url.starts_with("https://") || url.starts_with("http://"))
            .collect(),
        level: notice.level,
    }
}

fn headline(notice: &Notice, language: Language) -> String {
    words::headline(language, notice, &line(&notice.name, 120))
}

/// Foreign text as one line: no line breaks, nothing that controls a terminal, nothing that
/// turns the direction of writing.
#[must_use]
pub fn line(text: &str, most: usize) -> String {
    let turns =
        |c: char| matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let plain: String = text
        .chars()
        .filter(|c| !turns(*c))
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    let words: Vec<&str> = plain.split_whitespace().collect();
    cut(&words.join(" "), most)
}

/// At most `most` characters, with a mark where something is left out.
#[must_use]
pub fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let kept: String = text.chars().take(most.saturating_sub(1)).collect();
    format!("{kept}…")
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::model::{CheckId, IncidentId, Timestamp};

    /// A payment gateway that has just gone down.
    pub(crate) fn notice() -> Notice {
        Notice {
            incident: IncidentId("4k2m9xq7ab".into()),
            check: CheckId::parse("partners/payment").unwrap(),
            name: "Payment gateway".into(),
            description: Some("Card approvals stop when this is down".into()),
            owner: Some("@pay-team".into()),
            runbook: Some("https://wiki.example/pay".into()),
            change: Some(TransitionKind::Opened),
            from: Level::Ok,
            level: Level::Critical,
            at: Timestamp::from_unix_ms(1_795_000_000_000),
            opened: Timestamp::from_unix_ms(1_795_000_000_000),
            reasons: vec!["connection refused by pg.example:443: nothing listens there".into()],
            facts: Vec::new(),
            purpose: Purpose::News,
            kind: "http".into(),
            tags: Vec::new(),
            target: String::new(),
            note: None,
            flapping: false,
            acknowledged_by: None,
            screenshot: None,
        }
    }

    pub(crate) fn message(notices: Vec<Notice>) -> Message {
        Message {
            key: "d1".into(),
            form: Form::Changes,
            language: Language::En,
            notices,
            public_url: Some("https://haetae.example".into()),
        }
    }

    fn said(change: Option<TransitionKind>, from: Level, level: Level) -> String {
        let mut notice = notice();
        notice.change = change;
        notice.from = from;
        notice.level = level;
        notice.opened = notice.at - std::time::Duration::from_secs(270);
        headline(&notice, Language::En)
    }

    #[test]
    fn headlines_say_what_changed() {
        use TransitionKind::{Improved, Opened, Reopened, Resolved, Worsened};
        let lines = [
            said(Some(Opened), Level::Ok, Level::Warning),
            said(Some(Worsened), Level::Warning, Level::Critical),
            said(Some(Improved), Level::Critical, Level::Warning),
            said(Some(Resolved), Level::Critical, Level::Ok),
            said(Some(Reopened), Level::Ok, Level::Critical),
            said(None, Level::Critical, Level::Critical),
        ];
        insta::assert_snapshot!(lines.join("\n"), @"
        WARNING: Payment gateway
        CRITICAL (was warning): Payment gateway
        better, now warning (was critical): Payment gateway
        RESOLVED after 4m30s: Payment gateway
        CRITICAL again: Payment gateway
        still CRITICAL after 4m30s: Payment gateway
        ");
    }

    #[test]
    fn a_message_about_several_counts_them() {
        let mut resolved = notice();
        resolved.level = Level::Ok;
        resolved.incident = IncidentId("3".into());
        let mut second = notice();
        second.incident = IncidentId("2".into());
        let all = message(vec![notice(), second, resolved]);
        assert_eq!(summary(&all), "3 changes: 2 critical, 1 resolved");
    }

    #[test]
    fn foreign_text_stays_in_its_line() {
        assert_eq!(line("a\r\n* b\u{202e}\u{1b}[31m", 80), "a * b [31m");
    }

    #[test]
    fn a_link_without_a_scheme_is_left_out() {
        let mut notice = notice();
        notice.runbook = Some("wiki/pay".into());
        assert_eq!(paragraphs(&message(vec![notice]))[0].links.len(), 1);
    }

    fn storm(levels: &[(usize, Level)]) -> Message {
        let mut notices = Vec::new();
        for (count, level) in levels {
            for n in 0..*count {
                let mut notice = notice();
                notice.incident = IncidentId(format!("{level}{n}"));
                notice.check = CheckId::parse(&format!("partners/bank/c{n}")).unwrap();
                notice.level = *level;
                notice.change = Some(TransitionKind::Opened);
                if *level == Level::Ok {
                    notice.change = Some(TransitionKind::Resolved);
                    notice.at = notice.opened + std::time::Duration::from_mins(12);
                }
                notices.push(notice);
            }
        }
        Message {
            form: Form::Storm,
            ..message(notices)
        }
    }

    #[test]
    fn a_storm_is_one_line_and_one_paragraph() {
        let began = storm(&[(118, Level::Critical), (2, Level::Warning)]);
        let over = Message {
            form: Form::StormEnd,
            ..storm(&[(120, Level::Ok)])
        };
        insta::assert_snapshot!([summary(&began), summary(&over)].join("\n"), @"
        STORM, 120 incidents: 118 critical, 2 warning — connection refused by pg.example:443: nothing listens there · group partners/bank
        STORM OVER, all 120 resolved — connection refused by pg.example:443: nothing listens there · group partners/bank
        ");
        let paragraphs = paragraphs(&began);
        assert_eq!(paragraphs.len(), 1);
        insta::assert_snapshot!(paragraphs[0].reasons.join("\n"), @"
        CRITICAL: Payment gateway
        CRITICAL: Payment gateway
        CRITICAL: Payment gateway
        CRITICAL: Payment gateway
        CRITICAL: Payment gateway
        and 115 more
        ");
    }

    #[test]
    fn messages_in_korean() {
        let mut slow = notice();
        slow.reasons = vec!["response_time is 420ms, above 300ms".into()];
        slow.level = Level::Warning;
        let mut over = notice();
        over.change = Some(TransitionKind::Resolved);
        over.level = Level::Ok;
        over.at = over.opened + std::time::Duration::from_secs(270);
        let lines: Vec<String> = [slow, over]
            .into_iter()
            .map(|notice| {
                summary(&Message {
                    language: Language::Ko,
                    ..message(vec![notice])
                })
            })
            .collect();
        insta::assert_snapshot!(lines.join("\n"), @"
        경고: Payment gateway: response_time 420ms (기준 300ms 초과)
        해결됨 (4분 30초 지속): Payment gateway
        ");
    }

    #[test]
    fn what_began_and_ended_in_one_message_is_told_as_over() {
        let mut over = notice();
        over.change = Some(TransitionKind::Resolved);
        over.level = Level::Ok;
        over.at = over.opened + std::time::Duration::from_secs(20);
        assert_eq!(
            summary(&message(vec![notice(), over])),
            "RESOLVED after 20s: Payment gateway"
        );
    }
}
