//! What a backend gives the domain: one trait per topic, beside the rows that it reads and writes, all
//! over one transaction.
//!
//! Methods read and write rows and do not branch on state: the scripts of this floor decide. Ids and
//! times come in as arguments, a backend invents neither.

mod attempt;
mod budget;
mod carry;
mod check;
mod claim;
mod control;
mod event;
mod explain;
mod graduate;
mod list;
mod policy;
mod query;
mod queue;
mod retention;
mod run;
mod schedule;
mod sql;
mod stats;
mod step;
mod store;
mod submit;
mod task;
mod wait;

use crate::domain::news::News;

pub use attempt::{AttemptPort, Ended, EndedAttempt};
pub use budget::{
    Amounts, Balance, BudgetPort, Change, Changes, Entry, Held, Reservation, ReservationState,
    SourceKind, Total,
};
pub use carry::{CarriedEvent, CarriedRun, CarriedSignal, CarriedTarget, CarryPort, IdStanding};
pub use check::{CheckPort, Fault};
pub use claim::{ClaimPort, ClaimedRun, Head, LaneFilter, Lost, Owner, OwnerId, Share, Standing};
pub use control::{Ancestor, ControlPort, StepName};
pub use event::{EventFilter, EventPort, EventRow, Numbered};
pub use explain::{ExplainPort, LaneHead, PendingRecord};
pub use graduate::{Cell, GraduatePort, Identity, Portion, Table};
pub use list::{Found, Include, ListPort, Order, RunFilter, RunState, RunStates, Span, Walk};
pub use policy::PolicyPort;
pub use query::{QueryPort, RunRow, SignalRow};
pub use queue::{GatePlace, QueueLimits, QueuePort};
pub use retention::{Freed, Removed, RetentionPort, Room};
pub use run::{
    Lane, LaneKey, Outcome, OwnerKey, Parent, RunEnd, RunKey, RunPolicy, RunPort, Submit,
};
pub use schedule::{Schedule, SchedulePort, Zone};
pub use sql::{SqlAnswer, SqlBounds, SqlParams, SqlPort, SqlStatement, SqlValue};
pub use stats::{
    CallFacts, FileFacts, FullGate, HeldRow, LaneRow, OwnerRow, StatsPort, WriterFacts,
};
pub use step::{Recorded, StepFacts, StepKind, StepPort, StepRow, StepState, StepView};
pub use store::StorePort;
pub use submit::{Inserted, NewRun, SubmitPort};
pub use task::{
    Fence, Hold, LEASE_WHILE_ALIVE, NewLease, Taken, Task, TaskPort, TaskState, Woken, WokenFor,
};
pub use wait::{Came, ChildState, Signal, Target, Value, WaitPort, Waiter, Waiting};

/// Everything over one transaction.
pub trait Port:
    RunPort
    + SubmitPort
    + TaskPort
    + ClaimPort
    + AttemptPort
    + StepPort
    + WaitPort
    + ControlPort
    + QueuePort
    + SchedulePort
    + BudgetPort
    + EventPort
    + StorePort
    + CheckPort
    + QueryPort
    + ListPort
    + StatsPort
    + ExplainPort
    + RetentionPort
    + PolicyPort
    + CarryPort
    + GraduatePort
    + SqlPort
{
    /// Notes what the transaction is to tell others once it is committed.
    fn tell(&mut self, news: News);
}
