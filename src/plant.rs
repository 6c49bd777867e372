//! Faults that stand in the library on purpose, one at a time: tests show that each would be found.
//!
//! They are built with the feature `plant` alone, and the environment names the one that stands
//! (`SW_PLANT=forget_fence`), or has a call panic (`SW_PANIC=entry`). Without the feature the answer is
//! known to the compiler, and nothing of a plant is left. The library that is shipped is never built
//! with it.

/// What is done wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plant {
    /// Answers that wait for a sync go out without one (P6).
    SkipSync,
    /// Those who share a commit are answered before it (P6).
    AnswerEarly,
    /// What a failed call has written stays (P7).
    KeepFailed,
    /// A write of an attempt that lost its run is let through (P10).
    ForgetFence,
    /// A write does not extend the lease (P11).
    ForgetLease,
    /// A lost attempt is not counted (P13).
    ForgetLoss,
    /// A run that comes back to its lane is not noted there (P14).
    ForgetLane,
    /// A replay hands out the first occurrence (P16).
    WrongOccurrence,
    /// A message wakes nobody (P24).
    ForgetWake,
    /// A message with a key is delivered each time (P23).
    DoubleMessage,
    /// A cancel goes no further down (P26).
    SpareChildren,
    /// A reserve is counted twice (P27).
    ReserveTwice,
    /// A second settle is charged again (P28).
    SettleTwice,
    /// What an attempt leaves open is not given back (P29).
    ForgetReserve,
    /// The newest event goes, and its number is given again (P32).
    EventTwice,
    /// Nobody is told of what has changed.
    ForgetBell,
    /// What only a sanitizer sees, in our code or in SQLite's: see `fault/unsound.rs`.
    StrayRead,
    /// The same, by SQLite.
    StrayReadOfSqlite,
    /// Memory is lost.
    Leak,
    /// The same, by SQLite.
    LeakOfSqlite,
    /// Two threads write the same word.
    Race,
    /// The same, by SQLite.
    RaceOfSqlite,
    /// A promise to the compiler is broken.
    BrokenPromise,
    /// The same, by SQLite.
    BrokenPromiseOfSqlite,
    /// JSON may have numbers with zeroes in front.
    LooseJson,
    /// What clocks show twice fires twice.
    RepeatHour,
    /// The cursor of any list is good for each.
    AnyCursor,
    /// A document may contradict itself.
    TrustDocument,
    /// A file may add to the schema.
    TrustSchema,
}

/// Returns whether this fault stands.
#[cfg(not(feature = "plant"))]
#[inline(always)]
pub const fn stands(_: Plant) -> bool {
    false
}

/// Returns whether this fault stands.
#[cfg(feature = "plant")]
pub fn stands(plant: Plant) -> bool {
    use std::sync::OnceLock;
    static CHOSEN: OnceLock<Option<Plant>> = OnceLock::new();
    let chosen = CHOSEN.get_or_init(|| {
        let name = std::env::var("SW_PLANT").ok()?;
        let named =
            ALL.into_iter().chain(OF_INPUTS).chain(UNSOUND).find(|(known, _)| *known == name);
        Some(named.map(|(_, plant)| plant).unwrap_or_else(|| panic!("no plant is called {name}")))
    });
    *chosen == Some(plant)
}

/// Gives others the time to see what was done too early.
#[cfg(not(feature = "plant"))]
#[inline(always)]
pub const fn linger() {}

/// Gives others the time to see what was done too early.
#[cfg(feature = "plant")]
pub fn linger() {
    std::thread::sleep(std::time::Duration::from_millis(3));
}

/// Where in a call of C `SW_PANIC` wants a panic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Outputs are NULL, and nothing else is done.
    Entry,
    /// All is done, and nothing is told.
    Answer,
}

/// Panics, if this is the place.
#[cfg(not(feature = "plant"))]
#[inline(always)]
pub const fn panic_at(_: Place) {}

/// Panics, if this is the place. The environment is asked anew each time: one call is to panic, and
/// not those around it.
#[cfg(feature = "plant")]
pub fn panic_at(place: Place) {
    let asked = std::env::var("SW_PANIC").unwrap_or_default();
    let is_here = match place {
        Place::Entry => asked == "entry",
        Place::Answer => asked == "answer",
    };
    assert!(!is_here, "a panic that the test asked for");
}

/// Every plant of what calls come to, by its name.
#[cfg(feature = "plant")]
pub const ALL: [(&str, Plant); 16] = [
    ("skip_sync", Plant::SkipSync),
    ("answer_early", Plant::AnswerEarly),
    ("keep_failed", Plant::KeepFailed),
    ("forget_fence", Plant::ForgetFence),
    ("forget_lease", Plant::ForgetLease),
    ("forget_loss", Plant::ForgetLoss),
    ("forget_lane", Plant::ForgetLane),
    ("wrong_occurrence", Plant::WrongOccurrence),
    ("forget_wake", Plant::ForgetWake),
    ("double_message", Plant::DoubleMessage),
    ("spare_children", Plant::SpareChildren),
    ("reserve_twice", Plant::ReserveTwice),
    ("settle_twice", Plant::SettleTwice),
    ("forget_reserve", Plant::ForgetReserve),
    ("event_twice", Plant::EventTwice),
    ("forget_bell", Plant::ForgetBell),
];

/// Every plant by its name that a sanitizer finds: `scripts/sanitize.sh` says which.
#[cfg(feature = "plant")]
pub const UNSOUND: [(&str, Plant); 8] = [
    ("stray_read", Plant::StrayRead),
    ("stray_read_of_sqlite", Plant::StrayReadOfSqlite),
    ("leak", Plant::Leak),
    ("leak_of_sqlite", Plant::LeakOfSqlite),
    ("race", Plant::Race),
    ("race_of_sqlite", Plant::RaceOfSqlite),
    ("broken_promise", Plant::BrokenPromise),
    ("broken_promise_of_sqlite", Plant::BrokenPromiseOfSqlite),
];

/// Every plant of what is made of bytes from outside.
#[cfg(feature = "plant")]
pub const OF_INPUTS: [(&str, Plant); 5] = [
    ("loose_json", Plant::LooseJson),
    ("repeat_hour", Plant::RepeatHour),
    ("any_cursor", Plant::AnyCursor),
    ("trust_document", Plant::TrustDocument),
    ("trust_schema", Plant::TrustSchema),
];
