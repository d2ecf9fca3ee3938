//! Child processes in groups of their own, so that all of a step's processes (Python, JVM, training) can be ended together and none
//! outlives the run.
use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};

use super::platform::{end_group, group_lives, kill_group, lead_group};

/// The process groups that are alive.
#[derive(Debug, Clone, Default)]
pub struct Groups(Arc<Mutex<BTreeSet<i32>>>);

impl Groups {
    /// Starts a command as the leader of a new group.
    pub fn spawn(&self, command: &mut Command) -> io::Result<(Child, Group)> {
        let child = lead_group(command)?.kill_on_drop(true).spawn()?;
        let id =
            child.id().and_then(|id| i32::try_from(id).ok()).ok_or_else(|| io::Error::other("it ended at once"))?;
        self.with(|ids| ids.insert(id));
        Ok((child, Group { id, groups: self.clone() }))
    }

    /// Asks every group to end. The ones that have not within `grace` are killed when their [`Group`] is dropped.
    pub async fn terminate(&self, grace: Duration) {
        let ids: Vec<i32> = self.with(|ids| ids.iter().copied().collect());
        for id in &ids {
            end_group(*id);
        }
        let gone = async {
            while ids.iter().any(|id| group_lives(*id)) {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let _ = tokio::time::timeout(grace, gone).await;
    }

    fn with<T>(&self, act: impl FnOnce(&mut BTreeSet<i32>) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A process group; whoever is left in it is killed when this is dropped.
#[derive(Debug)]
pub struct Group {
    id: i32,
    groups: Groups,
}

impl Drop for Group {
    fn drop(&mut self) {
        kill_group(self.id);
        self.groups.with(|ids| ids.remove(&self.id));
    }
}

/// What a command printed, line by line, and how it ended.
#[derive(Debug)]
pub struct Finished {
    /// How it ended.
    pub status: ExitStatus,
    /// Standard output and error as they came, without line ends; bytes that are not UTF-8 are replaced.
    pub lines: Vec<String>,
}

/// Runs a command to its end with no input.
pub async fn run(groups: &Groups, command: &mut Command) -> io::Result<Finished> {
    let (mut child, group) =
        groups.spawn(command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()))?;
    let out = lines(child.stdout.take());
    let err = lines(child.stderr.take());
    let (out, err) = tokio::join!(out, err);
    let status = child.wait().await?;
    drop(group);
    let mut lines = out?;
    lines.extend(err?);
    Ok(Finished { status, lines })
}

async fn lines(stream: Option<impl AsyncRead + Unpin>) -> io::Result<Vec<String>> {
    let mut lines = Vec::new();
    if let Some(stream) = stream {
        let mut reader = BufReader::new(stream);
        while let Some(line) = next_line(&mut reader).await? {
            lines.push(line);
        }
    }
    Ok(lines)
}

/// The next line of a stream without its end, `None` at the end of the stream; bytes that are not UTF-8 are replaced.
pub async fn next_line(reader: &mut (impl AsyncBufReadExt + Unpin)) -> io::Result<Option<String>> {
    let mut line = Vec::new();
    if reader.read_until(b'\n', &mut line).await? == 0 {
        return Ok(None);
    }
    let text = String::from_utf8_lossy(&line);
    Ok(Some(text.trim_end_matches(['\n', '\r']).to_owned()))
}

/// A folder on the search path in front of what a process inherits, so that a virtual environment's tools come first.
pub fn search_path(first: &Path) -> std::ffi::OsString {
    let inherited = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::iter::once(first.to_owned()).chain(std::env::split_paths(&inherited));
    std::env::join_paths(folders).unwrap_or(inherited)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_group_dies_with_its_leader_and_its_grandchildren() {
        let groups = Groups::default();
        let mut command = Command::new("sh");
        command.args(["-c", "sleep 300 & echo $!; wait"]).stdout(Stdio::piped());
        let (mut child, group) = groups.spawn(&mut command).unwrap();
        let mut reader = BufReader::new(child.stdout.take().unwrap());
        let grandchild: i32 = next_line(&mut reader).await.unwrap().unwrap().parse().unwrap();
        drop(group);
        child.wait().await.unwrap();
        // The pipe's end shows that the grandchild, which holds it too, is gone.
        assert_eq!(next_line(&mut reader).await.unwrap(), None, "process {grandchild} is alive");
        assert!(groups.with(|ids| ids.is_empty()));
    }

    #[tokio::test]
    async fn a_group_that_ends_when_asked_is_not_waited_for() {
        let groups = Groups::default();
        let (mut child, group) = groups.spawn(Command::new("sleep").arg("300")).unwrap();
        let (status, ()) = tokio::join!(child.wait(), groups.terminate(Duration::from_secs(60)));
        assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status.unwrap()), Some(15));
        drop(group);
    }

    #[tokio::test]
    async fn output_that_is_not_utf8_is_read() {
        let groups = Groups::default();
        let finished = run(&groups, Command::new("printf").arg(r"a\377\nb")).await.unwrap();
        assert_eq!(finished.lines, ["a\u{fffd}", "b"]);
    }
}
