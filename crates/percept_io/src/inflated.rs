//! Whole files that may be compressed by gzip, as neuroimaging has them: `.gii.gz`, `.mgz`.

use std::io::Read;

use crate::fs::{self, Source};
use crate::{Error, Result, limits};

/// All bytes of `source`, inflated if they are a gzip stream.
///
/// # Errors
/// If it cannot be read, or the stream is damaged or longer than [`crate::limits::MAX_WHOLE_BYTES`].
pub(crate) fn read(source: &Source) -> Result<Vec<u8>> {
    let limit = limits::MAX_WHOLE_BYTES;
    let mut magic = [0; 2];
    if source.len() < 2 || source.read_at(0, &mut magic).is_err() || magic != [0x1f, 0x8b] {
        if source.len() > limit {
            return Err(Error::too_large("the file", u128::from(source.len()), limit));
        }
        return source.bytes_at("the file", 0, source.len());
    }
    let mut out = Vec::new();
    let mut stream = flate2::bufread::MultiGzDecoder::new(source.reader_at(0)).take(limit + 1);
    stream.read_to_end(&mut out).map_err(|error| fs::decoding_error("the gzip stream", &error))?;
    if out.len() as u64 > limit {
        return Err(Error::too_large("the gzip stream", out.len() as u128, limit));
    }
    Ok(out)
}
