//! Copying the rows of a store, and comparing what came with what was read.

use super::mark::{Mark, Phase, Progress, Stage, Sum};
use super::{in_phase, stale};
use crate::domain::port::{Cell, Port, Portion, Table};
use crate::error::{Error, Result};
use crate::limits::{GRADUATE_BYTES, GRADUATE_ROWS};

/// Rows on their way.
#[derive(Debug, Clone)]
pub struct Batch {
    /// Where the copier stood when they were read.
    from: Progress,
    /// Where it stands once they are there.
    to: Progress,
    /// Of which table; `None` where a table ended.
    table: Option<Table>,
    rows: Vec<Vec<Cell>>,
}

const PORTION: Portion = Portion { rows: GRADUATE_ROWS, bytes: GRADUATE_BYTES };

/// Returns the table that is next.
pub fn table_of(progress: &Progress) -> Option<Table> {
    let done = match progress.stage {
        Stage::Copying => &progress.sums,
        Stage::Comparing => &progress.compared,
        Stage::Ready => return None,
    };
    Table::ALL.get(done.len()).copied()
}

/// Reads the rows that are next: to copy from the store that is moved, to compare from the other one.
pub fn read(port: &mut dyn Port, move_id: &str, from: Progress) -> Result<Batch> {
    let phase = match from.stage {
        Stage::Copying => Phase::Frozen,
        Stage::Comparing | Stage::Ready => Phase::Receiving,
    };
    in_phase(port, move_id, phase)?;
    let Some(table) = table_of(&from) else { return stage_end(from) };
    let rows = port.table_rows(table, from.after.as_deref(), PORTION)?;
    let mut to = from.clone();
    match rows.last() {
        Some(last) => {
            to.after = Some(port.table_key(table, last));
            to.rows += rows.len() as u64;
            to.sum = added(&from.sum, &rows)?;
            let is_copied = from.stage == Stage::Copying;
            Ok(Batch { from, to, table: is_copied.then_some(table), rows })
        }
        None => {
            let name = port.table_name(table).to_owned();
            table_end(&mut to, name)?;
            Ok(Batch { from, to, table: None, rows })
        }
    }
}

/// Notes that a table is through, and with the last one that a stage is.
fn table_end(progress: &mut Progress, table: String) -> Result<()> {
    let sum = added(&progress.sum, &[])?;
    let sum = Sum { table, rows: progress.rows, sum };
    if progress.stage == Stage::Copying {
        progress.sums.push(sum);
    } else {
        let copied = progress.sums.get(progress.compared.len());
        if copied != Some(&sum) {
            let rows = copied.map_or(0, |copied| copied.rows);
            return Err(Error::Corrupt(
                format!(
                    "{} came with {} rows of sum {}, {rows} of another were sent: take the move back and begin anew",
                    sum.table, sum.rows, sum.sum
                )
                .into(),
            ));
        }
        progress.compared.push(sum);
    }
    (progress.after, progress.rows, progress.sum) = (None, 0, String::new());
    Ok(())
}

fn stage_end(from: Progress) -> Result<Batch> {
    let stage = match from.stage {
        Stage::Copying => Stage::Comparing,
        Stage::Comparing | Stage::Ready => Stage::Ready,
    };
    let to = Progress { stage, ..from.clone() };
    Ok(Batch { from, to, table: None, rows: Vec::new() })
}

/// Writes a batch into the other store, with the cursor; one that another call has brought is left out.
/// Returns where the copier stands then.
pub fn put(port: &mut dyn Port, move_id: &str, batch: &Batch) -> Result<Progress> {
    let mark = in_phase(port, move_id, Phase::Receiving)?;
    if mark.progress != batch.from {
        return Ok(mark.progress);
    }
    if let Some(table) = batch.table {
        port.table_put(table, &batch.rows)?;
    }
    let mark = Mark { progress: batch.to.clone(), ..mark };
    port.mark_note(&mark.text()?)?;
    Ok(mark.progress)
}

/// Returns where the copier of a move stands.
pub fn progress(port: &mut dyn Port, move_id: &str) -> Result<Progress> {
    in_phase(port, move_id, Phase::Receiving).map(|mark| mark.progress)
}

/// Adds rows to a sum that does not depend on their order.
fn added(sum: &str, rows: &[Vec<Cell>]) -> Result<String> {
    let sum = if sum.is_empty() { "0" } else { sum };
    let sum = u128::from_str_radix(sum, 16).map_err(|_| stale())?;
    let sum = rows.iter().fold(sum, |sum, row| sum.wrapping_add(hash(row)));
    Ok(format!("{sum:032x}"))
}

/// Hashes a row, so that no two that differ in any cell are alike.
fn hash(row: &[Cell]) -> u128 {
    let mut hasher = blake3::Hasher::new();
    for cell in row {
        match cell {
            Cell::Null => hasher.update(&[0]),
            Cell::Integer(number) => hasher.update(&[1]).update(&number.to_le_bytes()),
            Cell::Text(text) => hash_bytes(&mut hasher, 2, text.as_bytes()),
            Cell::Bytes(bytes) => hash_bytes(&mut hasher, 3, bytes),
        };
    }
    let mut half = [0; 16];
    half.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
    u128::from_le_bytes(half)
}

fn hash_bytes<'hasher>(
    hasher: &'hasher mut blake3::Hasher,
    kind: u8,
    bytes: &[u8],
) -> &'hasher mut blake3::Hasher {
    hasher.update(&[kind]).update(&(bytes.len() as u64).to_le_bytes()).update(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sum_is_of_what_rows_hold_and_not_of_their_order() {
        let rows = vec![
            vec![Cell::Integer(1), Cell::Text("a".into()), Cell::Null],
            vec![Cell::Integer(2), Cell::Text(String::new()), Cell::Bytes(vec![0])],
        ];
        let sum = |rows: &[Vec<Cell>]| added("", rows).unwrap();
        let turned = vec![rows[1].clone(), rows[0].clone()];
        assert_eq!(sum(&rows), sum(&turned));
        assert_eq!(sum(&rows), added(&sum(&rows[..1]), &rows[1..]).unwrap());
        for (at, cell) in [
            (0, Cell::Integer(3)),
            (1, Cell::Null),
            (1, Cell::Bytes(b"a".to_vec())),
            (2, Cell::Text(String::new())),
        ] {
            let mut other = rows.clone();
            other[0][at] = cell;
            assert_ne!(sum(&rows), sum(&other), "{at}");
        }
    }

    #[test]
    fn a_table_that_came_otherwise_is_said() {
        let sum = |rows| Sum { table: "t".into(), rows, sum: added("", &[]).unwrap() };
        let progress = |rows, sent| Progress {
            stage: Stage::Comparing,
            rows,
            sums: vec![sum(sent)],
            ..Progress::default()
        };
        assert!(table_end(&mut progress(2, 2), "t".into()).is_ok());
        let refused = table_end(&mut progress(2, 3), "t".into()).unwrap_err();
        assert_eq!(refused.code(), -44);
    }
}
