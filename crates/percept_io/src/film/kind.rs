//! The kinds of films.

use super::{apng, avi, ffmpeg, folder};

/// An open film of one kind.
#[derive(Clone, Debug)]
pub(super) enum Kind {
    Avi(avi::Avi),
    Apng(apng::Apng),
    Folder(folder::Folder),
    Ffmpeg(ffmpeg::Probed),
}
