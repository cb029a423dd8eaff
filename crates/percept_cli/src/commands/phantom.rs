//! `percept phantom DIR`: a simulated subject on disk, as the Natural Scenes Dataset writes real ones.

use percept::core::Seed;
use percept::synth::phantom::{BetaFormat, Phantom, PhantomParams};

use crate::arguments;
use crate::output::say;
use crate::progress::Bars;

/// Simulates and writes the subject.
pub(crate) fn run(arguments: &arguments::Phantom) -> anyhow::Result<()> {
    let progress = Bars::new();
    let phantom = Phantom::with_progress(params(arguments), Seed::new(arguments.seed), &progress)?;
    phantom.write(&arguments.dir, &progress)?;
    say(format!("phantom: {}", arguments.dir.display()));
    Ok(())
}

/// The parameters asked for; what is not said stays as it is by default.
fn params(arguments: &arguments::Phantom) -> PhantomParams {
    let defaults = PhantomParams::default();
    PhantomParams {
        subject: arguments.subject.unwrap_or(defaults.subject),
        n_sessions: arguments.sessions.unwrap_or(defaults.n_sessions),
        trials_per_session: arguments.trials.unwrap_or(defaults.trials_per_session),
        n_shared: arguments.shared.unwrap_or(defaults.n_shared),
        n_nsdgeneral: arguments.voxels.unwrap_or(defaults.n_nsdgeneral),
        betas: match arguments.betas {
            arguments::Betas::Hdf5 => BetaFormat::Hdf5,
            arguments::Betas::Nifti => BetaFormat::Nifti,
            arguments::Betas::Both => BetaFormat::Both,
        },
        own_images: arguments.own_images,
        stimulus_side: arguments.side.unwrap_or(defaults.stimulus_side),
        ..defaults
    }
}
