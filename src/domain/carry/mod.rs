//! Carrying a run with its tree from one store to another, as one document.
//!
//! An export gathers the rows of a tree in one transaction ([`gather`]) and shows them ([`show`]). An
//! import reads a document that anybody may have written ([`read`]), refuses one that contradicts itself
//! ([`sound`]), gives its runs other ids where they are to have some ([`rename`]), and writes it through
//! the methods that every call writes with ([`bring`]), so that what they keep whole stays whole. Both
//! sides know the tree by the same nouns ([`tree`]).
//!
//! What holds only in the store that it comes from does not travel: keys, owners, leases, tokens, counts
//! of queues and gates, numbers of events. An attempt that ran is lost on arrival, by the rule for those
//! that lost their worker.

use super::find::find;
use super::input::{boolean, object, one_of};
use super::output::{Document, document};
use super::port::Port;
use crate::error::{Error, Result};
use crate::id::{self, Id};
use crate::limits::CARRY_BYTES_MAX;
use crate::plant::{Plant, stands};

mod bring;
mod gather;
mod parts;
mod read;
mod rename;
mod show;
mod sound;
mod tree;

pub use bring::bring;
use tree::too_many;
pub use tree::{Bounds, Origin, Redaction, Tree};

/// Reads the options of an export, `{"redact"}`: whether payloads are left out.
pub fn export_options(text: Option<&str>) -> Result<bool> {
    let mut is_redacted = false;
    object(text.unwrap_or("{}"), |key, value| {
        match key {
            "redact" => is_redacted = boolean(key, value)?,
            _ => return Ok(false),
        }
        Ok(true)
    })
    .map_err(|error| error.within("options"))?;
    Ok(is_redacted)
}

/// Returns a topmost run with all below it as a document.
pub fn export(
    port: &mut dyn Port,
    run_id: &str,
    origin: &Origin,
    redaction: Option<&Redaction>,
) -> Result<String> {
    let run_key = find(port, run_id)?;
    let (root_key, _) = port.root_and_lane(run_key)?;
    if root_key != run_key {
        let root_id = id::write("run", port.run_carried(root_key)?.run_id);
        return Err(Error::conflict(format!(
            "{run_id} is a part of the tree of {root_id}, which holds its budget and may await it: export that"
        )));
    }
    let tree = gather::gather(port, run_key)?;
    let store_id = port.store_id()?;
    let text = document(&show::Shown { tree: &tree, store_id: &store_id, origin, redaction })?;
    if text.len() > CARRY_BYTES_MAX {
        return Err(too_many("bytes as a document", text.len(), CARRY_BYTES_MAX).within(run_id));
    }
    Ok(text)
}

/// Which ids the runs of a document get.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ids {
    /// Those that they have.
    Keep,
    /// New ones.
    New,
}

/// Reads the options of an import, `{"ids"}`.
pub fn import_options(text: Option<&str>) -> Result<Ids> {
    let mut ids = Ids::Keep;
    object(text.unwrap_or("{}"), |key, value| {
        match key {
            "ids" => {
                let known = [("keep", Ids::Keep), ("new", Ids::New)];
                ids = one_of(key, value, &known)?.unwrap_or(Ids::Keep);
            }
            _ => return Ok(false),
        }
        Ok(true)
    })
    .map_err(|error| error.within("options"))?;
    Ok(ids)
}

/// Reads a document and refuses what no store can hold; `draw` gives the ids of runs that get new ones.
pub fn read(text: &str, bounds: Bounds, ids: Ids, draw: impl FnMut() -> Id) -> Result<Tree> {
    let tree = read::tree(text, bounds).map_err(|error| error.within("document"))?;
    if !stands(Plant::TrustDocument) {
        sound::check(&tree).map_err(|error| error.within("document"))?;
    }
    Ok(match ids {
        Ids::Keep => tree,
        Ids::New => rename::rename(tree, draw),
    })
}

/// What an import answers.
#[derive(Debug, serde::Serialize)]
struct Imported {
    run_id: String,
    runs: usize,
}

impl Document for Imported {
    const SHAPE: &'static str = "imported";
}

/// Writes what an import answers.
pub fn told(tree: &Tree) -> Result<String> {
    let run_id = tree.runs.first().map(|root| id::write("run", root.row.run_id));
    document(&Imported { run_id: run_id.unwrap_or_default(), runs: tree.runs.len() })
}
