//! The files of runs, read for a report.

use std::path::PathBuf;

use crate::report::Judged;
use crate::report::html::Picture;

/// One report takes no more than this of pictures and sources, in bytes.
const MOST_BYTES: u64 = 64 << 20;

/// Pictures and page sources that the runs name; what is gone is left out.
pub async fn read_files(runs: &[Judged]) -> (Vec<Picture>, Vec<(PathBuf, String)>) {
    let (mut pictures, mut sources) = (Vec::new(), Vec::new());
    let mut room = MOST_BYTES;
    let files = runs.iter().flat_map(|run| &run.record.outcome.evidence.files);
    for file in files {
        let Ok(bytes) = tokio::fs::read(&file.path).await else {
            continue;
        };
        let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        if size > room {
            break;
        }
        room -= size;
        if file.path.extension().is_some_and(|ending| ending == "png") {
            pictures.push(Picture {
                path: file.path.clone(),
                bytes,
            });
        } else {
            sources.push((file.path.clone(), String::from_utf8_lossy(&bytes).into_owned()));
        }
    }
    (pictures, sources)
}
