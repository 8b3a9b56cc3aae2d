//! Durable pauses, and the time.

use std::time::{Duration, SystemTime};

use crate::host::Request;
use crate::operation::{Operation, Raw};

/// A pause that survives crashes and costs nothing while it lasts, be it a second or a year. A part of a millisecond counts as one.
///
/// ```
/// # use std::time::{Duration, SystemTime};
/// # use currant::Failure;
/// #[currant::workflow]
/// async fn nap() -> Result<(), Failure> {
///     currant::sleep(Duration::from_secs(3600)).await
/// }
///
/// let mut run = currant::testing::Run::new();
/// run.call(nap())?;
/// assert_eq!(run.elapsed(), Duration::from_secs(3600));
/// # Ok::<(), Failure>(())
/// ```
pub fn sleep(length: Duration) -> Operation<()> {
    Operation::new(Raw::new(Ok(Request::Timer(length))))
}

/// The time. In a workflow it is that of the last result that was delivered to it, the same on every replay, and it stands still
/// while code runs. The standard library's clocks follow it as well.
///
/// ```
/// use std::time::UNIX_EPOCH;
///
/// assert!(currant::now() > UNIX_EPOCH);
/// ```
#[expect(clippy::disallowed_methods, reason = "in a component this is the host's clock")]
pub fn now() -> SystemTime {
    SystemTime::now()
}

/// As the contract counts time. Up, because a pause must not be shorter than what was asked for.
#[cfg_attr(not(target_arch = "wasm32"), expect(dead_code, reason = "only a component talks in milliseconds"))]
pub(crate) fn milliseconds(length: Duration) -> u64 {
    u64::try_from(length.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
}
