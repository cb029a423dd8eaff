//! Writes reports of invented data, to look at the pages while working on them: one of a few methods, one of many methods with
//! figures. `cargo run --release -p percept_report --example sample_report FEW.html MANY.html`.

#[path = "../tests/it/many.rs"]
mod many;
#[path = "../tests/it/sample.rs"]
mod sample;

fn main() -> std::io::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let (Some(few), Some(many)) = (arguments.next(), arguments.next()) else {
        return Err(std::io::Error::other("usage: sample_report FEW.html MANY.html"));
    };
    for (path, outcome) in [(few, sample::outcome()), (many, many::outcome())] {
        let html = percept_report::render(&outcome, |path| Ok(sample::picture(path)))
            .map_err(|error| std::io::Error::other(error.to_string()))?;
        std::fs::write(path, html)?;
    }
    Ok(())
}
