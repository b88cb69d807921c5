//! One call after the other, in the turns that the governor gives.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use futures::future::BoxFuture;
use headcount_sdk::governor::{Governor, Turn};
use headcount_sdk::{Priority, ScanError};

use super::{Sessions, error, lock};
use crate::id::Place;

/// A place in the queue for one credential.
#[derive(Clone)]
pub(super) struct Line {
    pub(super) governor: Governor,
    pub(super) priority: Priority,
    pub(super) pause: Duration,
    pub(super) calls: Arc<AtomicU64>,
    /// Where to forget the session when AWS no longer takes it.
    pub(super) session: Option<(Place, Sessions)>,
}

impl Line {
    /// Calls made in this line so far.
    pub(super) fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }

    /// A turn for a call that another client makes.
    pub(super) async fn turn(&self) -> Turn {
        self.calls.fetch_add(1, Ordering::Relaxed);
        self.governor.turn(self.priority).await
    }

    /// Makes one call in its turn. A throttle stops everybody in this line for a while.
    ///
    /// Boxed here, once for all operations: the SDK's futures are so large that a few of them
    /// inside each other outgrow a thread's stack.
    pub(super) fn call<'a, T, E, F>(
        &'a self,
        operation: &'static str,
        send: F,
    ) -> BoxFuture<'a, Result<T, SdkError<E, HttpResponse>>>
    where
        T: Send,
        E: ProvideErrorMetadata + Send + Sync,
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>> + Send + 'a,
    {
        let send = Box::pin(send);
        Box::pin(async move {
            let _turn = self.governor.turn(self.priority).await;
            self.calls.fetch_add(1, Ordering::Relaxed);
            let answer = send.await;
            if let Err(failure) = &answer {
                self.heed(operation, failure);
            }
            answer
        })
    }

    fn heed<E: ProvideErrorMetadata>(
        &self,
        operation: &'static str,
        failure: &SdkError<E, HttpResponse>,
    ) {
        if matches!(error::scan_error(operation, failure), ScanError::Throttled { .. }) {
            self.governor.back_off(self.pause);
        }
        if let Some((place, sessions)) = &self.session
            && error::is_expired(failure)
        {
            lock(sessions).remove(place);
        }
    }

    pub(super) fn read<'a, T, E, F>(
        &'a self,
        operation: &'static str,
        send: F,
    ) -> impl Future<Output = Result<T, ScanError>> + Send + 'a
    where
        T: Send + 'a,
        E: ProvideErrorMetadata + Send + Sync + 'a,
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>> + Send + 'a,
    {
        let answer = self.call(operation, send);
        async move { answer.await.map_err(|failure| error::scan_error(operation, &failure)) }
    }
}
