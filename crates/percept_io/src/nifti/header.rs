//! The header: which numbers, how many, where in space.

use crate::number::{ByteOrder, Number};
use crate::{Error, Result, limits};

/// The bytes of a NIfTI-1 header, the shorter one.
pub(super) const LEN_1: usize = 348;
/// The bytes of a NIfTI-2 header.
pub(super) const LEN_2: usize = 540;
/// Header and extension flag of NIfTI-1: the earliest start of data in a single file.
pub(super) const DATA_1: u64 = 352;

/// The version of the format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// NIfTI-1, dimensions up to 32767.
    One,
    /// NIfTI-2, 64-bit dimensions.
    Two,
}

/// Which of the header's three ways gave the affine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AffineSource {
    /// The stored matrix.
    Sform,
    /// The stored rotation and offset.
    Qform,
    /// Neither: voxel sizes, origin in the middle, x flipped, as nibabel does.
    VoxelSize,
}

/// What a NIfTI header says, in millimetres and seconds.
#[derive(Clone, Debug, PartialEq)]
pub struct Header {
    /// The version of the format.
    pub version: Version,
    /// Whether header and data are in two files.
    pub is_pair: bool,
    /// The byte order of header and data.
    pub order: ByteOrder,
    /// The number type as stored.
    pub number: Number,
    /// All dimensions as stored, between one and seven.
    pub dims: Vec<usize>,
    /// Voxels along x, y and z.
    pub shape: [usize; 3],
    /// Volumes: the product of the fourth and later dimensions.
    pub n_frames: usize,
    /// The edges of a voxel.
    pub voxel_size_mm: [f64; 3],
    /// Time from one frame to the next, where the fourth dimension is time and its step is stored.
    pub tr_secs: Option<f64>,
    /// Voxel coordinates (x, y, z, 1) to millimetres, row by row.
    pub affine: [[f64; 4]; 4],
    /// Where the affine came from.
    pub affine_source: AffineSource,
    /// The factor on stored values (1 where the file says 0 or nothing).
    pub slope: f64,
    /// The summand after scaling.
    pub intercept: f64,
    /// Free text about the file.
    pub description: String,
    /// Where the data begin in their (uncompressed) file.
    pub data_offset: u64,
}

impl Header {
    /// Voxels in one frame.
    pub fn n_voxels(&self) -> usize {
        self.shape.iter().product()
    }

    /// Bytes in one frame.
    pub fn frame_bytes(&self) -> u64 {
        self.n_voxels() as u64 * self.number.width() as u64
    }

    /// Whether stored values are returned as they are.
    pub fn is_unscaled(&self) -> bool {
        self.slope == 1.0 && self.intercept == 0.0
    }

    /// Reads the header at the start of `bytes`, which may be longer.
    ///
    /// # Errors
    /// If it is no NIfTI header, contradicts itself, or needs something that is not handled.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        let fields = Fields::find(bytes)?;
        let number = fields.number()?;
        let dims = fields.dims()?;
        let shape = [0, 1, 2].map(|axis| dims.get(axis).copied().unwrap_or(1));
        let n_frames = limits::element_count("series", dims.get(3..).unwrap_or_default())?;
        let n_values = limits::element_count("data", &dims)?;
        limits::byte_count("data", n_values, number.width(), i64::MAX as u64)?;
        let (to_mm, to_secs) = fields.units();
        let pixdim = fields.pixdim();
        // Signs of sizes mean nothing and a size of 0 is met in the wild; nibabel takes the absolute value and keeps 0.
        let voxel_size_mm = [1, 2, 3].map(|axis| pixdim[axis].abs() * to_mm);
        let tr = pixdim[4].abs() * to_secs.unwrap_or(f64::NAN);
        let tr_secs = (dims.len() > 3 && tr.is_finite() && tr > 0.0).then_some(tr);
        let (affine, affine_source) = fields.affine(voxel_size_mm, shape, to_mm, pixdim[0])?;
        let (slope, intercept) = fields.scaling()?;
        let (is_pair, data_offset) = fields.data_offset()?;
        Ok(Self {
            version: fields.version,
            is_pair,
            order: fields.order,
            number,
            dims,
            shape,
            n_frames,
            voxel_size_mm,
            tr_secs,
            affine,
            affine_source,
            slope,
            intercept,
            description: fields.text(if fields.version == Version::One { 148 } else { 240 }, 80),
            data_offset,
        })
    }
}

/// Typed access to the raw header. All positions lie within the length that `find` has checked.
struct Fields<'a> {
    bytes: &'a [u8],
    version: Version,
    order: ByteOrder,
}

impl<'a> Fields<'a> {
    fn find(bytes: &'a [u8]) -> Result<Self> {
        const MAGIC_AT: usize = 344;
        let Some(first) = bytes.first_chunk::<4>() else {
            return Err(Error::truncated("the NIfTI header", LEN_1 as u64, bytes.len() as u64).at(0));
        };
        let (version, order) = match (u32::from_le_bytes(*first), u32::from_be_bytes(*first)) {
            (348, _) => (Version::One, ByteOrder::Little),
            (_, 348) => (Version::One, ByteOrder::Big),
            (540, _) => (Version::Two, ByteOrder::Little),
            (_, 540) => (Version::Two, ByteOrder::Big),
            (other, _) => return Err(Error::malformed("the header size", "348 or 540", other).at(0)),
        };
        let len = if version == Version::One { LEN_1 } else { LEN_2 };
        if bytes.len() < len {
            return Err(Error::truncated("the NIfTI header", len as u64, bytes.len() as u64).at(0));
        }
        let fields = Self { bytes, version, order };
        let (position, expected, known): (usize, &str, &[&[u8]]) = match version {
            Version::One => (MAGIC_AT, "`n+1` or `ni1`", &[b"n+1\0", b"ni1\0"]),
            Version::Two => (4, "`n+2` or `ni2`", &[b"n+2\0\r\n\x1a\n", b"ni2\0\r\n\x1a\n"]),
        };
        if !known.iter().any(|magic| bytes[position..].starts_with(magic)) {
            if version == Version::One && bytes[position..].starts_with(&[0; 4]) {
                let remedy = "convert the file to NIfTI, for example with nibabel or SPM";
                return Err(Error::unsupported("a header without a magic string, Analyze 7.5", "or older,", remedy));
            }
            let got = format!("`{}`", bytes[position..position + 4].escape_ascii());
            return Err(Error::malformed("the magic string", expected, got).at(position as u64));
        }
        Ok(fields)
    }

    fn word<const N: usize>(&self, position: usize) -> [u8; N] {
        let mut word = [0; N];
        word.copy_from_slice(&self.bytes[position..position + N]);
        if self.order == ByteOrder::Big {
            word.reverse();
        }
        word
    }

    fn i16(&self, position: usize) -> i16 {
        i16::from_le_bytes(self.word(position))
    }

    fn i32(&self, position: usize) -> i32 {
        i32::from_le_bytes(self.word(position))
    }

    /// Element `index` of a float field, which is single in version one and double in version two.
    fn float(&self, position: (usize, usize), index: usize) -> f64 {
        match self.version {
            Version::One => f64::from(f32::from_le_bytes(self.word(position.0 + 4 * index))),
            Version::Two => f64::from_le_bytes(self.word(position.1 + 8 * index)),
        }
    }

    fn text(&self, position: usize, len: usize) -> String {
        let bytes = &self.bytes[position..position + len];
        let end = bytes.iter().position(|&byte| byte == 0).unwrap_or(len);
        String::from_utf8_lossy(&bytes[..end]).into_owned()
    }

    /// The position of a field in this version.
    fn place(&self, one: usize, two: usize) -> usize {
        if self.version == Version::One { one } else { two }
    }

    fn number(&self) -> Result<Number> {
        let position = self.place(70, 12);
        let code = self.i16(position);
        let number = match code {
            2 => Number::U8,
            4 => Number::I16,
            8 => Number::I32,
            16 => Number::F32,
            64 => Number::F64,
            256 => Number::I8,
            512 => Number::U16,
            768 => Number::U32,
            1024 => Number::I64,
            1280 => Number::U64,
            _ => {
                let name = match code {
                    1 => "binary",
                    32 => "complex64",
                    128 => "RGB24",
                    1536 => "float128",
                    1792 => "complex128",
                    2048 => "complex256",
                    2304 => "RGBA32",
                    _ => {
                        let expected = "a data type code of NIfTI";
                        return Err(Error::malformed("datatype", expected, code).at(position as u64));
                    }
                };
                let remedy = "convert it to one integer or floating-point value per voxel";
                return Err(Error::unsupported("the data type", format!("`{name}`"), remedy).at(position as u64));
            }
        };
        let n_bits = self.i16(position + 2);
        // Some writers leave the redundant field empty.
        if n_bits != 0 && n_bits != 8 * number.width() as i16 {
            let expected = format!("{} for {}", 8 * number.width(), number.name());
            return Err(Error::malformed("bitpix", expected, n_bits).at(position as u64 + 2));
        }
        Ok(number)
    }

    fn dims(&self) -> Result<Vec<usize>> {
        let (start, width) = if self.version == Version::One { (40, 2) } else { (16, 8) };
        let dim = |index: usize| -> i64 {
            let position = start + width * index;
            if width == 2 { i64::from(self.i16(position)) } else { i64::from_le_bytes(self.word(position)) }
        };
        let n_dims = dim(0);
        if !(1..=7).contains(&n_dims) {
            return Err(Error::malformed("the number of dimensions", "1 to 7", n_dims).at(start as u64));
        }
        (1..=n_dims as usize)
            .map(|index| {
                let length = dim(index);
                usize::try_from(length).ok().filter(|&length| length > 0).ok_or_else(|| {
                    let position = (start + width * index) as u64;
                    Error::malformed(format!("dimension {index}"), "at least 1", length).at(position)
                })
            })
            .collect()
    }

    fn pixdim(&self) -> [f64; 5] {
        [0, 1, 2, 3, 4].map(|index| {
            let size = self.float((76, 104), index);
            if size.is_finite() { size } else { 0.0 }
        })
    }

    /// Factors to millimetres and to seconds; none where the fourth axis is not time.
    fn units(&self) -> (f64, Option<f64>) {
        let code = match self.version {
            Version::One => i32::from(self.bytes[123]),
            Version::Two => self.i32(500),
        };
        let to_mm = match code & 0x07 {
            1 => 1e3,
            3 => 1e-3,
            _ => 1.0,
        };
        let to_secs = match code & 0x38 {
            0x00 | 0x08 => Some(1.0),
            0x10 => Some(1e-3),
            0x18 => Some(1e-6),
            _ => None,
        };
        (to_mm, to_secs)
    }

    fn scaling(&self) -> Result<(f64, f64)> {
        let position = (112, 176);
        let slope = self.float(position, 0);
        if slope == 0.0 || !slope.is_finite() {
            return Ok((1.0, 0.0));
        }
        let intercept = self.float(position, 1);
        if !intercept.is_finite() {
            let place = self.place(116, 184) as u64;
            return Err(Error::malformed("scl_inter", "a finite number", intercept).at(place));
        }
        Ok((slope, intercept))
    }

    fn data_offset(&self) -> Result<(bool, u64)> {
        let (magic, position) = (self.place(344, 4), self.place(108, 168));
        let is_pair = self.bytes[magic + 1] == b'i';
        let offset = match self.version {
            Version::One => self.float((108, 0), 0),
            Version::Two => i64::from_le_bytes(self.word(168)) as f64,
        };
        let earliest = match (is_pair, self.version) {
            (true, _) => 0,
            (false, Version::One) => DATA_1,
            (false, Version::Two) => LEN_2 as u64 + 4,
        };
        // An offset of 0 in a single file means that the writer left it to the reader.
        if offset == 0.0 {
            return Ok((is_pair, earliest));
        }
        if !(offset >= earliest as f64 && offset < 1e15) {
            let expected = format!("at least {earliest}");
            return Err(Error::malformed("vox_offset", expected, offset).at(position as u64));
        }
        Ok((is_pair, offset as u64))
    }

    fn affine(
        &self,
        voxel_size_mm: [f64; 3],
        shape: [usize; 3],
        to_mm: f64,
        qfac: f64,
    ) -> Result<([[f64; 4]; 4], AffineSource)> {
        let (q_at, s_at) = (self.place(252, 344), self.place(254, 348));
        let code = |position| if self.version == Version::One { self.i16(position).into() } else { self.i32(position) };
        let mut affine = [[0.0; 4]; 4];
        affine[3][3] = 1.0;
        let source = if code(s_at) > 0 {
            for (row, line) in affine.iter_mut().take(3).enumerate() {
                for (column, cell) in line.iter_mut().enumerate() {
                    *cell = self.float((280, 400), 4 * row + column) * to_mm;
                }
            }
            AffineSource::Sform
        } else if code(q_at) > 0 {
            let [b, c, d] = [0, 1, 2].map(|index| self.float((256, 352), index));
            // Rounding may push the squared length a little above 1; the bounds are nibabel's.
            let epsilon = if self.version == Version::One { f64::from(f32::EPSILON) } else { f64::EPSILON };
            let rotation = rotation(b, c, d, 3.0 * epsilon).ok_or_else(|| {
                let place = self.place(256, 352) as u64;
                Error::malformed("the quaternion of the qform", "of length 1 at most", format!("({b}, {c}, {d})"))
                    .at(place)
            })?;
            let signs = [1.0, 1.0, if qfac < 0.0 { -1.0 } else { 1.0 }];
            for row in 0..3 {
                for column in 0..3 {
                    affine[row][column] = rotation[row][column] * (voxel_size_mm[column] * signs[column]);
                }
                affine[row][3] = self.float((268, 376), row) * to_mm;
            }
            AffineSource::Qform
        } else {
            let signs = [-1.0, 1.0, 1.0];
            for axis in 0..3 {
                let size = signs[axis] * voxel_size_mm[axis];
                affine[axis][axis] = size;
                affine[axis][3] = -((shape[axis] - 1) as f64 / 2.0) * size;
            }
            AffineSource::VoxelSize
        };
        if let Some(value) = affine.iter().flatten().find(|value| !value.is_finite()) {
            let position = if source == AffineSource::Sform { self.place(280, 400) } else { self.place(256, 352) };
            return Err(Error::malformed("the affine", "made of finite numbers", value).at(position as u64));
        }
        Ok((affine, source))
    }
}

/// The rotation of the unit quaternion whose vector part is (b, c, d); `None` if that is longer than 1 by more than `slack`.
fn rotation(b: f64, c: f64, d: f64, slack: f64) -> Option<[[f64; 3]; 3]> {
    let rest = 1.0 - (b * b + c * c + d * d);
    let a = match rest {
        _ if rest.abs() < slack => 0.0,
        _ if rest > 0.0 => rest.sqrt(),
        _ => return None,
    };
    let s = 2.0 / (a * a + b * b + c * c + d * d);
    let (x, y, z) = (b * s, c * s, d * s);
    let (ax, ay, az) = (a * x, a * y, a * z);
    let (bx, by, bz) = (b * x, b * y, b * z);
    let (cy, cz, dz) = (c * y, c * z, d * z);
    Some([
        [1.0 - (cy + dz), by - az, bz + ay],
        [by + az, 1.0 - (bx + dz), cz - ax],
        [bz - ay, cz + ax, 1.0 - (bx + cy)],
    ])
}
