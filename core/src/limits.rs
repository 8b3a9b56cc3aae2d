//! Every bound of this floor, with its reason.

use std::time::Duration;

/// Workers lost in a row, without progress, after which an execution fails: it is then more likely their cause than their victim.
pub const LOSSES_IN_A_ROW: i16 = 5;

/// Inspections that may begin without an answer before a component is refused: one crash may be the machine's fault, two are the component's.
pub const INSPECTIONS: i16 = 2;

/// Bytes of a value, as JSON text: of an input, a result, a signal, what a step or `external` answers, progress. A value goes through Postgres
/// several times, and a workflow's replay reads all of its own at once: larger things belong into a store of their own, and their address
/// into the value. Not a setting, because what one worker accepts another one must be able to read; clients are held to it by
/// `currant.payload_bytes()`.
pub const PAYLOAD_BYTES: usize = 4 << 20;

/// Bytes of a component. Python modules have 22 MB; Postgres sends a value of up to 1 GB, and holds it in memory several times.
pub const COMPONENT_BYTES: usize = 128 << 20;

/// Ten thousand years in milliseconds. What a guest or a client says is longer waits as long: the calendars of Postgres and of our libraries end.
pub const LONGEST_MS: u64 = 3_652_500 * 24 * 3_600_000;

/// How often to look for a result behind the notification that may be lost.
pub const RESULT_POLL: Duration = Duration::from_millis(500);

/// For so long a woken workflow is left to the worker that keeps it in memory. Long enough for that worker to notice, short enough to help
/// it when it is busy.
pub const LEFT_TO_RESIDENT: Duration = Duration::from_millis(50);

/// When to look again at a queue that has as many running as it may. Whoever ends one of them looks at once; this is for workers with a
/// free slot when that one has none.
pub const FULL_QUEUE: Duration = Duration::from_millis(500);

/// When to look again at a queue from which another worker is claiming: it takes a few milliseconds.
pub const TAKEN_QUEUE: Duration = Duration::from_millis(10);
