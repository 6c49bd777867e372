//! Where the store of a walk lies. `SW_MODEL_STORE` names it as `Store::open` takes it, so that another
//! backend, or another disk, is walked from the same seed; each walk wants an empty store, so the
//! name must hold `{walk}`, which becomes the walk's own name.

use std::cell::RefCell;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

thread_local! {
    /// What stands in the place of `SW_MODEL_STORE` for the walks of this thread.
    static STORE: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Has the walks of this thread lay their stores where that says.
#[cfg(feature = "postgres")]
pub fn lay(store: &str) {
    STORE.set(Some(store.to_owned()));
}

/// The place of one walk's store; what was made here goes with it.
pub struct Place {
    name: PathBuf,
    _folder: Option<TempDir>,
}

impl Place {
    pub fn of(walk: &str, seed: u64) -> Place {
        let laid = STORE.with_borrow(Clone::clone);
        let named = laid.or_else(|| std::env::var("SW_MODEL_STORE").ok());
        match named.map(|named| fill(&named, &format!("{walk}{seed}"))) {
            Some(name) => Place { name: name.into(), _folder: None },
            None => {
                let folder = tempfile::tempdir().unwrap();
                Place { name: folder.path().join("db"), _folder: Some(folder) }
            }
        }
    }

    pub fn name(&self) -> &Path {
        &self.name
    }
}

fn fill(named: &str, walk: &str) -> String {
    assert!(named.contains("{walk}"), "SW_MODEL_STORE is {named}, it must hold {{walk}}");
    named.replace("{walk}", walk)
}

#[test]
fn each_walk_has_a_store_of_its_own() {
    let url = "postgresql://host/db?schema={walk}";
    assert_eq!(fill(url, "model7"), "postgresql://host/db?schema=model7");
    assert!(std::panic::catch_unwind(|| fill("one.db", "model7")).is_err());
    assert_ne!(Place::of("model", 1).name(), Place::of("clocks", 1).name());
}
