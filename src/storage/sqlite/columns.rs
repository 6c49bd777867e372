//! Columns whose values are more than SQLite's: enums by their numbers, ids by their bytes.

use std::fmt;

use rusqlite::Result;
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, ValueRef};

use crate::domain::port::{
    Ended, Outcome, ReservationState, SourceKind, StepKind, StepState, TaskState,
};
use crate::id::Id;

/// A number that stands for nothing.
#[derive(Debug)]
struct Unknown {
    what: &'static str,
    number: i64,
}

impl fmt::Display for Unknown {
    fn fmt(&self, text: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(text, "{} is {}", self.what, self.number)
    }
}

impl std::error::Error for Unknown {}

/// Keeps an enum as the numbers of its variants; a variant that is left out does not compile.
macro_rules! numbered {
    ($type:ident, $what:literal, $($variant:ident)+) => {
        impl ToSql for $type {
            fn to_sql(&self) -> Result<ToSqlOutput<'_>> {
                let number = match self {
                    $($type::$variant => $type::$variant as i64,)+
                };
                Ok(number.into())
            }
        }

        impl FromSql for $type {
            fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
                let number = value.as_i64()?;
                [$($type::$variant),+]
                    .into_iter()
                    .find(|variant| *variant as i64 == number)
                    .ok_or_else(|| FromSqlError::other(Unknown { what: $what, number }))
            }
        }
    };
}

numbered!(TaskState, "the state of a task", Delayed Ready Running Waiting Paused Blocked);
numbered!(
    Ended, "the end of an attempt",
    Completed Failed Retried Released Suspended Lost Cancelled TimedOut
);
numbered!(Outcome, "the outcome of a run", Completed Failed Cancelled);
numbered!(StepKind, "the kind of a step", Step Sleep Await Child);
numbered!(StepState, "the state of a step", Started Done Failed BacksOff TimedOut Asked);
numbered!(
    ReservationState, "the state of a reservation",
    Open Settled GivenBack Assumed SettledWithStep Corrected
);
numbered!(SourceKind, "the source of an entry", Reservation Step Assumed Correction);

impl FromSql for Id {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        FromSql::column_result(value).map(Id::from_bytes)
    }
}
