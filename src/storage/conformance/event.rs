//! Claims about the log.

use super::{Bed, at, run_id};
use crate::domain::event::{self, Append};
use crate::domain::port::{EventFilter, EventRow, Fence, Port};

fn said(fence: Fence, payload: &str, key: Option<&str>) -> Append {
    let key = key.map(str::to_owned);
    Append { fence, event_type: "said".into(), payload: payload.into(), key }
}

fn claimed(bed: &mut dyn Bed, number: u8) -> Fence {
    bed.run(number, at(5));
    bed.claimed(at(6)).fence
}

fn read(bed: &mut dyn Bed, filter: EventFilter<'_>) -> Vec<EventRow> {
    bed.tx(|port| {
        let numbered = port.events_number().unwrap();
        port.events(numbered, &filter).unwrap()
    })
}

fn span(bed: &mut dyn Bed) -> (i64, i64) {
    bed.tx(|port| {
        let numbered = port.events_number().unwrap();
        port.event_span(numbered).unwrap()
    })
}

const ALL: EventFilter<'_> = EventFilter {
    run_key: None,
    types: &[],
    up_to_seq: None,
    after_seq: 0,
    limit: 100,
    bytes: 1_000,
};

pub(super) fn a_key_appends_once_in_a_run(bed: &mut dyn Bed) {
    let (one, two) = (claimed(bed, 1), claimed(bed, 2));
    let append = |bed: &mut dyn Bed, append: Append| {
        bed.tx(|port| event::append(port, &append, at(10)).unwrap()).0
    };
    assert!(append(bed, said(one, "1", Some("k"))));
    let before = bed.dump();
    assert!(!append(bed, said(one, "2", Some("k"))));
    assert_eq!(bed.dump(), before);
    assert!(append(bed, said(two, "3", Some("k"))));
    assert!(append(bed, said(one, "4", None)));
    assert!(append(bed, said(one, "4", None)));
    let stale = Fence { number: 7, ..one };
    bed.refused(-20, |port| event::append(port, &said(stale, "1", None), at(10)));
    let seen = read(bed, ALL);
    assert_eq!(seen.iter().map(|event| event.seq).collect::<Vec<_>>(), [1, 2, 3, 4]);
    assert_eq!((seen[1].run_id, seen[1].payload.as_str(), seen[1].at_ms), (run_id(2), "3", 10));
    let of_one = EventFilter { run_key: Some(one.run_key), after_seq: 1, ..ALL };
    assert_eq!(read(bed, of_one).iter().map(|event| event.seq).collect::<Vec<_>>(), [3, 4]);
    assert_eq!(span(bed), (1, 4));
}

/// P32, whether a backend numbers as it appends or as it reads.
pub(super) fn numbers_follow_the_commits_without_a_gap_and_stay(bed: &mut dyn Bed) {
    let fence = claimed(bed, 1);
    let append = |port: &mut dyn Port, what| event::append(port, &said(fence, what, None), at(10));
    let seen = |bed: &mut dyn Bed| {
        read(bed, ALL).into_iter().map(|event| (event.seq, event.payload)).collect::<Vec<_>>()
    };
    let numbered = |seq: i64, payload: &str| (seq, payload.to_owned());
    bed.tx(|port| append(port, "1").unwrap());
    bed.undone(|port| append(port, "2").unwrap());
    bed.tx(|port| append(port, "3").unwrap());
    assert_eq!(seen(bed), [numbered(1, "1"), numbered(2, "3")]);
    bed.undone(|port| append(port, "4").unwrap());
    bed.tx(|port| append(port, "5").and(append(port, "6")).unwrap());
    let all = [numbered(1, "1"), numbered(2, "3"), numbered(3, "5"), numbered(4, "6")];
    assert_eq!(seen(bed), all);
    assert_eq!(seen(bed), all);
    assert_eq!(span(bed), (1, 4));
}

/// P32: what was there before takes no number.
pub(super) fn an_event_under_a_known_key_is_not_inserted_and_leaves_no_gap(bed: &mut dyn Bed) {
    let run_key = bed.run(1, at(5));
    let mut insert = |key, payload| {
        bed.tx(|port| port.event_insert_once(run_key, "t", key, payload, 9).unwrap())
    };
    let made =
        [insert(Some("k"), "1"), insert(Some("k"), "2"), insert(None, "3"), insert(None, "3")];
    assert_eq!(made, [true, false, true, true]);
    let seen = read(bed, ALL);
    let seen: Vec<_> = seen.iter().map(|event| (event.seq, event.payload.as_str())).collect();
    assert_eq!(seen, [(1, "1"), (2, "3"), (3, "3")]);
}

/// A page of large payloads ends early, and never before its first event.
pub(super) fn a_page_ends_at_its_limit_or_its_bytes(bed: &mut dyn Bed) {
    let fence = claimed(bed, 1);
    let large = format!("\"{}\"", "x".repeat(598));
    for _ in 0..5 {
        bed.tx(|port| event::append(port, &said(fence, &large, None), at(10)).unwrap());
    }
    assert_eq!(read(bed, EventFilter { limit: 1, ..ALL }).len(), 1);
    assert_eq!(read(bed, ALL).len(), 2);
    assert_eq!(read(bed, EventFilter { bytes: 1, ..ALL }).len(), 1);
    assert_eq!(read(bed, EventFilter { after_seq: 5, ..ALL }).len(), 0);
}

pub(super) fn kinds_are_told_apart_and_places_are_found(bed: &mut dyn Bed) {
    let (one, two) = (claimed(bed, 1), claimed(bed, 2));
    for (at, fence) in [one, two, one, one, two].into_iter().enumerate() {
        let event_type = if at % 2 == 0 { "even" } else { "odd" };
        let append = Append { event_type: event_type.into(), ..said(fence, "1", None) };
        bed.tx(|port| event::append(port, &append, super::at(10)).unwrap());
    }
    let even = ["even".to_owned()];
    let seqs = |rows: Vec<EventRow>| rows.iter().map(|row| row.seq).collect::<Vec<_>>();
    let of_kind = EventFilter { types: &even, ..ALL };
    assert_eq!(seqs(read(bed, of_kind)), [1, 3, 5]);
    assert_eq!(seqs(read(bed, EventFilter { up_to_seq: Some(4), ..of_kind })), [1, 3]);
    assert_eq!(seqs(read(bed, EventFilter { run_key: Some(one.run_key), ..of_kind })), [1, 3]);
    let both = ["even".to_owned(), "odd".to_owned()];
    assert_eq!(read(bed, EventFilter { types: &both, ..ALL }).len(), 5);
    bed.tx(|port| {
        let numbered = port.events_number().unwrap();
        let mut ahead = |of, after, count| port.event_ahead(numbered, of, after, count).unwrap();
        assert_eq!(ahead(None, 1, 2), Some(3));
        assert_eq!(ahead(None, 1, 5), None);
        assert_eq!(ahead(Some(one.run_key), 1, 2), Some(4));
        assert_eq!(ahead(Some(two.run_key), 2, 2), None);
    });
}
