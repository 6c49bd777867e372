//! Copies of a store, and processes that die with all their handles.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::drive::Drive;
use super::oracle::{Said, State};
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
