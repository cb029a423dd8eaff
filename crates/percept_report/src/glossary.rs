//! What the arms and metrics of an outcome are called: the outcome says it, and every section asks here.
//!
//! A name that the outcome does not explain is shown as it is.

use percept_core::figure::Axis;
use percept_core::outcome::{ArmSummary, MetricFacts, Outcome, Unit};
use percept_core::score::ScoreRow;

use crate::markup::{decimal, percent};

/// The arms and metrics of one outcome, by name.
#[derive(Clone, Copy, Debug, Default)]
pub struct Glossary<'a> {
    arms: &'a [ArmSummary],
    metrics: &'a [MetricFacts],
}

impl<'a> Glossary<'a> {
    /// The glossary of `outcome`.
    pub fn new(outcome: &'a Outcome) -> Self {
        Self { arms: &outcome.arms, metrics: &outcome.metrics }
    }

    /// The arm `name`.
    pub fn arm(&self, name: &str) -> Option<&'a ArmSummary> {
        self.arms.iter().find(|arm| arm.name == name)
    }

    /// The metric `name`.
    pub fn metric(&self, name: &str) -> Option<&'a MetricFacts> {
        self.metrics.iter().find(|metric| metric.name == name)
    }

    /// The class that gives an arm its colour: results stand out against what judges them.
    pub fn class(&self, arm: &str) -> &'static str {
        if self.arm(arm).is_none_or(|arm| arm.role.is_method()) { "method" } else { "control" }
    }

    /// The heading of a metric.
    pub fn label<'n>(&self, metric: &'n str) -> &'n str
    where
        'a: 'n,
    {
        self.metric(metric).map_or(metric, |facts| facts.label.as_str())
    }

    /// How values of a metric are written.
    pub fn unit(&self, metric: &str) -> Unit {
        self.metric(metric).map_or(Unit::Plain, |facts| facts.unit)
    }

    /// Whether less of a metric is better.
    pub fn lower_is_better(&self, metric: &str) -> bool {
        self.metric(metric).is_some_and(|facts| facts.lower_is_better)
    }

    /// A value of a metric, in its unit.
    pub fn written(&self, metric: &str, value: f64) -> String {
        match self.unit(metric) {
            Unit::Plain => decimal(value),
            Unit::Percent => percent(value),
        }
    }

    /// The interval of a row in its unit; nothing where it has none, as a count: its ends are its value.
    pub fn interval(&self, row: &ScoreRow) -> String {
        if row.low == row.value && row.high == row.value {
            return String::new();
        }
        format!("{} to {}", self.written(&row.metric, row.low), self.written(&row.metric, row.high))
    }

    /// A difference of two values of a metric with its sign; percentage points without their unit.
    pub fn difference(&self, metric: &str, value: f64) -> String {
        let text = match self.unit(metric) {
            Unit::Plain => decimal(value),
            Unit::Percent => format!("{:.1}", value * 100.0).replace('-', "\u{2212}").replace("\u{2212}0.0", "0.0"),
        };
        if value > 0.0 && text.chars().any(|c| ('1'..='9').contains(&c)) { format!("+{text}") } else { text }
    }

    /// The name of an axis with its unit; that of a metric as in the tables of scores.
    pub fn axis(&self, axis: &Axis) -> String {
        let label = self.label(&axis.label);
        match (axis.unit.as_str(), self.unit(&axis.label)) {
            ("", Unit::Percent) => format!("{label} (%)"),
            ("", Unit::Plain) => label.to_owned(),
            (unit, _) => format!("{label} ({unit})"),
        }
    }

    /// What values of `axis` are multiplied by before they are written.
    pub fn factor(&self, axis: &Axis) -> f64 {
        match self.unit(&axis.label) {
            Unit::Percent if axis.unit.is_empty() => 100.0,
            _ => 1.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metrics() -> Vec<MetricFacts> {
        vec![MetricFacts {
            name: "twoway_clip".to_owned(),
            label: "2-way, CLIP".to_owned(),
            description: String::new(),
            unit: Unit::Percent,
            lower_is_better: false,
            chance: Some(0.5),
        }]
    }

    #[test]
    fn axes_of_metrics_are_named_as_in_the_tables_and_other_labels_stay() {
        let metrics = metrics();
        let glossary = Glossary { arms: &[], metrics: &metrics };
        assert_eq!(glossary.axis(&Axis::plain("twoway_clip")), "2-way, CLIP (%)");
        assert_eq!(glossary.axis(&Axis::plain("step")), "step");
        let milliseconds = Axis { unit: "ms".to_owned(), ..Axis::plain("delay") };
        assert_eq!(glossary.axis(&milliseconds), "delay (ms)");
        assert_eq!((glossary.factor(&Axis::plain("twoway_clip")), glossary.factor(&milliseconds)), (100.0, 1.0));
    }

    #[test]
    fn differences_carry_their_sign() {
        let metrics = metrics();
        let glossary = Glossary { arms: &[], metrics: &metrics };
        assert_eq!(glossary.difference("twoway_clip", 0.123), "+12.3");
        assert_eq!(glossary.difference("twoway_clip", -0.00001), "0.0");
        assert_eq!(glossary.difference("unlisted", -0.25), "\u{2212}0.250");
        assert_eq!(glossary.class("unlisted"), "method");
    }
}
