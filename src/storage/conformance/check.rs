//! Claims about checking a store: a whole one is whole, and each kind of damage is named.

use super::{Bed, at};
use crate::domain::check::check;

pub(super) fn an_empty_store_is_whole(bed: &mut dyn Bed) {
    assert_eq!(bed.tx(|port| check(port).unwrap()), r#"{"ok":true,"faults":[]}"#);
    bed.run(1, at(5));
    bed.claimed(at(6));
    assert_eq!(bed.tx(|port| check(port).unwrap()), r#"{"ok":true,"faults":[]}"#);
}
