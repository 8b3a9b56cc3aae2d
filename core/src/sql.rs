//! Every statement that workers and tools send, by the name of its file: the protocol with Postgres at a glance.

macro_rules! statements {
    ($($NAME:ident = $path:literal;)*) => {
        $(pub(crate) const $NAME: &str = include_str!(concat!("../queries/", $path));)*

        /// All of them, with the paths of their files below `queries/`.
        pub const ALL: &[(&str, &str)] = &[$(($path, $NAME)),*];
    };
}

statements! {
    COMMIT_ANNOUNCE_ATTACHED = "commit/announce_attached.sql";
    COMMIT_ATTACH = "commit/attach.sql";
    COMMIT_CANCEL_CHILDREN = "commit/cancel_children.sql";
    COMMIT_CONTINUE_AS_NEW = "commit/continue_as_new.sql";
    COMMIT_DECIDE = "commit/decide.sql";
    COMMIT_END = "commit/end.sql";
    COMMIT_END_ALONE = "commit/end_alone.sql";
    COMMIT_FENCE = "commit/fence.sql";
    COMMIT_GIVE_BACK = "commit/give_back.sql";
    COMMIT_GIVE_UP = "commit/give_up.sql";
    COMMIT_LOCK_KEYS = "commit/lock_keys.sql";
    COMMIT_LOCK_WORKFLOWS = "commit/lock_workflows.sql";
    COMMIT_PATIENCE = "commit/patience.sql";
    COMMIT_PAUSE_BUCKETS = "commit/pause_buckets.sql";
    COMMIT_PARK = "commit/park.sql";
    COMMIT_TRY_AGAIN = "commit/try_again.sql";
    COMMIT_WRITE_LOGS = "commit/write_logs.sql";
    DOCTOR_INDEXES = "doctor/indexes.sql";
    DOCTOR_LOOK = "doctor/look.sql";
    DOCTOR_TABLES = "doctor/tables.sql";
    EXECUTIONS_ATTEMPTS = "executions/attempts.sql";
    EXECUTIONS_CANCEL = "executions/cancel.sql";
    EXECUTIONS_CHOOSE = "executions/choose.sql";
    EXECUTIONS_CLAIM = "executions/claim.sql";
    EXECUTIONS_COMPLETE = "executions/complete.sql";
    EXECUTIONS_ENQUEUE = "executions/enqueue.sql";
    EXECUTIONS_ENQUEUE_MANY = "executions/enqueue_many.sql";
    EXECUTIONS_FAIL = "executions/fail.sql";
    EXECUTIONS_HOLDER = "executions/holder.sql";
    EXECUTIONS_LIST = "executions/list.sql";
    EXECUTIONS_LOGS = "executions/logs.sql";
    EXECUTIONS_RESULT = "executions/result.sql";
    EXECUTIONS_RETRY = "executions/retry.sql";
    EXECUTIONS_SIGNAL = "executions/signal.sql";
    EXECUTIONS_STATUS = "executions/status.sql";
    INBOX_UNSEEN = "inbox/unseen.sql";
    JOURNAL_APPEND_ALONE = "journal/append_alone.sql";
    JOURNAL_HISTORY = "journal/history.sql";
    JOURNAL_LOAD = "journal/load.sql";
    MAINTENANCE_ANNOUNCE = "maintenance/announce.sql";
    MAINTENANCE_CLOSE_WORKFLOWS = "maintenance/close_workflows.sql";
    MAINTENANCE_END_CANCELLED = "maintenance/end_cancelled.sql";
    MAINTENANCE_FIND_CANCELLED = "maintenance/find_cancelled.sql";
    MAINTENANCE_FIND_LOST = "maintenance/find_lost.sql";
    MAINTENANCE_FIND_MISSED = "maintenance/find_missed.sql";
    MAINTENANCE_FIND_OVERDUE = "maintenance/find_overdue.sql";
    MAINTENANCE_FORGET_WORKERS = "maintenance/forget_workers.sql";
    MAINTENANCE_LOOK = "maintenance/look.sql";
    MAINTENANCE_TAKE_OVER = "maintenance/take_over.sql";
    MAINTENANCE_TIME_OUT = "maintenance/time_out.sql";
    MAINTENANCE_UNPARK = "maintenance/unpark.sql";
    MAINTENANCE_WAKE_DUE = "maintenance/wake_due.sql";
    MODULES_BYTES = "modules/bytes.sql";
    MODULES_DECIDE = "modules/decide.sql";
    MODULES_DEPLOYMENT = "modules/deployment.sql";
    MODULES_DESCRIBE = "modules/describe.sql";
    MODULES_DROP_DEPLOYMENTS = "modules/drop_deployments.sql";
    MODULES_DROP_FUNCTIONS = "modules/drop_functions.sql";
    MODULES_DROP_GRANTS = "modules/drop_grants.sql";
    MODULES_DROP_VERSIONS = "modules/drop_versions.sql";
    MODULES_FUNCTIONS = "modules/functions.sql";
    MODULES_GRANTS = "modules/grants.sql";
    MODULES_LEAVE_INSPECTION = "modules/leave_inspection.sql";
    MODULES_LIST = "modules/list.sql";
    MODULES_LOCK_DEPLOYMENT = "modules/lock_deployment.sql";
    MODULES_LOCK_FUNCTIONS = "modules/lock_functions.sql";
    MODULES_NEEDED = "modules/needed.sql";
    MODULES_NEXT_REQUESTED = "modules/next_requested.sql";
    MODULES_PUT_FUNCTIONS = "modules/put_functions.sql";
    MODULES_PUT_GRANTS = "modules/put_grants.sql";
    MODULES_REQUEST = "modules/request.sql";
    MODULES_STORE = "modules/store.sql";
    MODULES_TAKEN_NAMES = "modules/taken_names.sql";
    MODULES_VERSION = "modules/version.sql";
    QUEUES_APPLY_FILES = "queues/apply_files.sql";
    QUEUES_CONFIGURE = "queues/configure.sql";
    QUEUES_LIST = "queues/list.sql";
    QUEUES_LOCK_LIMITED = "queues/lock_limited.sql";
    QUEUES_PAUSE = "queues/pause.sql";
    QUEUES_RESET = "queues/reset.sql";
    QUEUES_RESUME = "queues/resume.sql";
    RETENTION_END_DUTY = "retention/end_duty.sql";
    RETENTION_FORGET_ENVIRONMENTS = "retention/forget_environments.sql";
    RETENTION_FORGET_MODULES = "retention/forget_modules.sql";
    RETENTION_RENEW_DUTY = "retention/renew_duty.sql";
    RETENTION_SWEEP = "retention/sweep.sql";
    RETENTION_TAKE_DUTY = "retention/take_duty.sql";
    SCHEDULES_CREATE = "schedules/create.sql";
    SCHEDULES_DELETE = "schedules/delete.sql";
    SCHEDULES_DUE = "schedules/due.sql";
    SCHEDULES_FIRE = "schedules/fire.sql";
    SCHEDULES_FIRED = "schedules/fired.sql";
    SCHEDULES_FIRE_WAITING = "schedules/fire_waiting.sql";
    SCHEDULES_FORGET_FIRES = "schedules/forget_fires.sql";
    SCHEDULES_LIST = "schedules/list.sql";
    SCHEDULES_MOVE_ON = "schedules/move_on.sql";
    SCHEDULES_PAUSE = "schedules/pause.sql";
    SCHEDULES_TRIGGER = "schedules/trigger.sql";
    SCHEMA_HAS_TABLE = "schema/has_table.sql";
    SCHEMA_METADATA = "schema/metadata.sql";
    SCHEMA_NOW = "schema/now.sql";
    SCHEMA_PLAN_SETTINGS = "schema/plan_settings.sql";
    WORKERS_CANCELLATIONS = "workers/cancellations.sql";
    WORKERS_CLAIMED = "workers/claimed.sql";
    WORKERS_EVICT = "workers/evict.sql";
    WORKERS_LIST = "workers/list.sql";
    WORKERS_REGISTER = "workers/register.sql";
    WORKERS_RELEASE = "workers/release.sql";
    WORKERS_RENEW = "workers/renew.sql";
    WORKERS_WRITE_PROGRESS = "workers/write_progress.sql";
}

/// Milliseconds as statements answer them. What already lies behind is no time at all.
pub(crate) fn duration(milliseconds: i64) -> std::time::Duration {
    std::time::Duration::from_millis(u64::try_from(milliseconds).unwrap_or(0))
}

/// A length of time as statements take it.
pub(crate) fn milliseconds(duration: std::time::Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
