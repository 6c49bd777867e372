//! What a backend gives to the store itself: its schema, its clock.

use crate::error::Result;

/// The store itself: its schema, its clock.
pub trait StorePort {
    /// Applies the migrations up to `target`, the newest if `None`, and returns how many.
    fn migrate(&mut self, target: Option<i64>, now_ms: i64) -> Result<u32>;
    /// Returns the version of the schema, 0 for none of ours; refuses one that cannot be worked with.
    fn schema_version(&mut self) -> Result<i64>;
    /// Returns the newest version that there is.
    fn schema_newest(&self) -> i64;
    /// Returns the applied migrations as JSON: `[{"id","introduced_version","applied_time"}]`, ascending.
    fn migrations(&mut self) -> Result<String>;
    /// Records where a manual clock stands.
    fn clock_set(&mut self, clock_ms: i64) -> Result<()>;
    /// Returns the latest instant that the file has recorded; 0 in an empty one.
    fn latest_ms(&mut self) -> Result<i64>;
}
