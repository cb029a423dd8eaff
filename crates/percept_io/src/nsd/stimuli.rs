//! The pictures: `nsd_stimuli.hdf5`, data set `imgBrick`, 73,000 × 425 × 425 × 3 bytes of RGB, counted from 0.
//!
//! Brain-Diffuser's preparation reads all 39.5 GB into memory; here pictures come by index, in any order.

use std::path::Path;

use ndarray::{Array4, Ix4, s};

use crate::hdf5::{self, Dataset, Dtype};
use crate::number::Number;
use crate::{Error, Result};

/// An open file of pictures.
#[derive(Clone, Debug)]
pub struct Stimuli {
    dataset: Dataset,
    shape: [usize; 4],
}

impl Stimuli {
    /// Opens the pictures at `path`.
    ///
    /// # Errors
    /// If the file is absent or damaged, or its pictures are not n × height × width × 3 bytes.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let dataset = hdf5::open(path)?.dataset("imgBrick")?;
        let shape = match *dataset.shape() {
            [n, height, width, 3] if dataset.dtype() == &Dtype::Number(Number::U8) => [n, height, width, 3],
            _ => {
                let got = format!("{} of {:?}", dataset.dtype(), dataset.shape());
                let remedy = "use `nsd_stimuli.hdf5` as it was downloaded";
                let error = Error::mismatch("`imgBrick`", "uint8 of n × height × width × 3", got, remedy);
                return Err(error.in_file(path));
            }
        };
        Ok(Self { dataset, shape })
    }

    /// The number of pictures.
    pub fn n_images(&self) -> usize {
        self.shape[0]
    }

    /// Height and width of a picture.
    pub fn size(&self) -> (usize, usize) {
        (self.shape[1], self.shape[2])
    }

    /// The pictures at `indices` (from 0), which may repeat and come in any order. Each is read once.
    ///
    /// # Shapes
    /// n × height × width × 3, RGB.
    ///
    /// # Errors
    /// If an index lies beyond the last picture, or the file is damaged.
    pub fn read(&self, indices: &[usize]) -> Result<Array4<u8>> {
        let [n_images, height, width, channels] = self.shape;
        if let Some(index) = indices.iter().find(|&&index| index >= n_images) {
            let remedy = "pictures count from 0; check that the stimuli belong to this design";
            let error = Error::mismatch("the number of pictures", format!("picture {index}"), n_images, remedy);
            return Err(self.dataset.wrong(error));
        }
        let mut pictures = Array4::zeros((indices.len(), height, width, channels));
        let mut order: Vec<usize> = (0..indices.len()).collect();
        order.sort_by_key(|&position| indices[position]);
        let mut last: Option<(usize, usize)> = None;
        for position in order {
            let index = indices[position];
            match last {
                Some((previous, first)) if previous == index => {
                    let (picture, mut target) =
                        pictures.multi_slice_mut((s![first, .., .., ..], s![position, .., .., ..]));
                    target.assign(&picture);
                }
                _ => {
                    let picture = self.dataset.read_rows::<u8>(index..index + 1)?;
                    let picture = picture
                        .into_dimensionality::<Ix4>()
                        .map_err(|error| self.dataset.wrong(Error::codec("a picture", error)))?;
                    pictures.slice_mut(s![position..=position, .., .., ..]).assign(&picture);
                    last = Some((index, position));
                }
            }
        }
        Ok(pictures)
    }
}
