//! Samples and targets in files, with what is missing left out.

use std::ops::Range;

use ndarray::{Array2, ArrayView1, CowArray, Ix2, s};
use percept_io::array::Reference;
use percept_io::matrix::Matrix;
use percept_io::number::Element;
use percept_regress::{Real, RegressError, Repeats, Samples, Targets};

use crate::error::LinearError;
use crate::job::Missing;

/// Bytes read at a time when a file is only looked through.
const SCAN_BYTES: usize = 64 << 20;
/// Values of a row that its code is made of, at most.
const CODED: usize = 512;
/// What a list of numbers may unpack to, at least.
const MOST_LIST_BYTES: u64 = 16 << 20;
/// How many rows or columns an error names.
const NAMED: usize = 5;

/// Matrices in files, side by side, without the rows and columns that are left out, repeats averaged if asked.
#[derive(Debug)]
pub struct Source<T> {
    matrices: Vec<Matrix<T>>,
    /// First column of each matrix, then one past the last.
    starts: Vec<usize>,
    /// Rows of the file, ascending, or all.
    rows: Option<Vec<usize>>,
    /// Columns that read as 0, ascending.
    masked: Vec<usize>,
    averaged: Option<Averaged>,
}

/// Which of the rows that are left become one, and their weights.
#[derive(Debug)]
struct Averaged {
    repeats: Repeats,
    weights: Option<Vec<f64>>,
}

/// Where values are not finite.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Gaps {
    /// Number of such values.
    pub count: usize,
    /// Per row, how many.
    pub of_row: Vec<usize>,
    /// Columns with at least one outside of `empty_rows`, ascending.
    pub columns: Vec<usize>,
    /// Rows in which no value is finite, ascending.
    pub empty_rows: Vec<usize>,
    /// Per row, a number that is the same for rows with the same values, and hardly for others: of some of the values.
    pub code_of_row: Vec<u64>,
}

impl<T: Real + Element> Source<T> {
    /// Opens a matrix.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn open(reference: &Reference) -> Result<Self, LinearError> {
        Self::side_by_side(std::slice::from_ref(reference))
    }

    /// Opens matrices with the same rows as one.
    ///
    /// # Errors
    /// [`LinearError::Lengths`] when rows differ in number, and failures to read.
    pub fn side_by_side(references: &[Reference]) -> Result<Self, LinearError> {
        let mut source = Self { matrices: Vec::new(), starts: vec![0], rows: None, masked: Vec::new(), averaged: None };
        let mut end = 0;
        for reference in references {
            let matrix = Matrix::open(reference)?;
            if let Some(first) = source.matrices.first()
                && first.dim().0 != matrix.dim().0
            {
                return Err(LinearError::Lengths {
                    left: first.reference().to_string(),
                    left_len: first.dim().0,
                    right: reference.to_string(),
                    right_len: matrix.dim().0,
                    unit: "rows",
                    unit_one: "sample",
                });
            }
            end += matrix.dim().1;
            source.starts.push(end);
            source.matrices.push(matrix);
        }
        Ok(source)
    }

    /// Rows and columns of the files.
    pub fn file_dim(&self) -> (usize, usize) {
        let rows = self.matrices.first().map_or(0, |matrix| matrix.dim().0);
        (rows, self.starts.last().copied().unwrap_or(0))
    }

    /// Columns of each matrix.
    pub fn parts(&self) -> Vec<Range<usize>> {
        self.starts.windows(2).map(|pair| pair[0]..pair[1]).collect()
    }

    /// Bytes held in memory all the time.
    pub fn held_bytes(&self) -> u64 {
        self.matrices.iter().map(Matrix::held_bytes).sum()
    }

    fn file_rows(&self, range: Range<usize>) -> Result<Array2<T>, LinearError> {
        if let [matrix] = self.matrices.as_slice() {
            return Ok(matrix.rows(range)?);
        }
        let mut values = Array2::zeros((range.len(), self.file_dim().1));
        for (matrix, columns) in self.matrices.iter().zip(self.parts()) {
            values.slice_mut(s![.., columns]).assign(&matrix.rows(range.clone())?);
        }
        Ok(values)
    }

    fn file_columns(&self, range: Range<usize>) -> Result<Array2<T>, LinearError> {
        if let [matrix] = self.matrices.as_slice() {
            return Ok(matrix.columns(range)?);
        }
        let mut values = Array2::zeros((self.file_dim().0, range.len()));
        for (matrix, place) in self.matrices.iter().zip(self.parts()) {
            let (start, end) = (range.start.max(place.start), range.end.min(place.end));
            if start < end {
                let part = matrix.columns(start - place.start..end - place.start)?;
                values.slice_mut(s![.., start - range.start..end - range.start]).assign(&part);
            }
        }
        Ok(values)
    }

    /// Columns that read as 0.
    pub fn masked(&self) -> &[usize] {
        &self.masked
    }

    /// Looks through the file for values that are not finite. `by_columns` reads columns at a time, which is how targets lie
    /// best when they are read by columns later.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn gaps(&self) -> Result<Gaps, LinearError> {
        let (n_rows, n_columns) = self.file_dim();
        let step = (SCAN_BYTES / (n_columns.max(1) * size_of::<T>())).max(1);
        let mut gaps = Gaps { of_row: vec![0; n_rows], ..Gaps::default() };
        let mut of_column = vec![0usize; n_columns];
        for start in (0..n_rows).step_by(step) {
            let block = self.file_rows(start..(start + step).min(n_rows))?;
            for (row, values) in block.rows().into_iter().enumerate() {
                gaps.code_of_row.push(code(values));
                let n = values.iter().filter(|value| !value.is_finite()).count();
                if n == 0 {
                    continue;
                }
                gaps.of_row[start + row] = n;
                gaps.count += n;
                if n == n_columns {
                    gaps.empty_rows.push(start + row);
                    continue;
                }
                for (count, value) in of_column.iter_mut().zip(values) {
                    *count += usize::from(!value.is_finite());
                }
            }
        }
        gaps.columns = (0..n_columns).filter(|&column| of_column[column] > 0).collect();
        Ok(gaps)
    }

    /// Leaves out rows and masks columns.
    pub fn leave_out(&mut self, rows: &[usize], columns: Vec<usize>) {
        if !rows.is_empty() {
            let kept = (0..self.file_dim().0).filter(|row| rows.binary_search(row).is_err());
            self.rows = Some(kept.collect());
        }
        self.masked = columns;
    }

    /// Averages the rows that are left: one row for each stimulus, weighted by `weights` of rows.
    pub fn average(&mut self, repeats: Repeats, weights: Option<Vec<f64>>) {
        self.averaged = Some(Averaged { repeats, weights });
    }

    fn n_rows(&self) -> usize {
        let left = || self.rows.as_ref().map_or(self.file_dim().0, Vec::len);
        self.averaged.as_ref().map_or_else(left, |averaged| averaged.repeats.samples.len())
    }

    fn clear(&self, mut values: Array2<T>, columns: Range<usize>) -> Array2<T> {
        let first = self.masked.partition_point(|&column| column < columns.start);
        for &column in self.masked[first..].iter().take_while(|&&column| column < columns.end) {
            values.column_mut(column - columns.start).fill(T::zero());
        }
        values
    }

    /// The rows `range` of those that are left, or of the averages.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn read_rows(&self, range: Range<usize>) -> Result<Array2<T>, LinearError> {
        let of_file = |row: usize| self.rows.as_ref().map_or(row, |rows| rows[row]);
        let values = match (&self.rows, &self.averaged) {
            (None, None) => self.file_rows(range)?,
            (Some(rows), None) => self.gather(&rows[range])?,
            (_, Some(Averaged { repeats, weights })) => {
                let samples = &repeats.samples[range];
                let left: Vec<usize> = samples.iter().flatten().copied().collect();
                let values = self.gather(&left.iter().map(|&row| of_file(row)).collect::<Vec<_>>())?;
                let weights = weights.as_ref().map(|all| left.iter().map(|&row| all[row]).collect::<Vec<f64>>());
                let mut next = 0;
                let places = samples.iter().map(|samples| {
                    next += samples.len();
                    (next - samples.len()..next).collect()
                });
                let places = Repeats { labels: (0..samples.len()).collect(), samples: places.collect() };
                places.average(values.view(), weights.as_deref())?
            }
        };
        Ok(self.clear(values, 0..self.file_dim().1))
    }

    /// Rows of the file in any order.
    fn gather(&self, wanted: &[usize]) -> Result<Array2<T>, LinearError> {
        let mut values = Array2::zeros((wanted.len(), self.file_dim().1));
        let mut done = 0;
        while done < wanted.len() {
            let first = wanted[done];
            let run = wanted[done..].iter().enumerate().take_while(|(i, row)| **row == first + i).count();
            values.slice_mut(s![done..done + run, ..]).assign(&self.file_rows(first..first + run)?);
            done += run;
        }
        Ok(values)
    }

    /// The columns `range`, all rows that are left, or their averages.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn read_columns(&self, range: Range<usize>) -> Result<Array2<T>, LinearError> {
        let values = self.file_columns(range.clone())?;
        let values = match &self.rows {
            None => values,
            Some(rows) => values.select(ndarray::Axis(0), rows),
        };
        let values = match &self.averaged {
            None => values,
            Some(Averaged { repeats, weights }) => repeats.average(values.view(), weights.as_deref())?,
        };
        Ok(self.clear(values, range))
    }
}

/// A hash of values spread over a row.
fn code<T: Real>(values: ArrayView1<'_, T>) -> u64 {
    let step = values.len().div_ceil(CODED).max(1);
    let mix =
        |code: u64, value: &T| (code.rotate_left(23) ^ value.as_f64().to_bits()).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    values.iter().step_by(step).fold(0, mix)
}

fn unreadable(error: LinearError) -> RegressError {
    match error {
        LinearError::Regress(error) => error,
        other => RegressError::Source { reason: other.to_string() },
    }
}

impl<T: Real + Element> Samples<T> for Source<T> {
    fn dim(&self) -> (usize, usize) {
        (self.n_rows(), self.file_dim().1)
    }

    fn rows(&self, rows: Range<usize>) -> Result<CowArray<'_, T, Ix2>, RegressError> {
        self.read_rows(rows).map(Into::into).map_err(unreadable)
    }
}

impl<T: Real + Element> Targets<T> for Source<T> {
    fn dim(&self) -> (usize, usize) {
        (self.n_rows(), self.file_dim().1)
    }

    fn columns(&self, columns: Range<usize>) -> Result<CowArray<'_, T, Ix2>, RegressError> {
        self.read_columns(columns).map(Into::into).map_err(unreadable)
    }
}

/// Both matrices of a fit.
#[derive(Debug)]
pub struct Opened<T> {
    /// The samples.
    pub x: Source<T>,
    /// The targets.
    pub y: Source<T>,
    /// Rows of the files that both leave out, ascending.
    pub left_out_rows: Vec<usize>,
    /// [`Gaps::code_of_row`] of the targets, without those rows.
    pub target_codes: Vec<u64>,
}

/// Opens both matrices and leaves out what is missing, or refuses it.
///
/// # Errors
/// [`LinearError::Missing`], [`LinearError::Lengths`], and failures to read.
pub fn open_both<T: Real + Element>(
    x: &[Reference],
    y: &Reference,
    missing: Missing,
) -> Result<Opened<T>, LinearError> {
    let (mut samples, mut targets) = (Source::<T>::side_by_side(x)?, Source::<T>::open(y)?);
    let (left_len, right_len) = (samples.file_dim().0, targets.file_dim().0);
    if left_len != right_len {
        let (left, right) = (x[0].to_string(), y.to_string());
        return Err(LinearError::Lengths { left, left_len, right, right_len, unit: "rows", unit_one: "sample" });
    }
    let (in_x, in_y) = rayon::join(|| samples.gaps(), || targets.gaps());
    let (in_x, in_y) = (in_x?, in_y?);
    if missing == Missing::Refuse {
        for (matrix, gaps) in [("x", &in_x), ("y", &in_y)] {
            if gaps.count > 0 {
                return Err(refusal(matrix, gaps));
            }
        }
    }
    let mut rows: Vec<usize> = in_x.empty_rows.iter().chain(&in_y.empty_rows).copied().collect();
    rows.sort_unstable();
    rows.dedup();
    let kept = left_len - rows.len();
    if kept == 0 {
        return Err(refusal(if in_x.empty_rows.len() == left_len { "x" } else { "y" }, &in_y));
    }
    samples.leave_out(&rows, in_x.columns);
    targets.leave_out(&rows, in_y.columns);
    let codes = in_y.code_of_row.into_iter().enumerate().filter(|(row, _)| rows.binary_search(row).is_err());
    let target_codes = codes.map(|(_, code)| code).collect();
    Ok(Opened { x: samples, y: targets, left_out_rows: rows, target_codes })
}

fn refusal(matrix: &'static str, gaps: &Gaps) -> LinearError {
    let rows: Vec<usize> = (0..gaps.of_row.len()).filter(|&row| gaps.of_row[row] > 0).collect();
    LinearError::Missing {
        matrix,
        count: gaps.count,
        n_rows: rows.len(),
        n_columns: gaps.columns.len(),
        rows: rows.into_iter().take(NAMED).collect(),
        columns: gaps.columns.iter().copied().take(NAMED).collect(),
    }
}

/// A list of labels: whole numbers ≥ 0, one per row of a matrix with `left_out` rows removed.
///
/// # Errors
/// [`LinearError::Label`], [`LinearError::Lengths`], and failures to read.
pub fn labels(reference: &Reference, n: usize, left_out: &[usize], of: &Reference) -> Result<Vec<usize>, LinearError> {
    numbers(reference, n, left_out, of)?
        .into_iter()
        .enumerate()
        .map(|(position, value)| {
            let label = value as usize;
            if label as f64 == value {
                return Ok(label);
            }
            Err(LinearError::Label { list: reference.to_string(), value, position })
        })
        .collect()
}

/// A list of numbers, one per row of a matrix with `left_out` rows removed.
///
/// # Errors
/// [`LinearError::Lengths`], and failures to read.
pub fn numbers(reference: &Reference, n: usize, left_out: &[usize], of: &Reference) -> Result<Vec<f64>, LinearError> {
    // A list of numbers is short; one that unpacks to gigabytes is another file.
    let (claimed, most) = (reference.inflated_bytes()?, MOST_LIST_BYTES.max(16 * n as u64));
    if claimed > most {
        return Err(LinearError::Memory { stage: "a list of numbers", needed: claimed, granted: most });
    }
    let values = reference.read::<f64>()?.data;
    if values.len() != n {
        return Err(LinearError::Lengths {
            left: reference.to_string(),
            left_len: values.len(),
            right: of.to_string(),
            right_len: n,
            unit: "entries",
            unit_one: "row",
        });
    }
    let kept = values.iter().enumerate().filter(|(row, _)| left_out.binary_search(row).is_err());
    Ok(kept.map(|(_, &value)| value).collect())
}
