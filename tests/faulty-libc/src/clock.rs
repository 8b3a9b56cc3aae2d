//! A wall clock that is wrong by `WRONG_CLOCK_BY` seconds. The monotonic clock is left alone, as that of a machine whose date is wrong.

use std::sync::OnceLock;

static SECONDS: OnceLock<libc::time_t> = OnceLock::new();

/// Takes the place of the C library's function.
///
/// # Safety
///
/// That of `clock_gettime(3)`: `time` must be valid for writes.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn clock_gettime(clock: libc::clockid_t, time: *mut libc::timespec) -> libc::c_int {
    // SAFETY: the arguments are those of the caller, who keeps the same promise.
    let result = unsafe { libc::syscall(libc::SYS_clock_gettime, clock, time) };
    if result == 0 && clock == libc::CLOCK_REALTIME {
        let wrong_by = || std::env::var("WRONG_CLOCK_BY").ok()?.parse().ok();
        // SAFETY: the kernel has just written to it.
        unsafe { (*time).tv_sec += SECONDS.get_or_init(|| wrong_by().unwrap_or(0)) };
    }
    result as libc::c_int
}
