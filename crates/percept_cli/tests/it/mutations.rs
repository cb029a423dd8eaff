//! Damaged inputs of every kind, in-process: whatever the bytes, a reader or a configuration answers with a value or an error, never
//! with a panic, an abort or a great deal of memory.
//!
//! A thousand mutations of each input run with the tests; `cargo run --release -p percept_cli --example mutations -- 1000000` runs as
//! many as are asked for.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use ndarray::{Array2, ArrayD, IxDyn};
use percept::core::Seed;
use percept::io::fs::Source;
use percept::io::table::{Separator, Table};
use percept::io::{hdf5, mat, nifti, npy, npz, safetensors};
use percept::models::weights::read_tensors;

/// Reads bytes and says whether they were accepted.
type Reader = Box<dyn Fn(&[u8]) -> bool + Sync>;

/// A valid input and who reads it.
pub(crate) struct Input {
    pub(crate) name: String,
    valid: Vec<u8>,
    read: Reader,
}

/// What became of the mutations of one input.
pub(crate) struct Found {
    pub(crate) n_tried: usize,
    pub(crate) n_refused: usize,
    pub(crate) panics: Vec<String>,
}

/// Values of whatever a reference finds in a file.
fn hdf5_values(bytes: &[u8]) -> bool {
    let Ok(file) = hdf5::File::from_bytes(bytes.to_vec()) else { return false };
    // Some hold words beside numbers.
    let entries = file.entries().unwrap_or_default();
    let reads =
        |name: &str| file.dataset(name).is_ok_and(|dataset| dataset.len() < 1 << 20 && dataset.read::<f64>().is_ok());
    entries.iter().take(6).filter(|entry| reads(&entry.name)).count() > 0
}

fn mat_values(bytes: &[u8]) -> bool {
    let Ok(file) = mat::File::from_source(Source::from_bytes(bytes.to_vec())) else { return false };
    // Some hold words and structures beside numbers.
    let entries = file.entries().unwrap_or_default();
    entries.iter().take(6).filter(|entry| file.array::<f64>(&entry.name).is_ok()).count() > 0
}

fn npz_values(bytes: &[u8]) -> bool {
    let read = || -> percept::io::Result<()> {
        let mut file = npz::Npz::from_source(Source::from_bytes(bytes.to_vec()))?;
        for name in file.names().into_iter().take(6) {
            file.array(&name)?.read::<f32>()?;
        }
        Ok(())
    };
    read().is_ok()
}

fn safetensors_values(bytes: &[u8]) -> bool {
    let read = || -> percept::io::Result<()> {
        let file = safetensors::SafeTensors::from_source(Source::from_bytes(bytes.to_vec()))?;
        let names: Vec<String> = file.names().map(str::to_owned).collect();
        names.iter().try_for_each(|name| file.tensor::<f32>(name).map(drop))
    };
    read().is_ok()
}

fn table_values(separator: Separator) -> Reader {
    Box::new(move |bytes| {
        let Ok(table) = Table::parse(&String::from_utf8_lossy(bytes), separator) else { return false };
        // A column of words is none of numbers.
        table.columns().iter().filter(|name| table.texts(name).is_ok() & table.floats(name).is_ok()).count() > 0
    })
}

fn text(read: impl Fn(&str) -> bool + Sync + 'static) -> Reader {
    Box::new(move |bytes| read(&String::from_utf8_lossy(bytes)))
}

/// All inputs. Fixtures of foreign programs are read from where their crates keep them.
pub(crate) fn inputs() -> Vec<Input> {
    let mut all = files();
    all.extend(configs());
    all
}

fn files() -> Vec<Input> {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    let values = Array2::from_shape_fn((6, 5), |(row, column)| (row * 5 + column) as f32 / 3.0);
    let view = || values.view().into_dyn();
    let volume = ArrayD::from_shape_fn(IxDyn(&[3, 2, 2, 2]), |at| (at[0] + 3 * at[1] + 6 * at[2] + 12 * at[3]) as i16);
    let volume = volume.into_dimensionality().expect("four axes");
    npy::write(at("a.npy"), view()).expect("written");
    npz::write(at("a.npz"), |archive| archive.add("x", view())).expect("written");
    nifti::write(at("a.nii"), volume.view(), &nifti::Spec::default()).expect("written");
    let mut tensors = safetensors::Writer::new();
    tensors.add("x", view()).write(at("a.safetensors")).expect("written");
    mat::Writer::new().array("x", &view()).and_then(|writer| writer.write(at("a.mat"))).expect("written");
    let read = |path: PathBuf| std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let fixture = |name: &str| read(Path::new(env!("CARGO_MANIFEST_DIR")).join("../percept_io/tests/data").join(name));
    let input = |name: &str, valid: Vec<u8>, read: Reader| Input { name: name.to_owned(), valid, read };
    let npy_values = |bytes: &[u8]| {
        npy::Npy::from_source(Source::from_bytes(bytes.to_vec())).and_then(|npy| npy.read::<f32>()).is_ok()
    };
    let nifti_values = |bytes: &[u8]| {
        nifti::Nifti::from_source(Source::from_bytes(bytes.to_vec())).and_then(|file| file.read::<f32>()).is_ok()
    };
    let rows: Vec<String> = (0..20).map(|row| format!("1\t{row}\t{}\t\"a \"\"note\"\" {row}\"\n", row * 30)).collect();
    let table = format!("SUBJECT\tSESSION\tRT\tNOTE\n{}1\tNaN\tNaN\tn/a\n", rows.concat());
    vec![
        input("npy", read(at("a.npy")), Box::new(npy_values)),
        input("npz", read(at("a.npz")), Box::new(npz_values)),
        input("NIfTI", read(at("a.nii")), Box::new(nifti_values)),
        input("safetensors", read(at("a.safetensors")), Box::new(safetensors_values)),
        input("weights", read(at("a.safetensors")), Box::new(|bytes| read_tensors(bytes, Path::new("x")).is_ok())),
        input("MAT 5", read(at("a.mat")), Box::new(mat_values)),
        input("MAT 5 of MATLAB", fixture("mat/damage_packed.mat"), Box::new(mat_values)),
        input("MAT 7.3", fixture("hdf5/matlab73.mat"), Box::new(mat_values)),
        input("HDF5 1.8", fixture("hdf5/damage_v0.h5"), Box::new(hdf5_values)),
        input("HDF5 1.10", fixture("hdf5/damage_v110.h5"), Box::new(hdf5_values)),
        input("PNG", fixture("picture/alpha.png"), Box::new(|bytes| percept::io::picture::decode(bytes).is_ok())),
        input("TSV", table.clone().into_bytes(), table_values(Separator::Tab)),
        input("CSV", table.replace('\t', ",").into_bytes(), table_values(Separator::Comma)),
    ]
}

fn configs() -> Vec<Input> {
    use percept::models;
    let of_pocket = |name: &str| -> Vec<u8> {
        let found = percept::pocket::FILES.iter().find(|(file, _)| *file == name);
        found.map_or_else(|| panic!("the pocket pack has no `{name}`"), |(_, bytes)| bytes.to_vec())
    };
    let config = |name: &str, read: Reader| Input { name: name.to_owned(), valid: of_pocket(name), read };
    let experiment = "name = \"x\"\nmethods = [\"z\", \"c\"]\nseed = 3\n[data]\nkind = \"phantom\"\nsessions = 2\n\
                      [decode]\nalphas = [1, 10.5, 1e3]\n[generate]\nsteps = 20\nguidance = 3.0\n[evaluate]\ndraws = 500\n";
    let tokenizer = of_pocket("tokenizer/merges.txt");
    vec![
        config("vae/config.json", text(|text| models::autoencoder::AutoencoderConfig::parse(text).is_ok())),
        config("unet/config.json", text(|text| models::unet::UnetConfig::parse(text).is_ok())),
        config("text_encoder/config.json", text(|text| models::text::TextConfig::parse(text).is_ok())),
        config("image_encoder/config.json", text(|text| models::vision::VisionConfig::parse(text).is_ok())),
        config("scheduler/scheduler_config.json", text(|text| models::scheduler::SchedulerConfig::parse(text).is_ok())),
        config(
            "tokenizer/vocab.json",
            text(move |text| {
                let merges = String::from_utf8_lossy(&tokenizer);
                models::tokenizer::ClipTokenizer::new(text, &merges, 77, "<|endoftext|>").is_ok()
            }),
        ),
        Input {
            name: "experiment".to_owned(),
            valid: experiment.as_bytes().to_vec(),
            read: text(|text| percept::methods::experiment::parse(text, Path::new("/x/e.toml"), &[]).is_ok()),
        },
    ]
}

/// Numbers that files and configurations are damaged with.
const EXTREMES: [&[u8]; 12] = [
    b"-1",
    b"0",
    b"1000000000",
    b"18446744073709551615",
    b"1e308",
    b"NaN",
    b"[]",
    b"\"\"",
    &[0xff; 4],
    &[0xff; 8],
    &[0x7f, 0xff, 0xff, 0xff],
    &[0; 8],
];

/// The mutation number `number` of `valid`.
fn mutated(valid: &[u8], seed: Seed, number: u64) -> Vec<u8> {
    use rand::Rng;
    let mut stream = seed.at(number).stream();
    let mut bytes = valid.to_vec();
    for _ in 0..stream.random_range(1..4u32) {
        let n = bytes.len().max(1) as u64;
        let place = stream.random_range(0..n) as usize;
        match stream.random_range(0..6u32) {
            0 | 1 if place < bytes.len() => bytes[place] ^= 1 << stream.random_range(0..8u32),
            2 => bytes.truncate(place),
            3 => bytes.insert(place.min(bytes.len()), stream.random_range(0..256u32) as u8),
            4 => {
                let end = (place + stream.random_range(1..9u64) as usize).min(bytes.len());
                bytes.drain(place.min(end)..end);
            }
            _ => {
                let with = EXTREMES[stream.random_range(0..EXTREMES.len() as u64) as usize];
                let end = (place + with.len()).min(bytes.len());
                bytes.splice(place.min(end)..end, with.iter().copied());
            }
        }
    }
    bytes
}

/// Reads mutations `numbers` of `input`.
pub(crate) fn try_all(input: &Input, numbers: std::ops::Range<u64>) -> Found {
    let seed = Seed::new(17).named(&input.name);
    let mut found = Found { n_tried: 0, n_refused: 0, panics: Vec::new() };
    assert!((input.read)(&input.valid), "the valid {} is refused", input.name);
    for number in numbers {
        let bytes = mutated(&input.valid, seed, number);
        found.n_tried += 1;
        match catch_unwind(AssertUnwindSafe(|| (input.read)(&bytes))) {
            Ok(accepted) => found.n_refused += usize::from(!accepted),
            Err(_) => found.panics.push(format!("mutation {number} of {}", input.name)),
        }
    }
    found
}

#[test]
fn a_thousand_mutations_of_every_input_neither_panic_nor_take_much_memory() {
    const MOST_BYTES: u64 = 1 << 30;
    let mut panics = Vec::new();
    for input in inputs() {
        let found = try_all(&input, 0..1000);
        assert_eq!(found.n_tried, 1000);
        assert!(found.n_refused > 0, "no damage of {} was noticed", input.name);
        panics.extend(found.panics);
    }
    assert!(panics.is_empty(), "{panics:#?}");
    let peak = percept::io::machine::peak_bytes().unwrap_or(0);
    assert!(peak < MOST_BYTES, "{peak} bytes at most");
}
