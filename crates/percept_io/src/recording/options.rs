//! What the user says about a recording that the file does not.

use crate::{Error, Result};

/// Which axis of a matrix is time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Axis {
    /// The longer one; the first if both are equal.
    #[default]
    Longer,
    /// Samples × channels.
    First,
    /// Channels × samples.
    Second,
}

/// What the user says. Formats that know a thing refuse to be told another.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Options {
    /// The sampling rate, for arrays and tables.
    pub rate_hz: Option<f64>,
    /// Which stream of several, by name: an array, a stream of XDF or Open Ephys, a series of NWB, signals of Intan or EDF.
    pub stream: Option<String>,
    /// The unit of the numbers in arrays and tables, such as `uV`.
    pub unit: Option<String>,
    /// The size of one count in that unit, for arrays and tables.
    pub scale: Option<f64>,
    /// Which axis of an array is time.
    pub time_axis: Axis,
}

impl Options {
    /// The rate, which the file does not say.
    pub(super) fn required_rate(&self) -> Result<f64> {
        let remedy = "give the number of samples in a second, as by `--rate 1000`";
        let rate =
            self.rate_hz.ok_or_else(|| Error::mismatch("the sampling rate", "a number of Hz", "absent", remedy))?;
        if rate.is_finite() && rate > 0.0 {
            return Ok(rate);
        }
        Err(Error::mismatch("the sampling rate", "a positive number of Hz", rate, remedy))
    }

    /// Refuses what a file of `format` says itself, `rate_hz` included.
    pub(super) fn refuse_what_is_known(&self, format: &str, rate_hz: f64) -> Result<()> {
        let given = [
            ("rate", self.rate_hz.is_some_and(|rate| rate != rate_hz)),
            ("unit", self.unit.is_some()),
            ("scale", self.scale.is_some()),
            ("time axis", self.time_axis != Axis::Longer),
        ];
        let Some((name, _)) = given.into_iter().find(|(_, is_given)| *is_given) else { return Ok(()) };
        let expected =
            if name == "rate" { format!("{:?} Hz", self.rate_hz.unwrap_or(0.0)) } else { "another".to_owned() };
        let got = if name == "rate" { format!("{rate_hz} Hz") } else { "in the file".to_owned() };
        let remedy = format!("leave it out: {format} files say it themselves");
        Err(Error::mismatch(format!("the {name}"), expected, got, remedy))
    }

    /// The stream asked for among `names`, or the only one.
    pub(super) fn choose(&self, what: &str, names: &[String]) -> Result<usize> {
        match &self.stream {
            Some(name) => {
                let found = names.iter().position(|known| known == name);
                found.ok_or_else(|| Error::missing(what, name, names.iter().map(String::as_str)))
            }
            None if names.len() == 1 => Ok(0),
            None => {
                let shown: Vec<String> = names.iter().take(20).map(|name| format!("`{name}`")).collect();
                let remedy = if shown.is_empty() {
                    "the file holds none that can be read".to_owned()
                } else {
                    format!("name one of {}, as in `FILE:NAME`", shown.join(", "))
                };
                Err(Error::mismatch(format!("the number of {what}s"), "one", names.len(), remedy))
            }
        }
    }
}
