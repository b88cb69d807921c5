//! A stream of lines, taken apart scope by scope and kept small.
//!
//! [`Spooler`] takes bytes as they come, validates line by line and keeps each scope's
//! observations deflated, so that a large scope takes little memory. It knows what
//! must hold between lines: who begins, that an id is said once, that a scope ends once. What comes
//! out is a [`Batch`] per scope with how it ended; nothing here decides what that proves. Past 400
//! lines, because what may follow what in a stream is one argument.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::io::{BufRead as _, BufReader, Write as _};

use aws_lc_rs::digest;
use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use headcount_sdk::{Degradation, Evidence, Observation, Recorder, ScanError, Scope};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::LINES;
use crate::line::{self, Done, Line, Seen, Wrong};

/// Bytes of a scope's lines that wait to be deflated together.
const BLOCK: usize = 32 * 1024;

/// How much is taken in. The product of scopes and [`BLOCK`] bounds what waits undeflated.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub line_bytes: usize,
    pub lines: u64,
    pub bytes: u64,
    pub scopes: usize,
    /// Deflated.
    pub kept_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            line_bytes: 1024 * 1024,
            lines: 1_000_000,
            bytes: 1024 * 1024 * 1024,
            scopes: 1_000,
            kept_bytes: 64 * 1024 * 1024,
        }
    }
}

/// Why a stream was not taken on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The first line is 1; 0 = the stream as a whole.
    pub line: u64,
    pub wrong: Wrong,
    pub is_too_large: bool,
}

impl Refused {
    /// Where, for a [`ScanError`]: no text of the line itself.
    #[must_use]
    pub fn path(&self) -> String {
        match (self.line, self.wrong.path.as_str()) {
            (0, _) => "the output as a whole".to_owned(),
            (line, "") => format!("line {line}"),
            (line, path) => format!("line {line}, {path}"),
        }
    }

    /// The same for the scopes that it struck.
    #[must_use]
    pub fn error(&self) -> ScanError {
        ScanError::Malformed { operation: LINES.to_owned(), path: self.path() }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}; {}", self.path(), self.wrong.problem, self.wrong.remedy)
    }
}

/// How a scope's lines ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "end", rename_all = "snake_case")]
pub enum Ending {
    Complete {
        expected: Option<u64>,
        as_of: Option<Timestamp>,
        degraded: Vec<Degradation>,
    },
    Failed {
        error: ScanError,
    },
    /// Nothing was said of its end.
    Open,
}

/// What was said of one scope.
#[derive(Clone, Debug)]
pub struct Batch {
    pub ending: Ending,
    pub count: u64,
    /// Observations as NDJSON, in one or more gzip members.
    pub packed: Vec<u8>,
    raw: Vec<u8>,
}

impl Default for Batch {
    fn default() -> Self {
        Self { ending: Ending::Open, count: 0, packed: Vec::new(), raw: Vec::new() }
    }
}

impl Batch {
    /// A batch as it was kept.
    #[must_use]
    pub const fn kept(ending: Ending, count: u64, packed: Vec<u8>) -> Self {
        Self { ending, count, packed, raw: Vec::new() }
    }

    /// The observations in the order in which they were written, and an error if they are not as
    /// many as were.
    pub fn observations(&self) -> impl Iterator<Item = std::io::Result<Observation>> {
        // Nothing is packed where nothing was seen, and nothing is no gzip.
        let packed = (!self.packed.is_empty()).then_some(self.packed.as_slice());
        let lines = packed.map(|packed| BufReader::new(MultiGzDecoder::new(packed)).lines());
        let mut left = self.count;
        let mut observations = lines.into_iter().flatten().map(|line| {
            let line = line?;
            Ok(serde_json::from_str(&line)?)
        });
        let mut is_over = false;
        std::iter::from_fn(move || {
            if is_over {
                return None;
            }
            let next = observations.next();
            is_over = !matches!(next, Some(Ok(_)));
            match next {
                Some(Ok(observation)) => {
                    left = left.wrapping_sub(1);
                    Some(Ok(observation))
                }
                None if left != 0 => Some(Err(std::io::ErrorKind::UnexpectedEof.into())),
                other => other,
            }
        })
    }

    /// Hands every observation to a recorder, and how it ended if that was `complete`. Those that
    /// name no evidence get `origin` and `at` for theirs.
    ///
    /// # Errors
    ///
    /// When what was kept cannot be read back.
    pub async fn record(
        &self,
        recorder: &mut Recorder<'_>,
        origin: &str,
        at: Timestamp,
    ) -> Result<(), ScanError> {
        for (number, observation) in self.observations().enumerate() {
            let mut observation = observation.map_err(|_| ScanError::Unavailable {
                operation: LINES.to_owned(),
                reason: "what was kept of them cannot be read back".to_owned(),
            })?;
            if observation.evidence.is_empty() {
                let native = Some(observation.native.as_str()).filter(|text| !text.is_empty());
                let object = native.unwrap_or(observation.id.as_str()).to_owned();
                observation.evidence = vec![Evidence { operation: origin.to_owned(), object, at }];
            }
            recorder.record(observation);
            if number % 256 == 255 {
                tokio::task::yield_now().await;
            }
        }
        if let Ending::Complete { expected, degraded, .. } = &self.ending {
            if let Some(expected) = expected {
                recorder.expect(*expected);
            }
            for Degradation { field, error } in degraded {
                recorder.degrade(field, error.clone());
            }
        }
        Ok(())
    }

    fn add(&mut self, observation: &Observation) -> std::io::Result<()> {
        serde_json::to_writer(&mut self.raw, observation)?;
        self.raw.push(b'\n');
        self.count += 1;
        if self.raw.len() >= BLOCK { self.pack() } else { Ok(()) }
    }

    fn pack(&mut self) -> std::io::Result<()> {
        if self.raw.is_empty() {
            return Ok(());
        }
        let mut encoder = GzEncoder::new(std::mem::take(&mut self.packed), Compression::fast());
        encoder.write_all(&self.raw)?;
        self.packed = encoder.finish()?;
        self.raw = Vec::new();
        Ok(())
    }
}

/// Everything that one stream said.
#[derive(Debug)]
pub struct Spool {
    pub scan: String,
    /// A digest of all bytes, to tell a repetition from another stream of the same name.
    pub digest: String,
    pub batches: BTreeMap<Scope, Batch>,
}

/// Takes a stream in.
pub struct Spooler {
    limits: Limits,
    now: Timestamp,
    partial: Vec<u8>,
    /// A line is longer than allowed; the rest of it is dropped.
    is_overlong: bool,
    line: u64,
    bytes: u64,
    kept: usize,
    hash: digest::Context,
    scan: Option<String>,
    seen: HashSet<u128>,
    batches: BTreeMap<Scope, Batch>,
    problems: Vec<Refused>,
}

impl fmt::Debug for Spooler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Spooler").field("line", &self.line).finish_non_exhaustive()
    }
}

impl Spooler {
    #[must_use]
    pub fn new(limits: Limits, now: Timestamp) -> Self {
        Self {
            limits,
            now,
            partial: Vec::new(),
            is_overlong: false,
            line: 0,
            bytes: 0,
            kept: 0,
            hash: digest::Context::new(&digest::SHA256),
            scan: None,
            seen: HashSet::new(),
            batches: BTreeMap::new(),
            problems: Vec::new(),
        }
    }

    /// Takes the next bytes, wherever they are cut. What is wrong shows in [`Spooler::problems`].
    pub fn feed(&mut self, bytes: &[u8]) {
        self.hash.update(bytes);
        self.bytes += bytes.len() as u64;
        if self.bytes > self.limits.bytes {
            return self.refuse_whole("there is too much of it");
        }
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let (text, ends) = match piece.strip_suffix(b"\n") {
                Some(text) => (text, true),
                None => (piece, false),
            };
            if self.partial.len() + text.len() > self.limits.line_bytes {
                self.is_overlong = true;
                self.partial = Vec::new();
            } else if !self.is_overlong {
                self.partial.extend_from_slice(text);
            }
            if ends {
                self.end_line();
            }
        }
    }

    /// What is wrong with the stream so far; the first is what counts.
    #[must_use]
    pub fn problems(&self) -> &[Refused] {
        &self.problems
    }

    /// The name of the scan, once it has begun.
    #[must_use]
    pub fn scan(&self) -> Option<&str> {
        self.scan.as_deref()
    }

    /// Drops a last line that has no newline.
    pub fn forget_partial(&mut self) {
        self.partial = Vec::new();
        self.is_overlong = false;
    }

    /// Takes the end of the stream, a last line without its newline included.
    pub fn end(&mut self) {
        if !self.partial.is_empty() || self.is_overlong {
            self.end_line();
        }
        if self.scan.is_none() && self.problems.is_empty() {
            let remedy = "begin with {\"type\":\"begin\",\"schema\":1,\"scan\":\"…\"}";
            self.refuse(0, Wrong::new("", "there is no line `begin`", remedy));
        }
        for batch in self.batches.values_mut() {
            if let Err(error) = batch.pack() {
                tracing::error!(%error, "lines could not be deflated");
                batch.ending = Ending::Failed { error: not_deflated() };
            }
        }
    }

    /// Hands out what was taken in. A scope without an end, and one that a refused line named, has
    /// the first problem for its end; those that had ended before stand.
    #[must_use]
    pub fn finish(mut self) -> Spool {
        self.end();
        for refused in &self.problems {
            let struck = refused.wrong.scope.as_ref();
            let struck = struck.and_then(|scope| self.batches.get_mut(scope));
            if let Some(batch) = struck {
                batch.ending = Ending::Failed { error: refused.error() };
            }
        }
        if let Some(first) = self.problems.first() {
            let open = self.batches.values_mut().filter(|batch| batch.ending == Ending::Open);
            open.for_each(|batch| batch.ending = Ending::Failed { error: first.error() });
        }
        let digest = self.hash.finish();
        Spool {
            scan: self.scan.unwrap_or_default(),
            digest: digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect(),
            batches: self.batches,
        }
    }

    fn end_line(&mut self) {
        self.line += 1;
        let line = std::mem::take(&mut self.partial);
        if std::mem::take(&mut self.is_overlong) {
            let remedy = format!("a line has at most {} bytes", self.limits.line_bytes);
            let wrong = Wrong::new("", "the line is too long", remedy);
            self.problems.push(Refused { line: self.line, wrong, is_too_large: true });
            return;
        }
        if self.line > self.limits.lines {
            return self.refuse_whole("it has too many lines");
        }
        if line.iter().all(u8::is_ascii_whitespace) {
            return;
        }
        let taken = line::parse(&line, self.now).and_then(|line| self.take(line));
        if let Err(wrong) = taken {
            self.refuse(self.line, wrong);
        } else if self.kept > self.limits.kept_bytes {
            self.refuse_whole("there is too much of it");
        }
    }

    fn take(&mut self, line: Line) -> Result<(), Wrong> {
        if let Line::Begin(begin) = line {
            if self.scan.is_some() {
                let remedy = "one stream is one scan: write the line `begin` once";
                return Err(Wrong::new("type", "the scan has begun already", remedy));
            }
            self.scan = Some(begin.scan);
            return Ok(());
        }
        if self.scan.is_none() {
            let remedy = "write {\"type\":\"begin\",\"schema\":1,\"scan\":\"…\"} first";
            return Err(Wrong::new("type", "the scan has not begun", remedy));
        }
        match line {
            Line::Begin(_) => Ok(()),
            Line::Observation(seen) => self.observe(*seen),
            Line::Complete(done) => self.complete(done),
            Line::Failed(failure) => {
                let batch = self.open(&failure.scope)?;
                batch.ending = Ending::Failed { error: failure.error };
                Ok(())
            }
        }
    }

    fn observe(&mut self, seen: Seen) -> Result<(), Wrong> {
        let Seen { scope, observation } = seen;
        let key = key(observation.id.as_str());
        let batch = self.open(&scope)?;
        let before = batch.packed.len();
        batch.add(&observation).map_err(|_| {
            let wrong = Wrong::new("", "the line could not be kept", "try again");
            Wrong { scope: Some(scope.clone()), ..wrong }
        })?;
        let grown = batch.packed.len() - before;
        self.kept += grown;
        if self.seen.insert(key) {
            return Ok(());
        }
        let remedy = "say every record once, in one scope";
        let wrong = Wrong::new("observation.id", "this id was said before", remedy);
        Err(Wrong { scope: Some(scope), ..wrong })
    }

    fn complete(&mut self, done: Done) -> Result<(), Wrong> {
        let Done { scope, expected, as_of, degraded } = done;
        let batch = self.open(&scope)?;
        let count = batch.count;
        if expected.is_some_and(|expected| expected != count) {
            let remedy = "count what was written for this scope; were lines lost on the way?";
            let problem = format!("{count} observations came, and another number was expected");
            let wrong = Wrong::new("expected", problem, remedy);
            return Err(Wrong { scope: Some(scope), ..wrong });
        }
        batch.ending = Ending::Complete { expected, as_of, degraded };
        Ok(())
    }

    /// The batch of a scope that has not ended.
    fn open(&mut self, scope: &Scope) -> Result<&mut Batch, Wrong> {
        if !self.batches.contains_key(scope) && self.batches.len() >= self.limits.scopes {
            let remedy = format!("one scan has at most {} scopes", self.limits.scopes);
            return Err(Wrong::new("scope", "there are too many scopes", remedy));
        }
        let batch = self.batches.entry(scope.clone()).or_default();
        if batch.ending != Ending::Open {
            let remedy = "end a scope once, after its last observation";
            let wrong = Wrong::new("scope", "this scope has ended already", remedy);
            return Err(Wrong { scope: Some(scope.clone()), ..wrong });
        }
        Ok(batch)
    }

    fn refuse(&mut self, line: u64, wrong: Wrong) {
        self.problems.push(Refused { line, wrong, is_too_large: false });
    }

    fn refuse_whole(&mut self, problem: &str) {
        if self.problems.iter().any(|refused| refused.line == 0) {
            return;
        }
        let Limits { lines, bytes, kept_bytes, .. } = self.limits;
        let remedy = format!(
            "split it: at most {lines} lines, {bytes} bytes, and {kept_bytes} bytes deflated"
        );
        let wrong = Wrong::new("", problem, remedy);
        self.problems.push(Refused { line: 0, wrong, is_too_large: true });
    }
}

fn not_deflated() -> ScanError {
    ScanError::Unavailable {
        operation: LINES.to_owned(),
        reason: "they could not be deflated".to_owned(),
    }
}

/// An id as a number: some bytes each, however long the id.
pub(crate) fn key(id: &str) -> u128 {
    let digest = digest::digest(&digest::SHA256, id.as_bytes());
    digest.as_ref().iter().take(16).fold(0, |number, byte| (number << 8) | u128::from(*byte))
}

#[cfg(test)]
mod tests;
