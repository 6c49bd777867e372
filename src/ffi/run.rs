//! Submitting, finding and claiming runs.

use std::ffi::c_char;
use std::sync::Arc;

use super::args::{Raw, absent, raw};
use super::attempt::sw_attempt;
use super::call::Call;
use super::codes::{SW_EXISTS, SW_NONE, SW_OK, SW_TIMEOUT};
use super::constants::{SW_CLAIM_REPLAY_ONLY, SW_CLAIM_STRICT, SW_SUBMIT_LOCAL};
use super::guard::guard;
use super::options::{sw_claim_options, sw_submit_options};
use super::report::sw_error;
use super::stop::sw_stop;
use super::store::sw_store;
use super::text::sw_text;
use crate::domain::claim::{Claim, Manner};
use crate::domain::items;
use crate::domain::submit::Submit;
use crate::error::{Error, Result};
use crate::limits::MANY_MAX;
use crate::stop::Stop;
use crate::text::Text;

impl Call {
    /// Takes what a submit is given: workflow, args and options.
    pub(super) fn submit(
        &self,
        workflow: Raw<'_>,
        args: Raw<'_>,
        options: *const sw_submit_options,
        payload_bytes_max: usize,
    ) -> Result<Submit> {
        let workflow = self.name(workflow)?.to_owned();
        let args = self.payload(args, payload_bytes_max)?;
        let o: sw_submit_options = self.options(options)?;
        let own = |text: Option<&str>| text.map(str::to_owned);
        let name = |what, start, len| self.optional_name(raw(what, start, len)).map(own);
        let key = |what, start, len| self.optional_key(raw(what, start, len)).map(own);
        let document =
            |what, start, len| self.document(raw(what, start, len), payload_bytes_max).map(own);
        let (scope, scope_len) = (o.idempotency_scope, o.idempotency_scope_len);
        Ok(Submit {
            workflow,
            args,
            queue: name("queue", o.queue, o.queue_len)?,
            run_at_ms: o.run_at_ms,
            timeout_ms: o.timeout_ms,
            backoff_initial_ms: o.backoff_initial_ms,
            backoff_max_ms: o.backoff_max_ms,
            priority: o.priority,
            max_tries: o.max_tries,
            backoff_percent: o.backoff_percent,
            idempotency_key: key("idempotency_key", o.idempotency_key, o.idempotency_key_len)?,
            idempotency_scope: key("idempotency_scope", scope, scope_len)?,
            concurrency_key: key("concurrency_key", o.concurrency_key, o.concurrency_key_len)?,
            code_version: name("code_version", o.code_version, o.code_version_len)?,
            budget: document("budget", o.budget, o.budget_len)?,
            metadata: document("metadata", o.metadata, o.metadata_len)?,
            is_local: o.flags & SW_SUBMIT_LOCAL != 0,
        })
    }

    /// Takes what a claim is given: queue and options.
    fn claim(
        &self,
        queue: Raw<'_>,
        options: *const sw_claim_options,
        payload_bytes_max: usize,
    ) -> Result<Claim> {
        let queue = self.optional_name(queue)?;
        let o: sw_claim_options = self.options(options)?;
        let worker = self.optional_name(raw("worker", o.worker, o.worker_len))?;
        let names = |what, start, len| self.names(raw(what, start, len), payload_bytes_max);
        Ok(Claim {
            queue: queue.map(str::to_owned),
            wait_ms: o.wait_ms,
            lease_ms: o.lease_ms,
            worker: worker.map(str::to_owned),
            workflows: names("workflows", o.workflows, o.workflows_len)?,
            code_versions: names("code_versions", o.code_versions, o.code_versions_len)?,
            stop: self.optional_stop(o.stop)?,
            manner: Manner {
                is_strict: o.flags & SW_CLAIM_STRICT != 0,
                is_replay_only: o.flags & SW_CLAIM_REPLAY_ONLY != 0,
            },
        })
    }

    /// Takes a stop that may be absent.
    pub(super) fn optional_stop(&self, stop: *const sw_stop) -> Result<Option<Arc<Stop>>> {
        if stop.is_null() { Ok(None) } else { self.body(stop).cloned().map(Some) }
    }
}

/// Submits a run: the wish that a worker runs the host's function `workflow` with `args`.
///
/// With an idempotency key, one run is made per (scope, key) for as long as it exists; later submits
/// of that workflow get SW_EXISTS and its id, whatever their other arguments. Under another workflow
/// the key is SW_ERR_CONFLICT, and the message names both workflows and the run: give each workflow
/// keys, or a scope, of its own.
///
/// A host that dislikes a struct of two dozen fields gives the same options as JSON to
/// sw_run_submit_many, an array of one item.
///
/// May block. Durable when it returns; so is what SW_EXISTS confirms.
/// \param workflow,workflow_len  name of the host's function
/// \param args,args_len  JSON; absent is null
/// \param out_run_id     receives the run's id and its NUL
/// \retval SW_OK               the run is submitted; its id is written
/// \retval SW_EXISTS           the key matched; the id of the run it made is written
/// \retval SW_ERR_INVALID      workflow is absent; a text, args or an option is out of its form or
///                             range; a scope without a key; cap is below SW_ID_CAP
/// \retval SW_ERR_TOO_BIG      a text or args is above its limit
/// \retval SW_ERR_UNSUPPORTED  an unknown option or flag
/// \retval SW_ERR_CONFLICT     the key has made a run of another workflow
/// \codes writing
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_run_submit(
    store: *mut sw_store,
    workflow: *const c_char,
    workflow_len: usize,
    args: *const c_char,
    args_len: usize,
    options: *const sw_submit_options,
    out_run_id: *mut c_char,
    cap: usize,
    err: *mut *mut sw_error,
) -> i32 {
    // SAFETY: the pointers are arguments, which the header binds.
    unsafe {
        guard(err, |call| {
            let out_run_id = call.out_id("out_run_id", out_run_id, cap)?;
            let store = call.store(store)?;
            let (workflow, args) =
                (raw("workflow", workflow, workflow_len), raw("args", args, args_len));
            let submit = call.submit(workflow, args, options, store.payload_bytes_max())?;
            let submitted = store.submit(submit)?;
            out_run_id.set(submitted.run_id)?;
            Ok(if submitted.existed { SW_EXISTS } else { SW_OK })
        })
    }
}

/// Submits many runs in one commit, all or none. Each item is an object with "workflow", "args" (any
/// JSON) and the fields of sw_submit_options by their names; instead of the flag there is "local",
/// true or false. What is left out or null is the default.
///
///   [{"workflow":"invoice","args":{"order":7},"queue":"billing","priority":-1,"max_tries":5,
///     "idempotency_key":"order-7","metadata":{"tenant":"acme"},
///     "budget":{"tokens":{"limit":5000,"warn":4000}}},
///    {"workflow":"report","local":true}]
///
/// Two items of one workflow with one idempotency key make one run, and the second names it; of two
/// workflows, the second is the item that SW_ERR_CONFLICT names.
///
/// May block. Durable when it returns; so is what "exists" confirms.
/// \param items,items_len  JSON array of 1 to SW_MANY_MAX objects
/// \param out              receives an array in the order of the items,
///                         `[{"run_id":"run_...","exists":false}]`, freed by sw_text_free; NULL on
///                         failure. With "exists" true the key matched
/// \param err              its message begins with the item that it is about: `items[3]: ...`
/// \retval SW_OK            every run is submitted or found
/// \retval SW_ERR_INVALID   items is absent, no JSON array, empty, or has too many; an item is no
///                          object, lacks its workflow, or has an unknown key or a value out of its
///                          form or range
/// \retval SW_ERR_TOO_BIG   items, or a text in it, is above its limit
/// \retval SW_ERR_CONFLICT  the key of an item has made a run of another workflow
/// \codes writing
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_run_submit_many(
    store: *mut sw_store,
    items: *const c_char,
    items_len: usize,
    out: *mut *mut sw_text,
    err: *mut *mut sw_error,
) -> i32 {
    // SAFETY: the pointers are arguments, which the header binds.
    unsafe {
        guard(err, |call| {
            let out = call.out_handle(out)?;
            let store = call.store(store)?;
            let items = call.document(raw("items", items, items_len), store.payload_bytes_max())?;
            let submits = items::runs(items.ok_or_else(|| absent("items"))?)?;
            let submitted = store.submit_many(submits)?;
            let told = submitted.iter().map(|run| (&*run.run_id, run.existed));
            out.give(Text::from(items::answer(told)?));
            Ok(SW_OK)
        })
    }
}

/// Finds the run that an idempotency key made.
///
/// May block. Never waits for a writer. It shows what is committed; a submit with the same key that
/// answers SW_EXISTS is what makes it durable.
/// \param idempotency_scope,idempotency_scope_len  as it was submitted; absent is the scope
///                    without a name
/// \param idempotency_key,idempotency_key_len  as it was submitted
/// \param out_run_id  receives the run's id and its NUL
/// \retval SW_OK           the id is written
/// \retval SW_NONE         no run exists under that scope and key
/// \retval SW_ERR_INVALID  the key is absent, a text is empty, no UTF-8 or holds a NUL, or cap is
///                         below SW_ID_CAP
/// \retval SW_ERR_TOO_BIG  scope or key has more than SW_KEY_BYTES_MAX bytes
/// \codes reading
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_run_find(
    store: *mut sw_store,
    idempotency_scope: *const c_char,
    idempotency_scope_len: usize,
    idempotency_key: *const c_char,
    idempotency_key_len: usize,
    out_run_id: *mut c_char,
    cap: usize,
    err: *mut *mut sw_error,
) -> i32 {
    // SAFETY: the pointers are arguments, which the header binds.
    unsafe {
        guard(err, |call| {
            let out_run_id = call.out_id("out_run_id", out_run_id, cap)?;
            let store = call.store(store)?;
            let scope = raw("idempotency_scope", idempotency_scope, idempotency_scope_len);
            let scope = call.optional_key(scope)?.unwrap_or_default();
            let key = call.key(raw("idempotency_key", idempotency_key, idempotency_key_len))?;
            let Some(run_id) = store.find(scope, key)? else { return Ok(SW_NONE) };
            out_run_id.set(run_id)?;
            Ok(SW_OK)
        })
    }
}

/// Claims the next run of a queue, under a lease. Among ready runs the lower priority goes first,
/// then what was due earlier, then what was submitted earlier. Runs whose lease lapsed, or whose
/// process died, are claimed anew; schedules that are due submit their runs.
///
/// The attempt must end by complete, fail, release or suspend, or else its run comes back when the
/// lease lapses or the store is closed. An empty queue takes no lock.
///
/// Waits at most wait_ms for a run, 0 when options is NULL; besides, it may block. Durable when it
/// returns an attempt.
/// \param queue,queue_len  name of the queue; absent is "default"
/// \param out              receives the attempt, freed by sw_attempt_free; NULL on failure and for
///                         SW_NONE
/// \retval SW_OK               the attempt is in out
/// \retval SW_NONE             nothing to claim until wait_ms passed or the stop fired
/// \retval SW_ERR_INVALID      a text or an option is out of its form or range
/// \retval SW_ERR_TOO_BIG      a text is above its limit
/// \retval SW_ERR_UNSUPPORTED  an unknown option or flag
/// \retval SW_ERR_CLOSED       also when the store is shut down during the wait
/// \codes writing
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_run_claim(
    store: *mut sw_store,
    queue: *const c_char,
    queue_len: usize,
    options: *const sw_claim_options,
    out: *mut *mut sw_attempt,
    err: *mut *mut sw_error,
) -> i32 {
    // SAFETY: the pointers are arguments, which the header binds.
    unsafe {
        guard(err, |call| {
            let out = call.out_handle(out)?;
            let store = call.store(store)?;
            let queue = raw("queue", queue, queue_len);
            let claim = call.claim(queue, options, store.payload_bytes_max())?;
            let Some(attempt) = store.claim(claim)? else { return Ok(SW_NONE) };
            out.give(attempt);
            Ok(SW_OK)
        })
    }
}

/// Claims up to `max` runs of a queue in one commit, in the order of sw_run_claim and as that does.
/// It waits for the first run, not for `max` of them.
///
/// Waits at most wait_ms for a run, 0 when options is NULL; besides, it may block. Durable when it
/// returns attempts.
/// \param queue,queue_len  name of the queue; absent is "default"
/// \param max              attempts at most, 1 to SW_MANY_MAX
/// \param out              array of max places; receives the attempts, each freed by
///                         sw_attempt_free; the other places become NULL, and all on failure
/// \param out_count        receives how many attempts there are; 0 with SW_NONE
/// \retval SW_OK               at least one attempt is in out
/// \retval SW_NONE             nothing to claim until wait_ms passed or the stop fired
/// \retval SW_ERR_INVALID      max is out of its range (out is not touched then); a text or an
///                             option is out of its form or range
/// \retval SW_ERR_TOO_BIG      a text is above its limit
/// \retval SW_ERR_UNSUPPORTED  an unknown option or flag
/// \retval SW_ERR_CLOSED       also when the store is shut down during the wait
/// \codes writing
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_run_claim_many(
    store: *mut sw_store,
    queue: *const c_char,
    queue_len: usize,
    options: *const sw_claim_options,
    max: u32,
    out: *mut *mut sw_attempt,
    out_count: *mut u32,
    err: *mut *mut sw_error,
) -> i32 {
    // SAFETY: the pointers are arguments, which the header binds.
    unsafe {
        guard(err, |call| {
            if max == 0 || max as usize > MANY_MAX {
                return Err(Error::invalid(format!("max is {max}, it must be 1 to {MANY_MAX}")));
            }
            let out = call.out_handles(out, max)?;
            let out_count = call.out("out_count", out_count)?;
            let store = call.store(store)?;
            let queue = raw("queue", queue, queue_len);
            let claim = call.claim(queue, options, store.payload_bytes_max())?;
            let count = out.give(store.claim_many(claim, max)?);
            out_count.set(count);
            Ok(if count == 0 { SW_NONE } else { SW_OK })
        })
    }
}

/// Waits for a run to end and gives its document, as sw_run_get does. Also wakes when it ends because
/// its time-out passed or its worker was lost, though nobody else is there to notice.
///
/// A store opened with SW_OPEN_READ_ONLY cannot end a run: there it tells only of ends that others
/// have stored. It hears of them as sw_store_wait does, and looks twice a second in any case.
///
/// Waits at most timeout_ms; besides, it may block.
/// \param run_id,run_id_len  from a submit or a claim
/// \param timeout_ms         milliseconds, to SW_DURATION_MS_MAX; 0 looks once, SW_FOREVER waits
///                           without limit
/// \param out                receives the document, freed by sw_text_free; NULL on failure and for
///                           SW_TIMEOUT
/// \retval SW_OK             the run has completed, failed or been cancelled; the document is in
///                           out
/// \retval SW_TIMEOUT        it had not until timeout_ms passed or the stop fired
/// \retval SW_ERR_INVALID    run_id is absent, empty, no UTF-8, or holds a NUL; timeout_ms is below
///                           -1 or above SW_DURATION_MS_MAX
/// \retval SW_ERR_NOT_FOUND  no such run, or it ended during the wait and was pruned before it was seen:
///                           keep runs that are waited for some seconds
/// \retval SW_ERR_CLOSED     also when the store is shut down during the wait
/// \codes sweeping
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_run_wait(
    store: *mut sw_store,
    run_id: *const c_char,
    run_id_len: usize,
    timeout_ms: i64,
    stop: *mut sw_stop,
    out: *mut *mut sw_text,
    err: *mut *mut sw_error,
) -> i32 {
    // SAFETY: the pointers are arguments, which the header binds.
    unsafe {
        guard(err, |call| {
            let out = call.out_handle(out)?;
            let store = call.store(store)?;
            let run_id = call.id(raw("run_id", run_id, run_id_len))?;
            let stop = call.optional_stop(stop)?;
            let Some(document) = store.run_wait(run_id, timeout_ms, stop.as_deref())? else {
                return Ok(SW_TIMEOUT);
            };
            out.give(Text::from(document));
            Ok(SW_OK)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ffi::options::LAYOUTS;

    #[test]
    fn every_field_of_a_submit_is_a_key_of_its_items() {
        let layout = LAYOUTS.iter().find(|layout| layout.name == "sw_submit_options").unwrap();
        let names = layout.fields.iter().map(|field| field.name);
        let fields: Vec<_> = names
            .filter(|name| !["struct_size", "flags", "reserved"].contains(name))
            .filter(|name| !name.ends_with("_len"))
            .collect();
        assert!(fields.contains(&"metadata"), "{fields:?}");
        for name in fields {
            let items = format!("[{{\"workflow\":\"w\",\"{name}\":null}}]");
            assert!(items::runs(&items).is_ok(), "{name}");
        }
    }
}
