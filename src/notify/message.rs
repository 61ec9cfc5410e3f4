//! What a message says, whatever the channel: short, and readable on a phone.

use crate::model::{Level, Message, Notice, TransitionKind, format_duration};

/// Reasons shown per incident; the rest is counted.
const MOST_REASONS: usize = 3;
/// A reason is cut after this many characters.
const LONGEST_REASON: usize = 500;

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

/// The paragraphs of a message, in its order. A single one leaves out what [`summary`] says
/// above it already.
#[must_use]
pub fn paragraphs(message: &Message) -> Vec<Paragraph> {
    let is_single = message.notices.len() == 1;
    message
        .notices
        .iter()
        .map(|notice| {
            let mut paragraph = paragraph(notice, message.public_url.as_deref());
            if is_single {
                paragraph.headline = notice.check.to_string();
                paragraph.facts.retain(|(name, _)| *name != "check");
                if notice.level != Level::Ok && !notice.reasons.is_empty() {
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
    if let [only] = message.notices.as_slice() {
        let headline = headline(only);
        return match only.reasons.first().filter(|_| only.level != Level::Ok) {
            Some(reason) => format!("{headline}: {}", cut(reason, LONGEST_REASON)),
            None => headline,
        };
    }
    let count = |wanted: Level| {
        message
            .notices
            .iter()
            .filter(|notice| notice.level == wanted)
            .count()
    };
    let parts: Vec<String> = [
        (Level::Critical, "critical"),
        (Level::Unknown, "unknown"),
        (Level::Warning, "warning"),
        (Level::Ok, "resolved"),
    ]
    .iter()
    .filter_map(|(level, word)| {
        Some(count(*level))
            .filter(|n| *n > 0)
            .map(|n| format!("{n} {word}"))
    })
    .collect();
    format!("{} changes: {}", message.notices.len(), parts.join(", "))
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

fn paragraph(notice: &Notice, public_url: Option<&str>) -> Paragraph {
    let mut reasons: Vec<String> = notice
        .reasons
        .iter()
        .take(MOST_REASONS)
        .map(|reason| cut(reason, LONGEST_REASON))
        .collect();
    if notice.reasons.len() > MOST_REASONS {
        reasons.push(format!(
            "and {} more reasons",
            notice.reasons.len() - MOST_REASONS
        ));
    }
    if notice.level == Level::Ok {
        reasons.clear();
    } else if let Some(description) = &notice.description {
        reasons.push(cut(description, LONGEST_REASON));
    }
    let mut facts = vec![("check", notice.check.to_string())];
    if notice.change != Some(TransitionKind::Opened) {
        facts.push(("since", notice.opened.to_string()));
    }
    facts.push(("at", notice.at.to_string()));
    facts.extend(notice.owner.clone().map(|owner| ("owner", owner)));
    let links = [
        notice.runbook.clone().map(|url| ("Runbook", url)),
        public_url.map(|base| ("Incident", format!("{base}/incidents/{}", notice.incident))),
    ];
    Paragraph {
        headline: headline(notice),
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

fn headline(notice: &Notice) -> String {
    let name = cut(&notice.name, 120);
    let level = notice.level.as_str().to_uppercase();
    let lasted = format_duration(notice.at.since(notice.opened));
    match notice.change {
        Some(TransitionKind::Opened) => format!("{level}: {name}"),
        Some(TransitionKind::Reopened) => format!("{level} again: {name}"),
        Some(TransitionKind::Worsened) => format!("{level} (was {}): {name}", notice.from),
        Some(TransitionKind::Improved) => {
            format!("better, now {} (was {}): {name}", notice.level, notice.from)
        }
        Some(TransitionKind::Resolved) => format!("RESOLVED after {lasted}: {name}"),
        Some(TransitionKind::Closed) => format!("closed: {name}"),
        None => format!("still {level} after {lasted}: {name}"),
    }
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
        }
    }

    pub(crate) fn message(notices: Vec<Notice>) -> Message {
        Message {
            key: "d1".into(),
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
        headline(&notice)
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
        let all = message(vec![notice(), notice(), resolved]);
        assert_eq!(summary(&all), "3 changes: 2 critical, 1 resolved");
    }

    #[test]
    fn a_link_without_a_scheme_is_left_out() {
        let mut notice = notice();
        notice.runbook = Some("wiki/pay".into());
        assert_eq!(paragraph(&notice, None).links, Vec::new());
    }
}
