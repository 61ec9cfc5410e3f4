//! The words everyone uses: values without behaviour of their own beyond what they mean.
//!
//! Invariant: nothing here reads a clock, touches a network or a disk, or knows another room.

mod access;
mod calendar;
mod check;
mod delivery;
mod hours;
mod id;
mod incident;
mod korean;
mod level;
mod matcher;
mod outcome;
mod ping;
mod quantity;
mod quiet;
mod redact;
mod text;
mod threshold;
mod time;
mod totp;
mod trigger;
mod verdict;

pub use access::{AuditEntry, Scope, Token, TokenDigest};
pub use calendar::{Calendar, CalendarError};
pub use check::{Check, Confirmation, Priority, Retry, Schedule, Window};
pub use delivery::{
    AttemptResult, ChannelName, Delivery, DeliveryStatus, Form, Language, Message, Notice, Owed, Purpose,
};
pub use hours::{DaySpan, Days, Hours, Zone};
pub use id::{CheckId, Glob, Selector, is_in_group};
pub use incident::{
    Acknowledged, ActionTaken, Heard, Incident, IncidentId, Mark, MarkedAs, OnRoute, Suppression,
    TimelineEntry, Transition, TransitionKind,
};
pub use korean::in_korean;
pub use level::Level;
pub use matcher::{Labels, Matcher};
pub use outcome::{
    Answer, Broken, Evidence, EvidenceFile, FailedRequest, Outcome, PageVisit, RunId, RunRecord, StepRecord,
    StepResult,
};
pub use ping::{Ping, PingKind, Pings};
pub use quantity::{Bound, Quantity, QuantityError, Unit, parse_quantity};
pub use quiet::{Maintenance, MaintenanceTime, Quiet, QuietKind};
pub(crate) use redact::SHORT;
pub use redact::{MASK, Redactor, Secret, SharedRedactor};
pub use text::{Part, RunScope, Text, Unfilled};
pub use threshold::{Change, Criterion, Relative, Threshold, USUAL_MIN_SAMPLES};
pub use time::{DurationError, Timestamp, format_duration, parse_duration};
pub use totp::{OneTimeCode, one_time_code};
pub use trigger::{Deployment, DeploymentState, RunState, TriggerTag, TriggeredCheck, TriggeredRun};
pub use verdict::{Reason, Verdict};
