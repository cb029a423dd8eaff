//! Names that arms of a system may not have, since something else in a run has them already.

use percept_core::ArmName;

/// Arms and files that every run may have, and what they are.
const TAKEN: [(&str, &str); 13] = [
    ("stimulus", "the pictures that were seen"),
    ("pixel_ridge", "a baseline"),
    ("ridge", "ridge regression beside trained encoders"),
    ("mean_context", "a baseline"),
    ("stages", "a folder of the run"),
    ("images", "a folder of the run"),
    ("labels", "a folder of the run"),
    ("starts", "a folder of the run"),
    ("features", "a folder of the run"),
    ("decoders", "a folder of the run"),
    ("reference", "a folder of the run"),
    ("report.html", "a file of the run"),
    ("phantom", "a folder of the run"),
];

/// How ridge regression on N images is called beside encoders that were trained on as many.
const RIDGE_ON: &str = "ridge@";

/// Ends of names that make them look like files of a run.
const FILE_ENDS: [&str; 3] = [".json", ".toml", ".html"];

/// The names that an arm may not have, each with what has it.
pub(super) struct Reserved(Vec<(String, String)>);

impl Reserved {
    /// Those that every run has, and the `words` of this program.
    pub(super) fn new<'a>(words: impl Iterator<Item = (&'a str, &'a str)>) -> Self {
        let all = words.chain(TAKEN);
        Self(all.map(|(name, what)| (name.to_owned(), what.to_owned())).collect())
    }

    /// Why an arm of the section `own` may not be called `name`. The word of the system itself is free for its arms: the
    /// method is asked for by it, but only the arms are shown.
    pub(super) fn refuse(&self, name: &ArmName, own: &str) -> Option<String> {
        let name = name.as_str();
        if name == own {
            return None;
        }
        if let Some((_, what)) = self.0.iter().find(|(taken, _)| taken.eq_ignore_ascii_case(name)) {
            return Some(format!("this one is {what}"));
        }
        let lower = name.to_ascii_lowercase();
        if lower.starts_with(RIDGE_ON) {
            return Some(format!("one that starts with `{RIDGE_ON}` is ridge regression beside trained encoders"));
        }
        let end = FILE_ENDS.iter().find(|end| lower.ends_with(*end))?;
        Some(format!("a name that ends in `{end}` is taken for a file"))
    }
}
