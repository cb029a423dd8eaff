//! Batches of drawings for training and scoring: pictures, captions and labels.

use ndarray::{Array4, s};
use percept_core::Seed;
use percept_synth::drawing::{Background, Color, Drawing, N_CAPTIONS, Object, Place, SIDE, Scene, Size, Time};
use rayon::prelude::*;

/// Classes in each of the judge's heads: object, colour, size, place, background, time.
pub(super) const JUDGE_CLASSES: [usize; 6] = [10, 8, 2, 3, 6, 2];

/// Drawings with the seed each was made from.
pub(super) struct Drawn {
    items: Vec<(Drawing, Seed)>,
}

impl Drawn {
    /// `n` random drawings.
    pub(super) fn draw(seed: Seed, n: usize) -> Self {
        Self::draw_range(seed, 0, n)
    }

    /// The drawings `start..end` of the endless series that belongs to `seed`.
    pub(super) fn draw_range(seed: Seed, start: usize, end: usize) -> Self {
        let items = (start..end).map(|i| seed.at(i as u64)).map(|seed| (Drawing::random(seed), seed)).collect();
        Self { items }
    }

    /// `n` drawings in threes: scenes that differ in their place alone, so that telling them apart needs it; figures as
    /// they come.
    pub(super) fn contrasts(seed: Seed, n: usize) -> Self {
        let items = (0..n).map(|i| {
            let (own, group) = (seed.at(i as u64), seed.named("group").at(i as u64 / 3));
            match Drawing::random(group) {
                Drawing::Scene(scene) => (Drawing::Scene(Scene { place: Place::ALL[i % 3], ..scene }), own),
                Drawing::Figure(_) => (Drawing::random(own), own),
            }
        });
        Self { items: items.collect() }
    }

    /// `n` random scenes.
    pub(super) fn scenes(seed: Seed, n: usize) -> Self {
        let items = (0..n).map(|i| seed.at(i as u64)).map(|seed| (Drawing::Scene(Scene::random(seed)), seed)).collect();
        Self { items }
    }

    /// What each shows.
    pub(super) fn drawings(&self) -> impl Iterator<Item = &Drawing> {
        self.items.iter().map(|(drawing, _)| drawing)
    }

    pub(super) fn len(&self) -> usize {
        self.items.len()
    }

    /// (n, 64, 64, 3) in 0..=1.
    pub(super) fn pictures(&self) -> Array4<f32> {
        let rendered: Vec<_> = self.items.par_iter().map(|(drawing, seed)| drawing.render(*seed)).collect();
        let mut pictures = Array4::zeros((rendered.len(), SIDE, SIDE, 3));
        for (mut to, from) in pictures.outer_iter_mut().zip(&rendered) {
            to.zip_mut_with(from, |to, &from| *to = f32::from(from) / 255.0);
        }
        pictures
    }

    /// One caption for each drawing.
    pub(super) fn captions(&self, seed: Seed) -> Vec<String> {
        use rand::Rng;
        let mut stream = seed.named("choose caption").stream();
        self.items
            .iter()
            .map(|(drawing, seed)| {
                drawing.captions(*seed).swap_remove(stream.random_range(0..N_CAPTIONS as u32) as usize)
            })
            .collect()
    }

    /// Which attributes of a scene, in the order of [`Self::labels`], the caption of each drawing names.
    pub(super) fn named_in(&self, captions: &[String]) -> Vec<[bool; 6]> {
        let pairs = self.items.iter().zip(captions);
        pairs.map(|((drawing, _), caption)| drawing.named_in(caption).unwrap_or_default()).collect()
    }

    /// All captions of all drawings, five after five.
    pub(super) fn all_captions(&self) -> Vec<String> {
        self.items.iter().flat_map(|(drawing, seed)| drawing.captions(*seed)).collect()
    }

    /// Caption `which` of drawing `index` of the series of `seed`.
    pub(super) fn one_caption(seed: Seed, index: usize, which: usize) -> String {
        let seed = seed.at(index as u64);
        Drawing::random(seed).captions(seed).swap_remove(which)
    }

    /// The true class in each of the judge's heads; `None` for figures.
    pub(super) fn labels(&self) -> Vec<Vec<Option<usize>>> {
        self.items
            .iter()
            .map(|(drawing, _)| match drawing {
                Drawing::Scene(scene) => labels_of(*scene).map(Some).to_vec(),
                Drawing::Figure(_) => vec![None; JUDGE_CLASSES.len()],
            })
            .collect()
    }
}

fn index_of<T: PartialEq>(all: &[T], item: &T) -> usize {
    all.iter().position(|other| other == item).unwrap_or(0)
}

fn labels_of(scene: Scene) -> [usize; 6] {
    [
        index_of(Object::ALL, &scene.object),
        index_of(Color::ALL, &scene.color),
        index_of(Size::ALL, &scene.size),
        index_of(Place::ALL, &scene.place),
        index_of(Background::ALL, &scene.background),
        index_of(Time::ALL, &scene.time),
    ]
}

/// One random `side` × `side` crop of each picture, on the rows where objects stand.
pub(super) fn crops(pictures: Array4<f32>, side: usize, seed: Seed) -> Array4<f32> {
    use rand::Rng;
    let mut stream = seed.named("crops").stream();
    let n = pictures.dim().0;
    let mut out = Array4::zeros((n, side, side, 3));
    for (mut to, from) in out.outer_iter_mut().zip(pictures.outer_iter()) {
        let y = stream.random_range(0..=(SIDE - side) as u32) as usize;
        let x = stream.random_range(0..=(SIDE - side) as u32) as usize;
        to.assign(&from.slice(s![y..y + side, x..x + side, ..]));
    }
    out
}

/// Half of the pictures slightly blurred and noisy, so that the judge is not thrown by a generator's soft edges.
pub(super) fn blurred(mut pictures: Array4<f32>, seed: Seed) -> Array4<f32> {
    use rand::Rng;
    let mut stream = seed.named("blur").stream();
    for mut picture in pictures.outer_iter_mut() {
        let (blur, noise) = (stream.random::<f32>() < 0.5, 0.06 * stream.random::<f32>());
        if blur {
            let from = picture.to_owned();
            for y in 1..SIDE - 1 {
                for x in 1..SIDE - 1 {
                    for c in 0..3 {
                        let near =
                            from[[y - 1, x, c]] + from[[y + 1, x, c]] + from[[y, x - 1, c]] + from[[y, x + 1, c]];
                        picture[[y, x, c]] = 0.4 * from[[y, x, c]] + 0.15 * near;
                    }
                }
            }
        }
        picture.mapv_inplace(|v| (v + noise * (2.0 * stream.random::<f32>() - 1.0)).clamp(0.0, 1.0));
    }
    pictures
}
