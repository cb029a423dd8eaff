//! What methods and metrics are called on the page and how they are explained. A name that is not listed is shown as it is.

/// What a column or a row of scores is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// What was presented.
    Stimulus,
    /// Made from the brain's responses: a result.
    Method,
    /// Made to judge the methods by: what no brain, the wrong brain or perfect decoding would give.
    Control,
}

/// A method or control in words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MethodWords {
    /// What it is.
    pub role: Role,
    /// A few words under its name in the gallery.
    pub short: &'static str,
    /// One sentence for the notes.
    pub long: &'static str,
}

/// The words for a method, a control or the stimulus, by its name in score rows.
pub fn method(name: &str) -> MethodWords {
    let (role, short, long) = match name {
        "stimulus" => (Role::Stimulus, "what was shown", "The picture the subject saw."),
        "z" => (
            Role::Method,
            "appearance only",
            "The image latent decoded from early visual cortex, made into a picture by the autoencoder alone: layout and colour, little meaning.",
        ),
        "c" => (
            Role::Method,
            "meaning only",
            "The text conditioning decoded from higher visual cortex; the diffusion model starts from pure noise: meaning, but no layout of its own.",
        ),
        "z+c" => (
            Role::Method,
            "both together",
            "The decoded latent, noised part of the way and denoised under the decoded conditioning.",
        ),
        "shuffled" => (
            Role::Control,
            "another trial's brain",
            "The same procedure as z+c, fed with the responses to a different stimulus: what the generator makes up by itself.",
        ),
        "mean" => (
            Role::Control,
            "average brain",
            "The same procedure as z+c, fed with the mean response: the picture one gets without knowing anything about the trial.",
        ),
        "true" => (
            Role::Control,
            "true features",
            "The same procedure as z+c, fed with the features of the stimulus itself: how well perfect decoding would do.",
        ),
        "true_c" => (
            Role::Control,
            "true meaning only",
            "The same procedure as c, fed with the true conditioning of the stimulus: how well perfect decoding of meaning would do.",
        ),
        "pixel_ridge" => (
            Role::Control,
            "ridge on raw pixels",
            "Every pixel predicted directly by ridge regression, without any generative model.",
        ),
        "b2c" => (
            Role::Method,
            "trained encoder",
            "A Transformer trained with the generator turns all voxels at once into the conditioning; no caption is a target.",
        ),
        "b2c+patch" => (
            Role::Method,
            "trained, by region",
            "The same encoder with tokens of their own for each group of voxels; no caption is a target.",
        ),
        "b2c+clip" => (
            Role::Method,
            "trained on captions, too",
            "The encoder of all voxels at once, trained besides to come near the text conditioning of the captions.",
        ),
        "b2c+patch+clip" => (
            Role::Method,
            "by region, on captions, too",
            "Tokens for each group of voxels, trained besides to come near the text conditioning of the captions.",
        ),
        "ridge" => (
            Role::Control,
            "ridge regression",
            "Ridge regression from the same units and images to the same conditioning, for comparison.",
        ),
        "mean_context" => (
            Role::Control,
            "mean conditioning",
            "The mean conditioning of the training images, the same for every test image.",
        ),
        _ => (Role::Method, "", ""),
    };
    MethodWords { role, short, long }
}

/// How a metric's values are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A plain number with three decimals.
    Plain,
    /// A share, written as a percentage.
    Percent,
}

/// A metric in words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MetricWords {
    /// Heading; `None` for a metric that is not listed.
    pub label: Option<&'static str>,
    /// How its values are written.
    pub unit: Unit,
    /// Whether less is better.
    pub lower_is_better: bool,
    /// One sentence for the notes.
    pub long: &'static str,
}

/// The heading of a metric: its listed words, or its name.
pub fn label(name: &str) -> &str {
    metric(name).label.unwrap_or(name)
}

/// The words for a metric, by its name in score rows.
pub fn metric(name: &str) -> MetricWords {
    let (label, unit, long) = match name {
        "mse" => (
            Some("Pixel MSE"),
            Unit::Plain,
            "Mean squared difference of all pixel values on the scale from −1 to 1. Lower is better; a picture of one middle colour scores well.",
        ),
        "latent_mse" => (
            Some("Latent MSE"),
            Unit::Plain,
            "Mean squared difference of the autoencoder's latents of reconstruction and stimulus. Lower is better.",
        ),
        "latent_pcc" => (
            Some("Latent correlation"),
            Unit::Plain,
            "Pearson correlation of the autoencoder's latents of reconstruction and stimulus.",
        ),
        "context_cosine" => (
            Some("Context cosine"),
            Unit::Plain,
            "Cosine of the conditioning a picture was made under with that of the stimulus' captions. Captions have much in common: compare with the mean brain.",
        ),
        "context_pairwise" => (
            Some("Context pairwise"),
            Unit::Percent,
            "How often the conditioning a picture was made under is more similar to that of its own captions than to another stimulus'.",
        ),
        "black" => (
            Some("Black"),
            Unit::Percent,
            "Share of pictures of validation images in which nothing is brighter than 15 %: a failure of training.",
        ),
        "exploding" => (
            Some("Exploding"),
            Unit::Percent,
            "Share of pictures of validation images whose latents are five times as large as those of training images: a failure of training.",
        ),
        "pixcorr" => (
            Some("PixCorr"),
            Unit::Plain,
            "Pearson correlation of all pixel values of a reconstruction with those of its stimulus, averaged over stimuli.",
        ),
        "ssim" => (
            Some("SSIM"),
            Unit::Plain,
            "Structural similarity of the grey pictures (two-dimensional, Gaussian window): local contrast and structure.",
        ),
        "twoway_pixel" => (
            Some("2-way, pixels"),
            Unit::Percent,
            "How often a reconstruction correlates better with its own stimulus than with another one, over all other stimuli.",
        ),
        "twoway_clip" => (
            Some("2-way, CLIP"),
            Unit::Percent,
            "The same comparison in the space of CLIP image embeddings: is the meaning right?",
        ),
        _ if name.starts_with("twoway") => (None, Unit::Percent, ""),
        _ => (None, Unit::Plain, ""),
    };
    MetricWords { label, unit, lower_is_better: matches!(name, "mse" | "latent_mse" | "black" | "exploding"), long }
}
