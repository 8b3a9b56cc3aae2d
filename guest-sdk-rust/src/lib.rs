//! Durable tasks and workflows for Currant, in Rust.
//!
//! ```
//! use std::time::Duration;
//!
//! use currant::Failure;
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Clone, Serialize, Deserialize)]
//! struct Order {
//!     number: u32,
//!     amount: u64,
//! }
//!
//! /// Takes the money.
//! #[currant::task(queue = "payments", retries = 5, timeout = "30s")]
//! fn charge(order: Order) -> Result<String, Failure> {
//!     Ok(format!("receipt for {}", order.amount))
//! }
//!
//! /// From the order to the parcel.
//! #[currant::workflow]
//! async fn checkout(order: Order) -> Result<String, Failure> {
//!     let receipt = charge(order).await?; // calling a task is calling the function
//!     currant::sleep(Duration::from_secs(5)).await?; // a pause that survives crashes
//!     let who: String = currant::receive("approved").await?; // a message from outside
//!     Ok(format!("{receipt}, approved by {who}"))
//! }
//!
//! currant::module!(name = "shop"); // once, at the root of the crate
//!
//! // A function is still a function: natively it just runs.
//! let mut run = currant::testing::Run::new().signal("approved", &"ada");
//! let result = run.call(checkout(Order { number: 42, amount: 12 }))?;
//! assert_eq!(result, "receipt for 12, approved by ada");
//! # Ok::<(), Failure>(())
//! ```
//!
//! Build it with `cargo build --release --target wasm32-wasip2` (`crate-type = ["cdylib"]`) and deploy the component. A **task** runs
//! once per attempt and may touch the outside world. A **workflow** is deterministic: it calls tasks, runs steps, sleeps, receives
//! signals, and after a crash it runs again from its beginning with everything answered from its journal. Clocks and random need no
//! care, the host supplies them.
//!
//! Concurrency is [`join!`], [`try_join!`] and [`select!`] over calls, pauses, steps and messages, which are plain futures; [`join_all`] and
//! [`try_join_all`] over any number of them, and [`FuturesUnordered`] for their outcomes one by one.
//!
//! **Cancellation.** When somebody cancels a workflow, whatever it is waiting for at that moment answers `Err` with the code
//! `cancelled`, once. With `?` the workflow ends there. Without, it can undo what it did: operations that it starts afterwards
//! work as ever, until its grace period is over.
//!
//! How it fits together, in reading order:
//! - [`tasks`], [`workflows`]: calls and their options · [`steps`] · [`timers`] · [`signals`]
//! - [`context`](mod@context), [`heartbeats`], [`telemetry`], [`trace`], [`metrics`]: what runs, and what it tells · [`http`]: what it reaches · [`failures`], [`values`]
//! - [`testing`]: runs workflows natively, with a clock that jumps
//! - inside: `functions` (what the attributes register) · `hash_order` · `operation` (a started thing to await) · `executor` (polls, waits) ·
//!   `host` (who runs it: the worker or the test kit) · `entry` (the exports) · `bindings` (generated)

pub mod tasks;
pub mod workflows;

pub mod signals;
pub mod steps;
pub mod timers;

pub mod context;
pub mod heartbeats;
pub mod http;
pub mod metrics;
pub mod telemetry;
pub mod trace;

pub mod failures;
pub mod values;

#[cfg(not(target_arch = "wasm32"))]
pub mod testing;

mod executor;
mod functions;
#[cfg_attr(not(target_arch = "wasm32"), allow(dead_code, reason = "only a component is replayed"))]
mod hash_order;
mod host;
mod operation;
mod options;
mod random;

#[cfg(target_arch = "wasm32")]
#[rustfmt::skip]
#[allow(unsafe_code, unreachable_pub, missing_docs, unused, clippy::all, reason = "generated")]
mod bindings;
#[cfg(target_arch = "wasm32")]
mod entry;

pub use context::{Execution, context, is_cancelled};
/// # Example
///
/// ```
/// use currant::Failure;
///
/// /// Takes the money.
/// #[currant::task(queue = "payments", retries = 5, timeout = "30s")]
/// fn charge(order: u32, amount: u64) -> Result<String, Failure> {
///     Ok(format!("receipt for order {order}: {amount}"))
/// }
///
/// assert_eq!(charge(42, 1250).run()?, "receipt for order 42: 1250");
/// # Ok::<(), Failure>(())
/// ```
pub use currant_macros::task;
/// # Example
///
/// ```
/// use std::time::Duration;
/// use currant::Failure;
///
/// #[currant::workflow]
/// async fn remind(whom: String) -> Result<String, Failure> {
///     currant::sleep(Duration::from_secs(7 * 86_400)).await?;
///     Ok(format!("do not forget, {whom}"))
/// }
///
/// let mut run = currant::testing::Run::new();
/// assert_eq!(run.call(remind("Ann".to_owned()))?, "do not forget, Ann");
/// # Ok::<(), Failure>(())
/// ```
pub use currant_macros::workflow;
pub use failures::Failure;
/// The methods of streams, such as `next` of [`FuturesUnordered`].
pub use futures_util::StreamExt;
/// Waits for all of any number, and has their outcomes in the order of the calls.
///
/// ```
/// # use currant::Failure;
/// # #[currant::task] fn weigh(item: String) -> Result<u32, Failure> { Ok(item.len() as u32) }
/// #[currant::workflow]
/// async fn weigh_each(items: Vec<String>) -> Result<Vec<bool>, Failure> {
///     let outcomes = currant::join_all(items.into_iter().map(weigh)).await;
///     Ok(outcomes.into_iter().map(|outcome| outcome.is_ok()).collect())
/// }
/// # assert_eq!(weigh_each(vec!["mug".into(), "spoon".into()]).run(), Ok(vec![true, true]));
/// ```
pub use futures_util::future::join_all;
/// Waits for all of any number, or until one fails; then the others are given up.
///
/// ```
/// # use currant::Failure;
/// # #[currant::task] fn weigh(item: String) -> Result<u32, Failure> { Ok(item.len() as u32) }
/// #[currant::workflow]
/// async fn weigh_all(items: Vec<String>) -> Result<u32, Failure> {
///     Ok(currant::try_join_all(items.into_iter().map(weigh)).await?.into_iter().sum())
/// }
/// # assert_eq!(weigh_all(vec!["mug".into(), "spoon".into()]).run(), Ok(8));
/// ```
pub use futures_util::future::try_join_all;
/// Waits for all.
///
/// ```
/// # use currant::Failure;
/// # #[currant::task] fn weigh(item: String) -> Result<u32, Failure> { Ok(item.len() as u32) }
/// #[currant::workflow]
/// async fn weigh_both() -> Result<u32, Failure> {
///     let (mug, spoon) = currant::join!(weigh("mug".to_owned()), weigh("spoon".to_owned()));
///     Ok(mug? + spoon?)
/// }
/// # assert_eq!(weigh_both().run(), Ok(8));
/// ```
pub use futures_util::join;
/// Waits for the first, and gives the others up: a task that loses is cancelled. If several are ready, the topmost is taken, so
/// that a replay takes the same.
///
/// ```
/// # use std::time::Duration;
/// # use currant::Failure;
/// # #[currant::task] fn charge(amount: u64) -> Result<String, Failure> { Ok("receipt".to_owned()) }
/// #[currant::workflow]
/// async fn pay(amount: u64) -> Result<String, Failure> {
///     currant::select! {
///         receipt = charge(amount) => receipt,
///         _ = currant::sleep(Duration::from_secs(60)) => Err(Failure::new("too-slow", "no receipt within a minute")),
///     }
/// }
/// # assert_eq!(pay(12).run(), Ok("receipt".to_owned()));
/// ```
pub use futures_util::select_biased as select;
/// Any number of calls under way at once, as a stream of their outcomes in the order in which they come to their end. More can be added
/// while it runs. Each outcome costs the same, however many are under way, and none is passed over.
///
/// ```
/// # use currant::Failure;
/// use currant::{FuturesUnordered, StreamExt};
///
/// # #[currant::task] fn fetch(page: u32) -> Result<u32, Failure> { Ok(page * 10) }
/// /// Never more than two at once.
/// #[currant::workflow]
/// async fn crawl(pages: u32) -> Result<u32, Failure> {
///     let mut waiting = 1..=pages;
///     let mut running: FuturesUnordered<_> = waiting.by_ref().take(2).map(fetch).collect();
///     let mut words = 0;
///     while let Some(found) = running.next().await {
///         words += found?;
///         running.extend(waiting.next().map(fetch));
///     }
///     Ok(words)
/// }
/// # assert_eq!(crawl(3).run(), Ok(60));
/// ```
pub use futures_util::stream::FuturesUnordered;
/// Waits for all, or until one fails; then the others are given up.
///
/// ```
/// # use currant::Failure;
/// # #[currant::task] fn weigh(item: String) -> Result<u32, Failure> { Ok(item.len() as u32) }
/// #[currant::workflow]
/// async fn weigh_both() -> Result<u32, Failure> {
///     let (mug, spoon) = currant::try_join!(weigh("mug".to_owned()), weigh("spoon".to_owned()))?;
///     Ok(mug + spoon)
/// }
/// # assert_eq!(weigh_both().run(), Ok(8));
/// ```
pub use futures_util::try_join;
pub use heartbeats::{heartbeat, last_progress};
pub use operation::Operation;
pub use options::RetryPolicy;
pub use random::{random, uuid};
pub use signals::{External, Receive, ReceiveTimeout, external, receive};
pub use steps::{Step, step};
pub use tasks::{Call, TaskCall, WorkflowCall};
pub use timers::{now, sleep};
pub use trace::TraceContext;
pub use values::Json;
pub use workflows::{continue_as_new, publish, version};

/// Says what this crate's component is called. Once, at the root of the crate; the name and version are those of the Cargo package
/// unless given.
///
/// ```
/// currant::module!(name = "orders", version = "2.1.0");
/// ```
#[macro_export]
macro_rules! module {
    () => {
        $crate::module!(name = ::core::env!("CARGO_PKG_NAME"), version = ::core::env!("CARGO_PKG_VERSION"));
    };
    (name = $name:expr $(,)?) => {
        $crate::module!(name = $name, version = ::core::env!("CARGO_PKG_VERSION"));
    };
    (name = $name:expr, version = $version:expr $(,)?) => {
        const _: () = ::core::assert!(
            $crate::__private::is_name($name),
            "a module's name is made of a-z, 0-9, `_`, `.` and `-`, 1 to 100 of them"
        );
        $crate::__private::inventory::submit! { $crate::__private::Module { name: $name, version: $version } }
    };
}

/// For the code that the macros write.
#[doc(hidden)]
pub mod __private {
    use std::time::Duration;

    use serde::Serialize;
    use serde::de::DeserializeOwned;

    pub use inventory;

    use crate::functions::Target;
    use crate::{TaskCall, WorkflowCall, tasks, workflows};

    pub use crate::functions::{Body, Flow, Function, Module, Outcome, Registered};
    pub use crate::options::Timeouts;
    use crate::{Failure, RetryPolicy, values};

    /// What a function may return.
    #[diagnostic::on_unimplemented(
        message = "a task or workflow returns `Result<T, Failure>`, not `{Self}`",
        label = "not a `Result<T, E>` whose `E` becomes a `Failure`"
    )]
    pub trait Returns {
        /// What a caller is given.
        type Value;
        fn into_result(self) -> Result<Self::Value, Failure>;
    }

    impl<T, E: Into<Failure>> Returns for Result<T, E> {
        type Value = T;
        fn into_result(self) -> Result<T, Failure> {
            self.map_err(Into::into)
        }
    }

    pub fn call_task<T: DeserializeOwned>(function: &'static Function, input: &impl Serialize) -> TaskCall<T> {
        tasks::call(Target::of(function), input)
    }

    pub fn call_workflow<T: DeserializeOwned>(function: &'static Function, input: &impl Serialize) -> WorkflowCall<T> {
        workflows::call(Target::of(function), input)
    }

    pub fn decode<T: DeserializeOwned>(function: &str, input: &str) -> Result<T, Failure> {
        values::decode("invalid-input", &format!("the input of `{function}`"), input)
    }

    pub fn encode<R: Returns<Value: Serialize>>(function: &str, returned: R) -> Outcome {
        values::encode(&format!("the result of `{function}`"), &returned.into_result()?)
    }

    /// A policy of which some parts were said, in milliseconds; None if nothing was.
    pub const fn retry_policy(
        standard: RetryPolicy,
        retries: Option<u32>,
        backoff: Option<u64>,
        multiplier: Option<f64>,
        max_backoff: Option<u64>,
    ) -> Option<RetryPolicy> {
        if retries.is_none() && backoff.is_none() && multiplier.is_none() && max_backoff.is_none() {
            return None;
        }
        Some(RetryPolicy {
            retries: if let Some(said) = retries { said } else { standard.retries },
            backoff: if let Some(said) = backoff { Duration::from_millis(said) } else { standard.backoff },
            multiplier: if let Some(said) = multiplier { said } else { standard.multiplier },
            max_backoff: if let Some(said) = max_backoff { Duration::from_millis(said) } else { standard.max_backoff },
        })
    }

    pub const TASK: RetryPolicy = RetryPolicy::TASK;
    pub const WORKFLOW: RetryPolicy = RetryPolicy::WORKFLOW;

    pub const fn milliseconds(said: Option<u64>) -> Option<Duration> {
        match said {
            Some(said) => Some(Duration::from_millis(said)),
            None => None,
        }
    }

    /// As the contract allows names.
    pub const fn is_name(name: &str) -> bool {
        let bytes = name.as_bytes();
        let mut index = 0;
        while index < bytes.len() {
            if !matches!(bytes[index], b'a'..=b'z' | b'0'..=b'9' | b'_' | b'.' | b'-') {
                return false;
            }
            index += 1;
        }
        !bytes.is_empty() && bytes.len() <= 100
    }
}

#[cfg(test)]
mod tests {
    use crate::__private::is_name;

    #[test]
    fn names_are_those_of_the_contract() {
        assert!(is_name("orders-2.eu_west"));
        assert!(!is_name("") && !is_name("Orders") && !is_name("my shop") && !is_name(&"x".repeat(101)));
    }
}
