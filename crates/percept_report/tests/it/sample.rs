//! An invented run: enough of everything to fill a page. No number in it was measured.

use percept_core::outcome::{
    ArmSummary, DataSummary, DecoderSummary, ItemArm, ItemResult, MetricFacts, RegionSummary, Unit,
};
use percept_core::{Outcome, Provenance, Role, ScoreRow};

const COLUMNS: [&str; 7] = ["stimulus", "z", "c", "z+c", "true", "shuffled", "mean"];
const OBJECTS: [&str; 10] = ["cup", "house", "ball", "fish", "tree", "car", "star", "boat", "clock", "flower"];
const COLOURS: [(&str, [u8; 3]); 5] = [
    ("red", [200, 60, 50]),
    ("green", [70, 150, 80]),
    ("blue", [60, 90, 190]),
    ("yellow", [230, 200, 70]),
    ("purple", [130, 80, 160]),
];

/// An outcome of forty stimuli.
pub(crate) fn outcome() -> Outcome {
    let mut provenance = Provenance::new(34);
    for (name, value) in [("responses", "betas_session01.hdf5"), ("stimuli", "nsd_stimuli.hdf5"), ("pack", "pocket")] {
        provenance.inputs.insert(name.to_owned(), percept_core::provenance::content_hash(value.as_bytes()));
    }
    for (name, value) in [("generate.steps", "20"), ("generate.guidance", "3"), ("generate.strength", "0.8")] {
        provenance.settings.insert(name.to_owned(), value.to_owned());
    }
    Outcome {
        name: "Phantom demo".to_owned(),
        lead: "Pictures reconstructed from the simulated responses of one subject to drawings, by latent, by conditioning and by both, with the same seed and noise.".to_owned(),
        warnings: vec![
            "The subject is simulated: these numbers say that the program works, not what real brains allow.".to_owned(),
            "All 12 test images also occur in training (`split = \"published\"`).".to_owned(),
        ],
        data: DataSummary {
            subject: "phantom subj01".to_owned(),
            source: "NSD tree, betas of type 3, sessions 1 to 4".to_owned(),
            split: "by stimulus: shared images are tested, the others train".to_owned(),
            n_train_samples: 6_000,
            n_train_stimuli: 2_000,
            n_test_samples: 120,
            n_test_stimuli: 40,
            regions: vec![region("early", 1_432, 0.61), region("ventral", 1_210, 0.42), region("nsdgeneral", 2_642, 0.45)],
            groups: Vec::new(),
        },
        decoders: vec![decoder("sd.z", "early", 1_432, 1_024, 0.21), decoder("sd.c", "ventral", 1_210, 9_856, 0.11)],
        arms: COLUMNS[1..].iter().map(|name| arm(name)).collect(),
        main: Some("z+c".to_owned()),
        metrics: metrics(),
        scores: scores(),
        differences: Vec::new(),
        items: (0..40).map(item).collect(),
        sections: Vec::new(),
        experiment: "seed = 34\n\n[data]\nkind = \"phantom\"\n\n[generate]\nsteps = 20\nguidance = 3.0\n".to_owned(),
        provenance,
    }
}

/// An arm whose role its name tells.
pub(crate) fn arm(name: &str) -> ArmSummary {
    let role = match name {
        "true" | "true_c" => Role::Bound,
        "shuffled" | "mean" => Role::Control,
        "pixel_ridge" => Role::Baseline,
        _ => Role::Method,
    };
    ArmSummary {
        name: name.to_owned(),
        role,
        short: format!("short of {name}"),
        description: format!("How `{name}` was made."),
        n_draws: 1,
    }
}

/// What the metrics of the samples are.
pub(crate) fn metrics() -> Vec<MetricFacts> {
    [
        ("mse", "Pixel MSE", Unit::Plain),
        ("pixcorr", "PixCorr", Unit::Plain),
        ("ssim", "SSIM", Unit::Plain),
        ("latent_mse", "Latent MSE", Unit::Plain),
        ("latent_pcc", "Latent correlation", Unit::Plain),
        ("context_cosine", "Context cosine", Unit::Plain),
        ("context_pairwise", "Context pairwise", Unit::Percent),
        ("twoway_pixel", "2-way, pixels", Unit::Percent),
        ("twoway_clip", "2-way, CLIP", Unit::Percent),
    ]
    .map(|(name, label, unit)| MetricFacts {
        name: name.to_owned(),
        label: label.to_owned(),
        description: format!("What `{name}` says."),
        unit,
        lower_is_better: name.ends_with("mse"),
        chance: None,
    })
    .to_vec()
}

fn item(i: usize) -> ItemResult {
    // One picture is missing.
    let pictures = |k: usize, name: &str| match (i, k) {
        (5, 1) => Vec::new(),
        _ => vec![format!("images/{i:03}_{name}.png")],
    };
    let scores = [((i * 17) % 40) as f64 / 40.0, 0.5, 0.5, ((i * 7) % 40) as f64 / 40.0 - 0.2].map(Some);
    ItemResult {
        id: format!("drawing {:05}", 2951 + 37 * i),
        caption: format!("a {} {} on the left in a field", COLOURS[i % 5].0, OBJECTS[i * 3 % 10]),
        stimulus: format!("images/{i:03}_stimulus.png"),
        n_repeats: 3,
        arms: COLUMNS[1..]
            .iter()
            .enumerate()
            .map(|(k, name)| ItemArm { pictures: pictures(k, name), scores: scores.to_vec(), said: Vec::new() })
            .collect(),
    }
}

fn region(name: &str, n_units: usize, ncsnr: f64) -> RegionSummary {
    let ceiling = ncsnr * ncsnr / (ncsnr * ncsnr + 1.0 / 3.0);
    RegionSummary {
        name: name.to_owned(),
        selector: format!("streams.{name}"),
        n_units,
        n_dropped: 3,
        ncsnr_median: Some(ncsnr),
        ceiling_median: Some(ceiling),
    }
}

fn decoder(feature: &str, roi: &str, n_units: usize, n_targets: usize, score: f64) -> DecoderSummary {
    DecoderSummary {
        feature: feature.to_owned(),
        region: roi.to_owned(),
        n_units,
        n_targets,
        n_samples: 6_000,
        n_folds: 1,
        alphas: (0..9i32).map(|i| 10f64.powi(i - 1)).collect(),
        n_targets_of_alpha: [0, 1, 4, 12, 30, 33, 15, 4, 1].iter().map(|share| n_targets * share / 100).collect(),
        cv_r2: score,
        test_correlation: score.sqrt() * 1.1,
        kept_variance: score * 1.2,
        rescale_median: if feature == "sd.c" { 1.8 } else { 1.0 },
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
                n_undefined: 0,
            })
        })
        .collect()
}

/// A small picture for a path: a map, or a drawing coloured by the stimulus and paler by the column.
pub(crate) fn picture(path: &str) -> Vec<u8> {
    if path.starts_with("maps/") {
        return crate::many::map(path);
    }
    if path.starts_with("sounds/") {
        return crate::many::wav(path);
    }
    if path.starts_with("sheets/") {
        return crate::many::sheet(path);
    }
    if path.starts_with("mels/") {
        return crate::many::mels(path);
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
