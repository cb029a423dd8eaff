//! `[data]` of kind `phantom`: a simulated subject.

use percept_synth::phantom::PhantomParams;
use serde::de::{Error, Unexpected};
use serde::{Deserialize, Deserializer};

use crate::experiment::Groups;

section! {
    /// A simulated subject, written as an NSD tree below the output folder.
    pub struct PhantomData {
        /// Which of eight subjects, from 1; subjects of one seed see the same pictures with other brains.
        subject: usize = PhantomParams::default().subject, in 1..=8;
        /// Scanning sessions.
        sessions: usize = PhantomParams::default().n_sessions, in 1..=1000;
        /// Trials in each; every picture is shown three times.
        trials_per_session: usize = PhantomParams::default().trials_per_session, in 1..=100_000;
        /// Pictures that are only tested.
        test_images: usize = PhantomParams::default().n_shared, in 2..=1_000_000;
        /// Size of the simulated volume in voxels.
        #[serde(deserialize_with = "three_lengths")]
        shape: [usize; 3] = PhantomParams::default().shape, in 1..=1024;
        /// Visual voxels in it.
        voxels: usize = PhantomParams::default().n_nsdgeneral, in 1..=10_000_000;
        /// Median ratio of signal to noise of a single trial.
        ncsnr: f64 = shortest(PhantomParams::default().median_ncsnr), in 0.0..=1.0;
        /// The seed of drawings, voxels and noise; apart from the experiment's, so that one subject serves many experiments.
        seed: u64 = 1, in 0..=u64::MAX;
        /// Parts of the units that some decoders treat apart, as for an NSD tree.
        #[serde(default, skip_serializing_if = "Groups::is_empty")]
        groups: Groups<String> = Groups::none(), or "see [groups](#groups-of-units)";
    }
}

pub(crate) fn three_lengths<'de, D: Deserializer<'de>>(deserializer: D) -> Result<[usize; 3], D::Error> {
    let shape = Vec::<usize>::deserialize(deserializer)?;
    <[usize; 3]>::try_from(shape).map_err(|shape| {
        let expected = "three numbers of voxels, such as [24, 26, 18]";
        D::Error::invalid_value(Unexpected::Other(&format!("{shape:?}")), &expected)
    })
}

/// The decimal number that a person would write for `value`, so that 0.45 stays 0.45 on the way through f32.
pub(crate) fn shortest(value: f32) -> f64 {
    value.to_string().parse().unwrap_or(f64::from(value))
}
