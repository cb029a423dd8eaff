//! The arguments of `percept stream`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

#[derive(Debug, Args)]
pub(crate) struct Stream {
    /// A recording (`FILE` or `FILE:STREAM`), `synthetic`, `lsl:NAME`, `openephys:HOST:PORT`, `intan:HOST:PORT`, `udp:PORT`, `osc:PORT`, or `-` for WAV on standard input
    #[arg(long, value_name = "SOURCE", default_value = "synthetic")]
    pub(crate) source: String,
    /// Samples per second, for arrays and tables, which do not say it
    #[arg(long, value_name = "HZ")]
    pub(crate) rate: Option<f64>,
    /// Stop after this many pictures
    #[arg(long, value_name = "N")]
    pub(crate) frames: Option<u64>,
    /// Read a recording as fast as pictures can be drawn, and draw every one
    #[arg(long)]
    pub(crate) fast: bool,
    /// Folder for the log and the film; needed to record from the page
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Write every picture as a PNG file too
    #[arg(long, requires = "out")]
    pub(crate) png: bool,
    /// Write no film unless a viewer asks for one
    #[arg(long, requires = "out")]
    pub(crate) no_film: bool,
    /// Where the page is served, on this machine [default: 127.0.0.1:8077]
    #[arg(long, value_name = "ADDR", conflicts_with_all = ["no_serve", "listen"])]
    pub(crate) serve: Option<SocketAddr>,
    /// Serve no page
    #[arg(long, conflicts_with = "listen")]
    pub(crate) no_serve: bool,
    /// Serve the page to other machines, for those who know the token
    #[arg(long, value_name = "ADDR")]
    pub(crate) listen: Option<SocketAddr>,
    /// The token for `--listen` [default: a new one, printed]
    #[arg(long, value_name = "TOKEN", requires = "listen")]
    pub(crate) token: Option<String>,
    /// How windows are cut: one second, or as many raw rows as fill the latent
    #[arg(long, value_name = "NAME")]
    pub(crate) preset: Option<StreamPreset>,
    /// A TOML file with filters, prompts and everything else (docs/live.md)
    #[arg(long, value_name = "FILE")]
    pub(crate) settings: Option<PathBuf>,
    /// A model pack: `pocket`, a folder, or `hf:ORG/NAME` [default: pocket]
    #[arg(long, value_name = "PACK")]
    pub(crate) pack: Option<String>,
    /// Steps of the sampler [default: that of the settings]
    #[arg(long, value_name = "N")]
    pub(crate) steps: Option<usize>,
    /// Send frame numbers, values and weights of prompts as OSC messages to this address
    #[arg(long, value_name = "ADDR")]
    pub(crate) osc_out: Option<SocketAddr>,
    /// Seed of the simulated rat and of everything random
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,
    /// Draw the pictures of a log again and compare them with it, bit by bit
    #[arg(long, value_name = "LOG", conflicts_with_all = ["source", "rate", "frames", "fast", "serve", "no_serve", "listen", "preset", "settings", "pack", "steps", "osc_out", "seed", "measure"])]
    pub(crate) replay: Option<PathBuf>,
    /// Measure how pictures follow the recording, against surrogates, and write a report into `--out`
    #[arg(long, requires = "out", conflicts_with_all = ["frames", "fast", "serve", "no_serve", "listen", "osc_out", "png", "no_film"])]
    pub(crate) measure: bool,
    /// Print a summary on stdout as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum StreamPreset {
    /// One second, resampled to fill the latent
    Paper,
    /// As many raw rows as fill the latent
    Repo,
}
