//! Time, and nothing else: the only place that reads a clock. No picture depends on it, only when it is shown.

use std::time::{Duration, Instant};

/// Now.
pub fn now() -> Instant {
    Instant::now()
}

/// Waits.
pub fn wait(time: Duration) {
    std::thread::sleep(time);
}

/// How long something lasted, kept as counts: any number of durations in the same memory.
///
/// Steps are a twentieth of a millisecond up to a quarter of a second, then 5 ms up to 25 s; what is longer counts as that.
#[derive(Clone, Debug)]
pub struct Durations {
    fine: Vec<u64>,
    coarse: Vec<u64>,
    n: u64,
    longest: Duration,
}

const FINE: Duration = Duration::from_micros(50);
const COARSE: Duration = Duration::from_millis(5);
const STEPS: usize = 5000;

impl Default for Durations {
    fn default() -> Self {
        Self { fine: vec![0; STEPS], coarse: vec![0; STEPS], n: 0, longest: Duration::ZERO }
    }
}

impl Durations {
    /// Counts one.
    pub fn add(&mut self, duration: Duration) {
        let fine = (duration.as_nanos() / FINE.as_nanos()) as usize;
        if fine < STEPS {
            self.fine[fine] += 1;
        } else {
            let coarse = (duration.as_nanos() / COARSE.as_nanos()) as usize;
            self.coarse[coarse.min(STEPS - 1)] += 1;
        }
        self.n += 1;
        self.longest = self.longest.max(duration);
    }

    /// The duration in milliseconds that a share of them does not exceed; `None` without any.
    pub fn quantile_ms(&self, share: f64) -> Option<f64> {
        let rank = (share * self.n as f64).ceil().max(1.0) as u64;
        let mut seen = 0;
        for (steps, width) in [(&self.fine, FINE), (&self.coarse, COARSE)] {
            for (i, count) in steps.iter().enumerate() {
                seen += count;
                if seen >= rank && self.n > 0 {
                    return Some(((i + 1) as f64 * width.as_secs_f64() * 1e3).min(self.max_ms()));
                }
            }
        }
        None
    }

    /// The longest, in milliseconds.
    pub fn max_ms(&self) -> f64 {
        self.longest.as_secs_f64() * 1e3
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_right_to_a_step() {
        let mut durations = Durations::default();
        assert_eq!(durations.quantile_ms(0.5), None);
        for ms in 1..=100 {
            durations.add(Duration::from_millis(ms));
        }
        durations.add(Duration::from_secs(3));
        assert!((durations.quantile_ms(0.5).expect("some") - 51.0).abs() <= 0.06);
        assert!((durations.quantile_ms(0.99).expect("some") - 100.0).abs() <= 0.06);
        assert_eq!(durations.quantile_ms(1.0), Some(3000.0));
        assert_eq!(durations.max_ms(), 3000.0);
    }
}
