//! Scales: values to places, with ticks on round numbers.

use super::super::markup::{count, decimal};

/// A scale from values to a stretch of pixels.
pub(super) struct Scale {
    low: f64,
    high: f64,
    log: bool,
    from: f64,
    to: f64,
    /// Values with their text, ascending.
    pub(super) ticks: Vec<(f64, String)>,
}

impl Scale {
    /// A scale that holds all of `values` (each is written multiplied by `factor`) between the pixels `from` and `to`, with about
    /// `n_ticks` ticks. Values that are not finite, or not above 0 on a logarithmic scale, do not count.
    pub(super) fn new(
        values: impl Iterator<Item = f64>,
        log: bool,
        factor: f64,
        (from, to): (f64, f64),
        n_ticks: usize,
    ) -> Self {
        let (low, high) = values
            .filter(|value| value.is_finite() && (!log || *value > 0.0))
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)));
        let (low, high) = if low > high { if log { (1.0, 10.0) } else { (0.0, 1.0) } } else { (low, high) };
        if log {
            Self::logarithmic(low, high, factor, from, to)
        } else {
            Self::linear(low, high, factor, from, to, n_ticks)
        }
    }

    fn linear(low: f64, high: f64, factor: f64, from: f64, to: f64, n_ticks: usize) -> Self {
        let span = if high > low { high - low } else { low.abs().max(1.0) * 0.1 };
        let rough = span * factor / n_ticks as f64;
        let power = 10f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0].into_iter().map(|m| m * power).find(|step| *step >= rough * 0.999);
        let step = step.unwrap_or(10.0 * power) / factor;
        let first = (low / step + 1e-9).floor();
        let mut last = (high / step - 1e-9).ceil();
        if last <= first {
            last = first + 1.0;
        }
        let digits = (-(step * factor).log10().floor()).max(0.0) as usize;
        let ticks = (0..=(last - first).round() as usize)
            .map(|i| first + i as f64)
            .map(|i| (i * step, written(i * step * factor, digits)))
            .collect();
        Self { low: first * step, high: last * step, log: false, from, to, ticks }
    }

    fn logarithmic(low: f64, high: f64, factor: f64, from: f64, to: f64) -> Self {
        // A little room on both sides, so that marks at the ends are whole.
        let room = (high / low).powf(0.04).max(1.05);
        let (low, high) = (low / room, high * room);
        let steps: &[f64] = match (high / low).log10() {
            decades if decades > 3.0 => &[1.0],
            decades if decades > 1.4 => &[1.0, 3.0],
            _ => &[1.0, 2.0, 5.0],
        };
        let mut ticks = Vec::new();
        for decade in low.log10().floor() as i32..=high.log10().ceil() as i32 {
            for step in steps {
                let value = step * 10f64.powi(decade);
                if (low..=high).contains(&value) {
                    let shown = value * factor;
                    let digits = (-shown.log10().floor()).max(0.0) as usize;
                    ticks.push((value, written(shown, digits)));
                }
            }
        }
        Self { low, high, log: true, from, to, ticks }
    }

    /// The place of `value`, kept within the scale; `None` where it has none.
    pub(super) fn place(&self, value: f64) -> Option<f64> {
        if !value.is_finite() || (self.log && value <= 0.0) {
            return None;
        }
        let value = value.clamp(self.low, self.high);
        let share = if self.log {
            (value / self.low).ln() / (self.high / self.low).ln()
        } else {
            (value - self.low) / (self.high - self.low)
        };
        Some(self.from + share * (self.to - self.from))
    }

    /// How far from the left edge a vertical axis stands, so that its name and its ticks have room.
    pub(super) fn room_for_ticks(&self) -> f64 {
        let longest = self.ticks.iter().map(|(_, text)| text.chars().count()).max().unwrap_or(0);
        32.0 + 7.0 * longest as f64
    }

    /// Whether 0 lies inside, not at an end.
    pub(super) fn crosses_zero(&self) -> bool {
        !self.log && self.low < 0.0 && self.high > 0.0
    }
}

/// A number with this many digits after the point; whole ones with their thousands apart.
fn written(value: f64, digits: usize) -> String {
    if digits == 0 {
        let whole = value.round();
        let text = count(whole.abs() as usize);
        return if whole < 0.0 { format!("\u{2212}{text}") } else { text };
    }
    if digits <= 6 {
        format!("{value:.digits$}").replace('-', "\u{2212}")
    } else {
        format!("{value:.0e}").replace('-', "\u{2212}")
    }
}

/// A value as text beside a mark: three digits that mean something.
pub(super) fn short(value: f64) -> String {
    match value.abs() {
        0.0 => "0".to_owned(),
        size if !size.is_finite() => "not defined".to_owned(),
        size if size >= 1000.0 => written(value, 0),
        size if size >= 100.0 => format!("{value:.0}").replace('-', "\u{2212}"),
        size if size >= 10.0 => format!("{value:.1}").replace('-', "\u{2212}"),
        size if size >= 0.001 => decimal(value),
        _ => format!("{value:.1e}").replace('-', "\u{2212}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(scale: &Scale) -> Vec<&str> {
        scale.ticks.iter().map(|(_, text)| text.as_str()).collect()
    }

    #[test]
    fn ticks_are_round_and_hold_all_values() {
        let scale = Scale::new([0.13, 0.87].into_iter(), false, 1.0, (100.0, 0.0), 5);
        assert_eq!(texts(&scale), ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
        assert_eq!((scale.place(0.0), scale.place(1.0), scale.place(0.25)), (Some(100.0), Some(0.0), Some(75.0)));
        let steps = Scale::new([0.0, 2000.0].into_iter(), false, 1.0, (0.0, 1.0), 4);
        assert_eq!(texts(&steps), ["0", "500", "1\u{202f}000", "1\u{202f}500", "2\u{202f}000"]);
        let signed = Scale::new([-0.04, 0.02].into_iter(), false, 100.0, (0.0, 1.0), 4);
        assert_eq!(texts(&signed), ["\u{2212}4", "\u{2212}2", "0", "2"]);
        assert!(signed.crosses_zero() && !steps.crosses_zero());
    }

    #[test]
    fn decades_are_equally_far_apart() {
        let scale = Scale::new([0.001, 10.0].into_iter(), true, 1.0, (0.0, 1.0), 5);
        assert_eq!(texts(&scale), ["0.001", "0.01", "0.1", "1", "10"]);
        let at = |value| scale.place(value).expect("above 0");
        assert!(((at(0.1) - at(0.01)) - (at(10.0) - at(1.0))).abs() < 1e-12);
        assert_eq!(scale.place(0.0), None);
        let sizes = Scale::new([200.0, 900.0].into_iter(), true, 1.0, (0.0, 1.0), 5);
        assert_eq!(texts(&sizes), ["200", "500"]);
    }

    #[test]
    fn odd_values_still_have_a_scale() {
        for values in [vec![], vec![f64::NAN], vec![3.0], vec![0.0, 0.0], vec![-2.0]] {
            let scale = Scale::new(values.iter().copied(), false, 1.0, (0.0, 10.0), 5);
            assert!(scale.ticks.len() > 1 && scale.low < scale.high, "{values:?}");
            for value in values.into_iter().filter(|value| value.is_finite()) {
                assert!((0.0..=10.0).contains(&scale.place(value).expect("finite")));
            }
        }
        let none = Scale::new([-1.0].into_iter(), true, 1.0, (0.0, 10.0), 5);
        assert_eq!(none.place(-1.0), None);
    }
}
