//! Durable pauses.

use std::time::Duration;

use crate::host::Request;
use crate::operation::{Operation, Raw};

/// A pause that survives crashes and costs nothing while it lasts, be it a second or a year. A part of a millisecond counts as one.
///
/// ```
/// # use std::time::Duration;
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

/// As the contract counts time. Up, because a pause must not be shorter than what was asked for.
#[cfg_attr(not(target_arch = "wasm32"), expect(dead_code, reason = "only a component talks in milliseconds"))]
pub(crate) fn milliseconds(length: Duration) -> u64 {
    u64::try_from(length.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
}
