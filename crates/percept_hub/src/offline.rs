//! Without a network: which files a pack consists of, which of them are in a folder, and where the others come from.
//!
//! A pipeline says in its `model_index.json` which parts it has, a single model in its `config.json` what it is. Where
//! neither is there yet, both kinds are listed as Stable Diffusion and CLIP have them.

use std::path::Path;

use percept_io::hub::Repository;
use serde::Serialize;
use serde_json::Value;

use crate::client::encoded;

/// Configs and indices are small; more than this is none.
const MOST_JSON_BYTES: u64 = 64 << 20;

/// A file that a pack needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Needed {
    /// What it belongs to: a part of a pipeline, or the model itself.
    pub part: String,
    /// Its path in the pack's folder; any one of these will do, the first is the best.
    pub files: Vec<String>,
    /// Whether the pack opens without it.
    pub optional: bool,
    /// The one of them that is there.
    pub there: Option<String>,
}

/// What kind of pack it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Layout {
    /// Parts in folders, listed in `model_index.json`.
    Pipeline,
    /// One model with its `config.json`.
    Model,
    /// Neither file is there yet: the files of both kinds are listed.
    Unknown,
}

/// What a pack in a folder needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Plan {
    /// The kind of pack.
    pub layout: Layout,
    /// Its files.
    pub needed: Vec<Needed>,
}

impl Plan {
    /// The files that must still be placed.
    pub fn missing(&self) -> impl Iterator<Item = &Needed> {
        self.needed.iter().filter(|needed| needed.there.is_none() && !needed.optional)
    }
}

/// Where anyone with a network gets a file of a repository.
pub fn address(endpoint: &str, repository: &Repository, file: &str) -> String {
    let revision = encoded(repository.revision(), "");
    format!("{endpoint}/{}/resolve/{revision}/{}", repository.name(), encoded(file, "/"))
}

/// The files of the pack in `folder`, which may be empty or absent.
pub fn plan(folder: &Path) -> Plan {
    let mut list = List { folder, needed: Vec::new() };
    let layout = if let Some(index) = json(&folder.join("model_index.json")) {
        list.pipeline(&index);
        Layout::Pipeline
    } else if let Some(config) = json(&folder.join("config.json")) {
        list.add("model", &["config.json"], false);
        list.model("model", "", config.get("_class_name").is_some());
        list.beside(config["model_type"].as_str().unwrap_or_default());
        Layout::Model
    } else {
        list.pipeline(&stable_diffusion());
        list.add("or one model", &["config.json"], false);
        list.model("or one model", "", false);
        list.beside("");
        Layout::Unknown
    };
    Plan { layout, needed: list.needed }
}

struct List<'a> {
    folder: &'a Path,
    needed: Vec<Needed>,
}

impl List<'_> {
    fn add(&mut self, part: &str, files: &[&str], optional: bool) {
        let files: Vec<String> = files.iter().map(ToString::to_string).collect();
        let there = files.iter().find(|file| self.folder.join(file).is_file()).cloned();
        self.needed.push(Needed { part: part.to_owned(), files, optional, there });
    }

    /// The parts that an index names, each as `[library, class]`.
    fn pipeline(&mut self, index: &Value) {
        self.add("pipeline", &["model_index.json"], false);
        for (part, kind) in index.as_object().into_iter().flatten() {
            let (Some(library), Some(class)) = (kind[0].as_str(), kind[1].as_str()) else { continue };
            // Nothing here reads it.
            if part == "safety_checker" {
                continue;
            }
            let inside = |file: &str| format!("{part}/{file}");
            if class.contains("Tokenizer") {
                if class.contains("CLIP") {
                    self.add(part, &[&inside("vocab.json")], false);
                    self.add(part, &[&inside("merges.txt")], false);
                } else {
                    self.add(part, &[&inside("tokenizer.json")], false);
                }
                self.add(part, &[&inside("tokenizer_config.json")], true);
                self.add(part, &[&inside("special_tokens_map.json")], true);
            } else if class.contains("Scheduler") {
                self.add(part, &[&inside("scheduler_config.json")], false);
            } else if class.contains("ImageProcessor") || class.contains("FeatureExtractor") {
                self.add(part, &[&inside("preprocessor_config.json")], false);
            } else {
                self.add(part, &[&inside("config.json")], false);
                self.model(part, &format!("{part}/"), library == "diffusers");
            }
        }
    }

    /// The weights of a model: one file, or the shards of an index that is there.
    fn model(&mut self, part: &str, place: &str, of_diffusers: bool) {
        let stem = if of_diffusers { "diffusion_pytorch_model" } else { "model" };
        let index = format!("{place}{stem}.safetensors.index.json");
        let Some(map) = json(&self.folder.join(&index)) else {
            let bin = if of_diffusers { "diffusion_pytorch_model.bin" } else { "pytorch_model.bin" };
            let files = [
                format!("{place}{stem}.safetensors"),
                index,
                format!("{place}{stem}.fp16.safetensors"),
                format!("{place}{bin}"),
            ];
            self.add(part, &files.each_ref().map(String::as_str), false);
            return;
        };
        self.add(part, &[&index], false);
        let shards = map["weight_map"].as_object().into_iter().flatten().filter_map(|(_, shard)| shard.as_str());
        for shard in shards.collect::<std::collections::BTreeSet<_>>() {
            self.add(part, &[&format!("{place}{shard}")], false);
        }
    }

    /// What lies beside the weights of a single model: how texts become tokens and pictures pixels.
    fn beside(&mut self, kind: &str) {
        let clip = ["clip", ""].contains(&kind);
        let language = ["bert", "gpt2", "opt", "llama", ""].contains(&kind);
        if clip {
            self.add("tokenizer of a CLIP", &["vocab.json"], kind.is_empty());
            self.add("tokenizer of a CLIP", &["merges.txt"], kind.is_empty());
            self.add("pictures of a CLIP", &["preprocessor_config.json"], kind.is_empty());
        }
        if language {
            self.add("tokenizer of a language model", &["tokenizer.json"], kind.is_empty());
        }
        if clip || language {
            self.add("tokenizer", &["tokenizer_config.json"], true);
        }
    }
}

/// The index of Stable Diffusion 1, without what percept does not read.
fn stable_diffusion() -> Value {
    serde_json::json!({
        "feature_extractor": ["transformers", "CLIPImageProcessor"],
        "scheduler": ["diffusers", "PNDMScheduler"],
        "text_encoder": ["transformers", "CLIPTextModel"],
        "tokenizer": ["transformers", "CLIPTokenizer"],
        "unet": ["diffusers", "UNet2DConditionModel"],
        "vae": ["diffusers", "AutoencoderKL"],
    })
}

fn json(path: &Path) -> Option<Value> {
    serde_json::from_str(&percept_io::fs::read_text(path, MOST_JSON_BYTES).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use percept_io::fs;

    fn names(plan: &Plan) -> Vec<&str> {
        plan.missing().map(|needed| needed.files[0].as_str()).collect()
    }

    #[test]
    fn an_empty_folder_needs_all_of_a_pipeline_or_a_model() {
        let folder = tempfile::tempdir().expect("a folder");
        let plan = plan(&folder.path().join("absent"));
        assert_eq!(plan.layout, Layout::Unknown);
        let expected = [
            "model_index.json",
            "feature_extractor/preprocessor_config.json",
            "scheduler/scheduler_config.json",
            "text_encoder/config.json",
            "text_encoder/model.safetensors",
            "tokenizer/vocab.json",
            "tokenizer/merges.txt",
            "unet/config.json",
            "unet/diffusion_pytorch_model.safetensors",
            "vae/config.json",
            "vae/diffusion_pytorch_model.safetensors",
            "config.json",
            "model.safetensors",
        ];
        assert_eq!(names(&plan), expected);
    }

    #[test]
    fn an_index_says_which_parts_there_are_and_shards_are_counted() {
        let folder = tempfile::tempdir().expect("a folder");
        let put = |name: &str, text: &str| fs::write_bytes(folder.path().join(name), text.as_bytes()).expect("a file");
        put(
            "model_index.json",
            r#"{"_class_name": "X", "unet": ["diffusers", "UNet2DConditionModel"], "x": [null, null], "safety_checker": ["a", "B"]}"#,
        );
        assert_eq!(names(&plan(folder.path())), ["unet/config.json", "unet/diffusion_pytorch_model.safetensors"]);
        put("unet/config.json", "{}");
        put(
            "unet/diffusion_pytorch_model.safetensors.index.json",
            r#"{"weight_map": {"a": "1.safetensors", "b": "2.safetensors"}}"#,
        );
        put("unet/2.safetensors", "");
        let plan = plan(folder.path());
        assert_eq!((plan.layout, names(&plan)), (Layout::Pipeline, vec!["unet/1.safetensors"]));
    }

    #[test]
    fn a_single_model_needs_what_its_config_says() {
        let folder = tempfile::tempdir().expect("a folder");
        let put = |name: &str, text: &str| fs::write_bytes(folder.path().join(name), text.as_bytes()).expect("a file");
        put("config.json", r#"{"model_type": "gpt2"}"#);
        assert_eq!(names(&plan(folder.path())), ["model.safetensors", "tokenizer.json"]);
        put("pytorch_model.bin", "");
        assert_eq!(names(&plan(folder.path())), ["tokenizer.json"]);
        put("config.json", r#"{"_class_name": "AutoencoderTiny"}"#);
        assert_eq!(names(&plan(folder.path())), ["diffusion_pytorch_model.safetensors"]);
    }
}
