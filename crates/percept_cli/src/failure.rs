//! How a command ends badly: one line on stderr and an exit code that says whose turn it is.

use std::io::Write;
use std::process::ExitCode;

use percept::io::Kind;
use percept::judge::JudgeError;
use percept::linear::LinearError;
use percept::methods::PipelineError;
use percept::models::ModelError;
use percept::stream::StreamError;

/// The user's input was refused.
pub(crate) const INPUT: u8 = 1;
/// Percept failed.
pub(crate) const OURS: u8 = 2;

/// Marks an error as percept's own: nothing that the user wrote is wrong.
#[derive(Debug)]
pub(crate) struct Ours;

impl std::fmt::Display for Ours {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("percept failed (please report this with the command and the file it was given)")
    }
}

/// Prints the error, outermost first, and gives its exit code.
pub(crate) fn report(error: &anyhow::Error) -> ExitCode {
    if is_closed_pipe(error) {
        return ExitCode::SUCCESS;
    }
    let _ = writeln!(std::io::stderr(), "error: {}", words(error));
    ExitCode::from(if is_ours(error) { OURS } else { INPUT })
}

/// Whether nothing that the user wrote is wrong: percept's own faults, and a machine that gives out (a full disk).
fn is_ours(error: &anyhow::Error) -> bool {
    let of_models = |error: &ModelError| match error {
        ModelError::Tensor(_) => true,
        ModelError::File { source, .. } => is_machine(source),
        _ => false,
    };
    let of_files = |error: &percept::io::Error| matches!(error.kind(), Kind::Io { error, .. } if is_machine(error));
    error.chain().any(|cause| {
        cause.downcast_ref().is_some_and(is_machine)
            || cause.downcast_ref().is_some_and(of_models)
            || cause.downcast_ref().is_some_and(of_files)
            || match cause.downcast_ref() {
                Some(PipelineError::Io(error)) => of_files(error),
                Some(PipelineError::Model(error)) => of_models(error),
                _ => false,
            }
            || match cause.downcast_ref() {
                Some(StreamError::File(error)) => of_files(error),
                Some(StreamError::Model(error)) => of_models(error),
                Some(StreamError::System { .. }) => true,
                _ => false,
            }
            || match cause.downcast_ref() {
                Some(LinearError::File(error)) => of_files(error),
                Some(LinearError::Disk { .. }) => true,
                _ => false,
            }
            || matches!(cause.downcast_ref(), Some(JudgeError::Io(error)) if of_files(error))
    }) || error.downcast_ref::<Ours>().is_some()
}

/// Whether the machine gave out.
fn is_machine(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{FileTooLarge, OutOfMemory, QuotaExceeded, ReadOnlyFilesystem, StorageFull};
    matches!(error.kind(), StorageFull | QuotaExceeded | FileTooLarge | ReadOnlyFilesystem | OutOfMemory)
}

/// The error and its causes in one line; a cause whose words the line already holds is not said twice.
fn words(error: &anyhow::Error) -> String {
    let mut line = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if line.is_empty() {
            line = cause;
        } else if !line.contains(&cause) {
            line = format!("{line}: {cause}");
        }
    }
    line
}

/// Whether somebody stopped reading our output.
fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<std::io::Error>())
        .any(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}

/// Replaces the standard panic message by one that a user can act on.
pub(crate) fn describe_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let words = panic
            .payload()
            .downcast_ref::<&str>()
            .map(|words| (*words).to_owned())
            .or_else(|| panic.payload().downcast_ref::<String>().cloned())
            .unwrap_or_default();
        let place = panic.location().map(|place| format!(" at {}:{}", place.file(), place.line())).unwrap_or_default();
        let _ = writeln!(std::io::stderr(), "error: {Ours}: {words}{place}");
    }));
}

#[cfg(test)]
mod tests {
    use anyhow::Context;

    use super::*;

    #[test]
    fn a_closed_pipe_is_success_wherever_it_happened() {
        let pipe = std::io::Error::from(std::io::ErrorKind::BrokenPipe);
        let error = Err::<(), _>(pipe).context("the scores cannot be printed").expect_err("an error");
        assert!(is_closed_pipe(&error));
        assert!(!is_closed_pipe(&anyhow::anyhow!("something else")));
    }

    #[test]
    fn a_cause_is_said_once() {
        let error = anyhow::anyhow!("no space").context("cannot write: no space").context("the run failed");
        assert_eq!(words(&error), "the run failed: cannot write: no space");
    }

    #[test]
    fn a_full_disk_is_not_the_users_fault() {
        let full = || std::io::Error::from(std::io::ErrorKind::StorageFull);
        let io = || percept::io::Error::io("write", full());
        assert!(is_ours(&anyhow::Error::from(io())));
        assert!(is_ours(&anyhow::Error::from(PipelineError::from(io())).context("the run stopped")));
        assert!(is_ours(&anyhow::Error::from(LinearError::from(io()))));
        assert!(is_ours(&anyhow::Error::from(ModelError::File { path: "x".into(), source: full() })));
        let absent = std::io::Error::from(std::io::ErrorKind::NotFound);
        assert!(!is_ours(&anyhow::Error::from(percept::io::Error::io("open", absent))));
    }

    #[test]
    fn our_own_failures_are_told_from_bad_input() {
        let ours = anyhow::anyhow!("weights are broken").context(Ours);
        assert!(ours.downcast_ref::<Ours>().is_some());
        assert!(anyhow::anyhow!("no such file").downcast_ref::<Ours>().is_none());
    }
}
