//! The only printer: results go to standard output, everything else to standard error.

use std::io::{self, IsTerminal, Write};

use serde::Serialize;

use crate::diagnostic::Diagnostics;
use crate::failure::Failure;
use crate::text::{counted, printable};

/// Where a command speaks.
#[derive(Debug, Clone, Copy)]
pub struct Console {
    /// Colours on standard error.
    pub color: bool,
    /// Only results and errors.
    pub quiet: bool,
    /// Results for machines.
    pub json: bool,
}

impl Console {
    /// Colours only on a terminal, and never with `NO_COLOR`.
    #[must_use]
    pub fn new(quiet: bool, json: bool) -> Self {
        let forbidden = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|value| value == "dumb");
        Self { color: io::stderr().is_terminal() && !forbidden && !dumb, quiet, json }
    }

    /// Writes a result. A reader that went away, as in `lakegen … | head`, is no error.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub fn result(&self, text: &str) -> io::Result<()> {
        let mut out = io::stdout().lock();
        let mut written = out.write_all(text.as_bytes());
        if written.is_ok() && !text.ends_with('\n') {
            written = out.write_all(b"\n");
        }
        match written.and_then(|()| out.flush()) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            other => other,
        }
    }

    /// Writes a result for machines.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub fn json<T: Serialize>(&self, value: &T) -> io::Result<()> {
        self.result(&serde_json::to_string_pretty(value).map_err(io::Error::other)?)
    }

    /// Says what happens, unless that is not wanted.
    pub fn note(&self, text: &str) {
        if !self.quiet {
            self.error_line(text);
        }
    }

    /// Asks on standard error and reads a line from standard input; nothing if there is none. Who waits for the answer can be
    /// interrupted: the reading goes on without anybody listening, until the process ends.
    pub async fn ask(&self, question: &str) -> Option<String> {
        let _ = write!(io::stderr().lock(), "{question} ").and_then(|()| io::stderr().flush());
        let read = tokio::task::spawn_blocking(|| {
            let mut answer = String::new();
            match io::stdin().read_line(&mut answer) {
                Ok(1..) => Some(answer.trim().to_owned()),
                Ok(0) | Err(_) => None,
            }
        });
        read.await.ok().flatten()
    }

    /// Shows what is wrong with a blueprint, and how much.
    pub fn diagnostics(&self, diagnostics: &Diagnostics) {
        if !diagnostics.list.is_empty() {
            self.error_line(&diagnostics.render(self.color));
            self.error_line(&format!("\n{}", summary(diagnostics)));
        }
    }

    /// Writes workflow commands for GitHub Actions, which reads them from standard error, too.
    pub fn commands(&self, commands: &[String]) {
        commands.iter().for_each(|command| self.error_line(command));
    }

    /// Says why a command failed: the sentence, its causes, and one line of help.
    pub fn failure(&self, failure: &Failure) {
        let Some(error) = &failure.error else { return };
        let (red, bold, plain) = if self.color { ("\x1b[1;31m", "\x1b[1m", "\x1b[0m") } else { ("", "", "") };
        self.error_line(&format!("{red}error{plain}{bold}: {}{plain}", shown(&error.to_string())));
        let mut cause = error.source();
        while let Some(inner) = cause {
            self.error_line(&format!("  because: {}", shown(&inner.to_string())));
            cause = inner.source();
        }
        if let Some(help) = &failure.help {
            self.error_line(&format!("  = help: {}", shown(help)));
        }
    }

    fn error_line(&self, text: &str) {
        // There is nobody left to tell when standard error is closed.
        let _ = writeln!(io::stderr().lock(), "{text}");
    }
}

fn summary(diagnostics: &Diagnostics) -> String {
    match (diagnostics.errors(), diagnostics.warnings()) {
        (0, warnings) => counted(warnings, "warning"),
        (errors, 0) => counted(errors, "error"),
        (errors, warnings) => format!("{}, {}", counted(errors, "error"), counted(warnings, "warning")),
    }
}

fn shown(text: &str) -> String {
    printable(text, &['\n', '\t'])
}
