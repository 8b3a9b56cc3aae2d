//! What the kernel knows of processes: their processor time and their memory. Linux only; elsewhere nothing is known, and the report says so.

use std::fs;
use std::time::Duration;

/// Ticks in a second of `/proc`. The kernel shows times in these to user space whatever its own clock, on every architecture but two
/// that nobody runs any more.
const TICKS: f64 = 100.0;

/// The processes of a server, by what they do.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ServerTime {
    /// Of the backends that serve this database, in seconds.
    pub(super) backends: f64,
    /// Of the others: write-ahead log, checkpoints, autovacuum, and of backends that have ended.
    pub(super) others: f64,
}

/// A Postgres server on this machine.
#[derive(Clone, Debug)]
pub(super) struct LocalServer {
    postmaster: u32,
    /// In the titles of its backends.
    database: String,
}

impl LocalServer {
    /// The server of a backend of this database, if it runs on this machine. A process of the backend's number proves nothing, as the server
    /// may run elsewhere or in a container; one that has the database's unique name in its title does.
    pub(super) fn of_backend(pid: u32, database: &str) -> Option<LocalServer> {
        title(pid)?.contains(database).then_some(())?;
        Some(LocalServer { postmaster: stat(pid)?.parent, database: database.into() })
    }

    /// The processor time of all of its processes so far.
    pub(super) fn time(&self) -> Option<ServerTime> {
        let postmaster = stat(self.postmaster)?;
        let mut time = ServerTime { backends: 0.0, others: postmaster.seconds + postmaster.seconds_of_ended_children };
        for entry in fs::read_dir("/proc").ok()?.flatten() {
            let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
            // A process may end at any moment.
            let Some(process) = stat(pid).filter(|process| process.parent == self.postmaster) else { continue };
            match title(pid).is_some_and(|title| title.contains(&self.database)) {
                true => time.backends += process.seconds,
                false => time.others += process.seconds,
            }
        }
        Some(time)
    }
}

/// The processor time of a process so far, in seconds.
pub(super) fn seconds(pid: u32) -> Option<f64> {
    stat(pid).map(|process| process.seconds)
}

/// The memory of a process that is resident, in bytes.
pub(super) fn resident(pid: u32) -> Option<u64> {
    bytes(pid, "VmRSS:")
}

/// As much of it as is no copy of a file's: of a module's initial memory only the pages that an instance has written to.
pub(super) fn own(pid: u32) -> Option<u64> {
    bytes(pid, "RssAnon:")
}

fn bytes(pid: u32, field: &str) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(field))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kib| kib << 10)
}

/// The processor time that this machine has spent so far, on all cores and for whatever, in seconds. What the hypervisor gave to other
/// machines counts too: it was not to be had.
pub(super) fn machine_time() -> Option<f64> {
    let text = fs::read_to_string("/proc/stat").ok()?;
    let ticks = text.lines().next()?.strip_prefix("cpu ")?.split_whitespace().map(|ticks| ticks.parse::<f64>());
    let ticks = ticks.collect::<Result<Vec<_>, _>>().ok()?;
    // user nice system idle iowait irq softirq steal; what follows is contained in the first two.
    Some(
        ticks.iter().take(8).enumerate().filter(|(field, _)| !matches!(field, 3 | 4)).map(|(_, ticks)| ticks).sum::<f64>()
            / TICKS,
    )
}

/// How many processes wanted to run, on average, in the last minute.
pub(super) fn load() -> Option<f64> {
    fs::read_to_string("/proc/loadavg").ok()?.split(' ').next()?.parse().ok()
}

/// How long this process has computed.
pub(super) fn own_time() -> Option<Duration> {
    seconds(std::process::id()).map(Duration::from_secs_f64)
}

struct Stat {
    parent: u32,
    seconds: f64,
    seconds_of_ended_children: f64,
}

fn stat(pid: u32) -> Option<Stat> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name of the program stands in parentheses, and may contain anything.
    let fields: Vec<&str> = text[text.rfind(')')? + 1..].split_whitespace().collect();
    let ticks = |field: usize| fields.get(field)?.parse::<f64>().ok();
    Some(Stat {
        parent: fields.get(1)?.parse().ok()?,
        seconds: (ticks(11)? + ticks(12)?) / TICKS,
        seconds_of_ended_children: (ticks(13)? + ticks(14)?) / TICKS,
    })
}

fn title(pid: u32) -> Option<String> {
    Some(String::from_utf8_lossy(&fs::read(format!("/proc/{pid}/cmdline")).ok()?).into_owned())
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_computes_is_seen_to() {
        let before = own_time().unwrap();
        let mut sum = 0_u64;
        while own_time().unwrap() < before + Duration::from_millis(50) {
            sum = std::hint::black_box(sum + 1);
        }
        let own_before = own(std::process::id()).unwrap();
        let memory = std::hint::black_box(vec![1_u8; 16 << 20]);
        let (own, resident) = (own(std::process::id()).unwrap(), resident(std::process::id()).unwrap());
        assert!(own >= own_before + memory.len() as u64 / 2, "what it has written is its own");
        assert!(own < resident, "its code is a file's");
    }

    #[test]
    fn a_process_that_is_no_backend_of_ours_is_no_server() {
        assert!(LocalServer::of_backend(std::process::id(), "currant_bench_of_nobody").is_none());
        assert!(LocalServer::of_backend(u32::MAX, "").is_none());
    }
}
