//! How failed calls of the system on files read as errors of ours.

use crate::error::Error;

/// Returns whether a call of the system failed for want of something that may be there the next time.
pub(super) fn is_lack(error: &std::io::Error) -> bool {
    let lacks = [
        libc::EMFILE,
        libc::ENFILE,
        libc::ENOMEM,
        libc::EIO,
        libc::EINTR,
        libc::EAGAIN,
        libc::ENOLCK,
    ];
    error.raw_os_error().is_some_and(|errno| lacks.contains(&errno))
}

/// Reads a failed call of the system on a file as an error of ours; `what` says which call.
pub(super) fn map_system(what: &str, error: &std::io::Error) -> Error {
    let told = Error::from_os(what, error);
    let Error::Io { engine_code, sentence } = told else { return told };
    match -engine_code {
        libc::EROFS => Error::ReadOnly(sentence),
        _ if is_lack(error) => Error::Io { engine_code, sentence },
        _ => Error::CannotOpen { engine_code, sentence },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failed_calls_of_the_system_read_as_errors_of_ours() {
        for (errno, code) in [
            (libc::ENOSPC, -42),
            (libc::EDQUOT, -42),
            (libc::EFBIG, -42),
            (libc::EROFS, -43),
            (libc::ENOMEM, -45),
            (libc::EMFILE, -41),
            (libc::ENFILE, -41),
            (libc::EIO, -41),
            (libc::EINTR, -41),
            (libc::EAGAIN, -41),
            (libc::ENOLCK, -41),
            (libc::EACCES, -47),
            (libc::ENOENT, -47),
        ] {
            let error = map_system("open", &std::io::Error::from_raw_os_error(errno));
            assert_eq!(error.code(), code, "{errno}");
        }
    }
}
