//! The life of an execution as one pure function. The statements are tried against it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sqlx::error::BoxDynError;
use sqlx::postgres::{PgTypeInfo, PgValueRef};
use sqlx::{Decode, Postgres, Type};

/// Where an execution is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It can be claimed, now or later, or waits for a deployment.
    Pending,
    /// A worker has claimed it.
    Running,
    /// A workflow that waits for news.
    Suspended,
    /// It returned a result.
    Completed,
    /// It failed, and is not tried again.
    Failed,
    /// It was stopped because somebody asked for it.
    Cancelled,
    /// It took too long.
    TimedOut,
}

/// What can happen to an execution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A worker takes it.
    Claim,
    /// Its run returned a result.
    Complete,
    /// Its run failed for good.
    Fail,
    /// Its run failed, or was told to slow down, and is tried again.
    TryAgain,
    /// Its worker gave it back, or was lost.
    Return,
    /// The workflow waits, and nothing has arrived.
    Suspend,
    /// There is news for the workflow.
    Wake,
    /// Somebody cancels what no run has begun.
    CancelUnbegun,
    /// Its run stopped because of its cancellation.
    StopCancelled,
    /// A workflow that was cancelled before is cancelled again, or its grace is over.
    EndCancelled,
    /// Its time is over.
    TimeOut,
    /// Somebody wants it tried again.
    Retry,
}

/// Something that cannot happen to an execution in this status.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[error("{event:?} cannot happen to an execution that is {status}")]
pub struct IllegalTransition {
    /// Where it is.
    pub status: Status,
    /// What would have to happen.
    pub event: Event,
}

impl Status {
    /// All of them, in the order of a life.
    pub const ALL: [Status; 7] = [
        Status::Pending,
        Status::Running,
        Status::Suspended,
        Status::Completed,
        Status::Failed,
        Status::Cancelled,
        Status::TimedOut,
    ];

    /// What an execution becomes when this happens to it.
    pub fn next(self, event: Event) -> Result<Status, IllegalTransition> {
        use {Event as E, Status as S};
        match (self, event) {
            (S::Pending, E::Claim) => Ok(S::Running),
            (S::Pending, E::CancelUnbegun) => Ok(S::Cancelled),
            (S::Pending | S::Suspended, E::EndCancelled) => Ok(S::Cancelled),
            (S::Pending | S::Running | S::Suspended, E::TimeOut) => Ok(S::TimedOut),
            (S::Running, E::Complete) => Ok(S::Completed),
            (S::Running, E::Fail) => Ok(S::Failed),
            (S::Running, E::TryAgain | E::Return) => Ok(S::Pending),
            (S::Running, E::Suspend) => Ok(S::Suspended),
            (S::Running, E::StopCancelled) => Ok(S::Cancelled),
            (S::Suspended, E::Wake) => Ok(S::Pending),
            (S::Failed | S::Cancelled | S::TimedOut, E::Retry) => Ok(S::Pending),
            (status, event) => Err(IllegalTransition { status, event }),
        }
    }

    /// Whether it has ended.
    pub fn is_final(self) -> bool {
        matches!(self, Status::Completed | Status::Failed | Status::Cancelled | Status::TimedOut)
    }

    /// The word for it, as in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Status::Pending => "pending",
            Status::Running => "running",
            Status::Suspended => "suspended",
            Status::Completed => "completed",
            Status::Failed => "failed",
            Status::Cancelled => "cancelled",
            Status::TimedOut => "timed_out",
        }
    }
}

impl Event {
    /// All of them.
    pub const ALL: [Event; 12] = [
        Event::Claim,
        Event::Complete,
        Event::Fail,
        Event::TryAgain,
        Event::Return,
        Event::Suspend,
        Event::Wake,
        Event::CancelUnbegun,
        Event::StopCancelled,
        Event::EndCancelled,
        Event::TimeOut,
        Event::Retry,
    ];
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Status {
    type Err = String;

    fn from_str(text: &str) -> Result<Status, String> {
        let found = Status::ALL.into_iter().find(|status| status.as_str() == text);
        found.ok_or_else(|| format!("`{text}` is not a status; there are {}", Status::ALL.map(Status::as_str).join(", ")))
    }
}

impl Type<Postgres> for Status {
    fn type_info() -> PgTypeInfo {
        <&str as Type<Postgres>>::type_info()
    }

    fn compatible(info: &PgTypeInfo) -> bool {
        <&str as Type<Postgres>>::compatible(info)
    }
}

impl<'r> Decode<'r, Postgres> for Status {
    fn decode(value: PgValueRef<'r>) -> Result<Status, BoxDynError> {
        Ok(value.as_str()?.parse()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_life_of_an_execution() {
        let mut table = String::new();
        for status in Status::ALL {
            for event in Event::ALL {
                if let Ok(next) = status.next(event) {
                    table.push_str(&format!("{status:<10} {event:<14} {next}\n", event = format!("{event:?}")));
                }
            }
        }
        insta::assert_snapshot!(table, @r"
        pending    Claim          running
        pending    CancelUnbegun  cancelled
        pending    EndCancelled   cancelled
        pending    TimeOut        timed_out
        running    Complete       completed
        running    Fail           failed
        running    TryAgain       pending
        running    Return         pending
        running    Suspend        suspended
        running    StopCancelled  cancelled
        running    TimeOut        timed_out
        suspended  Wake           pending
        suspended  EndCancelled   cancelled
        suspended  TimeOut        timed_out
        failed     Retry          pending
        cancelled  Retry          pending
        timed_out  Retry          pending
        ");
    }
}
