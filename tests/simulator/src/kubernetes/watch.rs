//! Watches: what changes, line by line, until the client, the clock or the script ends it.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use tokio::sync::watch;
use tokio::time::Instant;

use super::cluster::Cluster;
use super::json::{self, View};
use super::list;
use super::log::{Entry, Line};
use super::object::{Object, Text};
use super::resource::Resource;
use super::script::{Ending, Expiry};
use super::select::Selector;
use super::signals::Open;
use super::status::Status;
use crate::serving::Shared;

/// Objects or lines in one chunk.
const CHUNK: usize = 200;

/// The beginning of a line.
const HALF_A_LINE: &str = "{\"type\":\"ADDED\",\"object\":{\"kind\":";

/// A watch that was asked for.
#[derive(Debug)]
pub(crate) struct WatchQuery {
    pub(crate) resource: Resource,
    pub(crate) namespace: Option<Text>,
    pub(crate) selector: Selector,
    pub(crate) version: Option<u64>,
    pub(crate) bookmarks: bool,
    pub(crate) send_initial: bool,
    pub(crate) timeout: Option<Duration>,
    pub(crate) view: View,
}

/// What a watch tells.
#[derive(Debug)]
pub(crate) enum Event {
    Added(Arc<Object>),
    Modified(Arc<Object>),
    /// With the version of its deletion.
    Deleted(Arc<Object>, u64),
    Bookmark {
        version: u64,
        ends_initial: bool,
    },
    Error(Status),
}

/// A watch under way.
pub(crate) struct Watch {
    shared: Arc<Shared<Cluster>>,
    query: WatchQuery,
    /// What existed at the beginning and is not yet sent.
    initial: VecDeque<Arc<Object>>,
    /// The version of `initial`, when its end is to be marked.
    mark: Option<u64>,
    /// The number of the next line of the log.
    next: u64,
    /// The log's end when the watch began: what was scripted before is not for this watch.
    began: u64,
    deadline: Instant,
    end: Option<Ending>,
    /// A piece of a line to be sent before the end.
    torn: Option<&'static str>,
    moved: watch::Receiver<u64>,
    /// Counts as open for as long as it lives.
    _open: Open,
}

impl Watch {
    /// Begins a watch, or says why not.
    pub(crate) fn begin(shared: &Arc<Shared<Cluster>>, query: WatchQuery) -> Result<Self, Status> {
        let inside = shared.lock();
        let cluster = &inside.world;
        if query.send_initial && cluster.script.no_streaming_lists {
            return Err(Status::invalid(
                "ListOptions.meta.k8s.io \"\" is invalid: sendInitialEvents: Forbidden: \
                 sendInitialEvents is forbidden for watch unless the WatchList feature gate is \
                 enabled",
            ));
        }
        // Unset and 0 mean: what is there now, and on from there.
        let version = query.version.filter(|version| *version > 0 && !query.send_initial);
        if let Some(version) = version.filter(|version| *version > cluster.version) {
            return Err(Status::too_new(version, cluster.version));
        }
        let mut watch = Self {
            shared: Arc::clone(shared),
            initial: VecDeque::new(),
            mark: None,
            next: cluster.log.after(version.unwrap_or(cluster.version)),
            began: cluster.log.end(),
            deadline: Instant::now() + query.timeout.unwrap_or(Duration::from_secs(1800)),
            end: None,
            torn: None,
            moved: inside.side.moved.subscribe(),
            _open: inside.side.open(query.resource),
            query,
        };
        let query = &watch.query;
        match version {
            Some(version) if version < cluster.log.oldest() => match cluster.script.expiry {
                Expiry::Status => return Err(Status::expired(version, cluster.log.oldest())),
                Expiry::Event => watch.end = Some(Ending::Expired),
            },
            Some(_) => {}
            None => {
                let namespace = query.namespace.as_ref();
                let initial = list::everything(cluster, query.resource, namespace, &query.selector);
                watch.mark = query.send_initial.then_some(cluster.version);
                watch.initial = initial.into();
                watch.next = cluster.log.end();
            }
        }
        drop(inside);
        Ok(watch)
    }

    /// Lets the watch end in the middle of a line: after half of what it begins with, without the
    /// mark of its end, and before anything else.
    pub(crate) fn cut(&mut self, ending: Ending) {
        self.initial.truncate(self.initial.len() / 2);
        (self.mark, self.torn, self.end) = (None, Some(HALF_A_LINE), Some(ending));
    }

    /// The next chunk of the body; `None` when the watch is over.
    pub(crate) async fn chunk(&mut self) -> Option<io::Result<Bytes>> {
        loop {
            let initial = self.initial_chunk();
            if !initial.is_empty() {
                return Some(Ok(initial.into()));
            }
            self.moved.borrow_and_update();
            let lines = self.lines();
            if !lines.is_empty() {
                return Some(Ok(lines.into()));
            }
            if let Some(torn) = self.torn.take() {
                return Some(Ok(Bytes::from_static(torn.as_bytes())));
            }
            match self.end.take() {
                Some(Ending::Broken) => {
                    self.end = Some(Ending::Closed);
                    // What is written is flushed when there is nothing to write for a moment.
                    tokio::task::yield_now().await;
                    return Some(Err(io::ErrorKind::ConnectionReset.into()));
                }
                Some(Ending::Closed) => return None,
                Some(told) => {
                    self.end = Some(Ending::Closed);
                    return Some(Ok(self.write(&Event::Error(self.told(told))).into()));
                }
                None => {}
            }
            let is_over = tokio::select! {
                // The sender lives in what this watch holds on to.
                _ = self.moved.changed() => false,
                () = tokio::time::sleep_until(self.deadline) => true,
                () = self.shared.stopped() => return None,
            };
            if is_over {
                self.end = Some(Ending::Closed);
                if let Some(bookmark) = self.last_bookmark() {
                    return Some(Ok(self.write(&bookmark).into()));
                }
            }
        }
    }

    fn initial_chunk(&mut self) -> String {
        let part: Vec<_> = self.initial.drain(..self.initial.len().min(CHUNK)).collect();
        let mut text: String =
            part.into_iter().map(|object| self.write(&Event::Added(object))).collect();
        if self.initial.is_empty()
            && let Some(version) = self.mark.take()
        {
            text += &self.write(&Event::Bookmark { version, ends_initial: true });
        }
        text
    }

    /// What the log holds that was not yet sent, up to a chunk or the end of the watch.
    fn lines(&mut self) -> String {
        let shared = Arc::clone(&self.shared);
        let inside = shared.lock();
        let cluster = &inside.world;
        if self.end.is_some() || cluster.script.held.contains(&self.query.resource) {
            return String::new();
        }
        let Some(lines) = cluster.log.from(self.next) else {
            self.end = Some(Ending::Expired);
            return String::new();
        };
        let mut text = String::new();
        for (n, line) in lines.enumerate() {
            if n >= CHUNK && !text.is_empty() {
                break;
            }
            self.next = line.number + 1;
            if line.resource == self.query.resource {
                text += &self.tell(line);
            }
            if self.end.is_some() {
                break;
            }
        }
        text
    }

    /// Before a watch times out, so that the next one need not begin far back. Only when
    /// everything was sent: a bookmark ahead of an event would lose it.
    fn last_bookmark(&self) -> Option<Event> {
        let inside = self.shared.lock();
        let cluster = &inside.world;
        let is_level = self.query.bookmarks && self.next == cluster.log.end();
        is_level.then_some(Event::Bookmark { version: cluster.version, ends_initial: false })
    }

    fn tell(&mut self, line: &Line) -> String {
        match &line.entry {
            Entry::Change { before, after, copies } => {
                let event = self.event(before.as_ref(), after.as_ref(), line.version);
                let text = event.map(|event| self.write(&event)).unwrap_or_default();
                text.repeat(usize::from(*copies))
            }
            Entry::Bookmark if self.query.bookmarks && line.number >= self.began => {
                self.write(&Event::Bookmark { version: line.version, ends_initial: false })
            }
            Entry::End(ending) if line.number >= self.began => {
                self.end = Some(*ending);
                String::new()
            }
            _ => String::new(),
        }
    }

    /// A change as this watch sees it: an object that begins to be selected is added.
    fn event(
        &self,
        before: Option<&Arc<Object>>,
        after: Option<&Arc<Object>>,
        version: u64,
    ) -> Option<Event> {
        let sees = |object: &&Arc<Object>| {
            let namespace = self.query.namespace.as_ref();
            namespace.is_none_or(|namespace| object.namespace == *namespace)
                && self.query.selector.selects(object)
        };
        match (before.filter(sees), after.filter(sees)) {
            (None, None) => None,
            (None, Some(after)) => Some(Event::Added(Arc::clone(after))),
            (Some(_), Some(after)) => Some(Event::Modified(Arc::clone(after))),
            (Some(before), None) => Some(Event::Deleted(Arc::clone(before), version)),
        }
    }

    fn told(&self, ending: Ending) -> Status {
        let resource = self.query.resource;
        match ending {
            Ending::Denied => {
                let namespace = self.query.namespace.as_deref();
                Status::denied("watch", resource.group(), resource.plural(), namespace)
            }
            Ending::Expired => {
                let oldest = self.shared.lock().world.log.oldest();
                Status::expired(self.query.version.unwrap_or_default(), oldest)
            }
            _ => Status::internal(),
        }
    }

    fn write(&self, event: &Event) -> String {
        json::event(event, self.query.resource, self.query.view)
    }
}
