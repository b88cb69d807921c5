//! Watches every kind for as long as the agent lives, keeps the mirrors, and says what changed.
//!
//! A watch that merely breaks off is resumed where it was. One that fails in any other way leaves
//! its mirror failed, and begins with a new list after a pause: a refusal is never a deletion, and
//! what was lost on the way is found by comparing. Before a list is believed, the cluster is asked
//! once more who it is, so that another one behind the same address empties nothing.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use headcount_sdk::{Hints, Priority, ScanError};
use jiff::Timestamp;
use kube::Api;
use kube::core::ApiResource;
use kube::runtime::watcher::{self, Event, watcher};
use tokio::time::Instant;

use crate::client::error::{
    is_break, is_expired, is_expired_for_good, refuses_streaming, unavailable, watch_error,
};
use crate::client::{Access, Discovered, quiet};
use crate::hints::{MOST, Pending, dirty};
use crate::keep::keep;
use crate::kinds::Kind;
use crate::listing::{Round, asked, settings};
use crate::manifest::GET_CLUSTER;
use crate::mirror::{Mirrors, Phase};
use crate::wire::{Bare, Decoded, Wire};

/// What all watches of a cluster share.
pub(crate) struct Feed<'a> {
    pub(crate) access: &'a Access,
    pub(crate) mirrors: Arc<Mirrors>,
    pub(crate) pending: Pending,
    pub(crate) streams_lists: bool,
    pub(crate) kinds: Vec<Kind>,
    /// What the server has; asked again where something was missing.
    pub(crate) discovered: tokio::sync::Mutex<Discovered>,
}

/// Pause before the server is asked again for what it does not have: an upgrade may bring it.
const ABSENT: Duration = Duration::from_secs(600);

/// A watch that lasted so long was well.
const WELL: Duration = Duration::from_secs(300);

/// Errors of one watch in a row, with nothing heard in between, after which it is begun anew.
const PATIENCE: u32 = 4;

/// Why a watch ended.
enum Ended {
    Failed(ScanError),
    /// The server takes no streamed lists; pages will do.
    NoStreaming,
    /// What was heard last is too old to go on from.
    Expired,
    /// Somebody else answers under this address.
    Elsewhere,
}

impl From<ScanError> for Ended {
    fn from(error: ScanError) -> Self {
        Self::Failed(error)
    }
}

impl Feed<'_> {
    /// Until the agent stops, or the cluster is another one.
    pub(crate) async fn run(&self, hints: &Hints) -> Result<(), ScanError> {
        let mut watches: FuturesUnordered<_> =
            self.kinds.iter().map(|kind| self.follow(*kind)).collect();
        tokio::select! {
            Some(ended) = watches.next() => ended,
            () = self.pending.pump(&self.mirrors.place, hints) => Ok(()),
        }
    }

    async fn follow(&self, kind: Kind) -> Result<(), ScanError> {
        let tuning = self.access.tuning;
        let mut pause = tuning.backoff;
        let mut streams = self.streams_lists;
        loop {
            let started = Instant::now();
            let ended = if kind == Kind::Secrets {
                self.watch::<Bare>(kind, streams).await
            } else {
                self.watch::<Wire>(kind, streams).await
            };
            // One that listed and failed at once was not well: each attempt lists everything.
            if started.elapsed() > WELL {
                pause = tuning.backoff;
            }
            let error = match ended {
                Ended::NoStreaming => {
                    streams = false;
                    continue;
                }
                Ended::Expired => {
                    // Nobody refused anything, so nothing failed; but nothing is sure either.
                    self.mirrors.refill(kind);
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(tuning.longest_backoff);
                    continue;
                }
                Ended::Elsewhere => {
                    return Err(unavailable(GET_CLUSTER, "another cluster answers now"));
                }
                Ended::Failed(error) => error,
            };
            self.fail(kind, &error);
            if matches!(error, ScanError::NotSupported { .. }) {
                tokio::time::sleep(ABSENT).await;
                if let Ok(found) = self.access.discover(Priority::Scan).await {
                    *self.discovered.lock().await = found;
                }
                continue;
            }
            tokio::time::sleep(pause.max(asked(&error).min(tuning.longest_backoff))).await;
            let is_denied = matches!(error, ScanError::Denied { .. });
            pause = (pause * 2).min(tuning.longest_backoff * if is_denied { 5 } else { 1 });
        }
    }

    fn fail(&self, kind: Kind, error: &ScanError) {
        self.access.heed(error);
        if self.mirrors.fail(kind, error.clone()) {
            tracing::warn!(
                kind = kind.resource().plural, %error,
                "a watch failed; what is known of it stays, and it is tried again"
            );
            self.pending.add_all(kind, |scope| self.is_listed(scope));
        }
    }

    fn is_listed(&self, scope: &str) -> bool {
        scope != crate::manifest::TOKEN_SECRETS || self.kinds.contains(&Kind::Secrets)
    }

    /// One watch, from its list until it fails.
    async fn watch<K: Decoded>(&self, kind: Kind, streams: bool) -> Ended {
        match self.try_watch::<K>(kind, streams).await {
            Ok(never) => match never {},
            Err(ended) => ended,
        }
    }

    async fn try_watch<K: Decoded>(
        &self,
        kind: Kind,
        streams: bool,
    ) -> Result<std::convert::Infallible, Ended> {
        let api: ApiResource = self.discovered.lock().await.api(kind)?;
        let api: Api<K> = Api::all_with(self.access.client().await?, &api);
        let settings = settings(kind, self.access.tuning.page_size);
        let settings = if streams { settings.streaming_lists() } else { settings };
        let mut events = std::pin::pin!(watcher(api, settings));
        let mut round: Option<Round> = None;
        let mut turn = Some(self.access.governor.turn(Priority::Scan).await);
        // Errors in a row, and lists that were begun and did not end.
        let (mut errors, mut begun) = (0, 0);
        loop {
            let event = if round.is_some() || turn.is_some() {
                match tokio::time::timeout(self.silence(streams), quiet(events.next())).await {
                    Ok(event) => event,
                    Err(_) if streams => return Err(Ended::NoStreaming),
                    Err(_) => {
                        let told = "the list did not end in time";
                        return Err(unavailable(kind.resource().list, told).into());
                    }
                }
            } else {
                quiet(events.next()).await
            };
            match event {
                Some(Ok(Event::InitDone)) => {
                    (errors, begun) = (0, 0);
                    // Given back first: to ask who answers takes a turn as well.
                    turn = None;
                    self.listed(kind, round.take()).await?;
                }
                Some(Ok(event)) => {
                    if matches!(event, Event::Init) {
                        // No sign of life: a list that breaks off is begun anew without a word.
                        begun += 1;
                    } else {
                        errors = 0;
                    }
                    if begun > PATIENCE && streams {
                        return Err(Ended::NoStreaming);
                    }
                    if begun > PATIENCE {
                        return Err(unavailable(kind.resource().list, "it never ends").into());
                    }
                    self.take(kind, event, &mut round)?;
                }
                Some(Err(error)) => {
                    errors += 1;
                    self.heard(kind, streams, (&error, errors))?;
                }
                None => return Err(unavailable(kind.resource().watch, "it ended").into()),
            }
        }
    }

    fn silence(&self, streams: bool) -> Duration {
        let tuning = self.access.tuning;
        if streams { tuning.stream_silence } else { tuning.list_deadline }
    }

    fn take<K: Decoded>(
        &self,
        kind: Kind,
        event: Event<K>,
        round: &mut Option<Round>,
    ) -> Result<(), ScanError> {
        match event {
            Event::Init => {
                // Clears nothing: what is known is compared when the list has ended.
                self.mirrors.refill(kind);
                *round = Some(Round::new(kind));
            }
            Event::InitApply(object) => {
                round.get_or_insert_with(|| Round::new(kind)).take(object.wire())?;
            }
            Event::Apply(object) => {
                let object = keep(kind, object.wire())?;
                if let Some(change) = self.mirrors.apply(kind, object) {
                    self.pending.add(dirty(&self.guess(), kind, &change));
                }
            }
            Event::Delete(object) => {
                let uid = object.meta().uid.clone().unwrap_or_default();
                if let Some(change) = self.mirrors.remove(kind, &uid) {
                    self.pending.add(dirty(&self.guess(), kind, &change));
                }
            }
            Event::InitDone => {}
        }
        Ok(())
    }

    fn guess(&self) -> crate::world::World {
        // Only what refers to what is looked at; no time is part of it.
        self.mirrors.guess(Timestamp::UNIX_EPOCH)
    }

    /// A list has ended.
    async fn listed(&self, kind: Kind, round: Option<Round>) -> Result<(), Ended> {
        let Some(round) = round else {
            return Err(unavailable(kind.resource().list, "it ended before it began").into());
        };
        if self.access.place(Priority::Hint).await? != self.mirrors.place {
            return Err(Ended::Elsewhere);
        }
        let swapped = self.mirrors.swap(kind, round.done());
        // Coverage that comes back is news as well. The first list is none: the scan at the start
        // waits for it, unless it had to look for itself before.
        let is_news = swapped.has_recovered
            || if swapped.is_first {
                self.mirrors.was_bypassed()
            } else {
                swapped.changes.len() > MOST
            };
        if is_news {
            self.pending.add_all(kind, |scope| self.is_listed(scope));
        } else if !swapped.is_first {
            let world = self.guess();
            for change in swapped.changes {
                self.pending.add(dirty(&world, kind, &change));
            }
        }
        Ok(())
    }

    /// Decides whether a watch that reports an error goes on.
    fn heard(
        &self,
        kind: Kind,
        streams: bool,
        (error, in_a_row): (&watcher::Error, u32),
    ) -> Result<(), Ended> {
        let is_patient = in_a_row < PATIENCE;
        if is_expired(error) && is_patient {
            // The watcher begins with a new list by itself.
            self.mirrors.refill(kind);
            return Ok(());
        }
        if is_expired_for_good(error) {
            return Err(Ended::Expired);
        }
        if streams && refuses_streaming(error) {
            return Err(Ended::NoStreaming);
        }
        if is_break(error) && is_patient && self.mirrors.phase(kind) == Phase::Ready {
            return Ok(());
        }
        let resource = kind.resource();
        Err(watch_error(resource.list, resource.watch, error).into())
    }
}
