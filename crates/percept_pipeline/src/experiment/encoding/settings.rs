//! `[encode]` and `[statistics]`: how responses are predicted from features, and how the predictions are judged.

use percept_signal::Hrf;

words! {
    /// What is held out to be predicted.
    pub enum HeldOut {
        /// What the data name as test: NSD's shared images, `test_responses`.
        Given = "given",
        /// Every stimulus, run or title in turn, in folds.
        Folds = "folds",
    }
}

words! {
    /// How features at several delays become columns.
    pub enum DelayForm {
        /// One copy of the features for each delay: the haemodynamic response is fitted.
        Columns = "columns",
        /// Their mean over the delays, as in Nakagi et al. 2024.
        Mean = "mean",
    }
}

words! {
    /// The haemodynamic response that features are convolved with.
    pub enum Response {
        /// None: `delays` find its form.
        None = "none",
        /// SPM's canonical response.
        Spm = "spm",
        /// Glover's.
        Glover = "glover",
    }
}

impl Response {
    /// Its form, if there is one.
    pub fn form(self) -> Option<Hrf> {
        match self {
            Self::None => None,
            Self::Spm => Some(Hrf::SPM),
            Self::Glover => Some(Hrf::GLOVER),
        }
    }
}

words! {
    /// How slow drifts are taken out of every run.
    pub enum Trend {
        /// They are not.
        None = "none",
        /// A running median over `detrend_secs` is subtracted.
        Median = "median",
        /// A Savitzky–Golay filter over `detrend_secs` is subtracted.
        SavitzkyGolay = "savitzky-golay",
    }
}

words! {
    /// How spaces that are fitted together share the penalty.
    pub enum ModelForm {
        /// One penalty for all features.
        Ridge = "ridge",
        /// A penalty for each space, chosen unit by unit.
        Banded = "banded",
    }
}

words! {
    /// What a score is compared with.
    pub enum NullKind {
        /// The t distribution of r for stimuli that are independent, shifts for series in time, permutations for music, whose runs play
        /// the same excerpts again in the same order.
        Auto = "auto",
        /// The t distribution of r; refused for series in time.
        Analytic = "analytic",
        /// Permutations: stimuli one by one, series in blocks within their run.
        Permutation = "permutation",
        /// Every run or title of a series turned as a ring, by a number of samples of its own; refused for stimuli one by one.
        Shifts = "shifts",
    }
}

section! {
    /// How responses are predicted from features.
    pub struct EncodeSettings {
        /// What is held out.
        #[serde(skip_serializing_if = "Option::is_none")]
        held_out: Option<HeldOut> = None, or "`given` where the data have a test side, else `folds`";
        /// Number of folds over stimuli, runs or titles; 0 leaves out each run or title in turn. Stimuli need at least 2 in a fold.
        #[serde(skip_serializing_if = "Option::is_none")]
        folds: Option<usize> = None, in 0..=1000, or "5 over stimuli, 0 over runs and titles";
        /// The haemodynamic response that features are convolved with in every run, before they are delayed.
        hrf: Response = Response::None;
        /// Delays of the features in scans or texts; 0 is the same scan.
        delays: Vec<usize> = vec![0], in 0..=1000;
        /// How delays become columns.
        delay_form: DelayForm = DelayForm::Columns;
        /// Principal components of every space with more features than that, fitted on what is trained; 0 takes the features as they are.
        pca: usize = 0, in 0..=1_000_000;
        /// Penalties to choose from, unit by unit.
        alphas: Vec<f64> = (0..8).map(|exponent| 10f64.powi(exponent)).collect(), in 0.0..=1e300;
        /// Spaces that are also fitted together: what each adds to the others is its unique part. At most one of them has
        /// several layers, steps or blocks; it is then joined with the others at each.
        together: Vec<String> = Vec::new();
        /// How spaces that are fitted together share the penalty.
        model: ModelForm = ModelForm::Banded;
        /// Random splits of the penalty between spaces that banded ridge tries.
        band_draws: usize = 20, in 0..=100_000;
        /// How slow drifts are taken out of every run of a series.
        detrend: Trend = Trend::None;
        /// Length of the filter in seconds.
        detrend_secs: f64 = 120.0, in 0.001..=1e6;
        /// Whether features are filtered as the responses are; else they keep slow parts that responses have lost.
        detrend_features: bool = false;
        /// Whether responses are z-scored in every run, session or title.
        zscore: bool = true;
        /// Whether labels are decoded from the responses beside the encoding.
        decode_labels: bool = false;
    }
}

section! {
    /// How predictions are judged.
    pub struct StatisticsSettings {
        /// What a score is compared with.
        null: NullKind = NullKind::Auto;
        /// Permutations.
        permutations: usize = 1000, in 1..=1_000_000;
        /// Scans or texts of a series that stay together in permutations and bootstrap draws.
        block: usize = 10, in 1..=1_000_000;
        /// False discovery rate over units.
        rate: f64 = 0.05, in 0.000_001..=0.5;
        /// Bootstrap draws behind intervals and probabilities.
        draws: usize = 1000, in 100..=1_000_000;
        /// The least noise ceiling (share of variance) of units whose best layer, step or block is counted.
        least_ceiling: f64 = 0.2, in 0.0..=1.0;
    }
}
