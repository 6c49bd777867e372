//! The host's own tables: queries, and scripts in the transaction of a step.

use std::ffi::c_char;

use super::args::{absent, raw};
use super::attempt::sw_attempt;
use super::call::Call;
use super::codes::SW_OK;
use super::guard::guard;
use super::report::sw_error;
use super::step::sw_step;
use super::store::sw_store;
use super::text::sw_text;
use crate::error::Result;
use crate::handles::sql::InNameOf;
use crate::limits::SQL_TEXT_BYTES_MAX;
use crate::text::Text;

impl Call {
    /// Takes in whose name a script runs; either may be absent.
    fn name_of<'d>(&'d self, attempt: *mut sw_attempt, step: *mut sw_step) -> Result<InNameOf<'d>> {
        let mut name = InNameOf::default();
        if !attempt.is_null() {
            name.attempt = Some(self.body(attempt.cast_const())?);
        }
        if !step.is_null() {
            name.step = Some(self.open_step(step)?);
        }
        Ok(name)
    }
}

/// Asks one SQL query of the store's file, as a JSON document. It may read every table: the host's own,
/// which stand beside the library's, and the library's, whose columns may change with its version.
///
///   {"columns":["id","balance"],"rows":[[1,250],[2,9223372036854775807]],"more":false}
///
/// sql is one statement that only reads. params gives its parameters: an array by position, or an
/// object by name, {"id":1} for :id, @id or $id; on a server an array alone, for $1, $2 and so on.
/// Values are JSON: null; true and false, which are 1 and 0; integers, exact to 64 bits; numbers with a
/// fraction or an exponent, which are REAL; strings; bytes as {"$base64":"..."}; {"$real":"Infinity"}
/// and {"$real":"-Infinity"}, which no JSON number is. Columns come back so, and a TEXT that is no
/// UTF-8 as bytes.
///
/// options is a JSON object: "rows_max", to SW_SQL_ROWS_MAX, after so many the rows end, 0 is 1000;
/// "timeout_ms", to SW_SQL_TIMEOUT_MS_MAX, 0 is 5000. The rows end as well with the one whose values bring
/// them above SW_SQL_BYTES, which one row may not have by itself. more says whether there were more rows;
/// ask on from the last key.
///
/// ATTACH, PRAGMA, transactions and what writes are refused. The query sees one moment of the store; while
/// it runs, the log of the file cannot start over, it takes one of the store's max_readers, and a close
/// waits for it.
///
/// May block. Never waits for a writer.
/// \param sql,sql_len          one statement, to SW_SQL_TEXT_BYTES_MAX; must be given
/// \param params,params_len    JSON, to SW_SQL_PARAMS_MAX values; absent is none
/// \param options,options_len  JSON; absent is the defaults
/// \param out                  receives the document, freed by sw_text_free; NULL on failure
/// \retval SW_OK               the document is in out
/// \retval SW_ERR_INVALID      sql is absent, is no statement or more than one, cannot be run or may not
///                             be: its sentence says what SQLite said; params does not fit, or has what
///                             is no value; options has an unknown key or a value out of its range
/// \retval SW_ERR_TOO_BIG      a text or a row is above its limit, or the query ran for longer than
///                             timeout_ms
/// \retval SW_ERR_UNSUPPORTED  params is an object, and the store is on a server
/// \codes reading
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_query(
    store: *mut sw_store,
    sql: *const c_char,
    sql_len: usize,
    params: *const c_char,
    params_len: usize,
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
            let max = store.payload_bytes_max();
            let sql = call.text(raw("sql", sql, sql_len), SQL_TEXT_BYTES_MAX)?;
            let sql = sql.ok_or_else(|| absent("sql"))?;
            let params = call.document(raw("params", params, params_len), max)?;
            let options = call.document(raw("options", options, options_len), max)?;
            out.give(Text::from(store.query(sql, params, options)?));
            Ok(SW_OK)
        })
    }
}

/// Runs a script in one transaction, all of it or nothing: statements on the host's own tables, runs,
/// messages, the end of a step or of an attempt. What a step does to the host's tables is thereby done
/// once, whatever is killed when: its rows and its record are one commit.
///
/// script is a JSON array of 1 to SW_SCRIPT_LEN_MAX items, done in their order, each an object with one of
/// these keys:
///
/// - sql: one statement, with params as for sw_query, and expect_changes, the number of rows that it must
///   insert, change or delete itself: another number undoes the whole script, SW_ERR_CONFLICT
/// - query: one statement that only reads, with params
/// - submit: a run, as an item of sw_run_submit_many: it exists if and only if the script commits
/// - signal: {"run_id","name","payload","idempotency_key"}, as for sw_signal_send
/// - step_complete: {"result":JSON} or {"result_from":N}, what item N came to, from 0: records the result
///   of the step, as sw_step_complete does; once in a script
/// - attempt_complete: the same for the attempt, as sw_attempt_complete; the last item
///
/// It is answered as a JSON array, with what each item came to: {"changes":1} for sql, with columns, rows and
/// more where it has RETURNING; {"columns","rows","more"} for query; {"run_id","exists"} for submit;
/// {"exists"} for signal; {} for an end.
///
///   [{"changes":1},{"columns":["balance"],"rows":[[250]],"more":false},{}]
///
/// Statements may read every table, make and drop tables, indexes, views and triggers of the host's, and
/// write those. Refused are writes to names that begin with sw_, foreign keys to them, tables named
/// json_each, json_tree or pragma_..., writes to sqlite_sequence, what is TEMP, ATTACH, PRAGMA, ANALYZE
/// and transactions; foreign keys among the host's tables hold when the script ends. These two calls stand
/// in for a SQLite of your own on the file, which must not be open in a process that has the store open:
/// its close would drop the library's locks.
///
/// With a step, which sw_step_begin answered with SW_OK, or an attempt, the script is theirs: it fails with
/// SW_ERR_LEASE_LOST once the run was taken back, and has then done nothing. A script without a step
/// does not run on a run that was cancelled: nothing of it is stored, its end neither, and the attempt goes
/// on until sw_attempt_complete, _fail or _release. One that ends the step or the attempt is done once
/// through its handle: repeated with the same bytes it answers as the first time. Any other is done each
/// time.
///
/// Others who write wait for it, so it may take no longer than the store's busy_timeout_ms, once begun. No
/// lock outlives the call.
///
/// May block. Durable when it returns, by the step's durability if one is given.
/// \param attempt            in whose name it runs; may be NULL, also when a step is given
/// \param step               whose work it is; may be NULL; still to be freed
/// \param script,script_len  JSON, to the store's payload limit; must be given
/// \param out                receives the document, freed by sw_text_free; NULL on failure
/// \retval SW_OK                  it is committed, the results are in out
/// \retval SW_ERR_MISUSE          also for a step of another attempt, or an attempt of another store
/// \retval SW_ERR_INVALID         script is out of its form, or an item cannot be done or may not be: the
///                                sentence begins with script[N] and says what SQLite said
/// \retval SW_ERR_TOO_BIG         a text, a result or what all rows come to is above its limit, or it ran for
///                                longer than busy_timeout_ms
/// \retval SW_ERR_UNSUPPORTED     params of an item is an object, and the store is on a server
/// \retval SW_ERR_NOT_FOUND       a signal's run is not there
/// \retval SW_ERR_CONFLICT        a constraint failed, expect_changes is not met, a signal's run has ended,
///                                an idempotency key is another workflow's; the step was finished otherwise,
///                                or was replayed; the attempt ended otherwise
/// \retval SW_ERR_LEASE_LOST      the run was taken back, or this attempt ended; nothing is stored
/// \retval SW_ERR_CANCELLED       no step is given, or it ends the attempt, and the run was cancelled or timed
///                                out
/// \retval SW_ERR_NONDETERMINISM  it ends an attempt that was claimed with SW_CLAIM_STRICT, as for
///                                sw_attempt_complete
/// \codes writing
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_tx_run(
    store: *mut sw_store,
    attempt: *mut sw_attempt,
    step: *mut sw_step,
    script: *const c_char,
    script_len: usize,
    out: *mut *mut sw_text,
    err: *mut *mut sw_error,
) -> i32 {
    // SAFETY: the pointers are arguments, which the header binds.
    unsafe {
        guard(err, |call| {
            let out = call.out_handle(out)?;
            let store = call.store(store)?;
            let name = call.name_of(attempt, step)?;
            let script = raw("script", script, script_len);
            let script = call.needed_document(script, store.payload_bytes_max())?;
            out.give(Text::from(&*store.tx_run(name, script)?));
            Ok(SW_OK)
        })
    }
}
