//! What many incidents have in common: the first thing on-call wants to know in a storm.

use std::collections::BTreeMap;

use crate::model::{Language, Notice};

/// Shared by at least so many of a hundred, it is worth saying.
const WORTH_SAYING_PERCENT: usize = 80;

/// What most of them share, the most telling first: the error, the host, the folder, tags.
#[must_use]
pub fn in_common(notices: &[&Notice], language: Language) -> Vec<String> {
    let all = notices.len();
    let mut found = Vec::new();
    let mut say = |what: &str, most: Option<(String, usize)>| {
        if let Some((value, count)) = most.filter(|(_, count)| count * 100 >= all * WORTH_SAYING_PERCENT) {
            found.push(share(language, what, &value, count, all));
        }
    };
    let reason = |notice: &Notice| notice.reasons.first().cloned();
    say(
        "",
        most_frequent(notices.iter().filter_map(|notice| reason(notice))),
    );
    let target = |notice: &Notice| Some(notice.target.clone()).filter(|target| !target.is_empty());
    say(
        "host",
        most_frequent(notices.iter().filter_map(|notice| target(notice))),
    );
    say(
        "group",
        most_frequent(
            notices
                .iter()
                .flat_map(|notice| groups(notice.check.group()))
                .collect::<Vec<_>>()
                .into_iter(),
        ),
    );
    say(
        "tag",
        most_frequent(notices.iter().flat_map(|notice| notice.tags.clone())),
    );
    found
}

/// A folder and those it lies in.
fn groups(group: &str) -> Vec<String> {
    let ends = group.match_indices('/').map(|(at, _)| at).chain([group.len()]);
    ends.map(|end| group[..end].to_owned())
        .filter(|group| !group.is_empty())
        .collect()
}

/// The most frequent value; of equally frequent ones the longest, which says the most.
fn most_frequent(values: impl Iterator<Item = String>) -> Option<(String, usize)> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for value in values {
        *counts.entry(value).or_default() += 1;
    }
    counts
        .into_iter()
        .max_by(|a, b| (a.1, a.0.len()).cmp(&(b.1, b.0.len())))
}

fn share(language: Language, what: &str, value: &str, count: usize, all: usize) -> String {
    let what = match (language, what) {
        (Language::Ko, "host") => "호스트 ",
        (Language::Ko, "group") => "그룹 ",
        (Language::Ko, "tag") => "태그 ",
        (Language::En, "host") => "host ",
        (Language::En, "group") => "group ",
        (Language::En, "tag") => "tag ",
        _ => "",
    };
    let value = super::words::reason(language, value);
    match language {
        _ if count == all => format!("{what}{value}"),
        Language::En => format!("{what}{value} ({count} of {all})"),
        Language::Ko => format!("{what}{value} ({all}건 중 {count}건)"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::CheckId;
    use crate::notify::message::tests::notice;

    #[test]
    fn a_partner_that_is_down_is_named_by_error_host_and_group() {
        let all: Vec<Notice> = (0..10)
            .map(|n| {
                let mut notice = notice();
                notice.check = CheckId::parse(&format!("partners/bank/c{n}")).unwrap();
                notice.target = "pg.example".into();
                if n == 9 {
                    notice.reasons = vec!["status is 500, expected 200".into()];
                }
                notice
            })
            .collect();
        let all: Vec<&Notice> = all.iter().collect();
        assert_eq!(
            in_common(&all, Language::En),
            [
                "connection refused by pg.example:443: nothing listens there (9 of 10)",
                "host pg.example",
                "group partners/bank",
            ]
        );
    }

    #[test]
    fn what_is_unrelated_has_nothing_in_common() {
        let all: Vec<Notice> = (0..4)
            .map(|n| {
                let mut notice = notice();
                notice.check = CheckId::parse(&format!("g{n}/c")).unwrap();
                notice.reasons = vec![format!("reason {n}")];
                notice
            })
            .collect();
        assert_eq!(
            in_common(&all.iter().collect::<Vec<_>>(), Language::En),
            Vec::<String>::new()
        );
    }
}
