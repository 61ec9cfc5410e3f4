//! When a check runs, how long it may take, and when its level is believed.

use std::time::Duration;

use super::check_keys::{MOST_RETRIES, RETRY};
use crate::decode::{Fields, Node, Problem, Reader};
use crate::model::{Calendar, Confirmation, Retry, Schedule, Timestamp, Window, format_duration};

/// A check runs at most so often.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(100);

/// Schedule and time-outs.
pub(super) struct Times {
    pub(super) schedule: Schedule,
    pub(super) timeout: Duration,
    pub(super) attempt_timeout: Duration,
}

impl Times {
    pub(super) fn read(
        fields: &Fields<'_>,
        retry: Retry,
        now: Timestamp,
        reader: &mut Reader<'_>,
    ) -> Option<Self> {
        let schedule = read_schedule(fields, now, reader);
        let timeout = match fields.get("timeout") {
            Some(node) => reader.positive_duration(node),
            None if fields.seems_to_have("timeout") => None,
            None => {
                reader.report(
                    Problem::error(fields.place(), "there is no `timeout`, and no silent default")
                        .hint("add `timeout: 10s` here, under the file's `defaults:` or under `defaults:` in haetae.yaml"),
                );
                None
            }
        }?;
        let attempt_timeout = match fields.get("attempt_timeout") {
            None => timeout / (retry.times + 1),
            Some(node) => {
                let span = reader.positive_duration(node)?;
                if span > timeout {
                    reader.error(
                        node,
                        format!(
                            "`attempt_timeout` ({}) is longer than `timeout` ({})",
                            format_duration(span),
                            format_duration(timeout)
                        ),
                    );
                    return None;
                }
                span
            }
        };
        Some(Self {
            schedule: schedule?,
            timeout,
            attempt_timeout,
        })
    }
}

fn read_schedule(fields: &Fields<'_>, now: Timestamp, reader: &mut Reader<'_>) -> Option<Schedule> {
    match (fields.get("every"), fields.get("cron")) {
        (Some(every), None) => {
            if let Some(zone) = fields.get("timezone") {
                reader.error(zone, "`timezone` goes with `cron`, not with `every`");
            }
            let span = reader.duration(every)?;
            if span < SHORTEST_INTERVAL {
                reader.error(every, "`every` must be 100ms or longer");
                return None;
            }
            Some(Schedule::Every(span))
        }
        (None, Some(cron)) => {
            let expression = reader.plain(cron)?;
            let zone = match fields.get("timezone") {
                Some(node) => reader.plain(node)?,
                None => "UTC".to_owned(),
            };
            match Calendar::parse(&expression, &zone, now) {
                Ok(calendar) => Some(Schedule::Cron(calendar)),
                Err(why) => {
                    let zone_is_wrong = matches!(why, crate::model::CalendarError::UnknownZone(_));
                    let at = if zone_is_wrong {
                        fields.get("timezone").unwrap_or(cron)
                    } else {
                        cron
                    };
                    reader.error(at, why);
                    None
                }
            }
        }
        (Some(_), Some(cron)) => {
            reader.error(cron, "a check has either `every` or `cron`");
            None
        }
        (None, None) if fields.seems_to_have("every") || fields.seems_to_have("cron") => None,
        (None, None) => {
            reader.report(
                Problem::error(fields.place(), "nothing says when it runs")
                    .hint("add `every: 30s`, or `cron: \"*/5 9-18 * * MON-FRI\"` with `timezone:`"),
            );
            None
        }
    }
}

pub(super) fn read_retry(node: &Node, reader: &mut Reader<'_>) -> Option<Retry> {
    let fields = Fields::open(node, &RETRY, reader)?;
    let times = reader.integer(fields.get("times")?, 0, MOST_RETRIES)?;
    let wait = match fields.get("wait") {
        Some(node) => reader.duration(node)?,
        None => Duration::from_millis(500),
    };
    Some(Retry {
        times: u32::try_from(times).unwrap_or(0),
        wait,
    })
}

pub(super) fn read_confirmation(fields: &Fields<'_>, reader: &mut Reader<'_>) -> Confirmation {
    let usual = Confirmation::default();
    Confirmation {
        fail_after: fields
            .get("fail_after")
            .and_then(|node| read_window(node, reader))
            .unwrap_or(usual.fail_after),
        recover_after: fields
            .get("recover_after")
            .and_then(|node| read_window(node, reader))
            .unwrap_or(usual.recover_after),
        recheck_every: fields
            .get("recheck_every")
            .and_then(|node| reader.positive_duration(node)),
    }
}

/// `2` is two in a row, `2 of 3` a window.
fn read_window(node: &Node, reader: &mut Reader<'_>) -> Option<Window> {
    let text = reader.plain(node)?;
    let (needed, of) = text.split_once(" of ").unwrap_or((&text, &text));
    let parse = |text: &str| text.trim().parse::<usize>().ok();
    match (parse(needed), parse(of)) {
        (Some(needed), Some(of)) if (1..=of).contains(&needed) && of <= Window::LONGEST => {
            Some(Window { needed, of })
        }
        _ => {
            reader.error(
                node,
                format!(
                    "`{text}` does not fit here: write `2`, or `2 of 3`; {} runs at most",
                    Window::LONGEST
                ),
            );
            None
        }
    }
}
