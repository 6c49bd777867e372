//! What all connections to one store of this process know together.

use std::collections::HashMap;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};

use super::clock::{Keys, ServerClock};
use crate::lock::Unpoisoned;

/// What all connections to one store share.
#[derive(Debug, Default)]
pub(super) struct Common {
    pub(super) clock: Arc<ServerClock>,
    pub(super) keys: Keys,
    /// A pooler is between, and gives each connection a session of its own.
    pub(super) is_by_good_pooler: AtomicBool,
    /// Keys of lanes that were met, by their names.
    lanes: Mutex<HashMap<LaneNames, i64>>,
}

/// Queue, workflow, code version and owner of a lane.
pub(super) type LaneNames = (String, String, String, i64);

/// Lanes that are remembered at most.
const LANES_MAX: usize = 1024;

impl Common {
    /// Returns the key that a lane had when it was last met: it may be gone.
    pub(super) fn lane(&self, names: &LaneNames) -> Option<i64> {
        self.lanes.lock().unpoisoned().get(names).copied()
    }

    /// Remembers the key of a lane.
    pub(super) fn note_lane(&self, names: LaneNames, lane_key: i64) {
        let mut lanes = self.lanes.lock().unpoisoned();
        if lanes.len() >= LANES_MAX {
            lanes.clear();
        }
        lanes.insert(names, lane_key);
    }
}
