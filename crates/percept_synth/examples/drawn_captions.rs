//! Writes captions of drawings as two tables, `predicted.csv` and `reference.csv`, with which scores of captions are tested:
//! `cargo run --release -p percept_synth --example drawn_captions DIR N`. With a third word, `pictures`, the drawings stand beside
//! them as `ID.png`.
//!
//! The predicted caption of an item is, in turn, another caption of the same drawing, a caption of a scene that shares the
//! object and some attributes with it, and the caption of another drawing. One to four captions are its references.

use std::fmt::Write;
use std::path::PathBuf;

use percept_core::Seed;
use percept_synth::drawing::{Drawing, Scene};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let folder = PathBuf::from(arguments.next().ok_or("name a folder")?);
    let n: u64 = arguments.next().ok_or("name a number of items")?.parse()?;
    let with_pictures = arguments.next().is_some_and(|word| word == "pictures");
    std::fs::create_dir_all(&folder)?;
    let (mut predicted, mut reference) = (String::from("id,caption\n"), String::from("id,caption\n"));
    for item in 0..n {
        let seed = Seed::new(18).at(item);
        let drawing = Drawing::random(seed);
        let captions = drawing.captions(seed);
        let other = Drawing::random(seed.named("other"));
        let guess = match (item % 3, drawing, other) {
            (0, ..) => captions[4].clone(),
            (1, Drawing::Scene(scene), Drawing::Scene(other)) => {
                let near = Scene { color: other.color, place: other.place, ..scene };
                Drawing::Scene(near).captions(seed.named("near"))[0].clone()
            }
            _ => other.captions(seed.named("other"))[0].clone(),
        };
        writeln!(predicted, "{item},{guess}")?;
        for caption in &captions[..=((item % 4) as usize)] {
            writeln!(reference, "{item},{caption}")?;
        }
        if with_pictures {
            percept_io::picture::write_png(folder.join(format!("{item}.png")), drawing.render(seed).view())?;
        }
    }
    std::fs::write(folder.join("predicted.csv"), predicted)?;
    std::fs::write(folder.join("reference.csv"), reference)?;
    Ok(())
}
