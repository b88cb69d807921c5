//! The feed of hints: messages of an SQS queue, read, turned into hints, and deleted only when
//! what they name is committed.
//!
//! A message is a dirty mark and nothing else. One that comes twice or late costs a reading; one
//! that is about something else is deleted and counted; one that is not understood, or whose
//! subjects cannot be read, comes back until it has been received [`MOST_RECEIVES`] times, then it
//! is set aside ([`aside`]). None of them stops the feed. Start at [`Feed::run`].

mod aside;
pub(crate) mod creators;
pub(crate) mod envelope;
pub(crate) mod event;
pub(crate) mod trail;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::StreamExt;
use futures::future::join_all;
use headcount_sdk::{Cache, Handled, Hint, Hints, ScanError};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until};

use self::aside::GivenUp;
use self::creators::Creators;
use self::envelope::{Notice, Object};
use self::event::Event;
use crate::id::Place;

/// A dead-letter queue with a `maxReceiveCount` below this keeps what would be given up.
const MOST_RECEIVES: u32 = 10;

/// Messages read and not yet settled; more stay in the queue.
const WAITING: usize = 1_000;

/// Files fetched at once.
const FETCHES: usize = 4;

/// Failures in a row before the agent is told; it starts the feed again after a pause.
const MOST_FAILURES: u32 = 6;

/// Shortest time between two looks at a queue that answers at once that it is empty.
const LULL: Duration = Duration::from_secs(1);

/// Scopes whose records others name as parent: they are read first.
const FIRST: &[&str] = &["users", "roles"];

/// A message as it was received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) id: String,
    /// With which it is deleted.
    pub(crate) receipt: String,
    pub(crate) body: String,
    /// How often it was received, this time included.
    pub(crate) receives: u32,
}

/// What the feed needs of the world.
#[async_trait]
pub(crate) trait Wire: Sync {
    /// The next messages, waiting for them for a while.
    async fn receive(&self) -> Result<Vec<Message>, ScanError>;
    /// Deletes messages by receipt; gives how many were not deleted.
    async fn delete(&self, receipts: &[String]) -> Result<usize, ScanError>;
    async fn fetch(&self, object: &Object) -> Result<Vec<u8>, ScanError>;
    /// Whether an account is one that this source counts.
    async fn counts(&self, place: &Place) -> Result<bool, ScanError>;
}

pub(crate) struct Feed<'a> {
    pub(crate) source: &'a str,
    pub(crate) wire: &'a dyn Wire,
    pub(crate) hints: Hints,
    pub(crate) creators: &'a Creators,
    pub(crate) cache: Arc<dyn Cache>,
    /// Between an event and the reading of what it names.
    pub(crate) settle: Duration,
}

/// A message that was understood, until what it names is committed.
#[derive(Debug)]
struct Waiting {
    id: String,
    receipt: String,
    receives: u32,
    due: Instant,
    hints: BTreeMap<Place, BTreeSet<Hint>>,
}

/// What reading a message brought.
enum Read {
    Understood(Waiting),
    /// About something else: another service, another account.
    Elsewhere(String),
    /// Not understood, or what it points to could not be read.
    Unread(Message, String),
}

impl Feed<'_> {
    /// Reads the queue until it cannot be read.
    pub(crate) async fn run(&self) -> Result<(), ScanError> {
        let (sender, waiting) = mpsc::channel(WAITING);
        futures::try_join!(self.receive(sender), self.settle(waiting)).map(drop)
    }

    async fn receive(&self, waiting: mpsc::Sender<Waiting>) -> Result<(), ScanError> {
        let mut failures = 0;
        loop {
            let asked_at = Instant::now();
            match self.wire.receive().await {
                Ok(messages) => {
                    failures = 0;
                    if messages.is_empty() {
                        sleep_until(asked_at + LULL).await;
                    } else if !self.sort(messages, &waiting).await? {
                        return Ok(());
                    }
                }
                Err(error) => {
                    failures += 1;
                    self.pause_after(error, failures).await?;
                }
            }
        }
    }

    /// Waits after a failure that may pass, and gives back one that will not.
    async fn pause_after(&self, error: ScanError, failures: u32) -> Result<(), ScanError> {
        let passes = matches!(error, ScanError::Throttled { .. } | ScanError::Unavailable { .. });
        if !passes || failures >= MOST_FAILURES {
            return Err(error);
        }
        tracing::warn!(source = self.source, %error, failures, "the queue of events was not read");
        let wait = match error {
            ScanError::Throttled { retry_after_secs: Some(secs), .. } => {
                Duration::from_secs(secs.min(300))
            }
            _ => Duration::from_secs(1 << failures),
        };
        sleep(wait).await;
        Ok(())
    }

    /// Sorts messages by what is to be done with them. False when nobody settles any more.
    async fn sort(
        &self,
        messages: Vec<Message>,
        waiting: &mpsc::Sender<Waiting>,
    ) -> Result<bool, ScanError> {
        let mut delete = Vec::new();
        let mut given_up = Vec::new();
        let mut n_elsewhere = 0_usize;
        let reads = messages.into_iter().map(|message| self.read(message));
        let mut reads = futures::stream::iter(reads).buffered(FETCHES);
        while let Some(read) = reads.next().await {
            match read? {
                Read::Understood(message) => {
                    if waiting.send(message).await.is_err() {
                        return Ok(false);
                    }
                }
                Read::Elsewhere(receipt) => {
                    n_elsewhere += 1;
                    delete.push(receipt);
                }
                Read::Unread(message, why) => {
                    tracing::warn!(
                        source = self.source,
                        message = message.id,
                        why,
                        receives = message.receives,
                        "a message of the queue of events was not understood"
                    );
                    if message.receives >= MOST_RECEIVES {
                        delete.push(message.receipt.clone());
                        given_up.push(GivenUp {
                            message: message.id,
                            why,
                            receives: message.receives,
                        });
                    }
                }
            }
        }
        drop(reads);
        if n_elsewhere > 0 {
            tracing::debug!(source = self.source, ignored = n_elsewhere, "messages ignored");
        }
        self.set_aside(given_up).await;
        self.delete(&delete).await?;
        Ok(true)
    }

    async fn read(&self, message: Message) -> Result<Read, ScanError> {
        let notices = match envelope::read(&message.body) {
            Ok(notices) => notices,
            Err(why) => return Ok(Read::Unread(message, why.to_owned())),
        };
        let mut events = Vec::new();
        for notice in notices {
            match notice {
                Notice::Event(event) => events.push(*event),
                Notice::Object(object) => match self.file(&object, &message.id).await {
                    Ok(told) => events.extend(told),
                    Err(why) => return Ok(Read::Unread(message, why)),
                },
            }
        }
        let hints = match self.counted(events).await {
            Ok(hints) => hints,
            Err(error) => return Ok(Read::Unread(message, error.to_string())),
        };
        if hints.is_empty() {
            return Ok(Read::Elsewhere(message.receipt));
        }
        let Message { id, receipt, receives, .. } = message;
        Ok(Read::Understood(Waiting {
            id,
            receipt,
            receives,
            due: Instant::now() + self.settle,
            hints,
        }))
    }

    async fn file(&self, object: &Object, message: &str) -> Result<Vec<Event>, String> {
        let file = self.wire.fetch(object).await.map_err(|error| error.to_string())?;
        // A large file takes a while, and others want their turn.
        let told = tokio::task::spawn_blocking(move || trail::read(&file)).await;
        let told = told.map_err(|_| "reading the file was given up")??;
        if told.unclear > 0 {
            tracing::warn!(
                source = self.source,
                message,
                records = told.unclear,
                "records of a trail were not understood"
            );
        }
        Ok(told.events)
    }

    /// The hints of accounts that this source counts; their creators are remembered.
    async fn counted(
        &self,
        events: Vec<Event>,
    ) -> Result<BTreeMap<Place, BTreeSet<Hint>>, ScanError> {
        let mut hints: BTreeMap<Place, BTreeSet<Hint>> = BTreeMap::new();
        let mut strangers = BTreeSet::new();
        for event in events {
            if strangers.contains(&event.place) {
                continue;
            }
            if !hints.contains_key(&event.place) && !self.wire.counts(&event.place).await? {
                strangers.insert(event.place);
                continue;
            }
            if let Some(creator) = event.creator {
                self.creators.remember(creator);
            }
            hints.entry(event.place).or_default().extend(event.hints);
        }
        Ok(hints)
    }

    /// Hands hints on when their time has come, at most one batch per settle time: many events on
    /// one subject cost one reading.
    async fn settle(&self, mut arriving: mpsc::Receiver<Waiting>) -> Result<(), ScanError> {
        let mut waiting: VecDeque<Waiting> = VecDeque::new();
        let mut not_before = Instant::now();
        loop {
            while waiting.len() < WAITING
                && let Ok(message) = arriving.try_recv()
            {
                waiting.push_back(message);
            }
            let Some(first) = waiting.front() else {
                match arriving.recv().await {
                    Some(message) => waiting.push_back(message),
                    None => return Ok(()),
                }
                continue;
            };
            let at = first.due.max(not_before);
            let now = Instant::now();
            if at > now {
                sleep_until(at).await;
                continue;
            }
            not_before = now + self.settle;
            let due = waiting.partition_point(|message| message.due <= now);
            let batch: Vec<Waiting> = waiting.drain(..due).collect();
            self.commit(batch).await?;
        }
    }

    /// Has everything read that a batch names, and deletes the messages of which all is committed.
    async fn commit(&self, batch: Vec<Waiting>) -> Result<(), ScanError> {
        let mut by_place: BTreeMap<&Place, BTreeSet<&Hint>> = BTreeMap::new();
        for (place, hints) in batch.iter().flat_map(|message| &message.hints) {
            by_place.entry(place).or_default().extend(hints);
        }
        let handled = by_place.into_iter().map(|(place, hints)| async move {
            (place.clone(), self.hint(&hints).await == Handled::Committed)
        });
        let committed: BTreeSet<Place> = join_all(handled)
            .await
            .into_iter()
            .filter_map(|(place, committed)| committed.then_some(place))
            .collect();
        let mut delete = Vec::new();
        let mut given_up = Vec::new();
        let mut n_failed = 0_usize;
        for message in batch {
            let failed = message.hints.keys().find(|place| !committed.contains(place));
            match failed {
                None => delete.push(message.receipt),
                Some(place) if message.receives >= MOST_RECEIVES => {
                    let why = format!("what it names in {place} could not be read");
                    delete.push(message.receipt);
                    given_up.push(GivenUp { message: message.id, why, receives: message.receives });
                }
                // It comes back when the queue shows it again.
                Some(_) => n_failed += 1,
            }
        }
        tracing::debug!(
            source = self.source,
            committed = delete.len() - given_up.len(),
            failed = n_failed,
            "events settled"
        );
        self.set_aside(given_up).await;
        self.delete(&delete).await
    }

    /// Identities first, because what belongs to them follows their owner.
    async fn hint(&self, hints: &BTreeSet<&Hint>) -> Handled {
        let (first, then): (Vec<Hint>, Vec<Hint>) = hints
            .iter()
            .map(|hint| (*hint).clone())
            .partition(|hint| FIRST.contains(&hint.scope.kind.as_str()));
        for hints in [first, then] {
            if !hints.is_empty() && self.hints.settle(hints).await == Handled::Failed {
                return Handled::Failed;
            }
        }
        Handled::Committed
    }

    async fn set_aside(&self, given_up: Vec<GivenUp>) {
        if given_up.is_empty() {
            return;
        }
        for GivenUp { message, why, receives } in &given_up {
            tracing::error!(
                source = self.source,
                message,
                why,
                receives,
                "a message of the queue of events was set aside; the next scan finds what it was about"
            );
        }
        let count = aside::note(self.cache.as_ref(), given_up).await;
        tracing::error!(source = self.source, set_aside = count, "messages set aside in all");
    }

    /// A message that is not deleted comes again, which costs a reading. Only a permission that is
    /// missing ends the feed: every message would come again for ever.
    async fn delete(&self, receipts: &[String]) -> Result<(), ScanError> {
        if receipts.is_empty() {
            return Ok(());
        }
        match self.wire.delete(receipts).await {
            Ok(0) => {}
            Ok(left) => {
                tracing::warn!(source = self.source, left, "messages were not deleted");
            }
            Err(error @ ScanError::Denied { .. }) => return Err(error),
            Err(error) => tracing::warn!(source = self.source, %error, "messages were not deleted"),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
