//! Steps through the C functions.

use smolwf::domain::{AfterFail, FailOptions, step};
use smolwf::ffi::step::{
    sw_step, sw_step_begin, sw_step_complete, sw_step_complete_usage, sw_step_error, sw_step_fail,
    sw_step_free, sw_step_id, sw_step_name, sw_step_occurrence, sw_step_result,
    sw_step_retry_at_ms, sw_step_tries,
};

use super::attempt::{Attempt, view};
use super::{Result, carriers, lend, measured};

pub struct Step {
    pub(super) raw: *mut sw_step,
}

// SAFETY: handles may be used from any thread.
unsafe impl Send for Step {}
// SAFETY: and from several at once.
unsafe impl Sync for Step {}

impl Drop for Step {
    fn drop(&mut self) {
        tell!(sw_step_free(self.raw));
    }
}

/// What a begin answers.
pub enum Begun {
    Run(Step),
    Replayed(Step),
    Failed(Step),
    Suspended,
}

impl Attempt {
    pub fn step_begin(&self, begin: step::Begin) -> Result<Begun> {
        let (name, input) = (lend(begin.name.as_str()), lend(begin.input.as_deref()));
        let (options, mut raw) = (carriers::begin(&begin), std::ptr::dangling_mut());
        let (with, out) = (&raw const options, &raw mut raw);
        let code = ask!(sw_step_begin(self.raw, name.0, name.1, input.0, input.1, with, out));
        let step = |raw: *mut sw_step| Step { raw };
        match code {
            Ok(0) => Ok(Begun::Run(step(raw))),
            Ok(3) => Ok(Begun::Replayed(step(raw))),
            Ok(6) => Ok(Begun::Failed(step(raw))),
            other => {
                assert!(raw.is_null(), "a begin that answers {other:?} hands out a step");
                assert!(matches!(other, Ok(5) | Err(_)), "a begin answers {other:?}");
                other.map(|_| Begun::Suspended)
            }
        }
    }
}

impl Step {
    pub fn id(&self) -> &str {
        view!(sw_step_id(self.raw)).expect("a step has an id")
    }

    pub fn name(&self) -> &str {
        view!(sw_step_name(self.raw)).expect("a step has a name")
    }

    pub fn result(&self) -> Option<&str> {
        view!(sw_step_result(self.raw))
    }

    pub fn error(&self) -> Option<&str> {
        view!(sw_step_error(self.raw))
    }

    pub fn occurrence(&self) -> u32 {
        tell!(sw_step_occurrence(self.raw))
    }

    pub fn tries(&self) -> u32 {
        tell!(sw_step_tries(self.raw))
    }

    pub fn complete(&self, result: Option<String>) -> Result<()> {
        let result = lend(result.as_deref());
        ask!(sw_step_complete(self.raw, result.0, result.1)).map(drop)
    }

    pub fn complete_usage(&self, result: Option<String>, usage: &str) -> Result<()> {
        let (result, usage) = (lend(result.as_deref()), lend(usage));
        ask!(sw_step_complete_usage(self.raw, result.0, result.1, usage.0, usage.1)).map(drop)
    }

    pub fn fail(&self, error: Option<String>, options: FailOptions) -> Result<AfterFail> {
        let (error, options) = (lend(error.as_deref()), carriers::fail(options));
        let code = ask!(sw_step_fail(self.raw, error.0, error.1, &raw const options))?;
        let at_ms = tell!(sw_step_retry_at_ms(self.raw));
        Ok(if code == 5 { AfterFail::Retry { at_ms } } else { AfterFail::Final })
    }
}
