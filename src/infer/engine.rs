//! [`Engine`]: one model, one named thread, one bounded queue.
//!
//! A caller gets a place in the queue or [`InferError::Busy`] at once; nobody waits for a place. Requests of the same
//! size that wait together run together. A request whose caller has left ([`Pending`] dropped) is not run.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Weak};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::backend::{Backend, ResidualOutput, ResidualRequest};
use super::error::InferError;
use super::stats::{EngineStats, Times};
use crate::domain::ModelSpec;
use crate::telemetry::names;

/// How an engine is run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineOptions {
    /// Name of the thread, as it appears in debuggers and logs.
    pub thread_name: String,
    /// How many requests may wait; at least 1. The one that runs is not among them.
    pub queue: usize,
    /// Sizes (height, width) at which the model is warmed up before the first request; none to leave it cold.
    pub warm_up: Vec<(usize, usize)>,
}

impl Default for EngineOptions {
    fn default() -> Self {
        Self { thread_name: "infer-residual".to_owned(), queue: 8, warm_up: Vec::new() }
    }
}

type Answer = Result<ResidualOutput, InferError>;

/// One request under way.
struct Job {
    request: ResidualRequest,
    span: tracing::Span,
    reply: SyncSender<Answer>,
    /// Gone when the caller has left.
    caller: Weak<()>,
    asked: Instant,
}

/// Where the thread notes its times.
struct Meters {
    request_us: Arc<AtomicU64>,
    times: Arc<Times>,
}

enum Message {
    Run(Box<Job>),
    Health(SyncSender<Result<(), InferError>>),
}

/// An answer that is on its way. Dropping it tells the engine that nobody waits any more.
#[derive(Debug)]
pub struct Pending {
    reply: Receiver<Answer>,
    _caller: Arc<()>,
}

impl Pending {
    /// Waits for the answer.
    ///
    /// # Errors
    /// The backend's, or [`InferError::Stopped`] when its thread has ended.
    pub fn wait(self) -> Answer {
        self.reply.recv().unwrap_or(Err(InferError::Stopped))
    }

    /// Waits for the answer, at most `limit`; `None` when it did not come, and then it is not computed any more if it
    /// has not been begun.
    ///
    /// # Errors
    /// As [`Pending::wait`].
    pub fn wait_for(self, limit: Duration) -> Option<Answer> {
        match self.reply.recv_timeout(limit) {
            Ok(answer) => Some(answer),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => Some(Err(InferError::Stopped)),
        }
    }
}

/// A running model.
#[derive(Debug)]
pub struct Engine {
    sender: Option<SyncSender<Message>>,
    thread: Option<JoinHandle<()>>,
    spec: ModelSpec,
    queue: usize,
    /// Smoothed time of one request, µs; the basis of `retry_after`.
    request_us: Arc<AtomicU64>,
    times: Arc<Times>,
}

impl Engine {
    /// Starts the thread, which warms the model up as `options` say.
    ///
    /// # Errors
    /// When the thread cannot be started, or the warm-up fails.
    pub fn start(backend: impl Backend + 'static, options: EngineOptions) -> Result<Self, InferError> {
        let spec = backend.spec().clone();
        let queue = options.queue.max(1);
        let (sender, receiver) = sync_channel(queue);
        let (ready, is_ready) = sync_channel(1);
        let request_us = Arc::new(AtomicU64::new(0));
        let times = Arc::new(Times::default());
        let meters = Meters { request_us: Arc::clone(&request_us), times: Arc::clone(&times) };
        let warm_up = options.warm_up;
        let thread = std::thread::Builder::new()
            .name(options.thread_name)
            .spawn(move || {
                let mut backend = backend;
                let begun = Instant::now();
                let warm = warm_up.into_iter().try_for_each(|size| backend.warm_up(size));
                meters.times.note_start(begun.elapsed());
                let serve_requests = warm.is_ok();
                // The starter waits for this word; if it has left, the channel below is closed as well.
                let _ = ready.send(warm);
                if serve_requests {
                    serve(&mut backend, &receiver, &meters);
                }
            })
            .map_err(|source| InferError::Thread { source })?;
        is_ready.recv().unwrap_or(Err(InferError::Stopped))?;
        Ok(Self { sender: Some(sender), thread: Some(thread), spec, queue, request_us, times })
    }

    /// What the model takes and gives.
    #[must_use]
    pub fn spec(&self) -> &ModelSpec {
        &self.spec
    }

    /// How long requests took and how many there were.
    #[must_use]
    pub fn stats(&self) -> EngineStats {
        self.times.stats()
    }

    /// Takes a place in the queue for `request`; it runs inside the caller's current tracing span.
    ///
    /// # Errors
    /// At once: [`InferError::Request`] for pictures that do not fit, [`InferError::Busy`] when the queue is full,
    /// [`InferError::Stopped`] when the thread has ended.
    pub fn submit(&self, request: ResidualRequest) -> Result<Pending, InferError> {
        request.check()?;
        let (reply, answer) = sync_channel(1);
        let caller = Arc::new(());
        let job = Job {
            request,
            span: tracing::Span::current(),
            reply,
            caller: Arc::downgrade(&caller),
            asked: Instant::now(),
        };
        self.send(Message::Run(Box::new(job)))?;
        Ok(Pending { reply: answer, _caller: caller })
    }

    /// Runs the model on one pair of pictures and waits for the answer.
    ///
    /// # Errors
    /// As [`Engine::submit`], and the backend's own.
    pub fn run(&self, request: ResidualRequest) -> Answer {
        self.submit(request)?.wait()
    }

    /// Says whether the model can still be run; waits for its turn in the queue.
    ///
    /// # Errors
    /// The backend's reason, [`InferError::Busy`], or [`InferError::Stopped`].
    pub fn health(&self) -> Result<(), InferError> {
        let (reply, answer) = sync_channel(1);
        self.send(Message::Health(reply))?;
        answer.recv().unwrap_or(Err(InferError::Stopped))
    }

    fn send(&self, message: Message) -> Result<(), InferError> {
        let sender = self.sender.as_ref().expect("the sender lives as long as the engine: anything else is a bug");
        sender.try_send(message).map_err(|e| match e {
            TrySendError::Full(_) => {
                metrics::counter!(names::MODEL_BUSY).increment(1);
                InferError::Busy { waiting: self.queue, retry_after: self.retry_after() }
            }
            TrySendError::Disconnected(_) => InferError::Stopped,
        })
    }

    /// When a place is likely to be free: as long as one request takes, at least 1 ms.
    fn retry_after(&self) -> Duration {
        Duration::from_micros(self.request_us.load(Ordering::Relaxed)).max(Duration::from_millis(1))
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        // Closing the queue lets the thread finish what waits and end.
        self.sender = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the model's thread panicked");
        }
    }
}

/// The thread's life: until the queue is closed and empty.
fn serve(backend: &mut impl Backend, receiver: &Receiver<Message>, meters: &Meters) {
    let max_batch = backend.max_batch().max(1);
    let mut held: Option<Message> = None;
    while let Some(message) = held.take().or_else(|| receiver.recv().ok()) {
        match message {
            // Whoever asked for health may have left.
            Message::Health(reply) => drop(reply.send(backend.health())),
            Message::Run(first) => {
                let (batch, next) = gather(first, receiver, max_batch);
                held = next;
                run_batch(backend, batch, meters);
            }
        }
    }
}

/// `first` and the requests of its size that wait behind it; and the first message that is something else.
fn gather(first: Box<Job>, receiver: &Receiver<Message>, max_batch: usize) -> (Vec<Job>, Option<Message>) {
    let size = first.request.size();
    let mut batch = vec![*first];
    while batch.len() < max_batch {
        match receiver.try_recv() {
            Ok(Message::Run(job)) if job.request.size() == size => batch.push(*job),
            Ok(other) => return (batch, Some(other)),
            Err(_) => break,
        }
    }
    (batch, None)
}

fn run_batch(backend: &mut impl Backend, mut batch: Vec<Job>, meters: &Meters) {
    batch.retain(|job| {
        let waited_for = job.caller.strong_count() > 0;
        if !waited_for {
            tracing::debug!(parent: &job.span, "request dropped: its caller has left");
        }
        waited_for
    });
    if batch.is_empty() {
        return;
    }
    let asked: Vec<Instant> = batch.iter().map(|j| j.asked).collect();
    let (requests, callers): (Vec<_>, Vec<_>) = batch.into_iter().map(|j| (j.request, (j.span, j.reply))).unzip();
    let begun = Instant::now();
    let outcome = callers[0].0.in_scope(|| backend.run(&requests));
    let each = begun.elapsed() / u32::try_from(requests.len()).unwrap_or(u32::MAX);
    note_time(&meters.request_us, each);
    meters.times.note_run(begun.elapsed(), &asked);
    match outcome {
        Ok(outputs) if outputs.len() == callers.len() => {
            for ((span, reply), output) in callers.into_iter().zip(outputs) {
                tracing::trace!(parent: &span, batch = requests.len(), ?each, "request answered");
                // A caller that has left meanwhile does not want it any more.
                let _ = reply.send(Ok(output));
            }
        }
        Ok(outputs) => {
            let message = format!("the backend gave {} answers to {} requests", outputs.len(), requests.len());
            refuse_all(callers, &message, false);
        }
        Err(error) if callers.len() == 1 => {
            let _ = callers[0].1.send(Err(error));
        }
        Err(error) => refuse_all(callers, &error.to_string(), error.is_input_error()),
    }
}

fn refuse_all(callers: Vec<(tracing::Span, SyncSender<Answer>)>, message: &str, input_error: bool) {
    for (_, reply) in callers {
        let _ = reply.send(Err(InferError::Batch { message: message.to_owned(), input_error }));
    }
}

/// Exponential smoothing with weight 1/4; the first value counts in full.
fn note_time(request_us: &AtomicU64, each: Duration) {
    let new = u64::try_from(each.as_micros()).unwrap_or(u64::MAX);
    let old = request_us.load(Ordering::Relaxed);
    let smoothed = if old == 0 { new } else { old - old / 4 + new / 4 };
    request_us.store(smoothed, Ordering::Relaxed);
}
