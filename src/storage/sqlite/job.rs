//! A write to a file.

use super::tx::Tx;
use crate::storage::job::{self, Kind, Run};

/// Stores in files.
pub struct Files;

impl Kind for Files {
    type Tx<'conn> = Tx<'conn>;
}

/// A write to one of them.
pub type Job<Inside = dyn Run<Files>> = job::Job<Files, Inside>;
