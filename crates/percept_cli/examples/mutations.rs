//! Damaged inputs by the million: `cargo run --release -p percept_cli --example mutations -- 1000000`.

#[allow(dead_code)]
#[path = "../tests/it/mutations.rs"]
mod mutations;

#[allow(clippy::print_stdout)]
fn main() {
    let n: u64 = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(1_000_000);
    let inputs = mutations::inputs();
    if let (Some(name), Some(at)) = (std::env::args().nth(2), std::env::args().nth(3)) {
        // One mutation, to look at it closely.
        let at: u64 = at.parse().expect("a number");
        let input = inputs.iter().find(|input| input.name == name).expect("an input");
        mutations::try_all(input, at..at + n);
        return;
    }
    // A panic is counted, not printed.
    std::panic::set_hook(Box::new(|_| {}));
    let each = n.div_ceil(inputs.len() as u64);
    let mut n_panics = 0;
    for input in &inputs {
        let start = std::time::Instant::now();
        let found = mutations::try_all(input, 0..each);
        n_panics += found.panics.len();
        println!(
            "{:<32} {} tried, {} refused, {} panics, {:.1} s, peak {} MB",
            input.name,
            found.n_tried,
            found.n_refused,
            found.panics.len(),
            start.elapsed().as_secs_f64(),
            percept::io::machine::peak_bytes().unwrap_or(0) / 1_000_000
        );
        for panic in found.panics.iter().take(3) {
            println!("  {panic}");
        }
    }
    std::process::exit(i32::from(n_panics > 0));
}
