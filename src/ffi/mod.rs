//! The door: the C functions of `include/smolwf.h`.
//!
//! Nothing is decided here. Each export unpacks what the C caller gave, makes one call into the
//! crate and packs the answer; `guard` keeps panics inside and turns errors into codes and objects.
//! The documentation of an exported item is written for the reader of the C header, which is
//! generated from these files in the order in which they stand below.
//!
//! | room | what is in it |
//! |---|---|
//! | `codes`, `constants`, `limits`, `options`, `version`, `error`, `text` | what all calls share: answers, limits, option structs, errors, texts |
//! | `store`, `run`, `control`, `queue`, `schedule`, `watch`, `stop`, `attempt`, `step` | the topics, |
//! | `wait`, `signal`, `child`, `budget`, `event`, `query`, `list`, `stats`, `explain`, `check`, `sql`, `retention`, `carry`, `graduate` | as on the other floors |
//! | `call`, `guard`, `handle`, `report`, `args`, `out` | how a call comes in and goes out; not seen by C |

#![allow(unsafe_code, reason = "the C boundary: raw pointers come in and go out here")]
#![allow(clippy::missing_safety_doc, reason = "the header's text says it, in words for C")]
#![allow(non_camel_case_types, reason = "types carry their C names")]

pub mod codes;
pub mod constants;
pub mod limits;
pub mod options;

pub mod version;

pub mod error;
pub mod text;

pub mod store;

pub mod control;
pub mod queue;
pub mod run;
pub mod stop;
pub mod watch;

pub mod attempt;

pub mod stats;
pub mod step;

pub mod wait;

pub mod budget;
pub mod signal;

pub mod child;
pub mod event;

pub mod check;

pub mod query;

pub mod list;

pub mod carry;
pub mod graduate;
pub mod retention;

pub mod sql;

pub mod schedule;

mod args;
mod call;
pub mod explain;
mod guard;
mod handle;
mod out;
mod report;
