//! Stores in memory for judges, who try thousands of inputs a second.

use std::cell::RefCell;
use std::sync::Arc;

use smolwf::handles::store::{Store, StoreOptions};

/// A store whose clock stands, and whose scripts end soon.
pub fn store() -> Arc<Store> {
    let options =
        StoreOptions { manual_clock: true, busy_timeout_ms: 200, ..StoreOptions::default() };
    let store = Store::open_in_memory(&options).expect("a store in memory opens");
    store.init().expect("a new store takes its schema");
    store
}

/// Inputs that share a store, so that what one leaves stands in the way of few.
const INPUTS_A_STORE: u32 = 1_000;

thread_local! {
    static STORE: RefCell<Option<(Arc<Store>, u32)>> = const { RefCell::new(None) };
}

/// Hands out this thread's store, now and then a new one.
pub fn with_store<T>(each: impl FnOnce(&Arc<Store>) -> T) -> T {
    let kept = STORE.take().filter(|(_, inputs)| *inputs < INPUTS_A_STORE);
    let (store, inputs) = kept.unwrap_or_else(|| (store(), 0));
    let told = each(&store);
    STORE.set(Some((store, inputs + 1)));
    told
}

/// The next one gets a new store.
pub fn drop_store() {
    STORE.take();
}

/// Refuses a store in which anything is half done.
pub fn assert_whole(store: &Store, after: &str) {
    let told = store.check().expect("a store can be looked at");
    assert_eq!(told, r#"{"ok":true,"faults":[]}"#, "{after}");
}
