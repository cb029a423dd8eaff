//! What all metrics of captions have in common: statistics of pairs that are added over items.

/// A metric whose value is made of statistics that are added over items.
pub(super) trait Metric<const N: usize>: Sync {
    /// The metrics that are made of these statistics.
    fn names(&self) -> Vec<&'static str>;
    /// The statistics of a prediction against the references of an item.
    fn statistics(&self, predicted: usize, item: usize) -> [f64; N];
    /// The value of the metric of this position for a sum over `n` items; the mean unless it is something else.
    fn value(&self, metric: usize, sum: &[f64; N], n: usize) -> f64 {
        let _ = metric;
        sum[0] / n as f64
    }
}
