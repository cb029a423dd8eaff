//! `percept features`: stimuli to rows in the spaces of a model pack, as a store on disk.

use anyhow::bail;
use percept::models::probe::Pool;
use percept::pipeline::spaces::store::{self, Models, Request, StimulusFiles};

use crate::arguments::{self, Features};
use crate::output::{json, say};
use crate::progress::Bars;
use crate::settings::pack;

/// Makes the store, or what is left of it.
pub(crate) fn run(arguments: Features) -> anyhow::Result<()> {
    let print = arguments.json;
    let request = request(arguments)?;
    let store = store::run(&request, &Bars::new())?;
    if print {
        return json(&store);
    }
    for (name, space) in &store.spaces {
        let path = request.out.join(&space.file);
        say(format!("{name}: {} × {} in {}", store.stimuli.len(), space.n_features, path.display()));
    }
    Ok(())
}

fn request(arguments: Features) -> anyhow::Result<Request> {
    let models = if let Some(found) = pack(&arguments.pack)? {
        Models::Pack(found)
    } else if arguments.pack.is_file() {
        Models::Words(arguments.pack)
    } else {
        bail!("there is no `{}` (name a model pack, a table of word vectors, or `pocket`)", arguments.pack.display());
    };
    let source = match (arguments.images, arguments.texts, arguments.sounds) {
        (Some(images), ..) => StimulusFiles::Pictures(images),
        (_, Some(path), _) => StimulusFiles::Texts { path, column: arguments.column, context: arguments.context },
        (.., Some(sounds)) => StimulusFiles::Sounds(sounds),
        (None, None, None) => bail!("there are no stimuli (name them with `--images`, `--texts` or `--sounds`)"),
    };
    let memory = arguments.memory;
    if !(memory > 0.0 && memory.is_finite()) {
        bail!("`--memory {memory}` is no amount of memory (give a number of GB)");
    }
    if arguments.batch == Some(0) {
        bail!("`--batch 0` makes no progress (use 1 or more)");
    }
    Ok(Request {
        models,
        spaces: arguments.spaces,
        pool: match arguments.pool {
            arguments::Pool::Whole => Pool::Whole,
            arguments::Pool::Mean => Pool::Mean,
            arguments::Pool::First => Pool::First,
            arguments::Pool::Last => Pool::Last,
        },
        source,
        out: arguments.out,
        batch: arguments.batch,
        memory_bytes: (memory * 1e9) as u64,
        seed: arguments.seed,
    })
}
