//! What a task tells while it runs.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::host::surroundings;
use crate::values;

/// Says that the task is alive, and how far it is. Returns whether its cancellation was requested.
///
/// The progress is shown by `currant status`, and the next attempt can read it by [`last_progress`]. Cheap: the host writes at most
/// one a second, and always the last one. For tasks only.
///
/// ```
/// # use currant::Failure;
/// #[currant::task(heartbeat = "30s")]
/// fn copy(files: Vec<String>) -> Result<usize, Failure> {
///     let done: usize = currant::last_progress().unwrap_or(0);
///     for (index, file) in files.iter().enumerate().skip(done) {
///         if currant::heartbeat(&index) {
///             return Err(Failure::cancelled());
///         }
///     }
///     Ok(files.len())
/// }
/// # assert_eq!(copy(vec!["a".into()]).run(), Ok(1));
/// ```
pub fn heartbeat(progress: &(impl Serialize + ?Sized)) -> bool {
    surroundings::heartbeat(values::encode("progress", progress).ok().as_deref())
}

/// What the previous attempt said last by [`heartbeat`], if there was one and it can be read as a `T`.
///
/// ```
/// assert_eq!(currant::last_progress::<u32>(), None);
/// ```
pub fn last_progress<T: DeserializeOwned>() -> Option<T> {
    values::decode("invalid-value", "the last progress", &surroundings::last_progress()?).ok()
}
