//! The arguments of `percept music`: making a corpus searchable by sound, and searching it.

use std::path::PathBuf;

use clap::{Args, Subcommand};

#[derive(Debug, Args)]
pub(crate) struct Music {
    #[command(subcommand)]
    pub(crate) action: MusicAction,
}

#[derive(Debug, Subcommand)]
pub(crate) enum MusicAction {
    /// Embed every file of sound below a folder, so that it can be searched; an interrupted run goes on where it was
    Index(MusicIndex),
    /// The tracks of an index that are nearest to a sound
    Search(MusicSearch),
}

#[derive(Debug, Args)]
pub(crate) struct MusicIndex {
    /// The folder of the tracks: WAV, FLAC, MP3 and Ogg files anywhere below it
    #[arg(value_name = "DIR")]
    pub(crate) corpus: PathBuf,
    /// Folder for the index
    #[arg(long, value_name = "DIR", default_value = "music-index")]
    pub(crate) out: PathBuf,
    /// The CLAP: `pocket`, a folder, or `hf:ORG/NAME`
    #[arg(long, value_name = "PACK", default_value = "pocket")]
    pub(crate) pack: PathBuf,
    /// Seconds of the pieces of a track whose vectors are averaged; as long as the CLAP hears
    #[arg(long, value_name = "SECS", default_value_t = 4.08)]
    pub(crate) secs: f64,
}

#[derive(Debug, Args)]
pub(crate) struct MusicSearch {
    /// The folder of the index
    #[arg(value_name = "INDEX")]
    pub(crate) index: PathBuf,
    /// A file of sound
    #[arg(value_name = "SOUND")]
    pub(crate) sound: PathBuf,
    /// The CLAP that made the index
    #[arg(long, value_name = "PACK", default_value = "pocket")]
    pub(crate) pack: PathBuf,
    /// How many tracks
    #[arg(short, long, value_name = "N", default_value_t = 5)]
    pub(crate) k: usize,
    /// Leave out the track of the same name
    #[arg(long)]
    pub(crate) without_itself: bool,
    /// Print the tracks on stdout as JSON
    #[arg(long)]
    pub(crate) json: bool,
}
