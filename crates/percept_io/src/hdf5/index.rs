//! The index of a chunked data set: where its chunks lie, and whether that can be true.
//!
//! Newer files protect their indices with checksums, which the decoder compares. The B-trees of version 1, which most files have, carry
//! none: one flipped bit moves a chunk to another place, and where it is missing zeros are read. So the chunks must stand
//! in order on the grid of the data set, must not overlap in the file, and none may lie outside while one is missing inside.

use std::sync::PoisonError;

use hdf5_reader::btree_v1::{BTreeV1Key, collect_btree_v1_leaves_storage};
use hdf5_reader::messages::HdfMessage;
use hdf5_reader::messages::layout::DataLayout;

use super::Dataset;
use crate::{Error, Result};

/// A chunk: its place in the file and its first element in the data set.
pub(super) struct Stored {
    pub(super) address: u64,
    pub(super) size: u64,
    pub(super) filter_mask: u32,
    pub(super) offsets: Vec<u64>,
}

impl Dataset {
    /// Refuses an index whose chunks cannot lie where it says. It is looked at once for each data set.
    ///
    /// # Errors
    /// [`crate::Kind::Malformed`] naming what is wrong.
    pub(super) fn check_index(&self) -> Result<()> {
        let known = || self.file.sound.lock().unwrap_or_else(PoisonError::into_inner);
        let address = self.inner.address();
        if known().contains(&address) {
            return Ok(());
        }
        if let (Some(stored), Some(chunk)) = (self.stored_chunks()?, self.inner.chunks()) {
            let chunk: Vec<u64> = chunk.into_iter().map(u64::from).collect();
            let shape = self.inner.shape();
            let can_change = self.inner.max_dims().is_some_and(|most| most != shape);
            check(&stored, shape, &chunk, self.source().len(), can_change).map_err(|error| self.wrong(error))?;
        }
        known().insert(address);
        Ok(())
    }

    /// The chunks of a version 1 B-tree, the index of NSD, MATLAB and h5py's default; `None` for other indices.
    pub(super) fn stored_chunks(&self) -> Result<Option<Vec<Stored>>> {
        let file = &self.file.inner;
        let header = file.get_or_parse_header(self.inner.address()).map_err(|error| self.locate(error))?;
        let mut address = None;
        for message in &header.messages {
            match message {
                HdfMessage::DataLayout(message) => {
                    if let DataLayout::Chunked { address: root, chunk_indexing: None, dims, .. } = &message.layout {
                        address = Some((*root, dims.clone()));
                    }
                }
                // A shared pipeline would have to be looked up; the decoder does so on the general path.
                HdfMessage::Shared(_) => return Ok(None),
                _ => {}
            }
        }
        let Some((root, dims)) = address else { return Ok(None) };
        let superblock = file.superblock();
        let leaves = collect_btree_v1_leaves_storage(
            file.storage(),
            root,
            superblock.offset_size,
            superblock.length_size,
            Some(self.shape().len() as u32),
            &dims,
            None,
        )
        .map_err(|error| self.locate(error))?;
        let stored = leaves.into_iter().filter_map(|(key, address)| match key {
            BTreeV1Key::RawData { chunk_size, filter_mask, offsets } => {
                Some(Stored { address, size: u64::from(chunk_size), filter_mask, offsets })
            }
            BTreeV1Key::Group { .. } => None,
        });
        Ok(Some(stored.collect()))
    }
}

/// Whether `stored` can be chunks of a data set of this shape, which can change or not, in a file of `len` bytes.
fn check(stored: &[Stored], shape: &[u64], chunk: &[u64], len: u64, can_change: bool) -> Result<()> {
    let is_on_grid = |entry: &Stored| {
        entry.offsets.len() >= shape.len()
            && entry.offsets.iter().zip(chunk).all(|(&offset, &c)| c > 0 && offset % c == 0)
    };
    if let Some(entry) = stored.iter().find(|entry| !is_on_grid(entry)) {
        let place = format!("{:?}", entry.offsets);
        return Err(Error::malformed("the place of an HDF5 chunk", "one on the grid", place).at(entry.address));
    }
    let place = |entry: &Stored| entry.offsets[..shape.len()].to_vec();
    if let Some(pair) = stored.windows(2).find(|pair| place(&pair[0]) >= place(&pair[1])) {
        let (before, after) = (place(&pair[0]), place(&pair[1]));
        let got = format!("{after:?} behind {before:?}");
        return Err(Error::malformed("the order of HDF5 chunks", "ascending places", got).at(pair[1].address));
    }
    let mut places: Vec<(u64, u64)> = stored.iter().map(|entry| (entry.address, entry.size)).collect();
    places.sort_unstable();
    let ends = places.iter().skip(1).map(|next| next.0).chain([len]);
    for (&(address, size), limit) in places.iter().zip(ends) {
        if address.checked_add(size).is_none_or(|end| end > limit) {
            let got = format!("{size} bytes that reach into what follows");
            return Err(Error::malformed("an HDF5 chunk", "a place of its own in the file", got).at(address));
        }
    }
    // Chunks beyond the shape may be left from when it was larger; where it cannot change, or some are missing inside, one was
    // moved there. A data set of which nothing lies outside may have been written in part.
    let is_inside = |entry: &&Stored| entry.offsets.iter().zip(shape).all(|(&offset, &length)| offset < length);
    let inside = stored.iter().filter(is_inside).count() as u64;
    let all = shape.iter().zip(chunk).fold(1u64, |all, (&length, &c)| all.saturating_mul(length.div_ceil(c.max(1))));
    if inside < stored.len() as u64 && (inside != all || !can_change) {
        return Err(Error::malformed("the number of HDF5 chunks", format!("all {all} inside the data set"), inside));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Chunks of 2 × 3 of a 4 × 5 data set, 24 bytes each.
    fn sound() -> Vec<Stored> {
        [[0, 0], [0, 3], [2, 0], [2, 3]]
            .into_iter()
            .enumerate()
            .map(|(i, place)| Stored {
                address: 100 + 24 * i as u64,
                size: 24,
                filter_mask: 0,
                offsets: vec![place[0], place[1], 0],
            })
            .collect()
    }

    fn refusal(change: impl FnOnce(&mut Vec<Stored>)) -> String {
        let mut stored = sound();
        change(&mut stored);
        check(&stored, &[4, 5], &[2, 3], 1000, false).expect_err("refused").to_string()
    }

    #[test]
    fn an_index_that_cannot_be_true_is_refused() {
        check(&sound(), &[4, 5], &[2, 3], 1000, false).expect("sound");
        check(&[], &[4, 5], &[2, 3], 1000, false).expect("nothing was ever written");
        assert!(refusal(|all| all[1].offsets[1] = 2).contains("on the grid"));
        assert!(refusal(|all| all[1].offsets[1] = 0).contains("ascending"));
        assert!(refusal(|all| all[3].offsets[1] = 6).contains("expected all 4"));
        check(&sound()[..3], &[4, 5], &[2, 3], 1000, false).expect("written in part");
        check(&sound(), &[4, 3], &[2, 3], 1000, true).expect("it was larger");
        assert!(refusal(|all| all[2].address = 110).contains("of its own"));
        assert!(refusal(|all| all[3].address = 990).contains("of its own"));
        assert!(refusal(|all| all[3].size = u64::MAX).contains("of its own"));
    }
}
