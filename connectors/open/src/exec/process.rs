//! Starts a program, listens to it, and sees to it that nothing of it is left.
//!
//! The program has a process group of its own, so that what it starts ends with it: after its
//! deadline, when its output is refused, when the agent stops, and when its first process ends.

use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use headcount_sdk::ScanError;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::{Child, Command};
use tokio_util::task::AbortOnDropHandle;

use super::config::Plan;
use super::failed;
use crate::line::is_secret;
use crate::spool::{Refused, Spooler};

/// Between being told to end and being killed.
const GRACE: Duration = Duration::from_secs(5);

/// How long output is waited for after the program has ended and its group is killed. Only what
/// has left the group can hold it open for longer.
const DRAIN: Duration = Duration::from_secs(2);

/// Longest line of stderr that is logged, and how many of a run.
const MAX_SAID: usize = 2_000;
const MAX_SAYINGS: u64 = 500;

/// How a run ended.
#[derive(Debug)]
pub(crate) enum Ended {
    Exit(ExitStatus),
    /// It was over its deadline, and killed.
    Deadline(Duration),
    /// What it wrote was refused, and it was killed.
    Refused(Refused),
    NotStarted(std::io::ErrorKind),
    /// Its output could not be read to the end.
    Cut,
}

impl Ended {
    /// Whether it ended by itself, with success.
    pub(crate) fn is_well(&self) -> bool {
        matches!(self, Self::Exit(status) if status.success())
    }

    pub(crate) const fn is_refused(&self) -> bool {
        matches!(self, Self::Refused(_))
    }

    /// What this means for a scope of which nothing more is known.
    pub(crate) fn error(&self) -> ScanError {
        match self {
            Self::Exit(status) if status.success() => {
                failed("the program ended without `complete` or `failed` for this scope")
            }
            Self::Exit(status) => match status.code() {
                Some(code) => failed(&format!("the program ended with exit code {code}")),
                None => failed("the program was ended by a signal"),
            },
            Self::Deadline(after) => {
                failed(&format!("the program was not done after {} seconds", after.as_secs()))
            }
            Self::Refused(refused) => refused.error(),
            Self::NotStarted(kind) => failed(&format!("the program could not be started: {kind}")),
            Self::Cut => failed("the program's output could not be read to its end"),
        }
    }
}

/// The processes of one run; killed when this is dropped.
struct Group(Option<Pid>);

impl Group {
    fn of(child: &Child) -> Self {
        Self(child.id().and_then(|id| i32::try_from(id).ok()).map(Pid::from_raw))
    }

    fn signal(&self, signal: Signal) {
        if let Some(group) = self.0 {
            // It may be gone already; then there is nothing to do.
            let _ = killpg(group, signal);
        }
    }

    /// Kills what is left of it, once. The number may belong to others later.
    fn end(&mut self) {
        self.signal(Signal::SIGKILL);
        self.0 = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.end();
    }
}

/// Runs a program to its end, and hands back what it wrote.
pub(crate) async fn run(plan: &Plan, source: &str, mut spooler: Spooler) -> (Spooler, Ended) {
    let mut child = match start(plan) {
        Ok(child) => child,
        Err(error) => return (spooler, Ended::NotStarted(error.kind())),
    };
    let mut group = Group::of(&child);
    let (Some(output), Some(sayings)) = (child.stdout.take(), child.stderr.take()) else {
        return (spooler, Ended::Cut);
    };
    let mut log = AbortOnDropHandle::new(tokio::spawn(listen(sayings, source.to_owned())));
    let following = follow(&mut child, &mut group, output, &mut spooler);
    let ended = match tokio::time::timeout(plan.deadline, following).await {
        Ok(ended) => ended,
        Err(_) => Ended::Deadline(plan.deadline),
    };
    if !matches!(ended, Ended::Exit(_)) {
        group.signal(Signal::SIGTERM);
        // Whether it ended or not, it is killed next.
        let _ = tokio::time::timeout(GRACE, child.wait()).await;
    }
    group.end();
    // What it said last is of most use; but nobody is waited for that has left the group.
    let _ = tokio::time::timeout(DRAIN, &mut log).await;
    (spooler, ended)
}

fn start(plan: &Plan) -> std::io::Result<Child> {
    let mut command = Command::new(&plan.program);
    command
        .args(&plan.arguments)
        .env_clear()
        .envs(plan.env())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true);
    if let Some(folder) = &plan.working_dir {
        command.current_dir(folder);
    }
    command.spawn()
}

/// Reads what it writes until it has ended, or what it writes is refused.
async fn follow(
    child: &mut Child,
    group: &mut Group,
    output: impl AsyncRead + Unpin,
    spooler: &mut Spooler,
) -> Ended {
    let reading = read(output, spooler);
    tokio::pin!(reading);
    let exit = |waited: std::io::Result<ExitStatus>| match waited {
        Ok(status) => Ended::Exit(status),
        Err(_) => Ended::Cut,
    };
    tokio::select! {
        biased;
        read = &mut reading => match read {
            Read::Refused(refused) => Ended::Refused(refused),
            Read::Broken => Ended::Cut,
            // It has closed its output; how it ends is still to be seen.
            Read::End => exit(child.wait().await),
        },
        waited = child.wait() => {
            // What it has started and left behind would hold its output open.
            group.end();
            match tokio::time::timeout(DRAIN, reading).await {
                Ok(Read::End) => exit(waited),
                Ok(Read::Refused(refused)) => Ended::Refused(refused),
                Ok(Read::Broken) | Err(_) => Ended::Cut,
            }
        }
    }
}

/// How reading ended.
enum Read {
    End,
    Refused(Refused),
    Broken,
}

async fn read(mut output: impl AsyncRead + Unpin, spooler: &mut Spooler) -> Read {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let Ok(length) = output.read(&mut buffer).await else { return Read::Broken };
        if length == 0 {
            return Read::End;
        }
        spooler.feed(buffer.get(..length).unwrap_or_default());
        if let Some(refused) = spooler.problems().first() {
            return Read::Refused(refused.clone());
        }
    }
}

/// Logs what a program says on stderr: bounded, and harmless for a terminal.
async fn listen(mut sayings: impl AsyncRead + Unpin, source: String) {
    let mut buffer = vec![0; 8 * 1024];
    let mut line = Vec::new();
    let mut count = 0;
    loop {
        let length = sayings.read(&mut buffer).await.unwrap_or_default();
        for byte in buffer.get(..length).unwrap_or_default() {
            if *byte == b'\n' {
                say(&source, &mut line, &mut count);
            } else if line.len() <= MAX_SAID {
                line.push(*byte);
            }
        }
        if length == 0 {
            say(&source, &mut line, &mut count);
            break;
        }
    }
    if count > MAX_SAYINGS {
        let more = count - MAX_SAYINGS;
        tracing::warn!(source, more, "the program said more on stderr than is logged");
    }
}

fn say(source: &str, line: &mut Vec<u8>, count: &mut u64) {
    let said = std::mem::take(line);
    if said.is_empty() {
        return;
    }
    *count += 1;
    if *count <= MAX_SAYINGS {
        let said = harmless(&said);
        tracing::info!(source, said, "the program says");
    }
}

/// Text for a log: without control characters, cut, and without what looks like a secret.
fn harmless(said: &[u8]) -> String {
    let text = String::from_utf8_lossy(said);
    if is_secret(&text) {
        return "(a line that looks like it holds a secret)".to_owned();
    }
    let whole = text.chars().count() <= MAX_SAID;
    let clean = text.chars().take(MAX_SAID);
    let mut clean: String = clean.map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    if !whole || said.len() > MAX_SAID {
        clean.push('…');
    }
    clean
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_logged_is_harmless_for_a_terminal_bounded_and_no_secret() {
        assert_eq!(harmless(b"\x1b[2Jgone\r"), "\u{fffd}[2Jgone\u{fffd}");
        assert_eq!(harmless(&vec![b'a'; MAX_SAID + 1]).chars().count(), MAX_SAID + 1);
        let token = format!("using gh{}{}", "p_", "EXAMPLE".repeat(6));
        assert!(!harmless(token.as_bytes()).contains("EXAMPLE"));
    }
}
