//! An invented run of many methods, with every kind of figure. No number in it was measured.

use percept_core::figure::{
    Axis, Clip, Curve, Estimate, Estimates, Figure, Films, Level, Lines, Matrix, Panel, Positions, Reel, Section,
    Series, SoundRow, Sounds, Strip, StripCell, StripRow, Track,
};
use percept_core::outcome::{ItemArm, RegionSummary};
use percept_core::{DifferenceRow, Outcome, ScoreRow};

use crate::sample;

/// Methods and controls, as many as a comparison has.
pub(crate) const ARMS: [&str; 12] = [
    "z",
    "c",
    "z+c",
    "b2c",
    "b2c+patch",
    "b2c+clip",
    "b2c+patch+clip",
    "shuffled",
    "mean",
    "true",
    "true_c",
    "pixel_ridge",
];

/// How good each method is, between 0 and 1.
const GOOD: [f64; 12] = [0.5, 0.66, 0.7, 0.12, 0.16, 0.72, 0.78, 0.05, 0.1, 0.97, 0.93, 0.45];

/// Metric, value of the worst and the best method, chance.
const METRICS: [(&str, f64, f64, Option<f64>); 9] = [
    ("mse", 0.62, 0.08, None),
    ("pixcorr", 0.01, 0.8, Some(0.0)),
    ("ssim", 0.1, 0.66, None),
    ("latent_mse", 3.05, 0.31, None),
    ("latent_pcc", 0.02, 0.83, None),
    ("context_cosine", 0.12, 0.99, None),
    ("context_pairwise", 0.49, 0.99, Some(0.5)),
    ("twoway_pixel", 0.5, 0.99, Some(0.5)),
    ("twoway_clip", 0.48, 0.99, Some(0.5)),
];

/// The sample with twelve arms, differences and four sections of figures.
pub(crate) fn outcome() -> Outcome {
    let mut outcome = sample::outcome();
    "Brain-to-Context".clone_into(&mut outcome.name);
    outcome.scores = scores();
    outcome.differences = differences(&outcome.scores);
    outcome.arms = ARMS.iter().map(|name| sample::arm(name)).collect();
    outcome.main = Some("b2c+patch+clip".to_owned());
    outcome.items.truncate(12);
    for (i, item) in outcome.items.iter_mut().enumerate() {
        let made = |name: &&str| ItemArm {
            pictures: vec![format!("images/{i:03}_{name}.png")],
            scores: vec![Some(0.5); outcome.scores.iter().filter(|row| row.method == **name).count()],
            said: Vec::new(),
        };
        item.arms = ARMS.iter().map(made).collect();
    }
    outcome.data.groups = [("V1", 412), ("V2-4", 688), ("higher visual", 902), ("other", 640)]
        .iter()
        .map(|&(name, n_units)| RegionSummary {
            name: name.to_owned(),
            selector: "nsdgeneral & prf-visualrois.V1".to_owned(),
            n_units,
            n_dropped: 0,
            ncsnr_median: Some(0.4),
            ceiling_median: Some(0.31),
        })
        .collect();
    outcome.sections = vec![training(), ablations(), looking_inside()];
    outcome
}

fn scores() -> Vec<ScoreRow> {
    let mut rows = Vec::new();
    for (&method, good) in ARMS.iter().zip(GOOD) {
        for (metric, worst, best, chance) in METRICS {
            if metric.starts_with("context") && ["z", "pixel_ridge"].contains(&method) {
                continue;
            }
            let value = worst + (best - worst) * good;
            rows.push(ScoreRow {
                method: method.to_owned(),
                split: "test".to_owned(),
                metric: metric.to_owned(),
                value,
                low: value - 0.03,
                high: value + 0.028,
                chance,
                n: 100,
                n_undefined: 0,
            });
        }
    }
    rows
}

fn differences(scores: &[ScoreRow]) -> Vec<DifferenceRow> {
    let mut rows = Vec::new();
    let pairs = [
        ("z", "c"),
        ("z+c", "c"),
        ("b2c", "c"),
        ("b2c+patch", "c"),
        ("b2c+clip", "c"),
        ("b2c+patch+clip", "c"),
        ("b2c+patch", "b2c"),
        ("b2c+patch+clip", "b2c+clip"),
    ];
    for (method, reference) in pairs {
        for (metric, ..) in METRICS {
            let of = |name: &str| scores.iter().find(|row| row.method == name && row.metric == metric);
            let (Some(first), Some(second)) = (of(method), of(reference)) else { continue };
            let value = first.value - second.value;
            rows.push(DifferenceRow {
                method: method.to_owned(),
                reference: reference.to_owned(),
                split: "test".to_owned(),
                metric: metric.to_owned(),
                value,
                low: value - 0.041,
                high: value + 0.04,
                p: 0.02,
                n: 100,
            });
        }
    }
    rows
}

fn training() -> Section {
    let curve = |name: &str, start: f64, end: f64, speed: f64| Curve {
        name: name.to_owned(),
        points: (0..=40)
            .map(|i| {
                let ripple = 1.0 + 0.05 * f64::from(i * 7 % 5 - 2);
                [f64::from(i) * 50.0, end + (start - end) * (-speed * f64::from(i)).exp() * ripple]
            })
            .collect(),
    };
    let panel = |title: &str, y: Axis, series: Vec<Curve>| Panel { title: title.to_owned(), y, series };
    Section {
        title: "Training".to_owned(),
        text: "Loss terms of `b2c+patch+clip` over the steps, and what validation images said.".to_owned(),
        figures: vec![Figure::Lines(Lines {
            title: "Curves of the training".to_owned(),
            caption: "All terms fall; the context terms fall fastest.".to_owned(),
            x: Axis::plain("step"),
            panels: vec![
                panel(
                    "loss terms",
                    Axis::log("loss"),
                    vec![
                        curve("epsilon", 1.0, 0.12, 0.1),
                        curve("velocity", 1.1, 0.3, 0.08),
                        curve("clip_mse", 0.9, 0.02, 0.2),
                        curve("clip_cosine", 0.8, 0.05, 0.15),
                    ],
                ),
                panel("validation", Axis::plain("context_pairwise"), vec![curve("pairwise", 0.5, 0.86, 0.12)]),
                panel("learning rate", Axis::plain("learning rate"), vec![curve("encoder", 3e-4, 0.0, 0.1)]),
            ],
        })],
    }
}

fn ablations() -> Section {
    let estimate = |x: f64, value: f64| Estimate { x, value, interval: Some([value - 0.03, value + 0.028]) };
    let names =
        ["all terms", "without epsilon", "without velocity", "without x0_ssim", "without clip_mse and clip_cosine"];
    Section {
        title: "Ablations".to_owned(),
        text: "What each part is good for.".to_owned(),
        figures: vec![
            Figure::Estimates(Estimates {
                title: "One loss left out at a time".to_owned(),
                caption: "Only the terms of the captions matter.".to_owned(),
                x: Positions::Categories {
                    label: "loss".to_owned(),
                    names: names.iter().map(|&name| name.to_owned()).collect(),
                },
                y: Axis::plain("context_pairwise"),
                series: vec![Series {
                    name: "b2c+patch+clip".to_owned(),
                    points: [0.86, 0.855, 0.85, 0.862, 0.52]
                        .iter()
                        .enumerate()
                        .map(|(i, &value)| estimate(i as f64, value))
                        .collect(),
                }],
                levels: vec![
                    Level { name: "c (ridge)".to_owned(), value: 0.83, interval: Some([0.8, 0.86]) },
                    Level { name: "chance".to_owned(), value: 0.5, interval: None },
                ],
            }),
            Figure::Estimates(Estimates {
                title: "Training images".to_owned(),
                caption: "The trained encoder overtakes ridge at about a thousand images.".to_owned(),
                x: Positions::Numbers { axis: Axis::log("training images") },
                y: Axis::plain("context_pairwise"),
                series: vec![
                    Series {
                        name: "b2c+patch+clip".to_owned(),
                        points: [(100.0, 0.58), (300.0, 0.68), (1000.0, 0.8), (3000.0, 0.89)]
                            .iter()
                            .map(|&(x, value)| estimate(x, value))
                            .collect(),
                    },
                    Series {
                        name: "c (ridge)".to_owned(),
                        points: [(100.0, 0.66), (300.0, 0.73), (1000.0, 0.79), (3000.0, 0.83)]
                            .iter()
                            .map(|&(x, value)| estimate(x, value))
                            .collect(),
                    },
                ],
                levels: vec![Level { name: "chance".to_owned(), value: 0.5, interval: None }],
            }),
        ],
    }
}

fn looking_inside() -> Section {
    let groups = ["V1", "V2-4", "higher visual", "other"];
    let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
    let tokens: Vec<String> = (1..=77).map(|token| token.to_string()).collect();
    let peak = |row: usize, column: usize| (-((column as f64 - 10.0 - 19.0 * row as f64) / 9.0).powi(2)).exp();
    let cell = |i: usize, map: Option<usize>| {
        Some(StripCell {
            picture: format!("images/{i:03}_z+c.png"),
            map: map.map(|group| format!("maps/{i:03}_{group}.png")),
            note: map.map(|group| format!("{} %", 14 + 11 * group)).unwrap_or_default(),
        })
    };
    Section {
        title: "Looking inside".to_owned(),
        text: "Which group of voxels drives which token, and which part of the picture.".to_owned(),
        figures: vec![
            Figure::Matrix(Matrix {
                title: "What changes in each token without a group".to_owned(),
                caption: "Each group drives the tokens it has.".to_owned(),
                row_label: "group".to_owned(),
                rows: names(&groups),
                column_label: "token".to_owned(),
                columns: tokens,
                quantity: Axis::plain("change of the token"),
                values: (0..4).map(|row| (0..77).map(|column| peak(row, column)).collect()).collect(),
            }),
            Figure::Matrix(Matrix {
                title: "What each group is good for".to_owned(),
                caption: "Scores without a group minus those with all.".to_owned(),
                row_label: "group left out".to_owned(),
                rows: names(&groups),
                column_label: "metric".to_owned(),
                columns: names(&["Pixel MSE", "SSIM", "Context cosine", "Context pairwise", "2-way, CLIP"]),
                quantity: Axis::plain("difference"),
                values: (0..4)
                    .map(|row| (0..5).map(|column| 0.02 - 0.03 * f64::from(row * column % 7)).collect())
                    .collect(),
            }),
            Figure::Strip(Strip {
                title: "Where the tokens of each group look".to_owned(),
                caption: "Bright where the cross-attention of a group's tokens is strongest.".to_owned(),
                columns: std::iter::once("picture").chain(groups).map(str::to_owned).collect(),
                rows: (0..3)
                    .map(|i| StripRow {
                        label: format!("drawing {:05}", 2951 + 37 * i),
                        cells: (0..5usize).map(|column| cell(i, column.checked_sub(1))).collect(),
                    })
                    .collect(),
            }),
            Figure::Sounds(Sounds {
                title: "What was heard, found and made".to_owned(),
                caption: "Tones that rise, and one that is missing.".to_owned(),
                columns: names(&["stimulus", "retrieval", "generation"]),
                high_hz: 4000.0,
                rows: (0..2usize)
                    .map(|row| SoundRow {
                        label: format!("clip {row}"),
                        cells: (0..3usize).map(|column| (row + column < 3).then(|| clip(row, column))).collect(),
                    })
                    .collect(),
            }),
            Figure::Films(films()),
        ],
    }
}

/// Three films of a square that moves, faster and faster.
fn films() -> Films {
    let reel =
        |name: &str, number: usize| Reel { name: name.to_owned(), sheet: format!("sheets/{number}.png"), across: 4 };
    Films {
        title: "What was seen and made".to_owned(),
        caption: "A square that moves.".to_owned(),
        rate: 4.0,
        n_frames: SHEET_FRAMES,
        size: [SHEET_SIDE, SHEET_SIDE],
        films: vec![reel("stimulus", 0), reel("film", 1), reel("film.true", 2)],
        words: vec![(0.0, "a square on the left".to_owned()), (1.5, "a square on the right".to_owned())],
        tracks: vec![Track {
            name: "ssim".to_owned(),
            step_secs: 1.0,
            values: vec![None, Some(vec![Some(0.4), None, Some(0.6)]), Some(vec![Some(0.7), Some(0.8), Some(0.9)])],
        }],
    }
}

/// Frames of each film, and their side.
const SHEET_FRAMES: usize = 12;
const SHEET_SIDE: usize = 24;

/// The frames of a film, four in a row.
pub(crate) fn sheet(path: &str) -> Vec<u8> {
    let speed = path.as_bytes().get("sheets/".len()).map_or(0, |&byte| usize::from(byte - b'0')) + 1;
    let side = SHEET_SIDE as u32;
    let frames = image::RgbImage::from_fn(4 * side, (SHEET_FRAMES as u32).div_ceil(4) * side, |x, y| {
        let frame = (y / side * 4 + x / side) as usize;
        let (left, top) = ((frame * speed % (SHEET_SIDE - 6)) as u32, side / 2 - 3);
        let is_in = |at: u32, from: u32| (from..from + 6).contains(&at);
        let is_square = is_in(x % side, left) && is_in(y % side, top);
        image::Rgb(if is_square { [230, 120, 40] } else { [40, 60 + 8 * frame as u8, 90] })
    });
    sample::encoded(&frames)
}

/// A gray map of 8 × 8 with one bright place.
pub(crate) fn map(path: &str) -> Vec<u8> {
    let number = |at: usize| path.as_bytes().get(at).map_or(0.0, |&byte| f32::from(byte - b'0'));
    let (i, group) = (number("maps/00".len()), number("maps/000_".len()));
    let (cx, cy) = (1.5 + group + i, 5.5 - group);
    let map = image::RgbImage::from_fn(8, 8, |x, y| {
        let square = (x as f32 - cx).powi(2) + (y as f32 - cy).powi(2);
        image::Rgb([(255.0 * (-square / 5.0).exp()) as u8; 3])
    });
    sample::encoded(&map)
}

const RATE_HZ: u32 = 8000;

/// A second and a half of a tone that rises and is struck twice.
fn tone(row: usize, column: usize) -> Vec<f32> {
    let from = 200.0 * (1.0 + row as f64 + 2.0 * column as f64);
    (0..12_000)
        .map(|i| {
            let t = f64::from(i) / f64::from(RATE_HZ);
            let loudness = 0.8 * (-4.0 * (t % 0.75)).exp();
            (loudness * (std::f64::consts::TAU * (from * t + 300.0 * t * t)).sin()) as f32
        })
        .collect()
}

fn clip(row: usize, column: usize) -> Clip {
    let samples = tone(row, column);
    let waveform =
        samples.chunks(100).map(|part| part.iter().fold([0.0f32; 2], |[least, most], &v| [least.min(v), most.max(v)]));
    Clip {
        sound: format!("sounds/{row}{column}.wav"),
        seconds: 1.5,
        waveform: waveform.collect(),
        mels: format!("mels/{row}{column}.png"),
        note: if column > 0 { format!("likeness .{}", 9 - row - column) } else { String::new() },
    }
}

/// The WAV file of a tone.
pub(crate) fn wav(path: &str) -> Vec<u8> {
    let digit = |at: usize| usize::from(path.as_bytes()[at] - b'0');
    let samples = tone(digit("sounds/".len()), digit("sounds/0".len()));
    let n_bytes = 2 * samples.len() as u32;
    let mut out = b"RIFF".to_vec();
    out.extend((36 + n_bytes).to_le_bytes());
    out.extend(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    out.extend(RATE_HZ.to_le_bytes());
    out.extend((2 * RATE_HZ).to_le_bytes());
    out.extend(b"\x02\0\x10\0data");
    out.extend(n_bytes.to_le_bytes());
    out.extend(samples.iter().flat_map(|v| ((v * 32_767.0) as i16).to_le_bytes()));
    out
}

/// A gray picture of a line that rises.
pub(crate) fn mels(path: &str) -> Vec<u8> {
    let column = f32::from(path.as_bytes()["mels/0".len()] - b'0');
    let picture = image::RgbImage::from_fn(120, 96, |x, y| {
        let away = (y as f32 - (80.0 - 12.0 * column - x as f32 / 5.0)) / 3.0;
        image::Rgb([(255.0 * (-away * away).exp() * (1.0 - (x % 60) as f32 / 90.0)) as u8; 3])
    });
    sample::encoded(&picture)
}
