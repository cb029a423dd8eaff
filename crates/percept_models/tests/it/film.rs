//! Films: cross-frame attention against PyTorch, AnimateDiff against diffusers' pipelines, windows against a plain reference;
//! and that a film depends on nothing but its request.

use candle_core::{Device, IndexOp, Tensor};
use ndarray::{Array, Array2, Array4, s};
use percept_core::Seed;
use percept_models::{
    DiffusionPack, FilmRequest, FilmState, Frames, Generation, ModelError,
    film::shared_noise,
    nn::params::Params,
    tap::Taps,
    unet::{Conditioning, CrossFrame, MotionConfig, UNet2DConditionModel, UNetMotionModel, UnetConfig},
    weights::{PackFiles, write_tensors},
};
use tempfile::TempDir;

use crate::fixture::{DIFFUSION, OUTPUT, folder, laid_out, relative_error, tensors, text, values};

const FILE: &str = "diffusion_pytorch_model.safetensors";
const ADAPTER: [(&str, &str); 2] = [
    ("motion_adapter/config.json", "motion_adapter/config.json"),
    ("motion_adapter/diffusion_pytorch_model.safetensors", "motion_adapter/diffusion_pytorch_model.safetensors"),
];
/// Four or five steps with guidance feed errors back into the network.
const FILM: f64 = 1e-4;

fn place(with_adapter: bool) -> TempDir {
    let mut files = DIFFUSION.to_vec();
    files.extend(ADAPTER.iter().filter(|_| with_adapter));
    laid_out(&files)
}

fn pack(with_adapter: bool) -> DiffusionPack {
    DiffusionPack::open(place(with_adapter).path()).expect("the pack is complete")
}

/// A tensor as rows of `width` values.
fn rows(tensor: &Tensor, width: usize) -> Array2<f32> {
    let all: Vec<f32> = values(tensor).into_iter().map(|v| v as f32).collect();
    Array::from_shape_vec((all.len() / width, width), all).expect("the values fill the shape")
}

/// Latents (1, C, F, h, w) as rows, a frame each.
fn frames(tensor: &Tensor) -> Array2<f32> {
    rows(&tensor.i(0).and_then(|x| x.transpose(0, 1)).and_then(|x| x.contiguous()).expect("five axes"), 256)
}

fn error<'a>(ours: impl IntoIterator<Item = &'a f32>, truth: &Array2<f32>) -> f64 {
    let wide = |values: Vec<&f32>| values.into_iter().map(|&v| f64::from(v)).collect::<Vec<_>>();
    relative_error(&wide(ours.into_iter().collect()), &wide(truth.iter().collect()))
}

/// The inputs of a film of `n` frames that nobody else has.
struct Inputs {
    contexts: Array2<f32>,
    noise: Array2<f32>,
}

impl Inputs {
    fn new(n: usize) -> Self {
        let draw = |name: &str, width: usize| {
            Array::from_shape_vec((n, width), Seed::new(7).named(name).normal(n * width)).expect("n rows")
        };
        Self { contexts: draw("contexts", 77 * 12), noise: draw("noise", 256) }
    }

    fn request(&self, frames: Frames, window: usize, overlap: usize) -> FilmRequest<'_> {
        FilmRequest {
            contexts: self.contexts.view(),
            init: None,
            strength: 1.0,
            steps: 3,
            guidance: 2.0,
            noise: self.noise.view(),
            seed: Seed::new(1),
            frames,
            window,
            overlap,
        }
    }
}

fn params(name: &str) -> Params {
    Params::from_tensors(tensors(&format!("{name}/{FILE}")), name)
}

#[test]
pub(crate) fn frames_look_at_the_first_and_the_previous_as_in_pytorch() {
    let io = tensors("cross_frame/io.safetensors");
    let (sample, context) = (&io["input.sample"], &io["input.encoder_hidden_states"]);
    let steps = values(&io["input.timestep"]);
    let config = UnetConfig::parse(&text("unet_2d_condition/config.json")).expect("it is supported");
    let unet = UNet2DConditionModel::new(&params("unet_2d_condition"), config).expect("the weights fit");
    let given = Conditioning { context: Some(context), ..Conditioning::default() };

    let images = sample.transpose(1, 2).and_then(|x| x.contiguous()?.flatten(0, 1)).expect("six pictures");
    let each: Vec<f64> = steps.iter().flat_map(|&step| [step; 3]).collect();
    let mut across = CrossFrame::new();
    across.piece(3, 2).expect("two films of three frames");
    let out = unet.forward_across(&images, &each, given, &across, &mut Taps::none()).expect("it runs");
    let out = out.reshape((2, 3, 4, 8, 12)).and_then(|x| x.transpose(1, 2)?.contiguous()).expect("two films");
    let off = relative_error(&values(&out), &values(&io["output.pictures"]));
    assert!(off <= OUTPUT, "pictures are off by {off:.1e}");

    // The same film, frame by frame.
    let mut across = CrossFrame::new();
    for frame in 0..3 {
        across.piece(1, 0).expect("one frame of each film");
        let pick = |x: &Tensor| {
            let index = Tensor::new(&[frame as u32, frame as u32 + 3], &Device::Cpu).expect("two places");
            x.index_select(&index, 0).expect("two rows")
        };
        let context = pick(context);
        let given = Conditioning { context: Some(&context), ..Conditioning::default() };
        let one = unet.forward_across(&pick(&images), &steps, given, &across, &mut Taps::none()).expect("it runs");
        let whole = out.narrow(2, frame, 1).and_then(|x| x.squeeze(2)).expect("a frame");
        assert!(relative_error(&values(&one), &values(&whole)) <= 1e-5, "frame {frame}");
    }

    let motion = MotionConfig::parse_adapter(&text("motion_adapter/config.json"), unet.config()).expect("it fits");
    let moving = UNetMotionModel::over(&unet, &params("motion_adapter"), motion).expect("the weights fit");
    let mut across = CrossFrame::new();
    across.piece(3, 2).expect("two films of three frames");
    let out = moving.forward_across(sample, &steps, given, &across, &mut Taps::none()).expect("it runs");
    let off = relative_error(&values(&out), &values(&io["output.moving"]));
    assert!(off <= OUTPUT, "with motion modules it is off by {off:.1e}");

    let mut across = CrossFrame::new();
    across.piece(2, 1).expect("a piece");
    let words =
        moving.forward_across(sample, &steps, given, &across, &mut Taps::none()).expect_err("three").to_string();
    assert!(words.contains("frames for cross-frame attention"), "{words}");
}

#[test]
pub(crate) fn films_are_those_of_the_animatediff_pipelines() {
    let io = tensors("animatediff/io.safetensors");
    let pack = pack(true);
    assert_eq!(pack.most_frames(), Some(4));
    let one = rows(&io["context"], 77 * 12);
    let contexts = one.broadcast((4, 77 * 12)).expect("one context for all frames").to_owned();
    let noise = frames(&io["noise"]);
    let request = FilmRequest {
        contexts: contexts.view(),
        init: None,
        strength: 1.0,
        steps: 5,
        guidance: 3.0,
        noise: noise.view(),
        seed: Seed::new(0),
        frames: Frames::Motion,
        window: 4,
        overlap: 0,
    };
    let latents = pack.film_latents(&request).expect("a film");
    let off = error(&latents, &frames(&io["latents"]));
    assert!(off <= FILM, "latents are off by {off:.1e}");
    let pictures = pack.decode(latents.view()).expect("frames");
    let pictures = pictures.permuted_axes([0, 3, 1, 2]);
    let off = error(pictures.iter(), &rows(&io["frames"], 3 * 256));
    assert!(off <= FILM, "frames are off by {off:.1e}");

    // From a film.
    let film = values(&io["film"]).into_iter().map(|v| v as f32).collect();
    let film = Array4::from_shape_vec((4, 3, 16, 16), film).expect("four frames").permuted_axes([0, 2, 3, 1]);
    let init = pack.encode(film.view()).expect("latents");
    let noise = rows(&io["film.noise"], 256);
    let request = FilmRequest { init: Some(init.view()), strength: 0.6, noise: noise.view(), ..request };
    let latents = pack.film_latents(&request).expect("a film");
    let off = error(&latents, &frames(&io["film.latents"]));
    assert!(off <= FILM, "latents from a film are off by {off:.1e}");
}

#[test]
pub(crate) fn long_films_are_blended_from_windows_at_every_step() {
    let io = tensors("long_film/io.safetensors");
    let pack = pack(true);
    let (contexts, noise) = (rows(&io["contexts"], 77 * 12), rows(&io["noise"], 256));
    let request = |frames| FilmRequest {
        contexts: contexts.view(),
        init: None,
        strength: 1.0,
        steps: 4,
        guidance: 2.5,
        noise: noise.view(),
        seed: Seed::new(0),
        frames,
        window: 4,
        overlap: 2,
    };
    for (name, frames) in [("latents.motion", Frames::Motion), ("latents.both", Frames::MotionAndFirst)] {
        let latents = pack.film_latents(&request(frames)).expect("a film");
        let off = error(&latents, &rows(&io[name], 256));
        assert!(off <= FILM, "{name} are off by {off:.1e}");
    }
}

#[test]
fn without_motion_modules_a_film_is_the_same_in_pieces_of_any_length() {
    let (pack, inputs) = (pack(false), Inputs::new(7));
    for frames in [Frames::Alone, Frames::FirstAndPrevious] {
        let whole = pack.film_latents(&inputs.request(frames, 7, 0)).expect("a film");
        for window in [1, 3, 5] {
            let pieces = pack.film_latents(&inputs.request(frames, window, 0)).expect("a film");
            assert!(error(&pieces, &whole) <= 1e-5, "{frames:?} in pieces of {window}");
        }
        // The third frame depends on the first one's context where frames look back, and only there.
        let mut other = Inputs::new(7);
        other.contexts.row_mut(0).fill(0.5);
        let changed = pack.film_latents(&other.request(frames, 7, 0)).expect("a film");
        let moved = error(changed.row(3), &whole.slice(s![3..4, ..]).to_owned()) > 1e-3;
        assert_eq!(moved, frames == Frames::FirstAndPrevious, "{frames:?}");
    }
}

#[test]
fn frames_that_are_alone_are_the_pictures_that_are_generated() {
    // A U-Net with guidance by two passes, and one that takes it as an input.
    for takes_guidance in [false, true] {
        let place = place(false);
        if takes_guidance {
            let unet = place.path().join("unet");
            let config = text("unet_2d_condition/config.json")
                .replace("\"sample_size\"", "\"time_cond_proj_dim\": 6, \"sample_size\"");
            std::fs::write(unet.join("config.json"), config).expect("writable");
            let mut weights = tensors(&format!("unet_2d_condition/{FILE}"));
            let drawn = Tensor::from_vec(Seed::new(6).normal(24), (4, 6), &Device::Cpu).expect("a small tensor");
            weights.insert("time_embedding.cond_proj.weight".to_owned(), drawn);
            std::fs::write(unet.join(FILE), write_tensors(&weights, false).expect("tensors")).expect("writable");
        }
        let pack = DiffusionPack::open(place.path()).expect("the pack is complete");
        let (seed, ids, mut inputs) = (Seed::new(5), [4, 2, 9], Inputs::new(3));
        for (mut row, id) in inputs.noise.outer_iter_mut().zip(ids) {
            row.assign(&Array::from_vec(seed.named("noise").at(id).at(0).normal(256)));
        }
        let init = Inputs::new(3).noise;
        for (init, strength) in [(None, 1.0), (Some(init.view()), 0.7), (Some(init.view()), 0.0)] {
            let request = FilmRequest { init, strength, ..inputs.request(Frames::Alone, 2, 0) };
            let film = pack.film_latents(&request).expect("a film");
            let generation = Generation {
                context: inputs.contexts.view(),
                init,
                strength,
                steps: request.steps,
                guidance: request.guidance,
                seed,
                image_ids: &ids,
                sample: 0,
            };
            let pictures = pack.generate_latents(&generation).expect("pictures");
            assert!(error(&film, &pictures) <= 1e-5, "{takes_guidance} from strength {strength}");
        }
    }
}

#[test]
fn a_film_goes_on_from_any_step_with_the_same_bits_on_any_number_of_threads() {
    let pool = |threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
    let inputs = Inputs::new(6);
    for scheduler in [
        "ddim/sd1",
        "samplers/dpm_zero_snr",
        "samplers/unipc_third_order",
        "samplers/dpm_stochastic",
        "samplers/lcm_defaults",
    ] {
        let place = place(true);
        let config = folder().join(scheduler).join("scheduler_config.json");
        std::fs::copy(config, place.path().join("scheduler/scheduler_config.json")).expect("writable");
        let pack = DiffusionPack::open(place.path()).expect("the pack is complete");
        let request = FilmRequest { steps: 4, ..inputs.request(Frames::MotionAndFirst, 4, 2) };
        let mut states: Vec<FilmState> = Vec::new();
        let mut keep = |state: &FilmState| {
            states.push(state.clone());
            Ok(())
        };
        let whole = pool(1).install(|| pack.film_latents_with(&request, None, &mut keep)).expect("a film");
        assert_eq!(states.last().expect("steps").sample, whole);
        for state in &states {
            let again = pool(3).install(|| pack.film_latents_with(&request, Some(state), &mut |_| Ok(())));
            assert_eq!(again.expect("a film"), whole, "{scheduler} from step {}", state.next);
        }
        let other = FilmRequest { steps: 5, ..request };
        let words = pack.film_latents_with(&other, states.first(), &mut |_| Ok(())).expect_err("other").to_string();
        assert!(words.contains("state of a film") && words.contains("5 steps"), "{words}");
    }
}

#[test]
fn one_noise_and_one_context_make_frames_that_stand_still() {
    let pack = pack(true);
    let mut inputs = Inputs::new(8);
    let first = inputs.contexts.row(0).to_owned();
    inputs.contexts.outer_iter_mut().for_each(|mut row| row.assign(&first));
    inputs.noise = shared_noise(Seed::new(2), 8, 256, 1.0).expect("noise");
    for frames in [Frames::Alone, Frames::FirstAndPrevious] {
        let film = pack.film_latents(&inputs.request(frames, 3, 1)).expect("a film");
        let still = film.slice(s![0..1, ..]).to_owned();
        assert!(film.outer_iter().all(|frame| error(frame, &still) <= 1e-5), "{frames:?}");
    }
}

#[test]
fn requests_that_do_not_fit_are_named() {
    let (still, moving, inputs) = (pack(false), pack(true), Inputs::new(3));
    let words = |pack: &DiffusionPack, request: FilmRequest<'_>| -> String {
        pack.film_latents(&request).expect_err("it does not fit").to_string()
    };
    let request = || inputs.request(Frames::Motion, 4, 1);
    assert!(words(&still, request()).contains("add an adapter"));
    assert!(words(&moving, FilmRequest { window: 5, ..request() }).contains("at most 4 frames"));
    assert!(words(&moving, FilmRequest { overlap: 4, ..request() }).contains("overlap"));
    assert!(words(&moving, FilmRequest { window: 0, overlap: 0, ..request() }).contains("overlap"));
    assert!(words(&moving, FilmRequest { strength: 1.5, ..request() }).contains("0 to 1"));
    assert!(words(&moving, FilmRequest { guidance: f64::NAN, ..request() }).contains("guidance"));
    let two = inputs.noise.slice(s![..2, ..]);
    assert!(words(&moving, FilmRequest { noise: two, ..request() }).contains("3 contexts, 2 noises"));
    assert!(words(&moving, FilmRequest { init: Some(two), ..request() }).contains("2 initial latents"));
    let narrow = inputs.noise.slice(s![.., ..255]);
    assert!(words(&moving, FilmRequest { noise: narrow, ..request() }).contains("256 columns"));
    let none = inputs.contexts.slice(s![..0, ..]);
    assert!(words(&moving, FilmRequest { contexts: none, ..request() }).contains("at least one frame"));
    let stop = moving.film_latents_with(&request(), None, &mut |state| {
        Err(ModelError::Input { what: "stop", expected: "nothing".into(), got: state.next.to_string() })
    });
    assert!(stop.expect_err("the caller ends it").to_string().contains("got 1"));
}

#[test]
fn an_adapter_is_added_from_a_folder_a_pack_or_the_program() {
    static FILES: [(&str, &[u8]); 2] = [
        ("config.json", include_bytes!("../data/parity/motion_adapter/config.json")),
        (FILE, include_bytes!("../data/parity/motion_adapter/diffusion_pytorch_model.safetensors")),
    ];
    let inputs = Inputs::new(4);
    let film = |pack: &DiffusionPack| pack.film_latents(&inputs.request(Frames::Motion, 4, 1)).expect("a film");
    let (still, own) = (pack(false), film(&pack(true)));
    assert_eq!(still.most_frames(), None);
    let place = place(true);
    for dir in [place.path().to_owned(), place.path().join("motion_adapter")] {
        assert_eq!(film(&still.with_motion_adapter(&dir).expect("an adapter")), own);
    }
    let embedded = still.with_motion_files(&PackFiles::Embedded(&FILES)).expect("an adapter");
    assert_eq!(film(&embedded), own);
    // Pictures are the same with an adapter beside them.
    let pictures = |pack: &DiffusionPack| pack.film_latents(&inputs.request(Frames::Alone, 4, 1)).expect("pictures");
    assert_eq!(pictures(&still), pictures(&embedded));
    assert!(still.with_motion_adapter(&place.path().join("unet")).is_err());
}

#[test]
fn a_unet_with_its_own_motion_modules_makes_the_same_films() {
    let mut files: Vec<_> = DIFFUSION.iter().filter(|(_, to)| !to.starts_with("unet/")).copied().collect();
    files.push(("unet_2d_condition/config.json", "unet/config.json"));
    let place = laid_out(&files);
    let mut weights = tensors(&format!("unet_2d_condition/{FILE}"));
    weights.extend(tensors(&format!("motion_adapter/{FILE}")));
    let unet = place.path().join("unet");
    std::fs::write(unet.join(FILE), write_tensors(&weights, true).expect("tensors")).expect("writable");
    let config = text("unet_2d_condition/config.json")
        .replace("UNet2DConditionModel", "UNetMotionModel")
        .replace("Block2D", "BlockMotion")
        .replace(
            "\"sample_size\"",
            "\"motion_max_seq_length\": 4, \"motion_num_attention_heads\": 2, \"use_motion_mid_block\": false, \"sample_size\"",
        );
    std::fs::write(unet.join("config.json"), config).expect("writable");

    let (own, beside) = (DiffusionPack::open(place.path()).expect("the pack is complete"), pack(true));
    assert_eq!(own.most_frames(), Some(4));
    let inputs = Inputs::new(6);
    let film = |pack: &DiffusionPack, frames| pack.film_latents(&inputs.request(frames, 4, 2)).expect("a film");
    for frames in [Frames::Motion, Frames::MotionAndFirst] {
        assert_eq!(film(&own, frames), film(&beside, frames), "{frames:?}");
    }
    // Alone, each frame is a film of one frame to modules that are the U-Net's own; those of an adapter are left.
    assert!(error(&film(&own, Frames::Alone), &film(&beside, Frames::Alone)) > 1e-3);
}
