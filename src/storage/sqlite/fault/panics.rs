//! Panics in the middle of a job or look, for tests: before the n-th statement that it runs.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::Ordering;

use super::plan::Plan;

thread_local! {
    /// Statements that are left before the panic, of the rehearsal on this thread; 0 is none.
    static LEFT: Cell<u32> = const { Cell::new(0) };
}

/// Has each first run of a job or look of the database's handles panic before its n-th statement.
pub fn panic_at(db: &Path, statement: u32) {
    Plan::of(db).panics_at.store(statement, Ordering::SeqCst);
}

/// Returns how many have panicked.
pub fn panics(db: &Path) -> u32 {
    Plan::of(db).panics.load(Ordering::SeqCst)
}

/// Runs what is to be undone, which may panic where the test says.
pub fn rehearse(db: &Path, work: impl FnOnce()) {
    let plan = Plan::of(db);
    let at = plan.panics_at.load(Ordering::SeqCst);
    LEFT.set(at);
    // A job catches its panic itself, a look lets it pass.
    let _ = catch_unwind(AssertUnwindSafe(work));
    if at > 0 && LEFT.replace(0) == 0 {
        plan.panics.fetch_add(1, Ordering::SeqCst);
    }
}

/// Meets a statement that is about to run.
pub fn meet_statement() {
    let left = LEFT.get();
    LEFT.set(left.saturating_sub(1));
    assert!(left != 1, "a panic that the test asked for");
}
