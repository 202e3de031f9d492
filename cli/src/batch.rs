//! Many files in parallel, results in the order of the files.

use crate::args::EngineArgs;
use crate::failure::{Failure, Status};
use crate::report::Console;
use indicatif::ProgressBar;
use otolith_dsp_core::engine::Engine;
use rayon::ThreadPoolBuilder;
use rayon::prelude::*;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

/// Files per thread that are worked on before results are handed out: enough to keep threads
/// busy, few enough that results come early.
const FILES_PER_THREAD: usize = 8;

/// Runs `work` on every file and hands results to `sink` in order. Bad files are reported and
/// left out; the status says whether there were any.
///
/// Other failures, such as a graph without a plan, end the run.
pub(crate) fn each_file<T: Send>(
    files: &[PathBuf],
    args: &EngineArgs,
    console: &Console,
    bar: &ProgressBar,
    engine: impl Fn() -> Result<Engine, Failure> + Sync,
    work: impl Fn(&mut Engine, &Path) -> Result<T, Failure> + Sync,
    mut sink: impl FnMut(&Path, T) -> Result<(), Failure>,
) -> Result<Status, Failure> {
    // One engine shows what is wrong with the pipeline before any file is read.
    let idle = Mutex::new(vec![engine()?]);
    let take = || idle.lock().ok().and_then(|mut engines| engines.pop());
    let one = |path: &PathBuf| {
        let mut own = match take() {
            Some(own) => own,
            None => engine()?,
        };
        let result = work(&mut own, path);
        if let Ok(mut engines) = idle.lock() {
            engines.push(own);
        }
        bar.inc(1);
        result
    };
    let pool = ThreadPoolBuilder::new()
        .num_threads(args.jobs.map_or(0, usize::from))
        .build()
        .map_err(|error| Failure::usage(format!("cannot start threads: {error}")))?;
    let mut status = Status::Ok;
    for files in files.chunks(pool.current_num_threads() * FILES_PER_THREAD) {
        let results: Vec<_> = pool.install(|| files.par_iter().map(one).collect());
        for (path, result) in files.iter().zip(results) {
            match result {
                Ok(result) => sink(path, result)?,
                Err(failure) if failure.is_about_input() => {
                    bar.suspend(|| console.failure(&failure));
                    status = Status::BadInput;
                }
                Err(failure) => {
                    bar.finish_and_clear();
                    return Err(failure);
                }
            }
        }
    }
    bar.finish_and_clear();
    Ok(status)
}
