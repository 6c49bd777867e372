//! A run with its tree, out of one store and into another.

use std::ffi::c_char;

use super::args::raw;
use super::codes::SW_OK;
use super::guard::guard;
use super::report::sw_error;
use super::store::sw_store;
use super::text::sw_text;
use crate::limits::{CARRY_BYTES_MAX, FILTER_BYTES_MAX};
use crate::text::Text;

/// Returns a topmost run with all runs below it as one JSON document, as they stand at one moment: what
/// they were submitted with, how they ended or where their tasks stand, attempts, steps, signals, what is
/// waited for, budget, events. sw_run_import brings it into another store, where the runs go on. A run
/// below another is refused: that one may await it, and the topmost one holds its budget.
///
/// The document is so; what stands in its lists is told by docs/schemas/carried_tree.json:
///
///   {"format":1,"schema_version":8,"library_version":"0.1.0","store_id":"01a222d96bbdc5fe",
///    "exported_at_ms":1700000000000,"redacted":false,"runs":[],"events":[],"units":[]}
///
/// Payloads (args, results, errors, metadata, signals, events) stand in it as JSON strings, so that
/// whatever formats the document anew leaves them byte for byte.
///
/// options is a JSON object: "redact": true is for reports of bugs. In the place of each payload, key and
/// name of a worker then stands {"bytes":12,"hash":"..."}, with "engine" for the kind of an error that
/// the library made. Equal texts have equal hashes within one document and in no other, since each is
/// made with a key that is thrown away. Names stay: of workflows, queues, versions, steps and their
/// kinds, signals, types of events, units. Such a document cannot be imported.
///
/// Nothing is changed: the runs go on here as well. To move them, pause the topmost one and those below
/// it first, and cancel them once they are imported elsewhere.
///
/// May block. Never waits for a writer. The document stands in memory, up to SW_CARRY_BYTES_MAX.
/// \param run_id,run_id_len    of a topmost run
/// \param options,options_len  JSON; absent is {"redact":false}
/// \param out                  receives the document, freed by sw_text_free; NULL on failure
/// \retval SW_OK             the document is in out
/// \retval SW_ERR_INVALID    run_id is absent; options has an unknown key or a value of another kind
/// \retval SW_ERR_NOT_FOUND  no such run, or its tree is being pruned
/// \retval SW_ERR_CONFLICT   the run is below another, which the sentence names; or a run of the tree is
///                           open and was forked from one whose children, in another tree, it may await
/// \retval SW_ERR_TOO_BIG    the tree has more than SW_CARRY_RUNS_MAX runs or SW_CARRY_ROWS_MAX rows
///                           beside, or the document more than SW_CARRY_BYTES_MAX bytes
/// \codes reading
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_run_export(
    store: *mut sw_store,
    run_id: *const c_char,
    run_id_len: usize,
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
            let run_id = call.id(raw("run_id", run_id, run_id_len))?;
            let options = call.document(raw("options", options, options_len), FILTER_BYTES_MAX)?;
            out.give(Text::from(store.run_export(run_id, options)?));
            Ok(SW_OK)
        })
    }
}

/// Brings the runs of a document of sw_run_export into this store, all of them or none, and tells which
/// run is the topmost and how many came.
///
///   {"run_id":"run_01hf7yat006834yhcwb13ejypz","runs":3}
///
/// They go on where they stood: what was recorded is replayed, what waits goes on waiting until the same
/// moments, what is due may be claimed. An attempt that ran when it was exported comes in as a lost one:
/// its loss counts as any, what it had reserved is charged in full, and its run may be claimed, or ends
/// as it was told to. Owners, leases and SW_SUBMIT_LOCAL stay behind. Limits of queues are this store's
/// own. Reservations get new ids. Events are appended to this store's log, in their order and with their
/// times. A run stays linked with the one that it was forked from if that is in this store. A policy of
/// sw_retention_set holds for what has ended.
///
/// options is a JSON object: "ids": "keep", the default, gives the runs the ids that they have, "new" gives
/// them new ones, for a second copy. Those that the library itself has written are then replaced: a submit
/// of a child replays with the child's new id, and awaits of it as before. Ids that a host has put into its
/// own payloads stay as they are. An idempotency key comes along either way.
///
/// The document may be from anywhere: what is wrong with it is refused with its place, and nothing is
/// changed. What it says of work that was done is believed, so import what you trust. The numbers of what
/// it may have are those of sw_run_export; each payload has this store's limit.
///
/// May block: an import is one transaction, for which other writers wait. Durable when it returns, as the
/// store's durability says. Whoever is killed in the middle has imported nothing.
/// \param document,document_len  JSON, to SW_CARRY_BYTES_MAX; must be given
/// \param options,options_len    JSON; absent is {"ids":"keep"}
/// \param out                    receives the document, freed by sw_text_free; NULL on failure
/// \retval SW_OK                  the runs are in the store
/// \retval SW_ERR_INVALID         document is absent, has an unknown key or a value of another kind or
///                                beyond its range, contradicts itself, or was exported with "redact";
///                                options likewise
/// \retval SW_ERR_UNSUPPORTED     it has another format than this library's
/// \retval SW_ERR_SCHEMA_NEW      also: it comes from a store of a newer schema
/// \retval SW_ERR_CONFLICT        a run of this store has one of its ids, or is still being pruned; or an
///                                idempotency key of it has made a run here; the sentence names the run
/// \retval SW_ERR_TOO_BIG         document, a payload or a name in it is above its limit, or it has more
///                                runs or rows than allowed
/// \codes writing
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_run_import(
    store: *mut sw_store,
    document: *const c_char,
    document_len: usize,
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
            let document =
                call.needed_document(raw("document", document, document_len), CARRY_BYTES_MAX)?;
            let options = call.document(raw("options", options, options_len), FILTER_BYTES_MAX)?;
            out.give(Text::from(store.run_import(document, options)?));
            Ok(SW_OK)
        })
    }
}
