//! Copies of a store, and processes that die with all their handles.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::drive::Drive;
use super::oracle::{OK, Said, State, TIMEOUT, said};
use super::page::narrow;
use super::world::{open, strip_document};

/// What a process leaves that is killed: the files as the system has them, by another process, since a
/// close of theirs in this one would take the locks of the library away.
pub fn copy_files(from: &Path, to: &Path) {
    for suffix in ["", "-wal"] {
        let name = |path: &Path| {
            let mut name = path.as_os_str().to_owned();
            name.push(suffix);
            name
        };
        let copied = Command::new("cp").arg(name(from)).arg(name(to)).output();
        let copied = copied.expect("cp can be run");
        assert!(copied.status.success() || suffix == "-wal", "{copied:?}");
    }
}

impl Drive {
    /// P35: a copy is whole, and has all but the attempts, which are lost ones there.
    pub fn backup(&mut self) -> Option<(Said, Said)> {
        let at = self.some_handle();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("copy");
        self.note("back up".into());
        self.world.handles[at].store.backup(&path).unwrap();
        let copy = open(&path);
        let report = copy.check().unwrap();
        assert!(report.contains("\"ok\":true"), "{report}");
        let there: Vec<usize> =
            (0..self.oracle.runs.len()).filter(|key| !self.oracle.runs[*key].is_gone).collect();
        let count = copy.run_count(None, 0).unwrap();
        if count != there.len() as u64 {
            self.refuse(&format!("the copy has {count} of {} runs", there.len()));
        }
        for key in there {
            let run = &self.oracle.runs[key];
            let copied: Value = serde_json::from_str(&copy.run_get(&run.id).unwrap()).unwrap();
            let copied = strip_document(copied);
            let mine = self.world.document(&run.id);
            if run.state != State::Running && narrow(copied.clone(), &mine) != mine {
                self.refuse(&format!("run {key} is\n{copied}\nin the copy, and\n{mine}"));
            }
        }
        copy.close();
        None
    }

    /// Everybody dies: the files go on elsewhere, with handles of other processes.
    pub fn crash(&mut self) -> Option<(Said, Said)> {
        self.note("crash".into());
        self.die_all(&copy_files);
        None
    }

    /// The store is moved into another file, where all goes on; what runs is given back. What an attempt is
    /// answered whose run was given back behind it stands in tests/c/graduate.c: it is freed here.
    pub fn graduate(&mut self) -> Option<(Said, Said)> {
        let (at, way) = (self.some_handle(), self.pick(&["whole", "in parts", "taken back"]));
        self.note(format!("move the store, {way}"));
        let held: Vec<u64> = self.held.keys().copied().collect();
        held.into_iter().for_each(|id| self.drop_held(id));
        for number in self.oracle.handles.clone() {
            self.oracle.give_back_all(number);
        }
        let closed = self.world.graduate(at, way, &mut self.oracle);
        let code = if closed.is_empty() { TIMEOUT } else { OK };
        for number in closed {
            self.oracle.close(number);
        }
        self.look();
        Some((said(code), said(code)))
    }

    /// Everybody dies; `rest` says what is left of the files.
    pub fn die_all(&mut self, rest: &dyn Fn(&Path, &Path)) {
        let gone = self.world.crash(&mut self.oracle, rest);
        gone.into_iter().for_each(|number| self.oracle.forget(number));
        // Whoever claims looks for the dead.
        let at = self.some_handle();
        self.sweep_both(at);
        self.compare_explanations();
        self.touched = self.oracle.runs.len().checked_sub(1);
        self.look();
    }
}
