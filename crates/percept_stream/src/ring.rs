//! The newest rows of a signal, in memory that does not grow: windows are contiguous views.

use std::time::{Duration, Instant};

use ndarray::{Array2, ArrayView2};

/// The newest rows.
pub struct Ring {
    data: Vec<f64>,
    n_channels: usize,
    rate_hz: f64,
    /// Rows that are kept at least.
    kept: usize,
    /// The number of the first row in `data`, and of the first after it.
    first: u64,
    end: u64,
    measured: Option<(u64, Instant)>,
}

impl Ring {
    /// A ring that keeps at least `kept` rows.
    pub fn new(n_channels: usize, rate_hz: f64, kept: usize) -> Self {
        Self { data: Vec::new(), n_channels, rate_hz, kept, first: 0, end: 0, measured: None }
    }

    /// The number of rows that came, gone ones included.
    pub fn end(&self) -> u64 {
        self.end
    }

    /// Adds rows, of which the last was measured at `measured`.
    pub fn push(&mut self, rows: &Array2<f64>, measured: Option<Instant>) {
        if rows.nrows() == 0 {
            return;
        }
        self.data.extend(rows.iter());
        self.end += rows.nrows() as u64;
        self.measured = measured.map(|time| (self.end, time));
        let extra = (self.data.len() / self.n_channels).saturating_sub(self.kept);
        // Moving all rows for each new one would cost more than twice the memory does.
        if extra > self.kept {
            self.data.drain(..extra * self.n_channels);
            self.first += extra as u64;
        }
    }

    /// The `n` rows before the row number `end`; `None` where they are gone or have not come.
    pub fn window(&self, end: u64, n: usize) -> Option<ArrayView2<'_, f64>> {
        let start = end.checked_sub(n as u64)?.checked_sub(self.first)? as usize;
        if end > self.end {
            return None;
        }
        let values = &self.data[start * self.n_channels..(start + n) * self.n_channels];
        ArrayView2::from_shape((n, self.n_channels), values).ok()
    }

    /// When the last row before the row number `end` was measured.
    pub fn measured(&self, end: u64) -> Option<Instant> {
        let (newest, time) = self.measured?;
        let rows = newest.saturating_sub(end) as f64;
        time.checked_sub(Duration::from_secs_f64(rows / self.rate_hz))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_what_was_pushed_and_old_rows_go() {
        let mut ring = Ring::new(2, 10.0, 5);
        for block in 0..100u32 {
            let rows = Array2::from_shape_fn((3, 2), |(i, j)| f64::from(block * 3 + i as u32) + j as f64 / 10.0);
            ring.push(&rows, None);
            assert!(ring.data.len() <= 2 * (2 * 5 + 3));
        }
        assert_eq!(ring.end(), 300);
        assert_eq!(ring.window(299, 2).expect("kept"), ndarray::array![[297.0, 297.1], [298.0, 298.1]]);
        assert!(ring.window(301, 2).is_none() && ring.window(10, 2).is_none() && ring.window(1, 2).is_none());
    }

    #[test]
    fn the_time_of_a_row_is_counted_back_from_the_newest() {
        let mut ring = Ring::new(1, 10.0, 5);
        let now = crate::clock::now();
        ring.push(&Array2::zeros((8, 1)), Some(now));
        assert_eq!(ring.measured(8), Some(now));
        assert_eq!(ring.measured(6), now.checked_sub(Duration::from_millis(200)));
    }
}
