//! From the clock of a source to that of the recording computer.

/// A stretch between resets: `corrected = time + intercept + slope · time`.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Line {
    intercept: f64,
    slope: f64,
    /// The last measurement of this stretch, and the first of the next.
    bounds: Option<(f64, f64)>,
}

/// The lines of a stream; asked in the order of its samples.
pub(super) struct Clock {
    lines: Vec<Line>,
    current: usize,
}

impl Clock {
    /// Lines through `measured`: times and offsets.
    pub(super) fn new(measured: &[(f64, f64)]) -> Self {
        let breaks = resets(measured);
        let mut lines = Vec::new();
        let mut start = 0;
        for end in breaks.into_iter().chain([measured.len()]) {
            if end > start {
                let (intercept, slope) = fit(&measured[start..end]);
                let bounds = measured.get(end).map(|next| (measured[end - 1].0, next.0));
                lines.push(Line { intercept, slope, bounds });
            }
            start = end;
        }
        Self { lines, current: 0 }
    }

    /// The time of the recording computer at `time` of the source.
    pub(super) fn correct(&mut self, time: f64) -> f64 {
        // The first sample that is nearer to the next stretch begins it.
        while let Some(Line { bounds: Some((end, next)), .. }) = self.lines.get(self.current)
            && (time - end).abs() >= (time - next).abs()
        {
            self.current += 1;
        }
        match self.lines.get(self.current) {
            Some(line) => time + line.intercept + line.slope * time,
            None => time,
        }
    }
}

/// Where the clock of the source was reset: time goes back, or time and offset both jump out of their usual steps.
fn resets(measured: &[(f64, f64)]) -> Vec<usize> {
    let steps = |of: fn(&(f64, f64)) -> f64| -> Vec<f64> {
        measured.windows(2).map(|pair| of(&pair[1]) - of(&pair[0])).collect()
    };
    let (times, values) = (steps(|m| m.0), steps(|m| m.1));
    let (time_jumps, value_jumps) = (jumps(&times, 5.0, 5.0), jumps(&values, 10.0, 1.0));
    let is_reset = |index: &usize| times[*index] < 0.0 || (time_jumps[*index] && value_jumps[*index]);
    (0..times.len()).filter(is_reset).map(|index| index + 1).collect()
}

/// Which of `steps` are far from their median: by `deviations` median absolute deviations, and by `secs`.
fn jumps(steps: &[f64], deviations: f64, secs: f64) -> Vec<bool> {
    let middle = median(steps);
    let far: Vec<f64> = steps.iter().map(|step| (step - middle).abs()).collect();
    let spread = median(&far) + f64::EPSILON;
    far.iter().map(|&far| far / spread > deviations && far > secs).collect()
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => 0.0,
        n if n % 2 == 1 => sorted[n / 2],
        n => 0.5 * (sorted[n / 2 - 1] + sorted[n / 2]),
    }
}

/// Intercept and slope of the least-squares line; no slope through one point.
fn fit(measured: &[(f64, f64)]) -> (f64, f64) {
    let n = measured.len() as f64;
    let mean = measured.iter().fold((0.0, 0.0), |sum, m| (sum.0 + m.0 / n, sum.1 + m.1 / n));
    let spread: f64 = measured.iter().map(|m| (m.0 - mean.0).powi(2)).sum();
    let slope: f64 = measured.iter().map(|m| (m.0 - mean.0) * (m.1 - mean.1)).sum::<f64>() / spread;
    let slope = if slope.is_finite() { slope } else { 0.0 };
    (mean.1 - slope * mean.0, slope)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drifting_clock_is_put_right_and_a_reset_begins_a_new_line() {
        // The source's clock runs slow by 1 in 1000 and is set back to 0 after 100 s.
        let before = (0..20).map(|i| (f64::from(i) * 5.0, 7.0 + f64::from(i) * 5e-3));
        let after = (0..20).map(|i| (f64::from(i) * 5.0 + 1.0, 107.0));
        let mut clock = Clock::new(&before.chain(after).collect::<Vec<_>>());
        assert_eq!(clock.lines.len(), 2);
        assert!((clock.correct(50.0) - 57.05).abs() < 1e-9);
        assert!((clock.correct(0.5) - 107.5).abs() < 1e-9);
        assert_eq!(Clock::new(&[]).correct(3.0), 3.0);
        assert_eq!(Clock::new(&[(1.0, 4.0)]).correct(3.0), 7.0);
    }
}
