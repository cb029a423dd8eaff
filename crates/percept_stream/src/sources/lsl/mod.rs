//! A stream of the Lab Streaming Layer, by its name.
//!
//! The user's own liblsl is loaded when the source is opened, by the names that systems give it: the protocol's discovery and
//! time service are large, and every laboratory that uses it has the library. A stream that is lost is looked for again.

mod library;

use std::sync::Arc;
use std::time::Duration;

use ndarray::Array2;

use self::library::{Described, Inlet, Lsl, Pulled};
use super::pending::{Counter, Pending};
use crate::source::{Block, ChannelFacts, Event, Source, SourceError, SourceFacts};

const MAX_ROWS: usize = 4096;
const LOOK_SECS: f64 = 1.0;

/// The source.
pub(super) struct Stream {
    name: String,
    lsl: Arc<Lsl>,
    given_rate_hz: Option<f64>,
    inlet: Option<(Inlet, Described)>,
    counter: Counter,
    next_sample: u64,
    values: Vec<f64>,
    stamps: Vec<f64>,
    pending: Pending,
}

impl Stream {
    pub(super) fn open(name: &str, given_rate_hz: Option<f64>) -> Result<Self, SourceError> {
        let lsl = Lsl::load().map_err(|problem| SourceError::Unusable {
            place: format!("lsl:{name}"),
            problem: format!("liblsl cannot be loaded: {problem}"),
            remedy: "install liblsl 1.16 or later, for example from github.com/sccn/liblsl/releases, where the system finds \
                     libraries (or name its folder in LD_LIBRARY_PATH; on macOS DYLD_LIBRARY_PATH)"
                .to_owned(),
        })?;
        Ok(Self {
            name: name.to_owned(),
            lsl,
            given_rate_hz,
            inlet: None,
            counter: Counter::default(),
            next_sample: 0,
            values: Vec::new(),
            stamps: vec![0.0; MAX_ROWS],
            pending: Pending::new(),
        })
    }

    fn look(&mut self, wait: Duration) {
        match Inlet::open(&self.lsl, &self.name, wait.as_secs_f64().clamp(0.05, LOOK_SECS)) {
            Ok(Some((inlet, described))) => self.found(inlet, described),
            Ok(None) => self.pending.lost(format!("no stream `{}` of the Lab Streaming Layer answers", self.name)),
            Err(problem) => self.pending.lost(format!("lsl:{}: {problem}", self.name)),
        }
    }

    fn found(&mut self, inlet: Inlet, described: Described) {
        let rate_hz = self.given_rate_hz.unwrap_or(described.rate_hz);
        if !(rate_hz.is_finite() && rate_hz > 0.0) {
            self.pending.lost(format!("`{}` has no constant rate (give `--rate`)", self.name));
            return;
        }
        let channel = |(name, unit): &(String, String)| {
            let (_, unit) = volts(unit);
            ChannelFacts { name: name.clone(), unit: unit.to_owned() }
        };
        let channels: Vec<ChannelFacts> = described.channels.iter().map(channel).collect();
        self.values = vec![0.0; MAX_ROWS * channels.len()];
        let name = format!("Lab Streaming Layer, `{}`", self.name);
        self.pending.push(Event::Facts(SourceFacts { name, channels, rate_hz, n_samples: None }));
        if self.next_sample > 0 {
            self.counter.interrupt();
        }
        self.inlet = Some((inlet, described));
    }

    fn rows(&mut self, n_values: usize, scales: &[f64]) {
        let n_channels = scales.len();
        let shape = (n_values / n_channels, n_channels);
        let samples =
            Array2::from_shape_fn(shape, |(row, column)| self.values[row * n_channels + column] * scales[column]);
        let (first_sample, gap) = self.counter.place(self.next_sample, shape.0 as u64);
        self.next_sample += shape.0 as u64;
        if let Some(gap) = gap {
            self.pending.push(gap);
        }
        self.pending.samples(Event::Samples(Block { first_sample, samples, measured: None }));
    }
}

/// What takes the units that streams use to volts.
fn volts(unit: &str) -> (f64, &str) {
    match unit {
        "microvolts" | "uV" | "µV" => (1e-6, "V"),
        "millivolts" | "mV" => (1e-3, "V"),
        "volts" | "V" => (1.0, "V"),
        other => (1.0, other),
    }
}

impl Source for Stream {
    fn next(&mut self, wait: Duration) -> Result<Option<Event>, SourceError> {
        if let Some(event) = self.pending.pop() {
            return Ok(Some(event));
        }
        let Some((inlet, described)) = &mut self.inlet else {
            self.look(wait);
            return Ok(self.pending.pop());
        };
        let scales: Vec<f64> = described.channels.iter().map(|(_, unit)| volts(unit).0).collect();
        match inlet.pull(&mut self.values, &mut self.stamps, wait.as_secs_f64()) {
            Ok(Pulled::Values(0)) => {}
            Ok(Pulled::Values(n_values)) => self.rows(n_values, &scales),
            Ok(Pulled::Lost) => {
                self.inlet = None;
                self.pending.lost(format!("the stream `{}` has gone", self.name));
            }
            Err(problem) => self.pending.refuse(problem),
        }
        self.pending.check_silence();
        Ok(self.pending.pop())
    }
}
