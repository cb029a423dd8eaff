//! Which files of a repository make a pack: configs, tokenizers, and the weights once.
//!
//! Repositories hold the same weights several times: as safetensors and as PyTorch's `.bin`, in half precision
//! (`.fp16.`), before averaging (`.non_ema.`), for other frameworks, and all parts in one file beside the folders. One of
//! them is taken for each folder: safetensors before `.bin`, full before half precision. Patterns can add others.

use std::collections::BTreeMap;

/// Names that the weights of a part have, up to the first dot or the number of a shard.
const STEMS: [&str; 4] = ["diffusion_pytorch_model", "model", "pytorch_model", "adapter_model"];
/// Folders with the same model for other programs.
const FOREIGN: [&str; 6] = ["onnx", "openvino", "coreml", "flax", "tflite", "gguf"];

/// Why a file is taken, or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Configs and tokenizers.
    Settings,
    /// Weights of this rank; the lowest rank of a folder is taken.
    Weights(u32),
    /// Nothing that a pack needs.
    Other,
}

/// Whether each of `names`, the files of a repository, is taken; `include` are patterns of files to take as well.
///
/// # Examples
/// ```
/// let names = ["config.json", "model.safetensors", "model.fp16.safetensors", "pytorch_model.bin", "README.md"];
/// assert_eq!(percept_hub::choose(&names, &[]), [true, true, false, false, false]);
/// assert_eq!(percept_hub::choose(&names, &["*.fp16.*".to_owned()]), [true, true, true, false, false]);
/// ```
pub fn choose(names: &[&str], include: &[String]) -> Vec<bool> {
    let is_pipeline = names.contains(&"model_index.json");
    let kinds: Vec<Kind> = names.iter().map(|name| kind(name, is_pipeline)).collect();
    let mut best: BTreeMap<&str, u32> = BTreeMap::new();
    for (name, kind) in names.iter().zip(&kinds) {
        if let Kind::Weights(rank) = kind {
            let known = best.entry(folder(name)).or_insert(*rank);
            *known = (*known).min(*rank);
        }
    }
    let of_pack = |name: &str, kind: Kind| match kind {
        Kind::Settings => true,
        Kind::Weights(rank) => best.get(folder(name)) == Some(&rank),
        Kind::Other => false,
    };
    let take = |name: &str, kind: Kind| of_pack(name, kind) || include.iter().any(|pattern| matches(pattern, name));
    names.iter().zip(kinds).map(|(name, kind)| take(name, kind)).collect()
}

/// Whether a file holds weights, in any of the forms.
pub fn is_weights(name: &str) -> bool {
    [".safetensors", ".bin", ".ckpt", ".pth", ".pt"].iter().any(|end| name.ends_with(end))
}

fn folder(name: &str) -> &str {
    name.rsplit_once('/').map_or("", |(folder, _)| folder)
}

fn kind(name: &str, is_pipeline: bool) -> Kind {
    let folder = folder(name);
    let file = &name[if folder.is_empty() { 0 } else { folder.len() + 1 }..];
    if file.starts_with('.') || folder.split('/').any(|part| part.starts_with('.') || FOREIGN.contains(&part)) {
        return Kind::Other;
    }
    // Weights beside the folders of a pipeline are all its parts once more.
    if let Some(rank) = rank(file) {
        return if is_pipeline && folder.is_empty() { Kind::Other } else { Kind::Weights(rank) };
    }
    let is_settings = file.strip_suffix(".json").is_some() && !file.contains(".index.")
        || ["merges.txt", "vocab.txt", "tokenizer.model", "spiece.model", "sentencepiece.bpe.model"].contains(&file);
    if is_settings { Kind::Settings } else { Kind::Other }
}

/// How much the weights in `file` are wanted, or that it holds none. The index of shards has the rank of its shards.
fn rank(file: &str) -> Option<u32> {
    // `model.safetensors.index.fp16.json` belongs to `model.fp16.safetensors`.
    let index = file.strip_suffix(".json").and_then(|rest| rest.split_once(".index"));
    let (file, variant) = index.unwrap_or((file, ""));
    let (stem, format) = file.rsplit_once('.')?;
    let stem = format!("{stem}{variant}");
    let format = match format {
        "safetensors" => 0,
        "bin" => 2,
        _ => return None,
    };
    // `model-00001-of-00002` is `model`; `model.fp16` is the variant `fp16` of it.
    let mut parts = stem.split('.').map(|part| part.split_once("-0").map_or(part, |(part, _)| part));
    let is_known = parts.next().is_some_and(|stem| STEMS.contains(&stem));
    let variant = match parts.next() {
        None => 0,
        Some("fp16") => 1,
        Some(_) => return None,
    };
    // Weights of another name are taken only where none has a known one.
    match (is_known, format) {
        (true, _) => Some(format + variant),
        (false, 0) => Some(4 + variant),
        (false, _) => None,
    }
}

/// Whether `name` fits a pattern in which `*` stands for any characters, `/` included, and `?` for one.
fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
    let (mut p, mut n) = (0, 0);
    // Where to go on when the characters behind the last star do not fit: the star takes one more.
    let mut retry = None;
    while n < name.len() {
        match pattern.get(p) {
            Some('*') => {
                retry = Some((p + 1, n + 1));
                p += 1;
            }
            Some(&c) if c == '?' || c == name[n] => {
                p += 1;
                n += 1;
            }
            _ => {
                let Some((star, taken)) = retry else { return false };
                (p, n) = (star, taken);
                retry = Some((star, taken + 1));
            }
        }
    }
    pattern[p..].iter().all(|&c| c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken<'a>(names: &[&'a str], include: &[&str]) -> Vec<&'a str> {
        let include: Vec<String> = include.iter().map(ToString::to_string).collect();
        let chosen = choose(names, &include);
        names.iter().zip(chosen).filter(|(_, taken)| *taken).map(|(name, _)| *name).collect()
    }

    /// The files of `stable-diffusion-v1-5/stable-diffusion-v1-5`.
    const STABLE_DIFFUSION: &[&str] = &[
        ".gitattributes",
        "README.md",
        "feature_extractor/preprocessor_config.json",
        "model_index.json",
        "safety_checker/config.json",
        "safety_checker/model.fp16.safetensors",
        "safety_checker/model.safetensors",
        "safety_checker/pytorch_model.bin",
        "safety_checker/pytorch_model.fp16.bin",
        "scheduler/scheduler_config.json",
        "text_encoder/config.json",
        "text_encoder/model.fp16.safetensors",
        "text_encoder/model.safetensors",
        "text_encoder/pytorch_model.bin",
        "tokenizer/merges.txt",
        "tokenizer/special_tokens_map.json",
        "tokenizer/tokenizer_config.json",
        "tokenizer/vocab.json",
        "unet/config.json",
        "unet/diffusion_pytorch_model.bin",
        "unet/diffusion_pytorch_model.fp16.bin",
        "unet/diffusion_pytorch_model.fp16.safetensors",
        "unet/diffusion_pytorch_model.non_ema.bin",
        "unet/diffusion_pytorch_model.non_ema.safetensors",
        "unet/diffusion_pytorch_model.safetensors",
        "v1-5-pruned-emaonly.ckpt",
        "v1-5-pruned-emaonly.safetensors",
        "v1-inference.yaml",
        "vae/config.json",
        "vae/diffusion_pytorch_model.bin",
        "vae/diffusion_pytorch_model.safetensors",
    ];

    #[test]
    fn of_stable_diffusion_every_part_is_taken_once() {
        let expected = [
            "feature_extractor/preprocessor_config.json",
            "model_index.json",
            "safety_checker/config.json",
            "safety_checker/model.safetensors",
            "scheduler/scheduler_config.json",
            "text_encoder/config.json",
            "text_encoder/model.safetensors",
            "tokenizer/merges.txt",
            "tokenizer/special_tokens_map.json",
            "tokenizer/tokenizer_config.json",
            "tokenizer/vocab.json",
            "unet/config.json",
            "unet/diffusion_pytorch_model.safetensors",
            "vae/config.json",
            "vae/diffusion_pytorch_model.safetensors",
        ];
        assert_eq!(taken(STABLE_DIFFUSION, &[]), expected);
        let more = taken(STABLE_DIFFUSION, &["*.ckpt", "unet/*non_ema.s*"]);
        assert_eq!(more.len(), expected.len() + 2);
        assert!(more.contains(&"v1-5-pruned-emaonly.ckpt"));
    }

    #[test]
    fn of_a_model_of_transformers_the_files_for_other_frameworks_are_left() {
        let names = [
            "config.json",
            "flax_model.msgpack",
            "generation_config.json",
            "merges.txt",
            "model.safetensors",
            "onnx/config.json",
            "onnx/decoder_model.onnx",
            "preprocessor_config.json",
            "pytorch_model.bin",
            "rust_model.ot",
            "tf_model.h5",
            "tokenizer.json",
            "vocab.json",
        ];
        let expected = [
            "config.json",
            "generation_config.json",
            "merges.txt",
            "model.safetensors",
            "preprocessor_config.json",
            "tokenizer.json",
            "vocab.json",
        ];
        assert_eq!(taken(&names, &[]), expected);
    }

    #[test]
    fn shards_come_with_their_index_and_only_in_one_format() {
        let names = [
            "model-00001-of-00002.safetensors",
            "model-00002-of-00002.safetensors",
            "model.safetensors.index.json",
            "pytorch_model-00001-of-00002.bin",
            "pytorch_model.bin.index.json",
        ];
        assert_eq!(taken(&names, &[]), names[..3]);
        assert_eq!(taken(&names[3..], &[]), names[3..]);
        let half = [
            "unet/diffusion_pytorch_model.fp16-00001-of-00002.safetensors",
            "unet/diffusion_pytorch_model.safetensors.index.fp16.json",
        ];
        assert_eq!(taken(&half, &[]), half);
    }

    #[test]
    fn half_precision_or_bin_is_taken_where_there_is_nothing_else() {
        assert_eq!(taken(&["a/model.fp16.safetensors", "a/pytorch_model.bin"], &[]), ["a/model.fp16.safetensors"]);
        assert_eq!(taken(&["pytorch_model.fp16.bin", "pytorch_model.bin"], &[]), ["pytorch_model.bin"]);
        // TAESD has its own names beside those of diffusers.
        let names = ["config.json", "diffusion_pytorch_model.safetensors", "taesd_decoder.safetensors"];
        assert_eq!(taken(&names, &[]), names[..2]);
        assert_eq!(taken(&names[2..], &[]), names[2..]);
    }

    #[test]
    fn patterns_match_as_in_a_shell_but_across_folders() {
        for (pattern, name) in [("*", "a/b"), ("*.ckpt", "x/y.ckpt"), ("a?c*", "abc"), ("*a*b", "aab"), ("x", "x")] {
            assert!(matches(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [("*.ckpt", "a.ckpt2"), ("a?c", "ac"), ("", "a"), ("*a*b", "ba")] {
            assert!(!matches(pattern, name), "{pattern} {name}");
        }
    }
}
