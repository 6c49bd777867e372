//! A whole store, moved into another one with its runs in flight.

use std::ffi::c_char;

use super::args::raw;
use super::codes::{SW_OK, SW_TIMEOUT};
use super::guard::guard;
use super::report::sw_error;
use super::store::sw_store;
use super::text::sw_text;
use crate::limits::FILTER_BYTES_MAX;
use crate::text::Text;

/// Moves a whole store into another one, with runs in flight: from a file to a server, back, or between two
/// of a kind. One commit decides. Before it this store is in force, from it on the other one; never are both.
///
/// The other store must be initialised and empty, and is opened as this one is. What happens, in order:
/// this store is frozen; attempts that run are released, with no try charged; rows are copied, table by
/// table, under the keys and ids that they have; what came is read again and compared by its rows and a sum
/// over all that they hold, and looked at as sw_store_check does; then it is decided, and the other store
/// opened. Ids, idempotency keys, numbers of events and cursors stay good there. Runs that sleep, wait, are
/// delayed, paused or held back stand there as they stood; signals, cascades, schedules, budgets, limits
/// of queues and the policy of retention go on. Runs of SW_SUBMIT_LOCAL become claimable by all. The host's
/// own tables do not move: the report names them.
///
/// While it is frozen this store may be read; each write and claim, through any handle of any process, is
/// SW_ERR_BUSY. From the decision on every call that reads or writes it, sw_store_init among them, is
/// SW_ERR_MOVED, whose message names the other store; the exceptions are this one, sw_store_backup,
/// sw_store_migrations and what closes it. Nothing acknowledged is lost: an attempt that was released replays
/// in the other store what it had recorded. Until it is opened, a call on the other store is SW_ERR_BUSY.
/// Older libraries find a schema newer than themselves in both.
///
/// A call that is cut off, by a kill, a lost connection or "for_ms", leaves this store frozen, or decided
/// and not opened: call again with the same two stores, and the move goes on. With another store it begins
/// anew there. Several calls at once go on with one move.
///
/// options is a JSON object. "for_ms", 0 to SW_BUSY_TIMEOUT_MS_MAX: the call returns after about so long, as SW_TIMEOUT and
/// with a report of how far it is, to be called again; 0, the default, goes on to the end. "abort": true takes
/// back a move that is not decided: this store goes on, but for the attempts that were released, and the
/// other one answers SW_ERR_MOVED until it is moved into again; to may be NULL then, if it cannot be reached.
///
///   {"state":"moved","table":null,"rows":2,"released":0,
///    "tables":[{"table":"sw_workflow_lanes","rows":2,"sum":"d1a2c5e4f60718293a4b5c6d7e8f9011"}],
///    "left_behind":["orders"]}
///
/// state is "releasing", "copying", "comparing", "moved", or "in_force" where no move is under way any more;
/// table is the one at work, rows how many were copied or compared so far, released the attempts that were.
///
/// May block: for as long as rows take to be read, written and read again, and a check of the other store,
/// which is one piece, whatever "for_ms" says. Both are durable when it returns SW_OK, whatever their
/// options say. Both have the newest schema.
/// \param store                the one that is moved
/// \param to                   the one that it is moved into; it may be NULL with "abort"
/// \param options,options_len  JSON; absent is {"abort":false,"for_ms":0}
/// \param out                  receives the report, freed by sw_text_free; NULL on failure
/// \retval SW_OK                 the other store is in force, now or since an earlier call; with "abort", this one
/// \retval SW_TIMEOUT            "for_ms" is over, and the move is not at its end
/// \retval SW_ERR_MISUSE         also: to is NULL, without "abort"
/// \retval SW_ERR_INVALID        both are the same store; options has an unknown key or a value beyond its range
/// \retval SW_ERR_CONFLICT       to is not empty, or is being filled from another store; the move was taken back
///                               or begun anew by another call; or the clock of the server that it is on is
///                               behind the time at which runs were submitted
/// \retval SW_ERR_MOVED          also: to another one than to
/// \retval SW_ERR_CORRUPT        also: what came is not what was sent, or has faults; nothing was decided
/// \codes writing
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_store_graduate(
    store: *mut sw_store,
    to: *mut sw_store,
    options: *const c_char,
    options_len: usize,
    out: *mut *mut sw_text,
    err: *mut *mut sw_error,
) -> i32 {
    // SAFETY: the pointers are arguments, which the header binds.
    unsafe {
        guard(err, |call| {
            let out = call.out_handle(out)?;
            let store = call.store(store)?;
            let to = if to.is_null() { None } else { Some(call.store(to)?) };
            let options = call.document(raw("options", options, options_len), FILTER_BYTES_MAX)?;
            let (is_done, report) = store.graduate(to.as_deref(), options)?;
            out.give(Text::from(report));
            Ok(if is_done { SW_OK } else { SW_TIMEOUT })
        })
    }
}
