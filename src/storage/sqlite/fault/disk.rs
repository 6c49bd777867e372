//! What a loss of power leaves of a store's files, for tests: each file twice, as programs see it and
//! as the disk has it.
//!
//! A write changes what programs see. A sync that succeeds brings the pages written since the last
//! one to the disk. A sync that fails brings nothing, and from then on counts those pages as clean, as
//! Linux does: a later sync that succeeds does not save them, only writing them anew does. A name is
//! on the disk once the folder was synced after it was made.

use std::collections::{BTreeSet, HashMap};
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};

use crate::lock::Unpoisoned;

/// What the kernel writes and forgets as a whole.
const PAGE_BYTES: usize = 4096;
/// What a disk writes as a whole.
const SECTOR_BYTES: usize = 512;

/// What a loss of power saves of what was written and not synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// Nothing.
    Nothing,
    /// All that is not believed clean.
    All,
    /// Each sector, size and name or not, by chance from this seed.
    Some(u64),
}

/// The files of one store.
#[derive(Debug, Default)]
pub struct Disk {
    /// By name, as programs see them.
    seen: HashMap<OsString, Inode>,
    /// By name, as the folder on the disk has them.
    named: HashMap<OsString, Inode>,
}

/// One file, whatever its name.
pub type Inode = Arc<Mutex<Image>>;

/// A file's bytes.
#[derive(Debug, Default)]
pub struct Image {
    seen: Vec<u8>,
    on_disk: Vec<u8>,
    /// Numbers of the pages that were written and not synced.
    dirty: BTreeSet<usize>,
}

impl Disk {
    /// Takes a file for being on the disk as it is, its name too.
    pub fn note_old(&mut self, path: &Path) {
        let Ok(bytes) = fs::read(path) else { return };
        let image = Image { on_disk: bytes.clone(), seen: bytes, dirty: BTreeSet::new() };
        let inode = Arc::new(Mutex::new(image));
        self.seen.insert(name_of(path), Arc::clone(&inode));
        self.named.insert(name_of(path), inode);
    }

    /// Returns the file of that name, which is new on the disk unless it was noted before.
    pub fn open(&mut self, path: &Path) -> Inode {
        let inode = self.seen.entry(name_of(path)).or_insert_with(|| {
            let mut image = Image::default();
            image.write(0, &fs::read(path).unwrap_or_default());
            Arc::new(Mutex::new(image))
        });
        Arc::clone(inode)
    }

    /// Takes a name away; on the disk it stays until the folder is synced.
    pub fn delete(&mut self, path: &Path) {
        self.seen.remove(&name_of(path));
    }

    /// Brings all names to the disk.
    pub fn sync_folder(&mut self) {
        self.named = self.seen.clone();
    }

    /// Writes what the disk has after a loss of power into a folder.
    pub fn cut_power(&self, into: &Path, keep: Keep) -> io::Result<()> {
        let mut chance = Chance(if let Keep::Some(seed) = keep { seed } else { 0 });
        let are_names_kept = match keep {
            Keep::Nothing => false,
            Keep::All => true,
            Keep::Some(_) => chance.is_heads(),
        };
        let names = if are_names_kept { &self.seen } else { &self.named };
        let mut names: Vec<_> = names.iter().collect();
        names.sort_by_key(|(name, _)| *name);
        for (name, inode) in names {
            fs::write(into.join(name), lock(inode).after_cut(keep, &mut chance))?;
        }
        Ok(())
    }

    /// Makes the kernel drop what it believes clean: programs then see what the disk has.
    pub fn drop_clean(&self, folder: &Path) -> io::Result<()> {
        for (name, inode) in &self.seen {
            let file = fs::OpenOptions::new().write(true).open(folder.join(name))?;
            for (at, bytes) in lock(inode).drop_clean() {
                file.write_all_at(&bytes, at)?;
            }
        }
        Ok(())
    }
}

impl Image {
    /// Writes as a program does.
    pub fn write(&mut self, at: usize, bytes: &[u8]) {
        let end = at + bytes.len();
        if self.seen.len() < end {
            self.seen.resize(end, 0);
        }
        self.seen[at..end].copy_from_slice(bytes);
        self.dirty.extend(at / PAGE_BYTES..end.div_ceil(PAGE_BYTES));
    }

    /// Cuts the file as a program does.
    pub fn truncate(&mut self, size: usize) {
        self.seen.resize(size, 0);
    }

    /// Ends a sync: what was written is on the disk, or is believed to be.
    pub fn sync(&mut self, is_good: bool) {
        let dirty = std::mem::take(&mut self.dirty);
        if is_good {
            self.on_disk.resize(self.seen.len(), 0);
            for page in dirty {
                copy(&mut self.on_disk, &self.seen, page * PAGE_BYTES, PAGE_BYTES);
            }
        }
    }

    fn after_cut(&self, keep: Keep, chance: &mut Chance) -> Vec<u8> {
        let mut bytes = self.on_disk.clone();
        let is_kept = |chance: &mut Chance| match keep {
            Keep::Nothing => false,
            Keep::All => true,
            Keep::Some(_) => chance.is_heads(),
        };
        if is_kept(chance) {
            bytes.resize(self.seen.len(), 0);
        }
        for page in &self.dirty {
            for sector in 0..PAGE_BYTES / SECTOR_BYTES {
                let at = page * PAGE_BYTES + sector * SECTOR_BYTES;
                if is_kept(chance) {
                    copy(&mut bytes, &self.seen, at, SECTOR_BYTES);
                }
            }
        }
        bytes
    }

    fn drop_clean(&mut self) -> Vec<(u64, Vec<u8>)> {
        let mut changed = Vec::new();
        self.on_disk.resize(self.seen.len().max(self.on_disk.len()), 0);
        let clean = (0..self.seen.len().div_ceil(PAGE_BYTES)).filter(|at| !self.dirty.contains(at));
        for page in clean {
            let range = page * PAGE_BYTES..self.seen.len().min((page + 1) * PAGE_BYTES);
            if self.seen[range.clone()] != self.on_disk[range.clone()] {
                changed.push((range.start as u64, self.on_disk[range].to_vec()));
            }
        }
        for (at, bytes) in &changed {
            let at = *at as usize;
            self.seen[at..at + bytes.len()].copy_from_slice(bytes);
        }
        changed
    }
}

/// Copies a range as far as both have it.
fn copy(to: &mut [u8], from: &[u8], at: usize, len: usize) {
    let end = (at + len).min(to.len()).min(from.len());
    if at < end {
        to[at..end].copy_from_slice(&from[at..end]);
    }
}

fn name_of(path: &Path) -> OsString {
    path.file_name().map(OsStr::to_owned).unwrap_or_default()
}

fn lock(inode: &Inode) -> MutexGuard<'_, Image> {
    inode.lock().unpoisoned()
}

/// Chance that a seed repeats: the generator of Steele, Lea and Flood (SplitMix64).
struct Chance(u64);

impl Chance {
    fn is_heads(&mut self) -> bool {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (word ^ (word >> 31)) & 1 == 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(image: &Image, keep: Keep) -> Vec<u8> {
        image.after_cut(keep, &mut Chance(0))
    }

    #[test]
    fn what_a_sync_failed_to_bring_no_later_sync_brings_unless_it_is_written_anew() {
        let mut image = Image::default();
        image.write(0, &[1; PAGE_BYTES]);
        image.sync(true);
        image.write(0, &[2; PAGE_BYTES]);
        image.sync(false);
        image.write(PAGE_BYTES, &[3; PAGE_BYTES]);
        image.sync(true);
        assert_eq!(kept(&image, Keep::All), [[1; PAGE_BYTES], [3; PAGE_BYTES]].concat());

        image.write(7, &[2]);
        image.sync(true);
        assert_eq!(kept(&image, Keep::Nothing), [[2; PAGE_BYTES], [3; PAGE_BYTES]].concat());
    }

    #[test]
    fn what_is_believed_clean_may_be_read_from_the_disk_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f");
        fs::write(&path, [1; PAGE_BYTES]).unwrap();
        let mut disk = Disk::default();
        disk.note_old(&path);
        let inode = disk.open(&path);
        lock(&inode).write(0, &[2; PAGE_BYTES]);
        fs::write(&path, [2; PAGE_BYTES]).unwrap();
        disk.drop_clean(folder.path()).unwrap();
        assert_eq!(fs::read(&path).unwrap(), [2; PAGE_BYTES], "it is dirty");
        lock(&inode).sync(false);
        disk.drop_clean(folder.path()).unwrap();
        assert_eq!(fs::read(&path).unwrap(), [1; PAGE_BYTES]);
    }

    #[test]
    fn a_name_is_on_the_disk_once_the_folder_was_synced() {
        let folder = tempfile::tempdir().unwrap();
        let into = tempfile::tempdir().unwrap();
        let path = folder.path().join("f");
        let mut disk = Disk::default();
        lock(&disk.open(&path)).write(0, b"x");
        lock(&disk.open(&path)).sync(true);
        disk.cut_power(into.path(), Keep::Nothing).unwrap();
        assert!(!into.path().join("f").exists());
        disk.sync_folder();
        disk.delete(&path);
        disk.cut_power(into.path(), Keep::Nothing).unwrap();
        assert_eq!(fs::read(into.path().join("f")).unwrap(), b"x");
    }

    #[test]
    fn chance_tears_a_page_and_a_seed_repeats_it() {
        let mut image = Image::default();
        image.write(0, &[1; 4 * PAGE_BYTES]);
        image.sync(true);
        image.write(0, &[2; 4 * PAGE_BYTES]);
        let torn = kept(&image, Keep::Some(3));
        assert!(torn.contains(&1) && torn.contains(&2));
        assert_eq!(torn, kept(&image, Keep::Some(3)));
    }
}
