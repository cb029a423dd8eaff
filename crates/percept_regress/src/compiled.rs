//! Compiles the engine here, once for each precision, so that crates which fit something link it instead of compiling it again.
//!
//! Since Rust 1.87 a generic function that is never inlined is taken from the crate below when that crate has used it with the
//! same types. Naming it is use enough.

use crate::{
    Banded, BandedCv, Design, Gram, LargeFolds, Pca, Real, Regions, Repeats, Ridge, RidgeCv, Selected, SelectedDesign,
    predict_part,
};

/// Addresses of what is costly to compile, for one precision.
fn engine<T: Real>() -> Vec<*const ()> {
    vec![
        Design::<T>::prepare as *const (),
        Design::<T>::from_kernel as *const (),
        Design::<T>::fit as *const (),
        Design::<T>::fit_part as *const (),
        Design::<T>::fit_fixed as *const (),
        Design::<T>::choose_shared as *const (),
        Design::<T>::scores as *const (),
        Design::<T>::held_out_predictions as *const (),
        Ridge::<T>::predict as *const (),
        Ridge::<T>::into_linear as *const (),
        Ridge::<T>::coefficients as *const (),
        predict_part::<T> as *const (),
        Gram::new::<T> as *const (),
        BandedCv::fit_with::<T> as *const (),
        BandedCv::scores::<T> as *const (),
        BandedCv::fit_fixed::<T> as *const (),
        LargeFolds::<T>::prepare as *const (),
        LargeFolds::<T>::fit as *const (),
        LargeFolds::<T>::fit_part as *const (),
        LargeFolds::<T>::scores as *const (),
        RidgeCv::prepare::<T> as *const (),
        Banded::<T>::predict as *const (),
        Banded::<T>::predict_split as *const (),
        Banded::<T>::split_r2 as *const (),
        Regions::<T>::fit as *const (),
        Regions::<T>::predict as *const (),
        Pca::fit::<T> as *const (),
        Pca::transform::<T> as *const (),
        Pca::to_features::<T> as *const (),
        Repeats::average::<T> as *const (),
        Selected::<T>::fit as *const (),
        Selected::<T>::predict as *const (),
        SelectedDesign::new::<T> as *const (),
        SelectedDesign::fit::<T> as *const (),
    ]
}

/// Both precisions. Nothing calls them; a crate above finds what they name.
#[used]
static PRECISIONS: [fn() -> Vec<*const ()>; 2] = [engine::<f32>, engine::<f64>];
