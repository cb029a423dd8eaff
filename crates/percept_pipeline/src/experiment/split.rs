//! `[split]`: how training and test sets are made.

words! {
    /// How the sides of the comparison are made.
    pub enum SplitKind {
        /// As the data name them: `test_responses`, or NSD's shared images.
        Given = "given",
        /// Each stimulus is tested by decoders fitted on all others.
        LeaveOneStimulusOut = "leave-one-stimulus-out",
        /// NSD: the 1,000 images that all subjects saw are tested.
        Shared = "shared",
    }
}

impl SplitKind {
    /// The name it has in score rows.
    pub fn split_name(self) -> &'static str {
        match self {
            Self::Given | Self::Shared => "test",
            Self::LeaveOneStimulusOut => "leave-one-stimulus-out",
        }
    }
}

section! {
    /// How training and test sets are made.
    pub struct SplitSettings {
        /// How the sides are made.
        kind: SplitKind = SplitKind::Shared,
            or "`given` for arrays with `test_responses`, `leave-one-stimulus-out` for other arrays, else `shared`";
        /// Test at most so many stimuli, evenly spread; the others on the test side are left out.
        #[serde(skip_serializing_if = "Option::is_none")]
        max_test_stimuli: Option<usize> = None, in 2..=1_000_000;
        /// Go on, with a warning, when a test stimulus also occurs in training.
        allow_leaks: bool = false;
    }
}
