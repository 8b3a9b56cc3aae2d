//! One file per command: what it takes, and what it does.

pub(crate) mod cancel;
pub(crate) mod cleanup;
pub(crate) mod complete;
pub(crate) mod deploy;
pub(crate) mod doctor;
pub(crate) mod fail;
pub(crate) mod functions;
pub(crate) mod history;
pub(crate) mod list;
pub(crate) mod logs;
pub(crate) mod modules;
pub(crate) mod queues;
pub(crate) mod retry;
pub(crate) mod rollback;
pub(crate) mod schedules;
pub(crate) mod signal;
pub(crate) mod start;
pub(crate) mod status;
