//! A picture model, perhaps with other weights in its U-Net, which are only held while they are used.
//!
//! A comparison may have many trained U-Nets. Each is made when its first picture is asked for, and let go of when its arm is
//! done, so that one is in memory at a time.

use std::sync::{Arc, Mutex, PoisonError};

use percept_core::provenance::content_hash;
use percept_models::error::Result;

use super::{Changes, PictureModel};

/// A model as it is, or with changes that are loaded when they are needed.
pub struct OnDemand {
    base: Arc<dyn PictureModel>,
    changes: Option<Changes>,
    content: String,
    made: Mutex<Option<Arc<dyn PictureModel>>>,
}

impl OnDemand {
    /// `model` as it is.
    pub fn plain(model: Arc<dyn PictureModel>) -> Self {
        Self { content: model.content().to_owned(), base: model, changes: None, made: Mutex::new(None) }
    }

    /// `base` with `changes`; nothing is loaded yet.
    pub fn adapted(base: Arc<dyn PictureModel>, changes: Changes) -> Self {
        let content = content_hash(format!("{} {}", base.content(), changes.content).as_bytes());
        Self { base, changes: Some(changes), content, made: Mutex::new(None) }
    }

    /// A hash of the model and its changes.
    pub fn content(&self) -> &str {
        &self.content
    }

    /// The model; changes stay in memory until [`OnDemand::release`].
    ///
    /// # Errors
    /// When the changes do not fit.
    pub fn model(&self) -> Result<Arc<dyn PictureModel>> {
        let Some(changes) = &self.changes else { return Ok(self.base.clone()) };
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(model) = &*made {
            return Ok(model.clone());
        }
        let model = self.base.adapted(changes)?;
        *made = Some(model.clone());
        Ok(model)
    }

    /// Lets go of the changed model.
    pub fn release(&self) {
        *self.made.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}
