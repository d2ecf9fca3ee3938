//! How much memory processes take, with all that they start. Linux tells it; elsewhere nothing is known.
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fs;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Between two looks, at least.
const SHORTEST: Duration = Duration::from_millis(50);
/// Between two looks, at most.
const LONGEST: Duration = Duration::from_secs(1);

/// Looks at processes again and again, and keeps the most that each took: its share of what it shares with others (PSS), in bytes.
#[derive(Debug, Clone, Default)]
pub struct Meter(Arc<Mutex<Peaks>>);

#[derive(Debug, Default)]
struct Peaks {
    /// This process and all below it.
    all: u64,
    /// What is watched, by the process at its top.
    watched: BTreeMap<u32, u64>,
}

impl Meter {
    /// Looks for as long as it is polled.
    pub async fn run(&self) -> Infallible {
        loop {
            let began = Instant::now();
            let meter = self.clone();
            // A look that failed is followed by the next one.
            let _ = tokio::task::spawn_blocking(move || meter.look()).await;
            // Adding up the pages of a large process takes milliseconds: a twentieth of a core at most.
            tokio::time::sleep((began.elapsed() * 20).clamp(SHORTEST, LONGEST)).await;
        }
    }

    /// Begins to watch a process and those below it.
    pub fn watch(&self, process: u32) {
        self.with(|peaks| peaks.watched.insert(process, 0));
    }

    /// Ends watching, after a last look; nothing where nothing is known.
    pub fn unwatch(&self, process: u32) -> Option<u64> {
        self.look();
        self.with(|peaks| peaks.watched.remove(&process)).filter(|peak| *peak > 0)
    }

    /// The most that all of it took at a time.
    pub fn peak(&self) -> Option<u64> {
        Some(self.with(|peaks| peaks.all)).filter(|peak| *peak > 0)
    }

    fn look(&self) {
        let family = Family::read();
        let all = family.bytes(std::process::id());
        self.with(|peaks| {
            peaks.all = peaks.all.max(all);
            for (process, peak) in &mut peaks.watched {
                *peak = (*peak).max(family.bytes(*process));
            }
        });
    }

    fn with<T>(&self, act: impl FnOnce(&mut Peaks) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// This process and all below it.
#[derive(Debug, Default)]
struct Family {
    children: BTreeMap<u32, Vec<u32>>,
    bytes: BTreeMap<u32, u64>,
}

impl Family {
    fn read() -> Self {
        let mut family = Self::default();
        for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
            let process = entry.file_name().to_str().and_then(|name| name.parse().ok());
            let stat = fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
            if let (Some(process), Some(parent)) = (process, parent(&stat)) {
                family.children.entry(parent).or_default().push(process);
            }
        }
        // Only of these: the pages of strangers are nobody's business, and many.
        for process in family.below(std::process::id()) {
            let rollup = fs::read_to_string(format!("/proc/{process}/smaps_rollup")).unwrap_or_default();
            family.bytes.extend(share(&rollup).map(|bytes| (process, bytes)));
        }
        family
    }

    /// A process and all below it.
    fn below(&self, process: u32) -> Vec<u32> {
        let mut found = vec![process];
        let mut next = 0;
        while let Some(parent) = found.get(next) {
            found.extend(self.children.get(parent).into_iter().flatten());
            next += 1;
        }
        found
    }

    fn bytes(&self, process: u32) -> u64 {
        self.below(process).iter().filter_map(|process| self.bytes.get(process)).sum()
    }
}

/// The parent in `/proc/PID/stat`; the name before it may hold anything.
fn parent(stat: &str) -> Option<u32> {
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

/// The proportional share in `/proc/PID/smaps_rollup`, in bytes.
fn share(rollup: &str) -> Option<u64> {
    let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kilobytes| kilobytes << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_system_says_is_read() {
        assert_eq!(parent("42 (a) b (c) S 7 42 42 0 -1"), Some(7));
        assert_eq!(parent(""), None);
        assert_eq!(share("55e0-7ffd ---p 00000000 00:00 0 [rollup]\nRss:  2000 kB\nPss:   1500 kB\n"), Some(1_536_000));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_process_counts_with_those_that_it_started() {
        use std::io::{BufRead as _, BufReader};
        use std::process::{Command, Stdio};

        let meter = Meter::default();
        // A shell that starts one that holds 64 MB.
        let script =
            "exec 3<&0; sh -c 'big=$(head -c 64000000 /dev/zero | tr \"\\0\" x); echo ready; read -r line <&3' & wait";
        let mut shell =
            Command::new("sh").args(["-c", script]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        meter.watch(shell.id());
        let mut line = String::new();
        BufReader::new(shell.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n");
        let peak = meter.unwatch(shell.id()).unwrap();
        assert!((64_000_000..1_000_000_000).contains(&peak), "{peak}");
        assert!(meter.peak().unwrap() >= peak);
        assert_eq!(meter.unwatch(shell.id()), None, "watched no more");
        drop(shell.stdin.take());
        shell.wait().unwrap();
    }
}
