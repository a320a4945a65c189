//! What a process has used, from /proc (Linux only).
//!
//! Fields as in proc(5). The kernel counts processor time in hundredths of a second, which over several seconds is exact enough.

use std::{fs, time::Duration};

use anyhow::{Context, Result};

/// `USER_HZ`: 100 wherever Rust runs on Linux.
const TICKS_PER_SECOND: u64 = 100;

/// Processor time and memory of one process since it began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Usage {
    /// In user mode, of all its threads.
    pub(crate) user: Duration,
    /// In the kernel on its behalf.
    pub(crate) system: Duration,
    /// The most memory it ever had at once, in bytes.
    pub(crate) peak: u64,
    /// What it has, in bytes.
    pub(crate) resident: u64,
}

impl Usage {
    /// Of a running process; `None` if there is none of this number any more.
    pub(crate) fn of(pid: u32) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        parse(&stat, &status)
    }

    /// In both modes.
    pub(crate) fn cpu(&self) -> Duration {
        self.user + self.system
    }
}

/// Processor time that everything on this machine together has used, apart from idling.
pub(crate) fn machine() -> Result<Duration> {
    let stat = fs::read_to_string("/proc/stat").context("/proc/stat cannot be read: this benchmark needs Linux")?;
    busy(&stat).context("/proc/stat has another form than in proc(5)")
}

fn parse(stat: &str, status: &str) -> Option<Usage> {
    // The second field is the program's name in parentheses, which may hold anything.
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace();
    let user = ticks(fields.nth(11)?)?;
    let system = ticks(fields.next()?)?;
    // A process that has ended and is not yet waited for has no memory.
    Some(Usage { user, system, peak: bytes(status, "VmHWM:")?, resident: bytes(status, "VmRSS:")? })
}

fn bytes(status: &str, key: &str) -> Option<u64> {
    let value = status.lines().find_map(|line| line.strip_prefix(key))?;
    let kilobytes: u64 = value.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024)
}

/// `cpu user nice system idle iowait irq softirq steal …`, of which idle and iowait are no work.
fn busy(stat: &str) -> Option<Duration> {
    let fields: Vec<&str> = stat.lines().next()?.strip_prefix("cpu ")?.split_ascii_whitespace().take(7).collect();
    let working = fields.iter().enumerate().filter(|(index, _)| !matches!(index, 3 | 4));
    working.map(|(_, field)| ticks(field)).sum()
}

fn ticks(field: &str) -> Option<Duration> {
    let ticks: u64 = field.parse().ok()?;
    Some(Duration::from_millis(ticks * 1_000 / TICKS_PER_SECOND))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses_does_not_shift_the_fields() {
        let stat = "7 (a b) c) S 1 7 7 0 -1 4194560 100 0 0 0 250 50 0 0 20 0 3 0 100 1000 100 18446744073709551615";
        let usage = parse(stat, "Name:\ta\nVmHWM:\t    2048 kB\nVmRSS:\t 1 kB\n").unwrap();
        assert_eq!((usage.user, usage.system), (Duration::from_millis(2_500), Duration::from_millis(500)));
        assert_eq!((usage.peak, usage.resident), (2 << 20, 1 << 10));
        assert_eq!(parse(stat, "Name:\ta\n"), None);
    }

    #[test]
    fn waiting_is_no_work() {
        assert_eq!(busy("cpu  100 10 20 9999 999 3 7 0 0 0\ncpu0 1\n"), Some(Duration::from_millis(1_400)));
    }
}
