//! What Unix has, and how it is elsewhere.
//!
//! Local runs need process groups; where there are none they are refused before anything here is asked. Deploys and all that does
//! without processes works everywhere.
use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::process::ExitStatus;
use std::time::{Duration, UNIX_EPOCH};

pub use system::*;

/// Whether there are process groups, without which nothing runs here.
pub const RUNS_LAKES: bool = cfg!(unix);

/// Tells a file from whatever takes its place, and from itself when something is written into it.
pub type Version = (Identity, Duration);

/// The version of a file.
pub fn version(metadata: &Metadata) -> Version {
    (identity(metadata), modified(metadata))
}

/// When a file was last written, since 1970.
pub fn modified(metadata: &Metadata) -> Duration {
    metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok()).unwrap_or_default()
}

#[cfg(unix)]
mod system {
    use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
    use std::os::unix::process::ExitStatusExt;

    use nix::errno::Errno;
    use nix::sys::signal::{Signal, kill, killpg};
    use nix::unistd::Pid;
    use tokio::process::Command;

    use super::{ExitStatus, File, Metadata, OpenOptions, io};

    /// Tells a file from whatever takes its place.
    pub type Identity = (u64, u64);

    pub fn identity(metadata: &Metadata) -> Identity {
        (metadata.dev(), metadata.ino())
    }

    pub fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        file.read_at(buffer, offset)
    }

    /// A file that is made is for its owner only.
    pub fn private(options: &mut OpenOptions) -> &mut OpenOptions {
        options.mode(0o600)
    }

    /// The signal that has ended a process.
    pub fn signal(status: ExitStatus) -> Option<i32> {
        status.signal()
    }

    /// The process will lead a group of its own, which has its number.
    pub fn lead_group(command: &mut Command) -> io::Result<&mut Command> {
        Ok(command.process_group(0))
    }

    pub fn end_group(group: i32) {
        // Gone already is as good as ended.
        let _ = killpg(Pid::from_raw(group), Signal::SIGTERM);
    }

    pub fn kill_group(group: i32) {
        let _ = killpg(Pid::from_raw(group), Signal::SIGKILL);
    }

    pub fn group_lives(group: i32) -> bool {
        killpg(Pid::from_raw(group), None) != Err(Errno::ESRCH)
    }

    pub fn process_lives(process: i32) -> bool {
        kill(Pid::from_raw(process), None).is_ok()
    }
}

#[cfg(not(unix))]
mod system {
    use std::io::{Read, Seek, SeekFrom};

    use tokio::process::Command;

    use super::{ExitStatus, File, Metadata, OpenOptions, io};

    pub type Identity = Option<std::time::SystemTime>;

    pub fn identity(metadata: &Metadata) -> Identity {
        metadata.created().ok()
    }

    pub fn read_at(mut file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        file.seek(SeekFrom::Start(offset))?;
        file.read(buffer)
    }

    pub fn private(options: &mut OpenOptions) -> &mut OpenOptions {
        options
    }

    pub fn signal(_: ExitStatus) -> Option<i32> {
        None
    }

    pub fn lead_group(_: &mut Command) -> io::Result<&mut Command> {
        Err(io::Error::new(io::ErrorKind::Unsupported, "this system has no process groups"))
    }

    pub fn end_group(_: i32) {}

    pub fn kill_group(_: i32) {}

    pub fn group_lives(_: i32) -> bool {
        false
    }

    pub fn process_lives(_: i32) -> bool {
        false
    }
}
