//! The time zones of the machine: files of the IANA database, where systems keep them.
//!
//! Read anew each time, so that an update of the system's counts from the next firing on.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::system::{is_lack, map_system};
use crate::domain::port::Zone;
use crate::error::Result;
use crate::limits::ZONE_BYTES_MAX;

/// Where systems keep them; the first that is there counts.
const FOLDERS: [&str; 3] = ["/usr/share/zoneinfo", "/usr/lib/zoneinfo", "/usr/share/lib/zoneinfo"];

/// Returns the rules of a zone.
pub(super) fn read(name: &str) -> Result<Zone> {
    let folder = FOLDERS.iter().map(Path::new).find(|folder| folder.is_dir());
    folder.map_or(Ok(Zone::NoneHere), |folder| read_in(folder, name))
}

fn read_in(folder: &Path, name: &str) -> Result<Zone> {
    let Some(path) = path_in(folder, name) else { return Ok(Zone::Unknown) };
    let mut rules = Vec::new();
    let read =
        File::open(path).and_then(|file| file.take(ZONE_BYTES_MAX + 1).read_to_end(&mut rules));
    match read {
        Ok(_) if rules.len() as u64 <= ZONE_BYTES_MAX => Ok(Zone::Found(rules)),
        // A zone that is there and cannot be read now is not unknown.
        Err(error) if is_lack(&error) => Err(map_system("a time zone cannot be read", &error)),
        _ => Ok(Zone::Unknown),
    }
}

/// Returns the file of a zone; `None` for what cannot be the name of one, such as a way out of the
/// folder. Names have no dot, so neither has a step of the path.
fn path_in(folder: &Path, name: &str) -> Option<PathBuf> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_+-".contains(&byte);
    let is_name = name.split('/').all(|part| !part.is_empty() && part.bytes().all(is_plain));
    is_name.then(|| folder.join(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zone_is_read_by_its_name() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("Area")).unwrap();
        std::fs::write(folder.path().join("Area/Town_1+2-3"), b"rules").unwrap();
        assert_eq!(
            read_in(folder.path(), "Area/Town_1+2-3").unwrap(),
            Zone::Found(b"rules".to_vec())
        );
        assert_eq!(read_in(folder.path(), "Area").unwrap(), Zone::Unknown);
        assert_eq!(read_in(folder.path(), "Area/Elsewhere").unwrap(), Zone::Unknown);
    }

    #[test]
    fn what_cannot_be_a_zone_is_not_looked_for() {
        let folder = Path::new("/zones");
        for name in
            ["", "/etc/passwd", "../passwd", "a/../b", "a//b", "a/", ".", "a.tab", "a b", "\0"]
        {
            assert_eq!(path_in(folder, name), None, "{name:?}");
        }
    }

    #[test]
    fn a_file_too_large_for_a_zone_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let bytes = vec![0; usize::try_from(ZONE_BYTES_MAX).unwrap() + 1];
        std::fs::write(folder.path().join("Large"), bytes).unwrap();
        assert_eq!(read_in(folder.path(), "Large").unwrap(), Zone::Unknown);
    }
}
