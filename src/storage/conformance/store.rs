//! Claims about the file itself.

use super::{Bed, at, subject};
use crate::domain::attempt::End;
use crate::domain::step::{self, Begin};

/// P2.
pub(super) fn migrating_again_changes_nothing(bed: &mut dyn Bed) {
    bed.run(1, at(5));
    let before = bed.dump();
    assert_eq!(bed.tx(|port| port.migrate(None, 99).unwrap()), 0);
    assert_eq!(bed.dump(), before);
    bed.refused(-27, |port| port.migrate(Some(1), 99));
    bed.refused(-27, |port| port.migrate(Some(0), 99));
    bed.refused(-25, |port| port.migrate(Some(1_000), 99));
    bed.refused(-2, |port| port.migrate(Some(-1), 99));
}

pub(super) fn the_clock_of_a_file_never_goes_back(bed: &mut dyn Bed) {
    assert_eq!(bed.tx(|port| port.latest_ms().unwrap()), 0);
    bed.tx(|port| port.clock_set(5_000).unwrap());
    bed.tx(|port| port.clock_set(4_000).unwrap());
    assert_eq!(bed.tx(|port| port.latest_ms().unwrap()), 5_000);
}

/// A manual clock starts at the latest time in the file.
pub(super) fn the_latest_instant_is_no_earlier_than_any_recorded(bed: &mut dyn Bed) {
    let latest = |bed: &mut dyn Bed| bed.tx(|port| port.latest_ms().unwrap());
    bed.run(1, at(10));
    assert_eq!(latest(bed), 10);
    let fence = bed.claimed(at(20)).fence;
    let step = subject(fence, "s", Begin::default(), at(25));
    bed.tx(|port| step::complete(port, &step, "1", at(30)).unwrap());
    assert_eq!(latest(bed), 30);
    bed.run(2, at(35));
    bed.finish(fence, &End::Complete("1".into()), at(40)).unwrap();
    assert_eq!(latest(bed), 40, "the end of a run that is not the newest");
}
