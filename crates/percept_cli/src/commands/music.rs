//! `percept music index` and `percept music search`: a corpus that can be searched by sound.

use std::path::Path;

use anyhow::bail;
use percept::methods::music::index::{self, Index};
use percept::models::weights::PackFiles;
use percept::pipeline::experiment::Pack;

use crate::arguments::{MusicIndex, MusicSearch};
use crate::output::{json, say};
use crate::progress::Bars;
use crate::settings::pack;

/// The files of the pack `name`.
fn files(name: &Path) -> anyhow::Result<PackFiles> {
    match pack(name)? {
        Some(Pack::Pocket) => Ok(PackFiles::Embedded(percept::pocket_music::FILES)),
        Some(Pack::Folder(folder)) => Ok(PackFiles::Directory(folder)),
        None => bail!("there is no `{}` (name a model pack, or `pocket`)", name.display()),
    }
}

/// Makes an index.
pub(crate) fn index(arguments: &MusicIndex) -> anyhow::Result<()> {
    if !(arguments.secs > 0.0 && arguments.secs <= index::MOST_SECS) {
        bail!(
            "`--secs` is {}, but must be above 0, at most {} (as long as the CLAP hears)",
            arguments.secs,
            index::MOST_SECS
        );
    }
    let made = index::make(&arguments.corpus, &arguments.out, &files(&arguments.pack)?, arguments.secs, &Bars::new())?;
    say(format!("index: {} ({} tracks)", arguments.out.display(), made.len()));
    Ok(())
}

/// Searches one.
pub(crate) fn search(arguments: &MusicSearch) -> anyhow::Result<()> {
    let found = Index::open(&arguments.index)?.search(
        &arguments.sound,
        &files(&arguments.pack)?,
        arguments.k,
        arguments.without_itself,
    )?;
    if arguments.json {
        return json(&found);
    }
    for (name, cosine) in found {
        say(format!("{cosine:.4}  {name}"));
    }
    Ok(())
}
