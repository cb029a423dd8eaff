//! Captions as files that other programs read: `captions.csv` (the best of each item and method), `captions.parquet` (every
//! beam), and `references.csv` (what people said of the tested stimuli, where there is that).
//!
//! `percept evaluate captions --predicted captions.csv --reference references.csv` scores them, and `percept judge` has people
//! compare them.

use percept_io::parquet::{self, Column};
use percept_pipeline::PipelineError;
use percept_pipeline::generation::captions::Said;

use crate::bench::Bench;

/// The best caption of each item and method.
pub(super) const CAPTIONS: &str = "captions.csv";
/// Every beam.
const BEAMS: &str = "captions.parquet";
/// What people said.
const REFERENCES: &str = "references.csv";

/// The beams of every item under the name of what made them.
pub(super) type Named<'a> = (&'a str, Vec<Vec<Said>>);

/// Writes the tables.
///
/// # Errors
/// When the disk refuses.
pub(super) fn write(bench: &Bench<'_>, methods: &[Named<'_>]) -> Result<(), PipelineError> {
    let items = &bench.plan.items;
    let mut text = String::from("id,method,caption,score\n");
    for (method, beams) in methods {
        for (item, beams) in items.iter().zip(beams) {
            let Some(best) = beams.first() else { continue };
            line(&mut text, &[&item.id, method, &best.text, &best.score.to_string()]);
        }
    }
    bench.run.write(CAPTIONS, text.as_bytes())?;
    if let Some(captions) = &bench.data.captions {
        let mut text = String::from("id,caption\n");
        for item in items {
            for caption in &captions[item.stimulus] {
                line(&mut text, &[&item.id, caption]);
            }
        }
        bench.run.write(REFERENCES, text.as_bytes())?;
    }
    let rows: Vec<(&str, &str, usize, &Said)> = methods
        .iter()
        .flat_map(|(method, of_items)| {
            items.iter().zip(of_items).flat_map(move |(item, beams)| {
                beams.iter().enumerate().map(move |(rank, said)| (item.id.as_str(), *method, rank, said))
            })
        })
        .collect();
    let column = |of: &dyn Fn(&(&str, &str, usize, &Said)) -> String| Column::Text(rows.iter().map(of).collect());
    Ok(parquet::write(
        bench.run.file(BEAMS),
        &[
            ("id", column(&|row| row.0.to_owned())),
            ("method", column(&|row| row.1.to_owned())),
            ("beam", Column::Integer(rows.iter().map(|row| row.2 as i64).collect())),
            ("caption", column(&|row| row.3.text.clone())),
            ("score", Column::Float(rows.iter().map(|row| f64::from(row.3.score)).collect())),
            ("log_prob", Column::Float(rows.iter().map(|row| sum(&row.3.log_probs)).collect())),
            ("n_tokens", Column::Integer(rows.iter().map(|row| row.3.tokens.len() as i64).collect())),
        ],
    )?)
}

fn sum(log_probs: &[f32]) -> f64 {
    log_probs.iter().map(|&value| f64::from(value)).sum()
}

/// Appends a line of CSV (RFC 4180).
pub(super) fn line(out: &mut String, cells: &[&str]) {
    for (i, cell) in cells.iter().enumerate() {
        if i > 0 {
            out.push(',');
        }
        if cell.contains([',', '"', '\n', '\r']) {
            out.push('"');
            out.push_str(&cell.replace('"', "\"\""));
            out.push('"');
        } else {
            out.push_str(cell);
        }
    }
    out.push('\n');
}

#[cfg(test)]
mod tests {
    #[test]
    fn cells_with_commas_and_quotes_are_quoted() {
        let mut out = String::new();
        super::line(&mut out, &["7", "a \"red\" house, at night", "x"]);
        assert_eq!(out, "7,\"a \"\"red\"\" house, at night\",x\n");
    }
}
