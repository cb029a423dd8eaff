//! Why a fit or a prediction cannot be made.

use percept_regress::RegressError;

/// An error of this crate.
#[derive(Debug, thiserror::Error)]
pub enum LinearError {
    /// A file could not be read or written.
    #[error(transparent)]
    File(#[from] percept_io::Error),
    /// The regression refuses its input.
    #[error(transparent)]
    Regress(#[from] RegressError),
    /// Values are missing and nobody said what to do about them.
    #[error(
        "`{matrix}` holds {count} values that are not finite, in {n_rows} rows (first {rows:?}) and {n_columns} columns (first {columns:?}) (mend the file, or give `--mask-missing` (`Missing::Mask`) to leave out whole rows of them and columns that hold one)"
    )]
    Missing {
        /// `x` or `y`.
        matrix: &'static str,
        /// Values that are NaN or infinite.
        count: usize,
        /// Rows that hold one.
        n_rows: usize,
        /// Columns that hold one.
        n_columns: usize,
        /// The first of these rows, from 0.
        rows: Vec<usize>,
        /// The first of these columns, from 0.
        columns: Vec<usize>,
    },
    /// Two inputs that describe the same samples or targets differ in length.
    #[error("`{left}` has {left_len} {unit} but `{right}` has {right_len} (give both one per {unit_one})")]
    Lengths {
        /// First input.
        left: String,
        /// Its length.
        left_len: usize,
        /// Second input.
        right: String,
        /// Its length.
        right_len: usize,
        /// What is counted.
        unit: &'static str,
        /// One of them.
        unit_one: &'static str,
    },
    /// A label is not a whole number ≥ 0.
    #[error("`{list}` holds `{value}` at position {position} (expected whole numbers ≥ 0)")]
    Label {
        /// Which list.
        list: String,
        /// The value.
        value: f64,
        /// Its position, from 0.
        position: usize,
    },
    /// The memory that was granted is too little.
    #[error(
        "{needed} bytes of memory are needed for {stage}, but {granted} are granted (grant more, use single precision, or leave out features)"
    )]
    Memory {
        /// What needs it.
        stage: &'static str,
        /// Bytes needed.
        needed: u64,
        /// Bytes granted.
        granted: u64,
    },
    /// The disk has too little room.
    #[error("{needed} bytes of disk are needed in `{folder}`, but {free} are free (free some, or write elsewhere)")]
    Disk {
        /// The folder.
        folder: String,
        /// Bytes needed.
        needed: u64,
        /// Bytes free.
        free: u64,
    },
    /// The fit was asked to stop after some tiles.
    #[error("stopped after {tiles} tiles as asked (the same command goes on from there)")]
    Stopped {
        /// Tiles made in this run.
        tiles: usize,
    },
    /// Shards do not make a whole.
    #[error("{what} (fit the missing shards with the same data and settings, then merge again)")]
    Shards {
        /// What is wrong.
        what: String,
    },
    /// A folder for a model holds something else.
    #[error("`{folder}` holds {what} (name another folder, or remove what is there)")]
    Taken {
        /// The folder.
        folder: String,
        /// What lies there.
        what: String,
    },
    /// What would be written is what is read.
    #[error("`{path}` is read, so it cannot be written (name another file)")]
    Overwrites {
        /// The file.
        path: String,
    },
    /// A model folder is not what it should be.
    #[error("`{folder}` is no finished model: {what} (name the folder that a finished fit wrote)")]
    Model {
        /// The folder.
        folder: String,
        /// What is wrong.
        what: String,
    },
}
