//! An invented run: enough of everything to fill a page. No number in it was measured.

use percept_core::{Provenance, ScoreRow};
use percept_report::{AlphaCount, DataFacts, DecoderFacts, Gallery, GalleryRow, MethodFacts, ReportModel, RoiFacts};

const COLUMNS: [&str; 7] = ["stimulus", "z", "c", "z+c", "true", "shuffled", "mean"];
const OBJECTS: [&str; 10] = ["cup", "house", "ball", "fish", "tree", "car", "star", "boat", "clock", "flower"];
const COLOURS: [(&str, [u8; 3]); 5] = [
    ("red", [200, 60, 50]),
    ("green", [70, 150, 80]),
    ("blue", [60, 90, 190]),
    ("yellow", [230, 200, 70]),
    ("purple", [130, 80, 160]),
];

/// A report of forty stimuli.
pub(crate) fn model() -> ReportModel {
    let rows = (0..40)
        .map(|i| GalleryRow {
            id: format!("drawing {:05}", 2951 + 37 * i),
            caption: format!("a {} {} on the left in a field", COLOURS[i % 5].0, OBJECTS[i * 3 % 10]),
            pictures: COLUMNS
                .iter()
                .enumerate()
                .map(|(k, name)| (i != 5 || k != 2).then(|| format!("images/{i:03}_{name}.png")))
                .collect(),
            scores: vec![((i * 17) % 40) as f64 / 40.0, ((i * 7) % 40) as f64 / 40.0 - 0.2],
        })
        .collect();
    let mut provenance = Provenance::new(34);
    for (name, value) in [("responses", "betas_session01.hdf5"), ("stimuli", "nsd_stimuli.hdf5"), ("pack", "pocket")] {
        provenance.inputs.insert(name.to_owned(), percept_core::provenance::content_hash(value.as_bytes()));
    }
    for (name, value) in [("generate.steps", "20"), ("generate.guidance", "3"), ("generate.strength", "0.8")] {
        provenance.settings.insert(name.to_owned(), value.to_owned());
    }
    ReportModel {
        title: "Phantom demo".to_owned(),
        lead: "Pictures reconstructed from the simulated responses of one subject to drawings, by latent, by conditioning and by both, with the same seed and noise.".to_owned(),
        warnings: vec![
            "The subject is simulated: these numbers say that the program works, not what real brains allow.".to_owned(),
            "All 12 test images also occur in training (`split = \"published\"`).".to_owned(),
        ],
        galleries: vec![Gallery {
            title: "Test stimuli".to_owned(),
            columns: COLUMNS.iter().map(|&name| name.to_owned()).collect(),
            sort_keys: vec!["CLIP 2-way of z+c".to_owned(), "PixCorr of z+c".to_owned()],
            rows,
        }],
        methods: vec![MethodFacts {
            name: "true".to_owned(),
            description: "As z+c, but from the features of the stimulus itself.".to_owned(),
        }],
        scores: scores(),
        differences: Vec::new(),
        sections: Vec::new(),
        data: DataFacts {
            subject: "phantom subj01".to_owned(),
            source: "NSD tree, betas of type 3, sessions 1 to 4".to_owned(),
            split: "by stimulus: shared images are tested, the others train".to_owned(),
            n_train_trials: 6_000,
            n_train_stimuli: 2_000,
            n_test_trials: 300,
            n_test_stimuli: 100,
            rois: vec![roi("early", 1_432, 0.47), roi("ventral", 1_210, 0.42), roi("nsdgeneral", 2_642, 0.45)],
            groups: Vec::new(),
        },
        decoders: vec![decoder("sd.z", "early", 1_432, 1_024, 0.21), decoder("sd.c", "ventral", 1_210, 9_856, 0.11)],
        experiment: "seed = 34\n\n[data]\nkind = \"phantom\"\n\n[generate]\nsteps = 20\nguidance = 3.0\n".to_owned(),
        provenance,
    }
}

fn roi(name: &str, n_units: usize, ncsnr: f64) -> RoiFacts {
    let ceiling = ncsnr * ncsnr / (ncsnr * ncsnr + 1.0 / 3.0);
    RoiFacts {
        name: name.to_owned(),
        selector: format!("streams.{name}"),
        n_units,
        n_dropped: 3,
        ncsnr_median: Some(ncsnr),
        ceiling_median: Some(ceiling),
    }
}

fn decoder(feature: &str, roi: &str, n_units: usize, n_targets: usize, score: f64) -> DecoderFacts {
    DecoderFacts {
        feature: feature.to_owned(),
        rois: vec![roi.to_owned()],
        n_units,
        n_targets,
        n_samples: 6_000,
        n_folds: 1,
        alphas: (0..9i32)
            .map(|i| AlphaCount {
                alpha: 10f64.powi(i - 1),
                n_targets: n_targets * [0, 1, 4, 12, 30, 33, 15, 4, 1][i as usize] / 100,
            })
            .collect(),
        cv_score: Some(score),
        cv_metric: "R²".to_owned(),
        test_correlation: Some(score.sqrt() * 1.1),
        kept_variance: Some(score * 1.2),
        rescale: (feature == "sd.c").then_some(1.8),
    }
}

fn scores() -> Vec<ScoreRow> {
    let values = [
        ("pixcorr", [0.452, 0.213, 0.441, 0.781, 0.022, 0.118], Some(0.0)),
        ("ssim", [0.381, 0.252, 0.352, 0.655, 0.208, 0.301], None),
        ("twoway_pixel", [0.872, 0.701, 0.861, 0.995, 0.503, 0.5], Some(0.5)),
        ("twoway_clip", [0.702, 0.861, 0.893, 0.988, 0.496, 0.5], Some(0.5)),
    ];
    let methods = ["z", "c", "z+c", "true", "shuffled", "mean"];
    values
        .iter()
        .flat_map(|&(metric, values, chance)| {
            methods.iter().zip(values).map(move |(&method, value)| ScoreRow {
                method: method.to_owned(),
                split: "test".to_owned(),
                metric: metric.to_owned(),
                value,
                low: value - 0.025,
                high: (value + 0.023).min(1.0),
                chance,
                n: 100,
            })
        })
        .collect()
}

/// A small picture for a path: a map, or a drawing coloured by the stimulus and paler by the column.
pub(crate) fn picture(path: &str) -> Vec<u8> {
    if path.starts_with("maps/") {
        return crate::many::map(path);
    }
    let i: usize = path["images/".len()..][..3].parse().unwrap_or(0);
    let column = COLUMNS.iter().position(|name| path.ends_with(&format!("_{name}.png"))).unwrap_or(3);
    let (sky, object) = ([150, 190, 225], COLOURS[i % 5].1);
    let blur = [0.0, 9.0, 3.0, 4.0, 1.0, 3.0, 12.0][column];
    let (cx, cy) = if column == 5 { (44.0, 30.0) } else { (14.0 + (i % 4) as f32 * 11.0, 34.0) };
    let image = image::RgbImage::from_fn(64, 64, |x, y| {
        let distance = ((x as f32 - cx).powi(2) + (y as f32 - cy).powi(2)).sqrt() - 13.0;
        let share = (0.5 - distance / (1.0 + blur)).clamp(0.0, 1.0);
        let ground = if y > 40 { [120, 165, 95] } else { sky };
        image::Rgb([0, 1, 2].map(|k| (share * object[k] as f32 + (1.0 - share) * ground[k] as f32) as u8))
    });
    encoded(&image)
}

/// A picture as the bytes of a PNG.
pub(crate) fn encoded(image: &image::RgbImage) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    image.write_to(&mut bytes, image::ImageFormat::Png).expect("a PNG in memory");
    bytes.into_inner()
}
