//! From plain numbers to events: rows that belong together become one block, other rates, names and widths become facts.

use std::time::Instant;

use ndarray::Array2;

use super::numbers::{Numbering, Numbers};
use super::pending::Pending;
use crate::source::{Block, ChannelFacts, Event, SourceFacts};

/// Rows of one block.
const MAX_BLOCK_VALUES: usize = 1 << 20;

/// Collects rows of one source.
#[derive(Debug)]
pub(super) struct Rows {
    name: String,
    rate_hz: Option<f64>,
    /// Whether the user gave the rate, which the sender cannot change then.
    is_given: bool,
    names: Vec<String>,
    n_channels: usize,
    /// What the engine was told last.
    said: Option<SourceFacts>,
    numbering: Numbering,
    values: Vec<f64>,
    first_sample: u64,
    pub(super) pending: Pending,
}

impl Rows {
    pub(super) fn new(name: String, rate_hz: Option<f64>) -> Self {
        Self {
            name,
            rate_hz,
            is_given: rate_hz.is_some(),
            names: Vec::new(),
            n_channels: 0,
            said: None,
            numbering: Numbering::default(),
            values: Vec::new(),
            first_sample: 0,
            pending: Pending::new(),
        }
    }

    /// Takes what was parsed.
    pub(super) fn take(&mut self, numbers: Numbers) {
        match numbers {
            Numbers::Rate(rate_hz) if !self.is_given => {
                self.flush();
                self.rate_hz = Some(rate_hz);
            }
            Numbers::Rate(_) => {}
            Numbers::Names(names) => {
                self.flush();
                self.names = names;
            }
            Numbers::Rows(number, n_channels, values) => self.rows(number, n_channels, &values),
            Numbers::Refused(what) => {
                self.flush();
                self.pending.refuse(what);
            }
        }
    }

    fn rows(&mut self, number: Option<u32>, n_channels: usize, values: &[f64]) {
        let Some(rate_hz) = self.rate_hz else {
            let remedy = "give `--rate`, or send `# rate 250` (OSC: `/rate 250`)";
            self.pending.refuse(format!("samples of a rate that is not known ({remedy})"));
            return;
        };
        if n_channels != self.n_channels || self.values.len() + values.len() > MAX_BLOCK_VALUES {
            self.flush();
            self.n_channels = n_channels;
        }
        let channel = |index: usize| {
            let name = self.names.get(index).filter(|_| self.names.len() == n_channels).cloned();
            ChannelFacts { name: name.unwrap_or_else(|| index.to_string()), unit: String::new() }
        };
        let is_said = self.said.as_ref().is_some_and(|said| {
            said.rate_hz == rate_hz
                && said.channels.len() == n_channels
                && (self.names.len() != n_channels || said.channels.iter().map(|c| &c.name).eq(&self.names))
        });
        if !is_said {
            let channels = (0..n_channels).map(channel).collect();
            let facts = SourceFacts { name: self.name.clone(), channels, rate_hz, n_samples: None };
            self.flush();
            self.said = Some(facts.clone());
            self.pending.push(Event::Facts(facts));
        }
        let n = (values.len() / n_channels) as u64;
        let (first, gap) = self.numbering.place(number, n);
        if let Some(gap) = gap {
            self.flush();
            self.pending.push(gap);
        }
        if self.values.is_empty() {
            self.first_sample = first;
        }
        self.values.extend_from_slice(values);
    }

    /// Hands out the rows that were collected.
    pub(super) fn flush(&mut self) {
        if self.values.is_empty() {
            return;
        }
        let values = std::mem::take(&mut self.values);
        let shape = (values.len() / self.n_channels, self.n_channels);
        if let Ok(samples) = Array2::from_shape_vec(shape, values) {
            let measured = Some(Instant::now());
            self.pending.samples(Event::Samples(Block { first_sample: self.first_sample, samples, measured }));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_become_blocks_and_changes_become_facts() {
        let mut rows = Rows::new("test".into(), None);
        rows.take(Numbers::Rows(None, 1, vec![1.0]));
        rows.take(Numbers::Rate(100.0));
        rows.take(Numbers::Rows(None, 1, vec![1.0]));
        rows.take(Numbers::Rows(None, 1, vec![2.0]));
        rows.take(Numbers::Rows(None, 2, vec![3.0, 4.0]));
        rows.take(Numbers::Names(vec!["a".into(), "b".into()]));
        rows.take(Numbers::Rows(Some(9), 2, vec![5.0, 6.0]));
        rows.flush();
        let events: Vec<Event> = std::iter::from_fn(|| rows.pending.pop()).collect();
        let shapes: Vec<(u64, (usize, usize))> = events
            .iter()
            .filter_map(|e| {
                if let Event::Samples(block) = e { Some((block.first_sample, block.samples.dim())) } else { None }
            })
            .collect();
        assert!(matches!(&events[0], Event::Refused(words) if words.contains("--rate")));
        assert!(matches!(&events[1], Event::Facts(facts) if facts.rate_hz == 100.0 && facts.channels.len() == 1));
        assert_eq!(shapes, [(0, (2, 1)), (2, (1, 2)), (9, (1, 2))]);
        assert!(events.iter().any(
            |e| matches!(e, Event::Facts(facts) if facts.channels.get(1).is_some_and(|channel| channel.name == "b"))
        ));
        assert!(events.contains(&Event::Gap(Some(6))), "{events:?}");
    }
}
