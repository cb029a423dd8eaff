//! Taps: places inside a model whose values can be read while it runs.
//!
//! A model is given a [`Taps`] that says which places are wanted; it calls `Taps::see` at every place it names, which
//! costs one comparison when nothing is wanted. Only wanted values are kept. Names are those of the places within the
//! model (`down.1.attn.0.cross`, `layer07`, `mid`); which model, and at which diffusion step, is the caller's.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::{Arguments, Write},
};

use candle_core::Tensor;

use crate::error::{ModelError, Result};

/// The places wanted of one pass, and what was seen there.
#[derive(Debug, Default)]
pub struct Taps {
    wanted: BTreeSet<String>,
    found: BTreeMap<String, Tensor>,
    /// Every name seen, in order, when they are to be listed.
    listing: Option<Vec<String>>,
    prefix: String,
}

impl Taps {
    /// No place at all.
    pub fn none() -> Self {
        Self::default()
    }

    /// These places.
    pub fn wanting(names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self { wanted: names.into_iter().map(Into::into).collect(), ..Self::default() }
    }

    /// Keeps no values, but the names of all places that the pass comes by.
    pub fn listing() -> Self {
        Self { listing: Some(Vec::new()), ..Self::default() }
    }

    fn is_idle(&self) -> bool {
        self.wanted.is_empty() && self.listing.is_none()
    }

    /// The model is at the place `name` and has `value` there.
    pub(crate) fn see(&mut self, name: Arguments<'_>, value: &Tensor) {
        if self.is_idle() {
            return;
        }
        let full = format!("{}{name}", self.prefix);
        if self.wanted.contains(&full) {
            self.found.insert(full.clone(), value.detach());
        }
        if let Some(names) = &mut self.listing {
            names.push(full);
        }
    }

    /// As [`Self::see`] for a value that costs something: it is made only when it is wanted.
    pub(crate) fn see_made(&mut self, name: Arguments<'_>, make: impl FnOnce() -> Result<Tensor>) -> Result<()> {
        if self.is_idle() {
            return Ok(());
        }
        let full = format!("{}{name}", self.prefix);
        if self.wanted.contains(&full) {
            self.found.insert(full.clone(), make()?.detach());
        }
        if let Some(names) = &mut self.listing {
            names.push(full);
        }
        Ok(())
    }

    /// Runs `work`, all of whose places lie below `name`.
    pub(crate) fn within<T>(&mut self, name: Arguments<'_>, work: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        if self.is_idle() {
            return work(self);
        }
        let outer = self.prefix.len();
        // Writing to a string cannot fail.
        let _ = write!(self.prefix, "{name}.");
        let result = work(self);
        self.prefix.truncate(outer);
        result
    }

    /// The names of all places of a listing pass.
    pub fn names(&self) -> &[String] {
        self.listing.as_deref().unwrap_or_default()
    }

    /// What was seen, by name.
    ///
    /// # Errors
    /// [`ModelError::Input`] naming a place that the model does not have.
    pub fn finish(self) -> Result<BTreeMap<String, Tensor>> {
        match self.wanted.iter().find(|name| !self.found.contains_key(*name)) {
            None => Ok(self.found),
            Some(absent) => Err(ModelError::Input {
                what: "tap",
                expected: "the name of a place in the model (`percept model taps PACK` lists them)".into(),
                got: format!("`{absent}`"),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    #[test]
    fn only_wanted_places_are_kept_and_absent_ones_named() {
        let value = Tensor::zeros(2, candle_core::DType::F32, &Device::Cpu).expect("a small tensor");
        let pass = |mut taps: Taps| {
            taps.see(format_args!("first"), &value);
            taps.within(format_args!("block.{}", 3), |taps| {
                taps.see(format_args!("inner"), &value);
                Ok(())
            })
            .expect("nothing fails");
            taps
        };
        assert_eq!(pass(Taps::listing()).names(), ["first", "block.3.inner"]);
        let found = pass(Taps::wanting(["block.3.inner"])).finish().expect("the place exists");
        assert_eq!(found.keys().collect::<Vec<_>>(), ["block.3.inner"]);
        let words = pass(Taps::wanting(["inner"])).finish().expect_err("no such place").to_string();
        assert!(words.contains("`inner`"), "{words}");
    }
}
