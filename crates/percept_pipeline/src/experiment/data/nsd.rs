//! `[data]` of kind `nsd`: one subject of the Natural Scenes Dataset.

use std::path::PathBuf;

use super::NonFinite;
use crate::experiment::Groups;

words! {
    /// Which form of the betas to read.
    pub enum BetaForm {
        /// HDF5 where present (an ROI is read without touching the rest), NIfTI otherwise.
        Auto = "auto",
        /// `betas_sessionNN.hdf5`.
        Hdf5 = "hdf5",
        /// `betas_sessionNN.nii.gz`.
        Nifti = "nifti",
    }
}

section! {
    /// The tree of the Natural Scenes Dataset.
    pub struct NsdData
    requires {
        /// The folder that holds `nsddata`, `nsddata_betas` and `nsddata_stimuli`.
        root: PathBuf, such as "/data/nsd";
    }
    defaults {
        /// The subject, from 1.
        subject: usize = 1, in 1..=8;
        /// The preparation of the betas, such as `betas_fithrf_GLMdenoise_RR`.
        betas: String = "betas_fithrf_GLMdenoise_RR".to_owned();
        /// HDF5 or NIfTI.
        form: BetaForm = BetaForm::Auto;
        /// Sessions to read, from 1; empty means all that the subject has.
        sessions: Vec<usize> = Vec::new(), in 1..=1000;
        /// The region that predicts `z`, such as `streams.early` or `prf-visualrois.V1v+V1d`.
        early: String = "streams.early".to_owned();
        /// The region that predicts `c`.
        ventral: String = "streams.ventral".to_owned();
        /// Units that are not finite.
        non_finite: NonFinite = NonFinite::Error;
        /// Parts of the units that some decoders treat apart, each a name and a region.
        #[serde(default, skip_serializing_if = "Groups::is_empty")]
        groups: Groups<String> = Groups::none(), or "see [groups](#groups-of-units)";
    }
}
