//! The list of systems, metrics and controls. To add one, write its file and add its line here.

use percept_pipeline::Metric;
use percept_pipeline::evaluation::metrics;
use percept_pipeline::experiment::{MetricWord, Vocabulary};

use crate::controls::{Control, Mean, Shuffled, TrueContext, Truth};
use crate::system::System;
use crate::{b2c, captions, pixel_ridge, z_and_c};

/// What an experiment can ask for.
pub struct Registry {
    /// Systems, in the order of their arms.
    pub systems: Vec<Box<dyn System>>,
    /// Metrics, in the order of the tables.
    pub metrics: Vec<Box<dyn Metric>>,
    /// Controls, in the order of their arms.
    pub controls: Vec<Box<dyn Control>>,
}

impl Default for Registry {
    /// All that percept has.
    fn default() -> Self {
        Self {
            systems: vec![
                Box::new(z_and_c::ZAndC),
                Box::new(captions::Captions),
                Box::new(b2c::B2c),
                Box::new(pixel_ridge::PixelRidge),
            ],
            metrics: metrics::all(),
            controls: vec![Box::new(Shuffled), Box::new(Mean), Box::new(Truth), Box::new(TrueContext)],
        }
    }
}

impl Registry {
    /// The words that an experiment file may use.
    pub fn vocabulary(&self) -> Vocabulary {
        Vocabulary {
            methods: self.systems.iter().flat_map(|system| system.methods()).collect(),
            metrics: self
                .metrics
                .iter()
                .map(|metric| MetricWord {
                    name: metric.name(),
                    doc: metric.description(),
                    by_default: metric.is_basic(),
                })
                .collect(),
            controls: self.controls.iter().map(|control| control.word()).collect(),
            sections: self.systems.iter().filter_map(|system| system.section()).collect(),
        }
    }
}
