//! What an answer promises to outlive.

/// What an answer promises: to outlive the loss of power, or of the process alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Durability {
    /// What the store was opened with; a store that says this means `Power`.
    #[default]
    Inherit,
    /// Synced to the disk before the answer.
    Power,
    /// In the operating system's hands before the answer.
    Process,
}

impl Durability {
    /// Reads the integer of the C header: 0, 1 or 2.
    pub const fn from_code(code: u32) -> Option<Durability> {
        match code {
            0 => Some(Durability::Inherit),
            1 => Some(Durability::Power),
            2 => Some(Durability::Process),
            _ => None,
        }
    }

    /// Returns this, or what `outer` says where this inherits.
    pub const fn or(self, outer: Durability) -> Durability {
        match self {
            Durability::Inherit => outer,
            Durability::Power | Durability::Process => self,
        }
    }
}
