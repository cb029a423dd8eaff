//! Pulling packs from a small hub on this machine: whole, cut, damaged, refused, and without anybody to answer.

use std::path::{Path, PathBuf};
use std::time::Duration;

use percept_core::Silent;
use percept_hub::{Destination, HubError, Pulled, Settings, damaged, pull};
use percept_io::hub::{Cache, Repository};
use percept_testing::hub::{COMMIT, Hub, REPOSITORY, hash};
use tempfile::TempDir;

const WEIGHTS: &str = "unet/diffusion_pytorch_model.safetensors";

/// A pack whose weights are larger than one block of the client.
fn files() -> Vec<(&'static str, Vec<u8>)> {
    let weights: Vec<u8> = (0..700_000u32).map(|i| ((i * 31) >> 3) as u8).collect();
    vec![
        ("README.md", b"about".to_vec()),
        ("model_index.json", b"{\"unet\": [\"diffusers\", \"UNet2DConditionModel\"]}".to_vec()),
        ("unet/config.json", b"{}".to_vec()),
        ("unet/diffusion_pytorch_model.fp16.safetensors", b"half".to_vec()),
        (WEIGHTS, weights),
        ("v1.ckpt", b"all".to_vec()),
    ]
}

/// A hub and a folder for the cache.
struct Bench {
    hub: Hub,
    folder: TempDir,
}

impl Bench {
    fn new() -> Self {
        Self { hub: Hub::start(&files()), folder: tempfile::tempdir().expect("a folder") }
    }

    fn settings(&self) -> Settings {
        Settings {
            endpoint: self.hub.endpoint(),
            token: Some("secret".into()),
            cache: self.cache(),
            certificates: None,
            tries: 3,
            pause: Duration::ZERO,
            silence: Duration::from_secs(20),
        }
    }

    fn cache(&self) -> Cache {
        Cache::new(self.folder.path().join("hub"))
    }

    fn pull(&self) -> Result<Pulled, HubError> {
        pull(&self.settings(), &repository(), &Destination::Cache, &[], &Silent)
    }

    fn blob(&self, name: &str) -> PathBuf {
        let (name, bytes) = files().into_iter().find(|(known, _)| *known == name).expect("a file of the pack");
        self.cache().folder(&repository()).join("blobs").join(hash(name, &bytes))
    }

    /// The part of the weights that has come.
    fn part(&self) -> PathBuf {
        self.blob(WEIGHTS).with_added_extension("incomplete")
    }

    /// Nothing may look whole: neither for percept nor for `huggingface_hub`, which goes by `refs` and `snapshots`.
    fn expect_nothing_whole(&self) {
        assert!(self.cache().snapshot(&repository()).is_err());
        assert_eq!(self.cache().list().expect("a list")[0].snapshot, None);
        let folder = self.cache().folder(&repository());
        assert!(!folder.join("refs").exists() && !folder.join("snapshots").exists());
        assert!(!self.blob(WEIGHTS).exists());
    }

    /// The ranges in which large files were asked for.
    fn ranges(&self) -> Vec<Option<String>> {
        self.hub
            .asked()
            .into_iter()
            .filter(|asked| asked.at_store)
            .map(|asked| asked.headers.get("range").cloned())
            .collect()
    }
}

fn repository() -> Repository {
    Repository::parse(REPOSITORY).expect("a name")
}

fn expect_pack(folder: &Path) {
    for (name, bytes) in files() {
        let path = folder.join(name);
        if name.strip_suffix(".json").is_some() || name == WEIGHTS {
            assert!(std::fs::read(&path).is_ok_and(|found| found == bytes), "{name} is whole");
        } else {
            assert!(!path.exists(), "{name} is not needed");
        }
    }
}

#[test]
fn a_pack_lies_in_the_cache_as_huggingface_hub_puts_it_there() {
    let bench = Bench::new();
    let pulled = bench.pull().expect("the hub is whole");
    let folder = bench.cache().folder(&repository());
    assert_eq!(pulled.folder, folder.join("snapshots").join(COMMIT));
    assert_eq!((pulled.commit.as_str(), pulled.files.len(), pulled.left.len()), (COMMIT, 3, 3));
    expect_pack(&pulled.folder);
    assert_eq!(std::fs::read_to_string(folder.join("refs/main")).expect("a reference"), COMMIT);
    assert!(bench.blob(WEIGHTS).is_file() && bench.blob("unet/config.json").is_file());
    assert_eq!(bench.cache().snapshot(&repository()).expect("it is there"), pulled.folder);
    #[cfg(unix)]
    {
        let link = std::fs::read_link(pulled.folder.join(WEIGHTS)).expect("a link");
        let name = bench.blob(WEIGHTS).file_name().expect("a name").to_owned();
        assert_eq!(link, Path::new("../../../blobs").join(name));
    }

    let asked = bench.hub.asked();
    assert!(
        asked.iter().filter(|asked| !asked.at_store).all(|asked| asked.headers["authorization"] == "Bearer secret")
    );
    let store: Vec<_> = asked.iter().filter(|asked| asked.at_store).collect();
    assert!(store.len() == 1 && !store[0].headers.contains_key("authorization"), "the store is not told the token");

    bench.pull().expect("everything is there");
    let again: Vec<String> = bench.hub.asked().into_iter().map(|asked| asked.path).collect();
    assert_eq!(again, [format!("/api/models/{REPOSITORY}/revision/main?blobs=true")]);
}

#[test]
fn other_files_come_when_a_pattern_names_them() {
    let bench = Bench::new();
    let include = ["*.ckpt".to_owned(), "*fp16*".to_owned()];
    let pulled = pull(&bench.settings(), &repository(), &Destination::Cache, &include, &Silent).expect("it is whole");
    assert_eq!((pulled.files.len(), pulled.left), (5, vec!["README.md".to_owned()]));
    assert_eq!(std::fs::read(pulled.folder.join("v1.ckpt")).expect("it came"), b"all");
}

#[test]
fn a_cut_connection_goes_on_where_it_ended() {
    let bench = Bench::new();
    bench.hub.behaviour().cuts.insert(WEIGHTS.into(), vec![300_000, 100_000]);
    let pulled = bench.pull().expect("the third connection brings the rest");
    expect_pack(&pulled.folder);
    let ranges = bench.ranges();
    assert_eq!(ranges, [None, Some("bytes=300000-".into()), Some("bytes=400000-".into())]);
}

#[test]
fn a_pull_that_ended_early_leaves_nothing_that_looks_whole_and_the_next_goes_on() {
    let bench = Bench::new();
    bench.hub.behaviour().cuts.insert(WEIGHTS.into(), vec![300_000, 0, 0, 0]);
    let error = bench.pull().expect_err("three times not a byte");
    let words = error.to_string();
    assert!(matches!(error, HubError::Cut { have: 300_000, size: 700_000, .. }), "{words}");
    assert!(words.contains(WEIGHTS) && words.contains("pull again: it goes on there"), "{words}");
    bench.expect_nothing_whole();
    assert_eq!(std::fs::metadata(bench.part()).expect("the part is kept").len(), 300_000);

    bench.hub.behaviour().cuts.clear();
    bench.hub.asked();
    expect_pack(&bench.pull().expect("the hub is well again").folder);
    assert_eq!(bench.ranges(), [Some("bytes=300000-".into())]);
    assert!(!bench.part().exists());
}

#[test]
fn a_silent_connection_is_given_up_and_made_anew() {
    let bench = Bench::new();
    bench.hub.behaviour().stalls.insert(WEIGHTS.into(), 300_000);
    let settings = Settings { silence: Duration::from_millis(500), ..bench.settings() };
    let go = || pull(&settings, &repository(), &Destination::Cache, &[], &Silent);
    // The hub sends 300,000 bytes of whatever it is asked for: two silences, then the last 100,000.
    expect_pack(&go().expect("each connection brings something").folder);
    // A machine under load may see more silences than there are.
    assert!(bench.ranges().len() >= 3);
}

#[test]
fn a_file_with_other_bytes_is_named_and_refused() {
    for name in [WEIGHTS, "unet/config.json"] {
        let bench = Bench::new();
        bench.hub.behaviour().corrupt.push(name.into());
        let error = bench.pull().expect_err("the hash does not fit");
        let words = error.to_string();
        assert!(matches!(error, HubError::Damaged { .. }), "{words}");
        assert!(words.contains(name) && words.contains("expected"), "{words}");
        bench.expect_nothing_whole();
        assert!(!bench.part().exists() && !bench.blob(name).exists());
        bench.hub.behaviour().corrupt.clear();
        expect_pack(&bench.pull().expect("the hub is well again").folder);
    }
}

#[test]
fn a_damaged_part_of_an_earlier_time_is_thrown_away() {
    let bench = Bench::new();
    std::fs::create_dir_all(bench.part().parent().expect("a folder")).expect("a folder");
    for part in [vec![7; 300_000], vec![7; 700_000], vec![7; 800_000]] {
        std::fs::write(bench.part(), part).expect("a part");
        expect_pack(&bench.pull().expect("it begins anew").folder);
        std::fs::remove_dir_all(bench.cache().folder(&repository()).join("snapshots")).expect("a folder");
        std::fs::remove_file(bench.blob(WEIGHTS)).expect("a blob");
    }
}

#[test]
fn a_server_without_parts_sends_all_of_it_again() {
    let bench = Bench::new();
    bench.hub.behaviour().no_parts = true;
    bench.hub.behaviour().cuts.insert(WEIGHTS.into(), vec![300_000]);
    expect_pack(&bench.pull().expect("the second answer is whole").folder);
    assert_eq!(bench.ranges(), [None, Some("bytes=300000-".into())]);
}

#[test]
fn a_listing_of_names_alone_is_completed_by_the_headers() {
    let bench = Bench::new();
    bench.hub.behaviour().bare = true;
    expect_pack(&bench.pull().expect("the headers have hashes").folder);
    assert!(bench.blob(WEIGHTS).is_file() && bench.blob("unet/config.json").is_file());
    let heads = bench.hub.asked().into_iter().filter(|asked| asked.method == "HEAD");
    assert!(heads.into_iter().all(|asked| !asked.at_store), "the store is not asked for hashes");
}

#[test]
fn a_busy_hub_is_asked_again() {
    let bench = Bench::new();
    bench.hub.behaviour().busy = 2;
    expect_pack(&bench.pull().expect("the third answer is the listing").folder);
    bench.hub.behaviour().busy = 9;
    let words = bench.pull().expect_err("it stays busy").to_string();
    assert!(words.contains("503") && words.contains(&bench.hub.endpoint()), "{words}");
}

#[test]
fn refusals_say_what_to_do() {
    let bench = Bench::new();
    let refused = |kind: &str, status: u16, code: &str, words: &str| {
        let mut behaviour = bench.hub.behaviour();
        behaviour.refusals.clear();
        behaviour.refusals.insert(kind.into(), (status, code.into(), words.into()));
        drop(behaviour);
        let words = bench.pull().expect_err("it is refused").to_string();
        assert!(!words.contains("secret"), "{words}");
        words
    };
    let gated = refused("resolve", 403, "GatedRepo", "Access to model lab/model is restricted");
    assert!(
        gated.contains("accept its terms on") && gated.contains("/lab/model") && gated.contains("HF_TOKEN"),
        "{gated}"
    );
    assert!(gated.contains("is restricted"), "{gated}");
    bench.expect_nothing_whole();
    let gated = refused("resolve", 401, "GatedRepo", "You must be authenticated");
    assert!(gated.contains("is gated"), "{gated}");
    let absent = refused("api", 401, "RepoNotFound", "Repository not found");
    assert!(absent.contains("has no model `lab/model`, or it is private") && absent.contains("HF_TOKEN"), "{absent}");
    let token = refused("api", 401, "", "Invalid credentials in Authorization header");
    assert!(token.contains("Invalid credentials"), "{token}");
    let revision = refused("api", 404, "RevisionNotFound", "Invalid rev id: x");
    assert!(revision.contains("no revision `main`"), "{revision}");
    let forbidden = refused("resolve", 403, "", "");
    assert!(forbidden.contains("403") && forbidden.contains("HF_TOKEN"), "{forbidden}");
}

#[test]
fn where_nobody_answers_the_way_without_network_is_named() {
    let bench = Bench::new();
    let settings = bench.settings();
    let endpoint = settings.endpoint.clone();
    drop(bench);
    let error = pull(&settings, &repository(), &Destination::Cache, &[], &Silent).expect_err("nobody is there");
    let words = error.to_string();
    assert!(matches!(error, HubError::Unreachable { .. }), "{words}");
    for part in [endpoint.as_str(), "HF_ENDPOINT", "percept model pull lab/model --offline"] {
        assert!(words.contains(part), "{words}");
    }
}

#[test]
fn a_folder_of_ones_own_is_filled_and_mended() {
    let bench = Bench::new();
    let folder = bench.folder.path().join("packs/sd");
    let go = || {
        let destination = Destination::Folder(folder.clone());
        pull(&bench.settings(), &repository(), &destination, &[], &Silent)
    };
    bench.hub.behaviour().cuts.insert(WEIGHTS.into(), vec![300_000, 0, 0, 0]);
    go().expect_err("cut");
    assert!(!folder.join(WEIGHTS).exists(), "a part has another name");
    bench.hub.behaviour().cuts.clear();
    assert_eq!(go().expect("it is whole").folder, folder);
    expect_pack(&folder);
    assert!(!bench.cache().root().exists());
    let names = std::fs::read_dir(folder.join("unet")).expect("a folder").count();
    assert_eq!(names, 2, "no part is left");

    let mut damaged = std::fs::read(folder.join(WEIGHTS)).expect("weights");
    damaged[12] ^= 1;
    std::fs::write(folder.join(WEIGHTS), damaged).expect("weights");
    bench.hub.asked();
    go().expect("the damaged file comes again");
    expect_pack(&folder);
    assert_eq!(bench.ranges().len(), 1);
}

#[test]
fn damage_in_the_cache_is_found_by_its_hash() {
    let bench = Bench::new();
    let pulled = bench.pull().expect("the hub is whole");
    assert_eq!(damaged(&pulled.folder).expect("it can be read"), []);
    let mut bytes = std::fs::read(bench.blob(WEIGHTS)).expect("weights");
    bytes[5] ^= 1;
    std::fs::write(bench.blob(WEIGHTS), bytes).expect("weights");
    std::fs::remove_file(bench.blob("model_index.json")).expect("a blob");
    let problems = damaged(&pulled.folder).expect("it can be read");
    let names: Vec<&str> = problems.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["model_index.json", WEIGHTS]);
}

#[test]
fn a_repository_without_weights_says_what_it_has() {
    let hub = Hub::start(&[("README.md", b"x".to_vec()), ("weights.ckpt", b"y".to_vec())]);
    let bench = Bench { hub, folder: tempfile::tempdir().expect("a folder") };
    let words = bench.pull().expect_err("no weights").to_string();
    assert!(words.contains("weights.ckpt") && words.contains("--include"), "{words}");
}
