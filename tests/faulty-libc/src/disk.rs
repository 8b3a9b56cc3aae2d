//! A disk that is full: nothing can be written to the files under the folder that `FULL_DISK` names. They can be made, as on a real one.

use std::ffi::OsString;
use std::sync::OnceLock;

static FULL: OnceLock<Option<OsString>> = OnceLock::new();

/// Takes the place of the C library's function.
///
/// # Safety
///
/// That of `write(2)`: `buffer` must be valid for reads of `count` bytes.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn write(file: libc::c_int, buffer: *const libc::c_void, count: libc::size_t) -> libc::ssize_t {
    if count > 0 && is_full(file) {
        // SAFETY: the address is that of this thread's `errno`.
        unsafe { *libc::__errno_location() = libc::ENOSPC };
        return -1;
    }
    // SAFETY: the arguments are those of the caller, who keeps the same promise.
    let written = unsafe { libc::syscall(libc::SYS_write, file, buffer, count) };
    written as libc::ssize_t
}

fn is_full(file: libc::c_int) -> bool {
    let Some(folder) = FULL.get_or_init(|| std::env::var_os("FULL_DISK")) else { return false };
    std::fs::read_link(format!("/proc/self/fd/{file}")).is_ok_and(|path| path.starts_with(folder))
}
