//! Reading scattered columns: all of the first axis at chosen places of the others.
//!
//! This is how NSD keeps its betas: trials first, one chunk per voxel, 699,192 chunks in a session. A general hyperslab
//! reader descends the chunk index once per voxel, which costs a tenth of a second each; here the index is walked once,
//! the wanted chunks are sorted by address, and each is read once. Memory: the result plus the index (about 130 bytes
//! per chunk of the data set).

use hdf5_reader::Datatype;
use hdf5_reader::filters::apply_pipeline_with_limit;
use hdf5_reader::messages::HdfMessage;
use ndarray::{Array2, ArrayViewD, ShapeBuilder};

use super::Dataset;
use super::element::{decode, decode_into};
use super::index::Stored;
use crate::number::Element;
use crate::{Error, Result, limits};

/// Blocks of rows in which data that are not chunked are read.
const BLOCK_BYTES: usize = 64 << 20;

impl Dataset {
    /// The columns at `columns`: flat C-order indices into all axes but the first. Row = index on the first axis.
    ///
    /// # Shapes
    /// The result is (length of axis 0) × (number of columns), stored column by column. Columns may repeat and come in
    /// any order.
    ///
    /// # Errors
    /// If a column does not exist, the elements are not numbers, `T` cannot hold one of them, or the data are damaged.
    pub fn read_columns<T: Element>(&self, columns: &[usize]) -> Result<Array2<T>> {
        let Some((&n_rows, inner_shape)) = self.shape().split_first() else {
            let remedy = "read it whole";
            return Err(self.wrong(Error::mismatch("the number of axes", "at least 1", 0, remedy)));
        };
        let number = self.check_type::<T>()?;
        self.check_index()?;
        let n_inner = limits::element_count("the data", inner_shape).map_err(|error| self.wrong(error))?;
        if let Some(&column) = columns.iter().find(|&&column| column >= n_inner) {
            let remedy = "the columns must belong to this data set's axes";
            return Err(self.wrong(Error::mismatch(
                "the number of columns",
                format!("column {column}"),
                n_inner,
                remedy,
            )));
        }
        let limit = limits::inflated_limit(self.source().len()).max(1 << 20);
        let n_values = limits::element_count("the columns", &[n_rows, columns.len()]).map_err(|e| self.wrong(e))?;
        limits::byte_count("the columns", n_values, size_of::<T>(), limit.saturating_mul(size_of::<T>() as u64))
            .map_err(|error| self.wrong(error))?;
        let mut gather = Gather::new(self, n_rows, inner_shape, columns)?;
        match self.inner.chunks() {
            None => self.columns_from_rows(&mut gather)?,
            Some(chunk) => {
                let chunk: Vec<usize> = chunk.into_iter().map(|length| length as usize).collect();
                match self.stored_chunks()? {
                    Some(stored) => self.columns_from_stored(stored, &chunk, number.width(), &mut gather)?,
                    None => self.columns_from_all_chunks(&chunk, &mut gather)?,
                }
            }
        }
        Ok(gather.finish())
    }

    /// Contiguous and compact data: blocks of rows.
    fn columns_from_rows<T: Element>(&self, gather: &mut Gather<T>) -> Result<()> {
        let row_bytes = gather.n_inner.max(1).saturating_mul(size_of::<T>());
        let step = (BLOCK_BYTES / row_bytes).max(1);
        for first in (0..gather.n_rows).step_by(step) {
            let rows = first..(first + step).min(gather.n_rows);
            let block = self.read_rows::<T>(rows)?;
            gather.put_rows(first, &block.view());
        }
        Ok(())
    }

    fn columns_from_stored<T: Element>(
        &self,
        mut stored: Vec<Stored>,
        chunk: &[usize],
        width: usize,
        gather: &mut Gather<T>,
    ) -> Result<()> {
        stored.retain(|entry| gather.wants(&entry.offsets, chunk));
        stored.sort_unstable_by_key(|entry| entry.address);
        let file = &self.file.inner;
        let header = file.get_or_parse_header(self.inner.address()).map_err(|error| self.locate(error))?;
        let filters = header.messages.iter().find_map(|message| match message {
            HdfMessage::FilterPipeline(pipeline) => Some(pipeline.filters.as_slice()),
            _ => None,
        });
        let n_elements = limits::element_count("a chunk", chunk).map_err(|error| self.wrong(error))?;
        let limit = limits::inflated_limit(self.source().len()).max(1 << 20);
        let n_bytes = limits::byte_count("a chunk", n_elements, width, limit).map_err(|error| self.wrong(error))?;
        for entry in stored {
            let size = usize::try_from(entry.size).unwrap_or(usize::MAX);
            let raw = file.storage().read_range(entry.address, size).map_err(|error| self.locate(error))?;
            match filters {
                None => gather.put_chunk(self, &raw, n_bytes, entry.address, &entry.offsets, chunk)?,
                Some(filters) => {
                    let bytes = apply_pipeline_with_limit(&raw, filters, entry.filter_mask, width, None, Some(n_bytes))
                        .map_err(|error| self.locate(error).at(entry.address))?;
                    gather.put_chunk(self, &bytes, n_bytes, entry.address, &entry.offsets, chunk)?;
                }
            }
        }
        Ok(())
    }

    /// Any other index: every chunk passes by once, in the order of the index.
    fn columns_from_all_chunks<T: Element>(&self, chunk: &[usize], gather: &mut Gather<T>) -> Result<()> {
        for decoded in self.inner.iter_chunks().map_err(|error| self.locate(error))? {
            let decoded = decoded.map_err(|error| self.locate(error))?;
            if gather.wants(decoded.offsets(), chunk) {
                let n_bytes = decoded.bytes().len();
                gather.put_chunk(self, decoded.bytes(), n_bytes, 0, decoded.offsets(), chunk)?;
            }
        }
        Ok(())
    }
}

/// The result under construction and the way from a chunk to it.
struct Gather<T> {
    n_rows: usize,
    n_inner: usize,
    inner_shape: Vec<usize>,
    datatype: Datatype,
    /// For every flat place of the inner axes: 0 if it is not wanted, else 1 + its first position in `order`.
    slot_of_place: Vec<u32>,
    /// Result columns sorted by place, so that a repeated place has its columns side by side.
    order: Vec<u32>,
    places: Vec<usize>,
    /// Column-major.
    values: Vec<T>,
    buffer: Vec<T>,
}

impl<T: Element> Gather<T> {
    fn new(dataset: &Dataset, n_rows: usize, inner_shape: &[usize], columns: &[usize]) -> Result<Self> {
        let n_inner = inner_shape.iter().product();
        // The table of places is larger than the data only if the file claims more than it can hold.
        let limit = limits::inflated_limit(dataset.source().len()).max(1 << 20);
        limits::byte_count("the data", n_inner, 1, limit).map_err(|error| dataset.wrong(error))?;
        let mut order: Vec<u32> = (0..columns.len() as u32).collect();
        order.sort_by_key(|&column| columns[column as usize]);
        let places: Vec<usize> = order.iter().map(|&column| columns[column as usize]).collect();
        let mut slot_of_place = vec![0u32; n_inner];
        for (position, &place) in places.iter().enumerate().rev() {
            slot_of_place[place] = position as u32 + 1;
        }
        let fill = dataset.inner.fill_value().and_then(|fill| fill.value.as_deref());
        let mut value = T::default();
        if let Some(bytes) = fill.filter(|bytes| !bytes.is_empty()) {
            let fill = decode::<T>(bytes, dataset.inner.dtype()).map_err(|error| dataset.locate(error))?;
            value = fill.first().copied().unwrap_or(value);
        }
        Ok(Self {
            n_rows,
            n_inner,
            inner_shape: inner_shape.to_vec(),
            datatype: dataset.inner.dtype().clone(),
            slot_of_place,
            order,
            places,
            values: vec![value; n_rows * columns.len()],
            buffer: Vec::new(),
        })
    }

    /// Whether the chunk at `offsets` holds a wanted column.
    fn wants(&self, offsets: &[u64], chunk: &[usize]) -> bool {
        let mut found = false;
        self.for_each_place(offsets, chunk, |place, _| found |= self.slot_of_place[place] != 0);
        found
    }

    /// Calls `visit(place, index inside one row of the chunk)` for the part of the chunk that is inside the data set.
    fn for_each_place(&self, offsets: &[u64], chunk: &[usize], mut visit: impl FnMut(usize, usize)) {
        let rank = self.inner_shape.len();
        // Version 1 indices carry one offset more, for the bytes of an element.
        if offsets.len() < rank + 1 || chunk.len() != rank + 1 || offsets[0] >= self.n_rows as u64 {
            return;
        }
        // NSD's case, once per chunk of a session: nothing to allocate and nothing to loop over.
        if chunk[1..].iter().all(|&length| length == 1) {
            let mut place = 0;
            for (&offset, &length) in offsets[1..=rank].iter().zip(&self.inner_shape) {
                if offset >= length as u64 {
                    return;
                }
                place = place * length + offset as usize;
            }
            visit(place, 0);
            return;
        }
        let Some(starts) = offsets[1..=rank].iter().map(|&o| usize::try_from(o).ok()).collect::<Option<Vec<_>>>()
        else {
            return;
        };
        let chunk = &chunk[1..];
        let inside: Vec<usize> =
            (0..rank).map(|axis| self.inner_shape[axis].saturating_sub(starts[axis]).min(chunk[axis])).collect();
        if inside.contains(&0) {
            return;
        }
        let mut index = vec![0usize; rank];
        loop {
            let (mut place, mut local) = (0, 0);
            for axis in 0..rank {
                place = place * self.inner_shape[axis] + starts[axis] + index[axis];
                local = local * chunk[axis] + index[axis];
            }
            visit(place, local);
            let mut axis = rank;
            loop {
                if axis == 0 {
                    return;
                }
                axis -= 1;
                index[axis] += 1;
                if index[axis] < inside[axis] {
                    break;
                }
                index[axis] = 0;
            }
        }
    }

    fn put_chunk(
        &mut self,
        dataset: &Dataset,
        bytes: &[u8],
        n_bytes: usize,
        address: u64,
        offsets: &[u64],
        chunk: &[usize],
    ) -> Result<()> {
        if bytes.len() != n_bytes {
            let error = Error::malformed("the size of a chunk", format!("{n_bytes} bytes"), bytes.len());
            return Err(dataset.wrong(error.at(address)));
        }
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.clear();
        decode_into(bytes, &self.datatype, &mut buffer).map_err(|error| dataset.locate(error))?;
        let first_row = usize::try_from(offsets[0]).unwrap_or(usize::MAX);
        let n_rows = self.n_rows.saturating_sub(first_row).min(chunk[0]);
        let row_len: usize = chunk[1..].iter().product();
        let mut found = Vec::new();
        self.for_each_place(offsets, chunk, |place, local| {
            if self.slot_of_place[place] != 0 {
                found.push((place, local));
            }
        });
        for (place, local) in found {
            for position in self.positions(place) {
                let column = self.order[position] as usize;
                let target = &mut self.values[column * self.n_rows + first_row..][..n_rows];
                for (row, target) in target.iter_mut().enumerate() {
                    *target = buffer[row * row_len + local];
                }
            }
        }
        self.buffer = buffer;
        Ok(())
    }

    fn put_rows(&mut self, first_row: usize, block: &ArrayViewD<T>) {
        let n_inner = self.n_inner;
        for (row, values) in block.outer_iter().enumerate() {
            // `read_rows` returns C order, so a row is one slice.
            let Some(values) = values.to_slice() else { continue };
            debug_assert_eq!(values.len(), n_inner);
            for (position, &place) in self.places.iter().enumerate() {
                self.values[self.order[position] as usize * self.n_rows + first_row + row] = values[place];
            }
        }
    }

    /// Positions in `order` of the columns at `place`.
    fn positions(&self, place: usize) -> impl Iterator<Item = usize> + use<T> {
        let first = self.slot_of_place[place] as usize - 1;
        let count = self.places[first..].iter().take_while(|&&other| other == place).count();
        first..first + count
    }

    fn finish(self) -> Array2<T> {
        let n_columns = self.order.len();
        match Array2::from_shape_vec((self.n_rows, n_columns).f(), self.values) {
            Ok(array) => array,
            Err(_) => unreachable!("the buffer was made for this shape"),
        }
    }
}
