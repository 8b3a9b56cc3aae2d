//! Calling child workflows, and what a workflow can say about itself. (Writing them:
//! [`#[currant::workflow]`](macro@crate::workflow).)

use std::future;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::functions::Target;
use crate::host::Request;
use crate::options::CallOptions;
use crate::tasks::{self, Call, Workflow, WorkflowCall};
use crate::{Failure, executor, values};

/// Calls a workflow by its name: one of another module, perhaps in another language.
///
/// ```
/// # use currant::Failure;
/// #[currant::workflow]
/// async fn year() -> Result<(), Failure> {
///     for month in 1..=12 {
///         currant::workflows::named::<()>("close-month", &month).await?;
///     }
///     Ok(())
/// }
/// ```
pub fn named<T: DeserializeOwned>(function: &str, input: &(impl Serialize + ?Sized)) -> WorkflowCall<T> {
    call(Target::named(function), input)
}

pub(crate) fn call<T: DeserializeOwned>(function: Target, input: &(impl Serialize + ?Sized)) -> WorkflowCall<T> {
    let input = tasks::encode(&function, input);
    Call::new(input.map(|input| Request::Workflow { function, input, options: CallOptions::default(), detached: false }))
}

impl<T: DeserializeOwned> Call<T, Workflow> {
    /// The child goes on when this workflow ends or is cancelled, or drops the call.
    ///
    /// ```
    /// # use currant::Failure;
    /// #[currant::workflow]
    /// async fn follow_up(order: u32) -> Result<(), Failure> {
    ///     Ok(())
    /// }
    ///
    /// #[currant::workflow]
    /// async fn close(order: u32) -> Result<(), Failure> {
    ///     follow_up(order).detached().start().detach();
    ///     Ok(())
    /// }
    /// # assert_eq!(close(1).run(), Ok(()));
    /// ```
    pub fn detached(mut self) -> Self {
        if let Some(Request::Workflow { detached, .. }) = self.request_mut() {
            *detached = true;
        }
        self
    }
}

/// Ends this run and starts the same execution again with this input, an empty journal and the current deployment of the workflow.
/// Unread signals stay. For workflows that never end, so that their journal does; does not return. Write it as the last expression.
///
/// ```
/// # use std::time::Duration;
/// # use currant::Failure;
/// #[currant::workflow]
/// async fn count_down(from: u32) -> Result<u32, Failure> {
///     if from == 0 {
///         return Ok(0);
///     }
///     currant::sleep(Duration::from_secs(1)).await?;
///     currant::continue_as_new(&(from - 1)).await
/// }
/// # assert_eq!(count_down(3).run(), Ok(0));
/// ```
pub async fn continue_as_new<T>(input: &(impl Serialize + ?Sized)) -> Result<T, Failure> {
    let input = values::encode("the next input", input)?;
    let Some(run) = executor::current() else { return Err(executor::no_workflow("`continue_as_new`")) };
    run.continue_as_new(&input);
    // Natively the test kit takes over here; in a component the call above did not return.
    future::pending().await
}

/// Which side of a change of its own code this run is on: `max` when a run passes here for the first time, afterwards what was
/// recorded then. So the code of runs that began before a change can stay as it was for them.
///
/// ```
/// # use currant::Failure;
/// # #[currant::task] fn notify(by: String) -> Result<(), Failure> { Ok(()) }
/// #[currant::workflow]
/// async fn remind() -> Result<(), Failure> {
///     let by = if currant::version("by-mail", 1, 2) >= 2 { "mail" } else { "fax" };
///     notify(by.to_owned()).await
/// }
/// # assert_eq!(remind().run(), Ok(()));
/// ```
pub fn version(change: &str, min: u32, max: u32) -> u32 {
    executor::current().map_or(max, |run| run.host.version(change, min, max))
}

/// Shows a value as the workflow's progress in `currant status`. The last one wins. What cannot be written as JSON is not shown.
///
/// ```
/// # use currant::Failure;
/// #[currant::workflow]
/// async fn import(files: Vec<String>) -> Result<(), Failure> {
///     for (done, file) in files.iter().enumerate() {
///         currant::publish(&format!("{done} of {}: {file}", files.len()));
///     }
///     Ok(())
/// }
/// # assert_eq!(import(vec!["a".into()]).run(), Ok(()));
/// ```
pub fn publish(progress: &(impl Serialize + ?Sized)) {
    if let (Some(run), Ok(progress)) = (executor::current(), values::encode("progress", progress)) {
        run.host.publish(&progress);
    }
}
