//! The one reader of the wall clock. Everything else is handed a [`Timestamp`].

use std::time::SystemTime;

use crate::model::Timestamp;

/// The wall-clock time now, in whole microseconds.
///
/// Use it for records and calendars; intervals are measured with tokio's
/// monotonic `Instant`.
#[must_use]
#[allow(
    clippy::disallowed_methods,
    reason = "the single place where the wall clock is read"
)]
pub fn wall_now() -> Timestamp {
    let since_epoch = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    Timestamp::from_unix_us(i64::try_from(since_epoch.as_micros()).unwrap_or(i64::MAX))
}
