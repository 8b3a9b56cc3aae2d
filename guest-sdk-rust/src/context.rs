//! Which execution this is.

use std::time::SystemTime;

use crate::executor;
use crate::host::surroundings;

/// The facts about an execution that stay the same during an attempt. In a workflow all of them are the same on every replay.
///
/// ```
/// #[currant::task]
/// fn pay() -> Result<String, currant::Failure> {
///     // The same for every attempt: the other side can tell a repeated call from a new one.
///     Ok(format!("Idempotency-Key: {}", currant::context().id))
/// }
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Execution {
    /// A UUID. Stable over attempts: use it as the idempotency key of calls to the outside world.
    pub id: String,
    /// The key under which the caller asked for it, if any.
    pub task_id: Option<String>,
    /// The function's name.
    pub function: String,
    /// The queue that it came through.
    pub queue: String,
    /// 1 for the first attempt. Always 1 in a workflow.
    pub attempt: u32,
    /// The id of the workflow that started it, if any.
    pub parent: Option<String>,
    /// SHA-256 of the component, in hexadecimal.
    pub module: String,
    /// When the attempt must have ended, if it has a limit. None in a workflow.
    pub deadline: Option<SystemTime>,
}

/// This execution. Natively: the one that the test kit made up.
///
/// ```
/// # use currant::Failure;
/// #[currant::task]
/// fn charge(amount: u64) -> Result<String, Failure> {
///     let execution = currant::context();
///     Ok(format!("{amount}, attempt {}", execution.attempt))
/// }
/// # assert_eq!(charge(3).run()?, "3, attempt 1");
/// # Ok::<(), Failure>(())
/// ```
pub fn context() -> Execution {
    surroundings::execution()
}

/// Whether the cancellation of this task or workflow was requested. A task should then stop soon and answer
/// [`Failure::cancelled`](crate::Failure::cancelled). In a workflow it tells whether a failure with the code `cancelled` was meant
/// for the workflow itself or is that of a child.
///
/// ```
/// assert!(!currant::is_cancelled());
/// ```
pub fn is_cancelled() -> bool {
    executor::current().map_or_else(surroundings::is_cancelled, |run| run.is_cancelled())
}
