//! Makes the attempts for what is due: one by one, some at a time, or in batches.
//!
//! What is not attempted, because of the order to stop or because nothing gets through, is left out
//! of the answer and stays due.

use std::iter::Peekable;

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::Worker;
use crate::deliver::DeliveryError;
use crate::deliver::sinks::Batch;
use crate::store::{Delivery, Event};

/// Failures in a row after which the rest of what is due waits.
const HOPELESS: u32 = 10;

/// One attempt that came to an end.
pub(super) struct Tried {
    pub(super) delivery: Delivery,
    pub(super) at: Timestamp,
    pub(super) result: Result<(), DeliveryError>,
}

impl Worker {
    /// Attempts everything that is due.
    pub(super) async fn try_all(&self, due: Vec<Delivery>, stop: &CancellationToken) -> Vec<Tried> {
        let mut tried = match self.sink.batch() {
            Some(batch) => self.try_batches(due, batch, stop).await,
            None => self.try_each(due, stop).await,
        };
        if let Err(error) = self.sink.settle().await {
            for one in tried.iter_mut().filter(|one| one.result.is_ok()) {
                one.result = Err(error.clone());
            }
        }
        tried
    }

    /// Ends when attempts that are under way may go on no longer.
    async fn over(&self, stop: &CancellationToken) {
        stop.cancelled().await;
        tokio::time::sleep(self.pace.grace).await;
    }

    async fn try_each(&self, due: Vec<Delivery>, stop: &CancellationToken) -> Vec<Tried> {
        let mut waiting = due.into_iter();
        let mut under_way = FuturesUnordered::new();
        let mut tried = Vec::with_capacity(waiting.len());
        let mut in_vain = 0;
        let over = self.over(stop);
        tokio::pin!(over);
        loop {
            while under_way.len() < self.sink.concurrency()
                && in_vain < HOPELESS
                && !stop.is_cancelled()
                && let Some(delivery) = waiting.next()
            {
                under_way.push(self.try_one(delivery));
            }
            tokio::select! {
                biased;
                next = under_way.next() => match next {
                    Some(one) => {
                        in_vain = if one.result.is_ok() { 0 } else { in_vain + 1 };
                        tried.push(one);
                    }
                    None => break,
                },
                () = &mut over => break,
            }
        }
        tried
    }

    async fn try_one(&self, delivery: Delivery) -> Tried {
        let result = self.sink.deliver(&delivery.event).await;
        self.tried(delivery, result)
    }

    fn tried(&self, delivery: Delivery, result: Result<(), DeliveryError>) -> Tried {
        Tried { delivery, at: self.clock.now(), result }
    }

    /// One batch after the other, because they keep the order of events.
    async fn try_batches(
        &self,
        due: Vec<Delivery>,
        batch: Batch,
        stop: &CancellationToken,
    ) -> Vec<Tried> {
        let mut waiting = due.into_iter().peekable();
        let mut tried = Vec::new();
        let mut in_vain = 0;
        let over = self.over(stop);
        tokio::pin!(over);
        while in_vain < HOPELESS && !stop.is_cancelled() {
            let pile = self.pile(&mut waiting, batch);
            if pile.is_empty() {
                break;
            }
            tokio::select! {
                biased;
                some = self.try_pile(pile, &mut in_vain) => tried.extend(some),
                () = &mut over => break,
            }
        }
        tried
    }

    /// The next events that may stand in one batch.
    fn pile(
        &self,
        waiting: &mut Peekable<impl Iterator<Item = Delivery>>,
        batch: Batch,
    ) -> Vec<Delivery> {
        let Some(first) = waiting.next() else { return Vec::new() };
        let mut bytes = first.event.body.len();
        let mut pile = vec![first];
        while let (Some(next), Some(first)) = (waiting.peek(), pile.first()) {
            bytes = bytes.saturating_add(next.event.body.len());
            let fits = pile.len() < batch.events && bytes <= batch.bytes;
            if !fits || !self.sink.goes_with(&first.event, &next.event) {
                break;
            }
            pile.extend(waiting.next());
        }
        pile
    }

    /// Delivers a batch; one of several that is rejected again one by one, so that only what is
    /// rejected alone counts as rejected.
    async fn try_pile(&self, pile: Vec<Delivery>, in_vain: &mut u32) -> Vec<Tried> {
        let events: Vec<&Event> = pile.iter().map(|delivery| &delivery.event).collect();
        let result = self.sink.deliver_batch(&events).await;
        if pile.len() == 1 || !matches!(result, Err(DeliveryError::Reject { .. })) {
            *in_vain = if result.is_ok() { 0 } else { *in_vain + 1 };
            return pile.into_iter().map(|one| self.tried(one, result.clone())).collect();
        }
        let mut tried = Vec::with_capacity(pile.len());
        for delivery in pile {
            if *in_vain >= HOPELESS {
                break;
            }
            let result = self.sink.deliver_batch(&[&delivery.event]).await;
            *in_vain = if result.is_ok() { 0 } else { *in_vain + 1 };
            tried.push(self.tried(delivery, result));
        }
        tried
    }
}
