//! What writes are known to look at first, read in the flight that begins their transaction.

use super::claim::{STANDING, read_standing};
use super::connect::Connection;
use super::known::{Held, Known};
use super::pq::Answer;
use super::run::RUNS_BY_IDEMPOTENCY;
use super::task::{ENDING, TASK, read_ending, read_task};
use super::value::{Many, Row};
use crate::error::Result;
use crate::storage::Ahead;
use crate::storage::stored::KIND_CHILD;

/// Puts the question.
pub(super) fn put(conn: &mut Connection, look: &Ahead) -> Result<()> {
    match look {
        Ahead::Nothing => Ok(()),
        Ahead::Hold(fence) => conn.put(TASK, &[&fence.run_key]),
        Ahead::End(fence) => conn.put(ENDING, &[&fence.run_key, &KIND_CHILD]),
        Ahead::Queue(queue) => conn.put(STANDING, &[&&**queue]),
        Ahead::Keys(keys) => {
            let scopes: Vec<&str> = keys.iter().map(|(scope, _)| scope.as_str()).collect();
            let names: Vec<&str> = keys.iter().map(|(_, key)| key.as_str()).collect();
            conn.put(RUNS_BY_IDEMPOTENCY, &[&Many(&scopes), &Many(&names)])
        }
    }
}

/// Reads the answers.
pub(super) fn known(looks: &[&Ahead], answers: Vec<Answer>) -> Result<Known> {
    let mut known = Known::default();
    let asked = looks.iter().filter(|look| ***look != Ahead::Nothing);
    for (look, answer) in asked.zip(answers) {
        let row = (answer.rows() > 0).then(|| Row::new(&answer, 0));
        match (look, row) {
            (Ahead::Hold(fence), Some(row)) => {
                let held = Held { task: read_task(row)?, ends_alone: false };
                known.tasks.insert(fence.run_key, held);
            }
            (Ahead::End(fence), Some(row)) => {
                let held = Held { task: read_task(row)?, ends_alone: false };
                known.endings.insert(fence.run_key, read_ending(row, &held.task)?);
                known.tasks.insert(fence.run_key, held);
            }
            (Ahead::Queue(queue), Some(row)) => {
                known.standing = Some((queue.to_string(), read_standing(row)?));
            }
            (Ahead::Keys(keys), _) => read_keys(&mut known, keys, &answer)?,
            // What is not there is asked for again by who says so.
            (Ahead::Nothing | Ahead::Hold(_) | Ahead::End(_) | Ahead::Queue(_), _) => {}
        }
    }
    Ok(known)
}

fn read_keys(known: &mut Known, keys: &[(String, String)], answer: &Answer) -> Result<()> {
    for key in keys {
        known.keys.entry(key.clone()).or_insert(None);
    }
    for at in 0..answer.rows() {
        let row = Row::new(answer, at);
        known.keys.insert((row.get(0)?, row.get(1)?), Some((row.get(2)?, row.get(3)?)));
    }
    Ok(())
}
