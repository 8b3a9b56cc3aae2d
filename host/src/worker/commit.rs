//! The committer: everything that running executions write passes through here, in group commits.
//!
//! While one batch is on its way the next batch gathers. Nobody waits for a timer: a single execution on an idle worker is
//! written at once, and a thousand concurrent ones share a commit. A run has at most one activation in here at a time.
//!
//! Of a batch, what is written by one statement goes apart from what takes several, each shape on a connection of its own: those that are on
//! their way together share a write to the disk. The next batch waits for all of them, so that it is a large one.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use currant_core::Error;
use currant_core::executions::commit::{Activation, Shape, Verdict, commit_within};
use futures_util::future::join_all;
use sqlx::PgPool;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio_util::task::TaskTracker;
use tracing::{debug, warn};

use crate::backoff::Backoff;
use crate::error::causes;
use crate::outage::Outage;

/// Activations that share a transaction. Beyond this the statements' arrays grow faster than what a shared commit saves.
const BATCH: usize = 256;
/// How long a batch waits for a row that somebody else holds. Mostly that is another worker, for as long as a commit takes.
const PATIENCE: Duration = Duration::from_millis(500);
/// What is written apart at once, and how long each of it waits before the next one has its turn.
const APART: usize = 2;
const PATIENCE_APART: Duration = Duration::from_millis(50);

/// What became of an activation.
#[derive(Debug)]
pub(crate) enum Written {
    /// The database answered.
    Answered(Verdict),
    /// The connection broke between COMMIT and its answer, so that nobody knows. A run that would go on must not do so with what it has in
    /// memory; a fate that takes the run's row away can be written again, because the fence then says whether it was.
    Unknown,
    /// The database will not take it, and says why: the activation itself is bad.
    Rejected(Error),
}

struct Submission {
    activation: Activation,
    answer: oneshot::Sender<Written>,
}

/// Hands activations to the committer.
#[derive(Clone)]
pub(crate) struct Committer(mpsc::Sender<Submission>);

impl Committer {
    /// Starts the committer; it ends when the last handle is dropped and everything is written.
    pub(crate) fn start(pool: PgPool, outage: Arc<Outage>) -> (Committer, tokio::task::JoinHandle<()>) {
        let (sender, receiver) = mpsc::channel(4 * BATCH);
        let writer = Writer { pool, outage, apart: Arc::new(Semaphore::new(APART)), left: TaskTracker::new() };
        (Committer(sender), tokio::spawn(gather(writer, receiver)))
    }

    /// Writes an activation, together with whatever else is waiting to be written.
    pub(crate) async fn write(&self, activation: Activation) -> Written {
        let (answer, answered) = oneshot::channel();
        if self.0.send(Submission { activation, answer }).await.is_err() {
            return Written::Unknown;
        }
        answered.await.unwrap_or(Written::Unknown)
    }
}

/// What writes.
#[derive(Clone)]
struct Writer {
    pool: PgPool,
    outage: Arc<Outage>,
    /// What is written apart takes few connections, however much of it there is.
    apart: Arc<Semaphore>,
    /// What is not yet written although its batch is.
    left: TaskTracker,
}

async fn gather(writer: Writer, mut submissions: mpsc::Receiver<Submission>) {
    let mut batch: Vec<Submission> = Vec::new();
    while !batch.is_empty() || submissions.recv_many(&mut batch, BATCH).await > 0 {
        // A claim that a crash of the database undid, and that was made again, may have two runs of one execution in here: one after the other.
        let mut executions = HashSet::new();
        let later: Vec<_> = batch.extract_if(.., |of| !executions.insert(of.activation.id)).collect();
        let mut of_shape = |shape| batch.extract_if(.., |of| of.activation.shape() == shape).collect::<Vec<_>>();
        let groups = Shape::ALL.map(&mut of_shape);
        // At once, so that they share a write to the disk.
        join_all(groups.into_iter().filter(|group| !group.is_empty()).map(|group| writer.write_batch(group))).await;
        batch = later;
    }
    writer.left.close();
    writer.left.wait().await;
}

impl Writer {
    /// Writes a batch; when the database rejects it, its halves, until the bad activation is alone. When somebody else holds one of the rows,
    /// each is written apart: nobody knows how long a caller's transaction stays open, and the others are not to wait for it.
    async fn write_batch(&self, batch: Vec<Submission>) {
        let mut pending = vec![batch];
        while let Some(batch) = pending.pop() {
            let (activations, mut answers): (Vec<_>, Vec<_>) = batch.into_iter().map(|s| (s.activation, s.answer)).unzip();
            match self.write_until_answered(&activations, PATIENCE).await {
                // A run that was dropped meanwhile does not listen; what it wrote stands.
                Ok(written) => answers.into_iter().zip(written).for_each(|(answer, written)| drop(answer.send(written))),
                Err(error) if error.is_held() => {
                    debug!(activations = activations.len(), "somebody holds a row of this batch; each is written apart");
                    for (activation, answer) in activations.into_iter().zip(answers) {
                        let writer = self.clone();
                        self.left.spawn(async move { writer.write_apart(Submission { activation, answer }).await });
                    }
                }
                Err(error) => match answers.pop() {
                    Some(alone) if answers.is_empty() => drop(alone.send(Written::Rejected(error))),
                    last => {
                        debug!(
                            activations = activations.len(),
                            error = causes(&error),
                            "the database rejects a batch; it is halved"
                        );
                        answers.extend(last);
                        let rejoined = activations.into_iter().zip(answers);
                        let mut first: Vec<_> =
                            rejoined.map(|(activation, answer)| Submission { activation, answer }).collect();
                        let second = first.split_off(first.len() / 2);
                        pending.extend([second, first]);
                    }
                },
            }
        }
    }

    /// Writes an activation by itself, as often as somebody holds one of its rows.
    async fn write_apart(&self, submission: Submission) {
        let Submission { activation, answer } = submission;
        let activation = std::slice::from_ref(&activation);
        let mut backoff = Backoff::default();
        let written = loop {
            let attempt = async {
                let _turn = self.apart.acquire().await;
                self.write_until_answered(activation, PATIENCE_APART).await
            };
            match attempt.await {
                Ok(mut written) => break written.pop().unwrap_or(Written::Unknown),
                Err(error) if error.is_held() => backoff.wait().await,
                Err(error) => break Written::Rejected(error),
            }
        };
        drop(answer.send(written));
    }

    /// Commits; waits out a database that is away.
    async fn write_until_answered(&self, activations: &[Activation], patience: Duration) -> Result<Vec<Written>, Error> {
        let mut backoff = Backoff::default();
        loop {
            let attempt = async {
                let mut connection = self.pool.acquire().await?;
                commit_within(&mut connection, activations, Some(patience)).await
            };
            match attempt.await {
                Ok(verdicts) => return Ok(verdicts.into_iter().map(Written::Answered).collect()),
                Err(error @ Error::UnknownCommit(_)) => {
                    warn!(activations = activations.len(), error = causes(&error), "nobody knows whether this is written");
                    return Ok(activations.iter().map(|_| Written::Unknown).collect());
                }
                Err(error) if error.is_retryable() && !error.is_held() => {
                    if !self.outage.explains(&error) && backoff.first() {
                        warn!(error = causes(&error), "cannot write to the database; trying again");
                    }
                }
                Err(error) => return Err(error),
            }
            backoff.wait().await;
        }
    }
}
