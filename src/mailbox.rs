//! Commands on their way to the engine.

use tokio::sync::{mpsc, oneshot};

use crate::engine::{Command, Refusal};

/// A command with the place where its answer goes.
pub struct Asked {
    /// What is to be done.
    pub command: Command,
    /// Where the answer goes, once it is written down; nowhere when nobody waits.
    pub answer: Option<oneshot::Sender<Result<(), Refusal>>>,
}

/// Why a command was not carried out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AskError {
    /// The engine refuses it.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Nobody is there to carry it out: the process is ending.
    #[error("haetae is shutting down")]
    Gone,
}

/// Has a command carried out, and waits until that is written down.
///
/// # Errors
/// When it is refused, or the process is ending.
pub async fn ask(commands: &mpsc::Sender<Asked>, command: Command) -> Result<(), AskError> {
    let (answer, answered) = oneshot::channel();
    let asked = Asked {
        command,
        answer: Some(answer),
    };
    commands.send(asked).await.map_err(|_| AskError::Gone)?;
    Ok(answered.await.map_err(|_| AskError::Gone)??)
}
