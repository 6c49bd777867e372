//! The walk on which everything is done, and the same in memory.

use super::drive::{Drive, Operation};
use super::oracle::Oracle;
use super::world::World;

const MORE: [(u64, &str, Operation); 21] = [
    (12, "reserve", Drive::reserve),
    (6, "settle", Drive::settle),
    (4, "complete_usage", Drive::complete_usage),
    (3, "raise", Drive::raise),
    (6, "event_append", Drive::event_append),
    (3, "event_read", Drive::event_read),
    (2, "event_wait", Drive::event_wait),
    (3, "schedule_set", Drive::schedule_set),
    (2, "schedule_delete", Drive::schedule_delete),
    (9, "script", Drive::script),
    (3, "act_many", Drive::act_many),
    (2, "prune", Drive::prune),
    (1, "retain", Drive::retain),
    (1, "compact", Drive::compact),
    (3, "copy", Drive::copy),
    (2, "bring_back", Drive::bring_back),
    (4, "look_around", Drive::look_around),
    (3, "hear", Drive::hear),
    (4, "run_wait", Drive::run_wait),
    (1, "ask_host", Drive::ask_host),
    (2, "advance_to_due", Drive::advance_to_due),
];

/// What wants a file.
const OF_A_FILE: [(u64, &str, Operation); 3] =
    [(1, "shut_down", Drive::shut_down), (1, "backup", Drive::backup), (2, "crash", Drive::crash)];

impl Drive {
    pub fn whole(seed: u64) -> Drive {
        let mut drive = Drive::new(seed);
        drive.operations.extend(OF_A_FILE);
        drive.with_all()
    }

    pub fn in_memory(seed: u64) -> Drive {
        let mut oracle = Oracle::default();
        let world = World::in_memory(seed, &mut oracle);
        let mut drive = Drive::new(seed);
        (drive.oracle, drive.world) = (oracle, world);
        // It would be gone.
        drive.operations.retain(|(_, name, _)| *name != "reopen");
        drive.with_all()
    }

    /// The same on a store that promises to outlive the loss of power; the layer below keeps its disk.
    #[cfg(feature = "plant")]
    pub fn whole_with_power(seed: u64) -> Drive {
        use smolwf::domain::Durability;
        let mut oracle = Oracle::default();
        let place = super::place::Place::of("power", seed);
        smolwf::storage::sqlite::fault::record(place.name());
        let world = World::promising(Durability::Power, place, &mut oracle);
        let mut drive = Drive::new(seed);
        (drive.oracle, drive.world) = (oracle, world);
        drive.operations.extend(OF_A_FILE);
        drive.with_all()
    }

    fn with_all(mut self) -> Drive {
        self.is_whole = true;
        self.operations.extend(MORE);
        self.world.store().tx_run(None, None, super::sql::TABLE).unwrap();
        self
    }
}
