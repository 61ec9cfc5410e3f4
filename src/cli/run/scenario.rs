//! One scenario under the eyes of a person: for `haetae scenario try`.

use std::path::Path;
use std::sync::Arc;

use super::super::{Context, Exit};
use super::go::{Limits, run_all};
use super::in_the_way::standing_in_the_way;
use super::progress::Progress;
use crate::check::{Pool, Runnable, Services};
use crate::config::Project;
use crate::decode::Problem;
use crate::model::Level;
use crate::report::worst;

/// Whether a window would be seen: on a screen of this machine, or where the grid runs.
pub(in crate::cli) fn can_show(project: &Project) -> bool {
    let has_screen = ["DISPLAY", "WAYLAND_DISPLAY"]
        .iter()
        .any(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()));
    has_screen || project.settings.browsers.url.is_some()
}

/// The browser check that a file or an id names.
pub(in crate::cli) fn scenario_to_try(
    context: &Context,
    project: &Project,
    file: &str,
) -> Result<Runnable, Exit> {
    let inside = Path::new(file)
        .strip_prefix(&project.root)
        .map_or_else(|_| file.to_owned(), |path| path.display().to_string());
    let id = inside.trim_start_matches("./").trim_start_matches("checks/");
    let id = id
        .strip_suffix(".yaml")
        .or_else(|| id.strip_suffix(".yml"))
        .unwrap_or(id);
    let chosen = project.choose(&[id.to_owned()]).map_err(|message| {
        eprintln!("{message}");
        Exit::Usage
    })?;
    let in_the_way: Vec<&Problem> = standing_in_the_way(project, &chosen, false)
        .into_iter()
        .filter(|problem| problem.check.as_ref().is_none_or(|id| chosen.contains(id)))
        .collect();
    if !in_the_way.is_empty() {
        context.print_problems(in_the_way);
        return Err(Exit::Configuration);
    }
    match chosen.as_slice() {
        [id] => match project.checks.get(id) {
            Some(runnable) if runnable.pool == Pool::Browser => Ok(runnable.clone()),
            _ => {
                eprintln!("`{id}` is no browser check: only those have steps to walk through");
                Err(Exit::Usage)
            }
        },
        several => {
            eprintln!("`{file}` names {} checks; name one", several.len());
            Err(Exit::Usage)
        }
    }
}

/// Runs one scenario under the eyes of a person, and tells what came of it.
pub(in crate::cli) async fn finish_try(runnable: &Runnable, services: &Arc<Services>) -> Exit {
    let chosen = std::slice::from_ref(runnable);
    let limits = Limits {
        light: 1,
        browsers: 1,
        repeat: 1,
    };
    let (runs, ended) = run_all(chosen, services, limits, Progress::new(1, false)).await;
    services.browsers.shut_down().await;
    ended.unwrap_or_else(|| Exit::of_worst(worst(&runs), Level::Critical))
}
