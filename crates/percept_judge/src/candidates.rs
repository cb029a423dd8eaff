//! What there is to compare in a folder.
//!
//! - `captions.csv`: columns `id`, `method` (or `arm`), `caption` (or `text`)
//! - `pictures.csv`: columns `id`, `method` (or `arm`), `picture`, a PNG or JPEG by its path inside the folder
//! - without `pictures.csv`, the pictures that the `outcome.json` of a run names
//!
//! The stimulus is the picture in the column `stimulus` of the table, or that of the item in `outcome.json`. Of several rows for
//! one item and method the first counts: the best of several captions stands first.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use percept_core::Outcome;
use percept_core::outcome::ArmSummary;
use percept_io::{fs, table};
use serde::{Deserialize, Serialize};

use crate::error::JudgeError;

/// What is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Captions.
    Captions,
    /// Pictures.
    Pictures,
}

impl Kind {
    /// As it stands in tables.
    pub fn word(self) -> &'static str {
        match self {
            Self::Captions => "captions",
            Self::Pictures => "pictures",
        }
    }
}

/// One result, as a rater sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shown {
    /// Words.
    Caption(String),
    /// A picture by its path inside the folder.
    Picture(String),
}

/// An item of two methods.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// Its stable name.
    pub id: String,
    /// The picture of the stimulus by its path inside the folder.
    pub stimulus: String,
    /// What the first method made.
    pub a: Shown,
    /// What the second method made.
    pub b: Shown,
}

/// Two methods and their items.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    /// What is compared.
    pub kind: Kind,
    /// The first method.
    pub a: String,
    /// The second method.
    pub b: String,
    /// Items that both have, in the order of the folder.
    pub items: Vec<Item>,
}

/// Everything of one kind: methods in the order in which they came, and per item what each made.
#[derive(Default)]
struct Collection {
    methods: Vec<String>,
    items: Vec<(String, Option<String>, BTreeMap<String, Shown>)>,
    /// The methods among which a reader would choose, when there are others too (controls).
    main: Vec<String>,
}

/// The results of methods `a` and `b` in `folder`. Without a kind, captions are preferred to pictures; without methods, there must
/// be exactly two.
///
/// # Errors
/// [`JudgeError`] when there are no such results, or when it is not clear which are meant.
pub fn pair(folder: &Path, kind: Option<Kind>, a: Option<&str>, b: Option<&str>) -> Result<Pair, JudgeError> {
    let outcome = outcome(folder)?;
    let kinds: &[Kind] = match kind {
        Some(Kind::Captions) => &[Kind::Captions],
        Some(Kind::Pictures) => &[Kind::Pictures],
        None => &[Kind::Captions, Kind::Pictures],
    };
    let mut refusal = JudgeError::NoCandidates { folder: folder.display().to_string() };
    for &kind in kinds {
        let collection = collect(folder, kind, outcome.as_ref())?;
        if collection.methods.len() < 2 {
            continue;
        }
        match collection.choose(a, b) {
            Ok((a, b)) => return collection.pair(kind, a, b, outcome.as_ref()),
            Err(error) => refusal = error,
        }
    }
    Err(refusal)
}

/// The bytes and the media type of a picture inside `folder`; `None` where there is none.
pub fn picture(folder: &Path, path: &str) -> Option<(&'static str, Vec<u8>)> {
    /// No picture that a page shows is larger.
    const MAX_BYTES: u64 = 64 << 20;
    let bytes = fs::read_to_limit(inside(folder, path)?, MAX_BYTES).ok()?;
    let media = match bytes.get(..3)? {
        b"\x89PN" => "image/png",
        b"\xff\xd8\xff" => "image/jpeg",
        _ => return None,
    };
    Some((media, bytes))
}

/// `path` below `folder`; a table cannot lead the page out of it.
fn inside(folder: &Path, path: &str) -> Option<PathBuf> {
    let is_plain = Path::new(path).components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
    is_plain.then(|| folder.join(path))
}

fn outcome(folder: &Path) -> Result<Option<Outcome>, JudgeError> {
    let path = folder.join("outcome.json");
    if !fs::is_file(&path) {
        return Ok(None);
    }
    let text = fs::read_text(&path, u64::MAX)?;
    let wrong =
        |error: serde_json::Error| JudgeError::Outcome { path: path.display().to_string(), reason: error.to_string() };
    serde_json::from_str(&text).map(Some).map_err(wrong)
}

fn collect(folder: &Path, kind: Kind, outcome: Option<&Outcome>) -> Result<Collection, JudgeError> {
    let (name, columns): (_, &[&str]) = match kind {
        Kind::Captions => ("captions.csv", &["caption", "text"]),
        Kind::Pictures => ("pictures.csv", &["picture"]),
    };
    let path = folder.join(name);
    match (fs::is_file(&path), outcome) {
        (true, _) => of_table(&path, kind, columns),
        (false, Some(outcome)) if kind == Kind::Pictures => Ok(of_outcome(outcome)),
        _ => Ok(Collection::default()),
    }
}

fn of_table(path: &Path, kind: Kind, columns: &[&str]) -> Result<Collection, JudgeError> {
    let table = table::open(path)?;
    let any = |names: &[&str]| {
        let name = names.iter().find(|name| table.has_column(name)).unwrap_or(&names[0]);
        table.texts(name)
    };
    let (ids, methods, made) = (table.texts("id")?, any(&["method", "arm"])?, any(columns)?);
    let stimuli = if table.has_column("stimulus") { Some(table.texts("stimulus")?) } else { None };
    let mut collection = Collection::default();
    for row in 0..ids.len() {
        let shown = match kind {
            Kind::Captions => Shown::Caption(made[row].to_owned()),
            Kind::Pictures => Shown::Picture(made[row].to_owned()),
        };
        let stimulus = stimuli.as_ref().map(|stimuli| stimuli[row].to_owned()).filter(|path| !path.is_empty());
        collection.add(ids[row], stimulus, methods[row], shown);
    }
    Ok(collection)
}

fn of_outcome(outcome: &Outcome) -> Collection {
    let mut collection = Collection::default();
    for item in &outcome.items {
        for (arm, made) in outcome.arms.iter().zip(&item.arms) {
            if let Some(picture) = made.pictures.first() {
                collection.add(&item.id, None, &arm.name, Shown::Picture(picture.clone()));
            }
        }
    }
    let is_main = |arm: &&ArmSummary| arm.role.is_method() && collection.methods.contains(&arm.name);
    collection.main = outcome.arms.iter().filter(is_main).map(|arm| arm.name.clone()).collect();
    collection
}

impl Collection {
    fn add(&mut self, id: &str, stimulus: Option<String>, method: &str, shown: Shown) {
        if !self.methods.iter().any(|known| known == method) {
            self.methods.push(method.to_owned());
        }
        let at = self.items.iter().rposition(|(known, ..)| known == id).unwrap_or_else(|| {
            self.items.push((id.to_owned(), None, BTreeMap::new()));
            self.items.len() - 1
        });
        let (_, known, made) = &mut self.items[at];
        *known = known.take().or(stimulus);
        made.entry(method.to_owned()).or_insert(shown);
    }

    /// The two methods that are meant.
    fn choose(&self, a: Option<&str>, b: Option<&str>) -> Result<(String, String), JudgeError> {
        let available = || self.methods.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        let refuse = |got: String| JudgeError::Methods { got, available: available() };
        for name in [a, b].into_iter().flatten() {
            if !self.methods.iter().any(|known| known == name) {
                return Err(refuse(format!("there is no method `{name}`")));
            }
        }
        if let (Some(a), Some(b)) = (a, b) {
            if a == b {
                return Err(refuse(format!("`{a}` cannot be compared with itself")));
            }
            return Ok((a.to_owned(), b.to_owned()));
        }
        match (a, b, &self.others(a.or(b))[..]) {
            (None, None, [first, second]) => Ok(((*first).clone(), (*second).clone())),
            (Some(a), None, [other]) => Ok((a.to_owned(), (*other).clone())),
            (None, Some(b), [other]) => Ok(((*other).clone(), b.to_owned())),
            _ => Err(refuse("it is not clear which two methods to compare".to_owned())),
        }
    }

    /// Methods that may be meant beside `taken`.
    fn others(&self, taken: Option<&str>) -> Vec<&String> {
        let among = if self.main.len() >= 2 { &self.main } else { &self.methods };
        among.iter().filter(|name| Some(name.as_str()) != taken).collect()
    }

    fn pair(self, kind: Kind, a: String, b: String, outcome: Option<&Outcome>) -> Result<Pair, JudgeError> {
        let known: BTreeMap<&str, &str> = outcome
            .map(|outcome| outcome.items.iter().map(|item| (item.id.as_str(), item.stimulus.as_str())).collect())
            .unwrap_or_default();
        let mut items = Vec::new();
        for (id, stimulus, mut made) in self.items {
            let stimulus = stimulus.or_else(|| known.get(id.as_str()).map(|path| (*path).to_owned()));
            if let (Some(stimulus), Some(first), Some(second)) = (stimulus, made.remove(&a), made.remove(&b)) {
                items.push(Item { id, stimulus, a: first, b: second });
            }
        }
        if items.is_empty() { Err(JudgeError::NoItems { a, b }) } else { Ok(Pair { kind, a, b, items }) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_path_leads_out_of_the_folder() {
        for path in ["../x.png", "/etc/passwd", "a/../../x"] {
            assert_eq!(inside(Path::new("run"), path), None, "{path}");
        }
        assert_eq!(inside(Path::new("run"), "pictures/a.png"), Some(PathBuf::from("run/pictures/a.png")));
    }

    #[test]
    fn the_first_row_of_an_item_and_method_counts() {
        let mut collection = Collection::default();
        collection.add("1", None, "x", Shown::Caption("best".into()));
        collection.add("1", Some("s.png".into()), "x", Shown::Caption("second".into()));
        collection.add("1", None, "y", Shown::Caption("other".into()));
        assert!(collection.choose(Some("z"), None).is_err());
        assert!(collection.choose(Some("x"), Some("x")).is_err());
        let (a, b) = collection.choose(None, None).expect("two methods");
        let pair = collection.pair(Kind::Captions, a, b, None).expect("an item");
        assert_eq!(pair.items[0].a, Shown::Caption("best".into()));
        assert_eq!(pair.items[0].stimulus, "s.png");
    }
}
