//! `--record`: what was run goes into the store's history.

use std::fs::File;
use std::path::Path;

use crate::alert::Batch;
use crate::app::{StartError, lock, store_path};
use crate::clock::wall_now;
use crate::model::RunRecord;
use crate::report::Judged;
use crate::store::{SqliteStore, Store};

/// A store that is ours for as long as this is kept.
pub(super) struct Keeper {
    store: SqliteStore,
    _lock: File,
}

impl Keeper {
    /// Opens the store before anything runs: who cannot keep what was measured should know first.
    pub(super) async fn open(url: &str, root: &Path) -> Result<Self, String> {
        if !url.starts_with("sqlite://") {
            return Err(format!(
                "`{url}` is no store that results can be kept in: write sqlite://PATH"
            ));
        }
        let path = store_path(url, root);
        let lock = lock(&path).map_err(|error| match error {
            StartError::Locked(path) => format!(
                "a haetae serves from {} and keeps its own results there: ask it with `haetae trigger`, or leave out --record",
                path.display()
            ),
            other => other.to_string(),
        })?;
        let store = SqliteStore::open(&path)
            .await
            .map_err(|error| error.to_string())?;
        Ok(Self { store, _lock: lock })
    }

    /// Writes all of it, or nothing. What is believed of a check stays as it was.
    pub(super) async fn keep(self, runs: &[Judged]) -> Result<(), String> {
        let runs: Vec<RunRecord> = runs.iter().map(|run| run.record.clone()).collect();
        let batch = Batch {
            runs,
            at: Some(wall_now()),
            ..Batch::default()
        };
        let written = self.store.record(&batch, &[]).await;
        self.store.close().await;
        written.map_err(|error| error.to_string())
    }
}
