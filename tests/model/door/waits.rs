//! Waiting in a run through the C functions: sleeps, messages, children, several at once.

use smolwf::ffi::child::sw_child_await;
use smolwf::ffi::signal::sw_signal_await;
use smolwf::ffi::wait::{sw_await_all, sw_await_any, sw_sleep};

use super::attempt::Attempt;
use super::{Result, lend, texted};

/// What a waiting call answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Waited {
    Ready(String),
    Failed(String),
    TimedOut,
    NotYet,
}

fn waited((code, told): (i32, Option<String>)) -> Waited {
    match (code, told) {
        (0, Some(told)) => Waited::Ready(told),
        (6, Some(told)) => Waited::Failed(told),
        (2, None) => Waited::TimedOut,
        (5, None) => Waited::NotYet,
        other => panic!("a wait answers {other:?}"),
    }
}

impl Attempt {
    pub fn sleep(&self, name: &str, ms: i64) -> Result<Waited> {
        let name = lend(name);
        let code = ask!(sw_sleep(self.raw, name.0, name.1, ms))?;
        Ok(if code == 5 { Waited::NotYet } else { Waited::Ready("null".into()) })
    }

    pub fn signal_await(&self, name: &str, timeout_ms: i64) -> Result<Waited> {
        let name = lend(name);
        texted(|out| ask!(sw_signal_await(self.raw, name.0, name.1, timeout_ms, out))).map(waited)
    }

    pub fn child_await(&self, run_id: &str, timeout_ms: i64) -> Result<Waited> {
        let id = lend(run_id);
        texted(|out| ask!(sw_child_await(self.raw, id.0, id.1, timeout_ms, out))).map(waited)
    }

    pub fn await_any(&self, name: &str, list: &str, timeout_ms: i64) -> Result<Waited> {
        let (name, of) = (lend(name), lend(list));
        let told =
            texted(|out| ask!(sw_await_any(self.raw, name.0, name.1, of.0, of.1, timeout_ms, out)));
        told.map(waited)
    }

    pub fn await_all(&self, name: &str, list: &str, timeout_ms: i64) -> Result<Waited> {
        let (name, of) = (lend(name), lend(list));
        let told =
            texted(|out| ask!(sw_await_all(self.raw, name.0, name.1, of.0, of.1, timeout_ms, out)));
        told.map(waited)
    }
}
