//! Finds the Python that the locked packages were chosen for.
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use tokio::process::Command;

use super::process::{self, Groups};

/// The packages are locked for this version.
const WANTED: (u32, u32) = (3, 11);

/// Names that are tried when `LAKEGEN_PYTHON` is not set.
const NAMES: [&str; 3] = ["python3.11", "python3", "python"];

/// An interpreter that answered.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Answer {
    version: (u32, u32, u32),
    /// Itself, not a wrapper that chose it.
    executable: PathBuf,
}

/// Major, minor, patch.
type Version = (u32, u32, u32);

/// There is no Python 3.11.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoPython {
    /// `LAKEGEN_PYTHON` named it.
    asked_for: bool,
    /// What is there instead.
    found: Vec<(String, Option<Version>)>,
}

impl std::error::Error for NoPython {}

impl fmt::Display for NoPython {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (major, minor) = WANTED;
        match self.asked_for {
            true => write!(f, "`LAKEGEN_PYTHON` does not name a Python {major}.{minor}")?,
            false => write!(f, "no Python {major}.{minor} found")?,
        }
        let mut separator = ": ";
        for (name, version) in &self.found {
            match version {
                Some((x, y, z)) => {
                    let verdict = if (*x, *y) < WANTED { "too old" } else { "too new" };
                    write!(f, "{separator}`{name}` is {x}.{y}.{z}, {verdict}")?;
                }
                None if self.asked_for => write!(f, "{separator}`{name}` does not run")?,
                None => continue,
            }
            separator = "; ";
        }
        Ok(())
    }
}

impl NoPython {
    /// What the user can do about it.
    pub fn help(&self) -> String {
        let (major, minor) = WANTED;
        let v = format!("{major}.{minor}");
        format!(
            "install Python {v} beside what is there (`apt install python{v} python{v}-venv`, `brew install python@{v}`, `uv python \
             install {v}`, `pyenv install {v}`), or set `LAKEGEN_PYTHON` to where it is"
        )
    }
}

/// The first Python of the right version: `LAKEGEN_PYTHON` alone if it is set, else the usual names on the search path.
pub async fn find(groups: &Groups) -> Result<PathBuf, NoPython> {
    let asked_for = std::env::var("LAKEGEN_PYTHON").ok().filter(|name| !name.is_empty());
    let names = match &asked_for {
        Some(name) => vec![name.clone()],
        None => NAMES.map(str::to_owned).to_vec(),
    };
    let mut answers = Vec::new();
    for name in names {
        let answer = ask(groups, &name).await;
        let fits = answer.as_ref().is_some_and(|answer| (answer.version.0, answer.version.1) == WANTED);
        answers.push((name, answer));
        if fits {
            break;
        }
    }
    choose(answers, asked_for.is_some())
}

fn choose(answers: Vec<(String, Option<Answer>)>, asked_for: bool) -> Result<PathBuf, NoPython> {
    let fits = |answer: &&Answer| (answer.version.0, answer.version.1) == WANTED;
    if let Some(answer) = answers.iter().filter_map(|(_, answer)| answer.as_ref()).find(fits) {
        return Ok(answer.executable.clone());
    }
    let found = answers.into_iter().map(|(name, answer)| (name, answer.map(|answer| answer.version))).collect();
    Err(NoPython { asked_for, found })
}

async fn ask(groups: &Groups, name: &str) -> Option<Answer> {
    let mut command = Command::new(name);
    // Understood by every Python since 2.6.
    command.args(["-E", "-c", "import sys; print('%d.%d.%d' % sys.version_info[:3]); print(sys.executable)"]);
    let asked = process::run(groups, &mut command);
    let finished = tokio::time::timeout(Duration::from_secs(20), asked).await.ok()?.ok()?;
    if !finished.status.success() {
        return None;
    }
    let mut lines = finished.lines.into_iter();
    let mut numbers = lines.next()?.split('.').map(|part| part.parse().ok()).collect::<Option<Vec<u32>>>()?.into_iter();
    let version = (numbers.next()?, numbers.next()?, numbers.next()?);
    Some(Answer { version, executable: lines.next()?.into() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;
    use std::path::Path;

    fn answer(name: &str, version: Option<(u32, u32, u32)>) -> (String, Option<Answer>) {
        (name.to_owned(), version.map(|version| Answer { version, executable: format!("/usr/bin/{name}").into() }))
    }

    #[test]
    fn the_first_that_fits_is_taken() {
        let answers =
            vec![answer("python3.11", None), answer("python3", Some((3, 12, 1))), answer("python", Some((3, 11, 0)))];
        assert_eq!(choose(answers, false).unwrap(), Path::new("/usr/bin/python"));
    }

    #[test]
    fn what_is_there_instead_is_named() {
        let table: [(Vec<_>, bool, &str); 4] = [
            (vec![answer("python3.11", None), answer("python3", None)], false, "no Python 3.11 found"),
            (
                vec![
                    answer("python3.11", None),
                    answer("python3", Some((3, 8, 10))),
                    answer("python", Some((2, 7, 18))),
                ],
                false,
                "no Python 3.11 found: `python3` is 3.8.10, too old; `python` is 2.7.18, too old",
            ),
            (
                vec![answer("/x/python", Some((3, 13, 2)))],
                true,
                "`LAKEGEN_PYTHON` does not name a Python 3.11: `/x/python` is 3.13.2, too new",
            ),
            (
                vec![answer("/x/python", None)],
                true,
                "`LAKEGEN_PYTHON` does not name a Python 3.11: `/x/python` does not run",
            ),
        ];
        for (answers, asked_for, message) in table {
            assert_eq!(choose(answers, asked_for).unwrap_err().to_string(), message);
        }
    }

    #[tokio::test]
    async fn interpreters_are_asked_and_wrappers_that_fail_are_passed_over() {
        let dir = tempfile::tempdir().unwrap();
        let script = |name: &str, text: &str| {
            let path = dir.path().join(name);
            std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
            path.to_str().unwrap().to_owned()
        };
        let groups = Groups::default();
        let good = script("good", "echo 3.11.4; echo /opt/python3.11");
        let expected = Answer { version: (3, 11, 4), executable: "/opt/python3.11".into() };
        assert_eq!(ask(&groups, &good).await, Some(expected));
        for text in ["echo 'pyenv: not found' >&2; exit 127", "echo hello", "echo 3.11", "echo 3.11.0"] {
            assert_eq!(ask(&groups, &script("bad", text)).await, None, "{text}");
        }
        assert_eq!(ask(&groups, "/nonexistent/python").await, None);
    }
}
