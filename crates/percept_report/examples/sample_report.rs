//! Writes a report of invented data, to look at the page while working on it: `cargo run --release -p percept_report --example sample_report OUT.html`.

#[path = "../tests/it/sample.rs"]
mod sample;

fn main() -> std::io::Result<()> {
    let Some(path) = std::env::args().nth(1) else {
        return Err(std::io::Error::other("usage: sample_report OUT.html"));
    };
    let html = percept_report::render(&sample::model(), |path| Ok(sample::picture(path)))
        .map_err(|error| std::io::Error::other(error.to_string()))?;
    std::fs::write(path, html)
}
