//! When things were presented: the scans of every run, those that were dropped from its start among them, since what is presented
//! during a dropped scan still reaches the scans behind it.

/// All scans of a series in the order of time; of trials, and of a series of which nothing was dropped, its samples.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Timeline {
    /// The run or session of every scan, ascending.
    pub session: Vec<usize>,
    /// Which scan each sample is, ascending.
    pub of_sample: Vec<usize>,
}

impl Timeline {
    /// Samples of which none is missing; `session` of each.
    pub fn whole(session: &[usize]) -> Self {
        Self { session: session.to_vec(), of_sample: (0..session.len()).collect() }
    }

    /// Number of scans.
    pub fn len(&self) -> usize {
        self.session.len()
    }

    /// Whether there is no scan.
    pub fn is_empty(&self) -> bool {
        self.session.is_empty()
    }

    /// Whether every scan is a sample.
    pub fn is_whole(&self) -> bool {
        self.of_sample.len() == self.session.len()
    }

    /// The scan `delay` scans before `sample`, in the same run.
    pub fn before(&self, sample: usize, delay: usize) -> Option<usize> {
        let own = self.of_sample[sample];
        own.checked_sub(delay).filter(|&before| self.session[before] == self.session[own])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dropped_scan_is_before_the_first_sample_of_its_run_only() {
        let timeline = Timeline { session: vec![0, 0, 0, 1, 1], of_sample: vec![1, 2, 4] };
        assert!(!timeline.is_whole() && Timeline::whole(&[0, 0]).is_whole());
        let before = |sample, delay| timeline.before(sample, delay);
        assert_eq!([before(0, 1), before(0, 2), before(1, 2), before(2, 1)], [Some(0), None, Some(0), Some(3)]);
        assert_eq!(before(2, 2), None, "another run");
    }
}
