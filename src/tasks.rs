//! Blocking work on threads with names, so that a backtrace and a profiler can tell them apart.

use std::io;

use tokio::sync::oneshot;

/// Work that ended without an answer: it panicked, or its thread could not be started.
#[derive(Debug, thiserror::Error)]
pub enum TaskError {
    /// No thread.
    #[error("cannot start the thread {name}")]
    Start {
        /// The thread.
        name: String,
        /// Why.
        source: io::Error,
    },
    /// It panicked.
    #[error("the thread {name} panicked")]
    Panicked {
        /// The thread.
        name: String,
    },
}

/// Runs `work` on a thread of its own called `name`. Dropping the future does not stop the work.
///
/// # Errors
/// When the thread cannot be started or the work panics.
pub async fn run_on_thread<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, TaskError> {
    let (answer, answered) = oneshot::channel();
    let started = std::thread::Builder::new().name(name.to_owned()).spawn(move || {
        // Whoever asked may have left; then nobody wants the answer.
        let _ = answer.send(work());
    });
    started.map_err(|source| TaskError::Start { name: name.to_owned(), source })?;
    answered.await.map_err(|_| TaskError::Panicked { name: name.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_is_an_error_with_the_threads_name() {
        let answer = run_on_thread("crash-test", || -> u8 { panic!("planned") }).await;
        assert!(answer.unwrap_err().to_string().contains("crash-test"));
        assert_eq!(run_on_thread("sum", || 1 + 1).await.unwrap(), 2);
    }
}
