//! One hash over all files of a model pack: what a result names as the model that made it.

use percept_core::provenance::content_hash;
use percept_io::fs;
use percept_models::weights::PackFiles;

use crate::error::PipelineError;

/// Files that a model can be built from, by the end of their names; pictures and readmes belong to no model.
const ENDS: [&str; 3] = ["json", "safetensors", "txt"];

/// One hash over all files of a pack, by name.
///
/// # Errors
/// When a file cannot be read.
pub fn content_of(files: &PackFiles) -> Result<String, PipelineError> {
    let mut lines = Vec::new();
    match files {
        PackFiles::Embedded(files) => {
            for (name, bytes) in *files {
                lines.push(format!("{name} {}\n", content_hash(bytes)));
            }
        }
        PackFiles::Directory(folder) | PackFiles::WithMotion { pack: folder, .. } => {
            for path in fs::files_below(folder)? {
                if path.extension().is_some_and(|end| ENDS.iter().any(|known| end == *known)) {
                    let name = path.strip_prefix(folder).unwrap_or(&path).to_string_lossy().replace('\\', "/");
                    lines.push(format!("{name} {}\n", fs::content_hash(&path)?));
                }
            }
        }
    }
    lines.sort_unstable();
    Ok(content_hash(lines.concat().as_bytes()))
}
