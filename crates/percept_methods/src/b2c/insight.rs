//! Looking inside trained encoders: their curves, what each group of units contributes, and where in the picture the U-Net
//! looks at each group's tokens.
//!
//! A group is silenced by setting its normalised responses to zero, their mean. Attention maps exist for patched encoders,
//! whose tokens belong to groups.

use ndarray::{Array2, Array3, Array4, Axis, s};
use percept_core::figure::{
    Curve, Estimate, Estimates, Level, Lines, Matrix, Panel, Positions, Series, Strip, StripCell, StripRow,
};
use percept_core::{Figure, Provenance, Section, Seed, figure};
use percept_stats::clusters;

use super::apply::Applied;
use super::folder::{TrainedRun, VariantFacts};
use crate::decoding::{Generator, Item};
use crate::error::MethodError;
use crate::run::RunFolder;

/// Items whose attention is drawn.
const SHOWN: usize = 8;
/// Side of a map's PNG; maps are as coarse as the latent and smoothed for the eye.
const MAP_SIDE: usize = 64;

/// Everything that is looked at.
pub(crate) struct Insight<'a> {
    pub(crate) run: &'a RunFolder,
    pub(crate) generator: &'a dyn Generator,
    pub(crate) facts: &'a TrainedRun,
    pub(crate) trained: &'a [Applied],
    pub(crate) items: &'a [Item],
    /// True contexts of the items.
    pub(crate) truth: Array2<f32>,
    /// Paths of the stimuli's pictures, one per item.
    pub(crate) stimuli: &'a [String],
    /// Path of a variant's picture of an item, by the variant's name.
    pub(crate) picture: &'a dyn Fn(&str, &Item) -> String,
    pub(crate) draws: usize,
    pub(crate) seed: u64,
}

/// The curves of trainings: losses and scores on validation images over steps.
pub(crate) fn curves(variants: &[VariantFacts]) -> Figure {
    let panel = |title: &str, label: &str, of: &dyn Fn(&super::Validation) -> f64| Panel {
        title: title.to_owned(),
        y: figure::Axis::plain(label),
        series: variants
            .iter()
            .map(|variant| Curve {
                name: variant.name.clone(),
                points: variant.validations.iter().map(|found| [found.step as f64, of(found)]).collect(),
            })
            .collect(),
    };
    Figure::Lines(Lines {
        title: "Training, seen on validation images".to_owned(),
        caption: "The weighted loss, how well contexts match and identify the captions', and how far pictures under \
                  different contexts lie apart (near 0 they are all alike). The weights of the smallest loss are kept."
            .to_owned(),
        x: figure::Axis::plain("step"),
        panels: vec![
            panel("loss", "loss", &|found| found.loss),
            panel("cosine", "context_cosine", &|found| found.context_cosine),
            panel("identification", "context_pairwise", &|found| found.context_pairwise),
            panel("distance between pictures", "distance", &|found| found.spread),
        ],
    })
}

impl Insight<'_> {
    /// The sections of the report, and the maps they show as PNGs in the run.
    pub(crate) fn sections(&self, provenance: Provenance) -> Result<Vec<Section>, MethodError> {
        let variants: Vec<VariantFacts> = self.trained.iter().map(|variant| variant.facts.clone()).collect();
        let mut sections = vec![Section {
            title: "Training of the encoders".to_owned(),
            text: format!(
                "Encoders in `{}`, trained on {} images through the U-Net of `{}`. {}",
                self.facts.name,
                self.facts.training_images.len(),
                self.facts.pack,
                sizes(&variants)
            ),
            figures: vec![curves(&variants)],
        }];
        let mut figures = vec![self.silenced()?];
        if let Some(patched) = self.trained.iter().rev().find(|variant| variant.facts.tokens.len() > 1) {
            figures.push(self.tokens(patched));
            figures.extend(self.attention(patched, provenance)?);
        }
        sections.push(Section {
            title: "Which part of the brain says what".to_owned(),
            text:
                "Each group of units is silenced in turn: what the context loses was said by that group alone. Tokens \
                   belong to groups in patched encoders, so the U-Net's attention to them shows where a group draws."
                    .to_owned(),
            figures,
        });
        Ok(sections)
    }

    /// Identification of contexts with each group silenced.
    fn silenced(&self) -> Result<Figure, MethodError> {
        let labels: Vec<usize> = self.items.iter().map(|item| item.stimulus).collect();
        let seed = Seed::new(self.seed).named("bootstrap");
        let estimate = |x: usize, predicted: &Array2<f32>| -> Result<Estimate, MethodError> {
            let values = clusters::two_way_cosine(predicted.view(), self.truth.view(), &labels)?.values;
            let interval = clusters::mean_interval(&values, &labels, seed, self.draws)?;
            let value = values.iter().sum::<f64>() / values.len() as f64;
            Ok(Estimate { x: x as f64, value, interval: Some([interval.low, interval.high]) })
        };
        let mut names = vec!["none".to_owned()];
        names.extend(self.facts.groups.iter().map(|group| group.name.clone()));
        let series = self
            .trained
            .iter()
            .map(|variant| {
                let mut points = vec![estimate(0, &variant.items)?];
                for (group, predicted) in variant.without.iter().enumerate() {
                    points.push(estimate(group + 1, predicted)?);
                }
                Ok(Series { name: variant.facts.name.clone(), points })
            })
            .collect::<Result<Vec<_>, MethodError>>()?;
        Ok(Figure::Estimates(Estimates {
            title: "Identification without a group".to_owned(),
            caption:
                "Share of other test images whose true context is less like the decoded one, with one group of units \
                      silenced. The more it falls, the more only that group knew."
                    .to_owned(),
            x: Positions::Categories { label: "group that is silenced".to_owned(), names },
            y: figure::Axis::plain("context_pairwise"),
            series,
            levels: vec![Level { name: "chance".to_owned(), value: 0.5, interval: None }],
        }))
    }

    /// How much each token changes when a group is silenced.
    fn tokens(&self, variant: &Applied) -> Figure {
        let n_tokens: usize = variant.facts.tokens.iter().sum();
        let values = variant
            .without
            .iter()
            .map(|silent| {
                let width = silent.ncols() / n_tokens;
                (0..n_tokens)
                    .map(|token| {
                        let columns = s![.., token * width..(token + 1) * width];
                        let (with, without) = (variant.items.slice(columns), silent.slice(columns));
                        let square =
                            |values: &mut dyn Iterator<Item = f64>| values.map(|value| value * value).sum::<f64>();
                        let change = square(&mut with.iter().zip(&without).map(|(a, b)| f64::from(a - b)));
                        let whole = square(&mut with.iter().map(|&value| f64::from(value)));
                        (change / whole.max(f64::MIN_POSITIVE)).sqrt()
                    })
                    .collect()
            })
            .collect();
        let owners = self.facts.groups.iter().zip(&variant.facts.tokens);
        let columns = owners.flat_map(|(group, &n)| (1..=n).map(|token| format!("{} {token}", group.name))).collect();
        Figure::Matrix(Matrix {
            title: format!("What drives the tokens of `{}`", variant.facts.name),
            caption:
                "Change of each token, as a share of its length, when a group of units is silenced. Blocks on the \
                      diagonal speak for themselves; what lies beside them was passed on by attention."
                    .to_owned(),
            row_label: "group that is silenced".to_owned(),
            rows: self.facts.groups.iter().map(|group| group.name.clone()).collect(),
            column_label: "token".to_owned(),
            columns,
            quantity: figure::Axis::plain("relative change"),
            values,
        })
    }

    /// Where the U-Net looks at each group's tokens; `None` when the generator cannot tell.
    fn attention(&self, variant: &Applied, mut provenance: Provenance) -> Result<Option<Figure>, MethodError> {
        let items = &self.items[..self.items.len().min(SHOWN)];
        let changes = variant.changes();
        let generator = self.generator.adapted(&changes)?;
        let size = generator.image_size();
        let mut shown = Array4::<f32>::zeros((items.len(), size, size, 3));
        for (mut into, item) in shown.outer_iter_mut().zip(items) {
            let picture = percept_io::picture::read(self.run.file(&(self.picture)(&variant.facts.name, item)))?;
            into.assign(&picture.mapv(|level| f32::from(level) / 255.0));
        }
        let latents = generator.encode(shown.view())?;
        let contexts = variant.items.slice(s![..items.len(), ..]).to_owned();
        let seed = Seed::new(self.seed).named("attention");
        let Some(maps) = generator.attention_maps(latents.view(), contexts.view(), seed)? else { return Ok(None) };
        let of_groups = by_group(&maps, &variant.facts.tokens);
        let path_of =
            |item: &Item, group: usize| format!("images/attention/{}/{}-group{group}.png", variant.facts.name, item.id);
        provenance.inputs.insert("encoder".to_owned(), variant.content.clone());
        let ids: Vec<&str> = items.iter().map(|item| item.id.as_str()).collect();
        provenance.settings.insert("items".to_owned(), ids.join(" "));
        self.run.stage(&format!("attention.{}", variant.facts.name), provenance, || {
            let mut files = Vec::new();
            for (row, item) in items.iter().enumerate() {
                for group in 0..variant.facts.tokens.len() {
                    let path = path_of(item, group);
                    let map = of_groups.slice(s![row, group, .., ..]);
                    self.run.write(&path, &percept_io::picture::encode_png(drawn(&map.to_owned()).view())?)?;
                    files.push(path);
                }
            }
            Ok(files)
        })?;
        let mut columns = vec!["stimulus".to_owned(), "reconstruction".to_owned()];
        columns.extend(self.facts.groups.iter().map(|group| group.name.clone()));
        let rows = items
            .iter()
            .enumerate()
            .map(|(row, item)| {
                let plain = |picture: String| Some(StripCell { picture, map: None, note: String::new() });
                let picture = (self.picture)(&variant.facts.name, item);
                let mut cells = vec![plain(self.stimuli[row].clone()), plain(picture.clone())];
                for group in 0..variant.facts.tokens.len() {
                    let share = of_groups.slice(s![row, group, .., ..]).mean().unwrap_or(0.0);
                    let note = format!("{:.0} %", 100.0 * share);
                    cells.push(Some(StripCell { picture: picture.clone(), map: Some(path_of(item, group)), note }));
                }
                StripRow { label: item.id.clone(), cells }
            })
            .collect();
        let equal: Vec<String> = self
            .facts
            .groups
            .iter()
            .zip(&variant.facts.tokens)
            .map(|(group, &n)| {
                format!("{} {:.0} %", group.name, 100.0 * n as f64 / variant.facts.tokens.iter().sum::<usize>() as f64)
            })
            .collect();
        Ok(Some(Figure::Strip(Strip {
            title: format!("Where the U-Net of `{}` looks at each group", variant.facts.name),
            caption: format!(
                "Attention to a group's tokens, mean over layers, heads and three noise levels; bright is more than \
                 elsewhere in the same picture. Below: the group's share of all attention. By tokens alone: {}.",
                equal.join(", ")
            ),
            columns,
            rows,
        })))
    }
}

/// One line on the size of each encoder.
fn sizes(variants: &[VariantFacts]) -> String {
    let one = |variant: &VariantFacts| {
        format!(
            "`{}`: {:.1} M weights, {} of {} steps kept",
            variant.name,
            variant.n_parameters as f64 / 1e6,
            variant.best.step,
            variant.n_steps
        )
    };
    format!("{}.", variants.iter().map(one).collect::<Vec<_>>().join("; "))
}

/// (n, tokens, h, w) summed over the tokens of each group: (n, groups, h, w).
fn by_group(maps: &Array4<f32>, tokens: &[usize]) -> Array4<f32> {
    let (n, _, height, width) = maps.dim();
    let mut sums = Array4::zeros((n, tokens.len(), height, width));
    let mut start = 0;
    for (group, &count) in tokens.iter().enumerate() {
        let part = maps.slice(s![.., start..start + count, .., ..]).sum_axis(Axis(1));
        sums.slice_mut(s![.., group, .., ..]).assign(&part);
        start += count;
    }
    sums
}

/// A map as a gray picture: its smallest value black, its largest white, bilinear in between.
fn drawn(map: &Array2<f32>) -> Array3<u8> {
    let (height, width) = map.dim();
    let (low, high) = map.iter().fold((f32::INFINITY, f32::NEG_INFINITY), |(l, h), &v| (l.min(v), h.max(v)));
    let span = (high - low).max(f32::MIN_POSITIVE);
    let place = |i: usize, n: usize| ((i as f32 + 0.5) * n as f32 / MAP_SIDE as f32 - 0.5).clamp(0.0, (n - 1) as f32);
    Array3::from_shape_fn((MAP_SIDE, MAP_SIDE, 3), |(y, x, _)| {
        let (y, x) = (place(y, height), place(x, width));
        let (y0, x0) = (y as usize, x as usize);
        let (y1, x1) = ((y0 + 1).min(height - 1), (x0 + 1).min(width - 1));
        let (fy, fx) = (y - y0 as f32, x - x0 as f32);
        let top = map[(y0, x0)] * (1.0 - fx) + map[(y0, x1)] * fx;
        let bottom = map[(y1, x0)] * (1.0 - fx) + map[(y1, x1)] * fx;
        (255.0 * (top * (1.0 - fy) + bottom * fy - low) / span).round() as u8
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maps_sum_over_the_tokens_of_a_group_and_span_black_to_white() {
        let maps = Array4::from_shape_fn((1, 3, 2, 2), |(_, token, y, x)| (token * 4 + y * 2 + x) as f32);
        let groups = by_group(&maps, &[2, 1]);
        assert_eq!(groups.slice(s![0, 0, .., ..]), ndarray::array![[4.0, 6.0], [8.0, 10.0]]);
        assert_eq!(groups.slice(s![0, 1, .., ..]), ndarray::array![[8.0, 9.0], [10.0, 11.0]]);
        let picture = drawn(&groups.slice(s![0, 0, .., ..]).to_owned());
        assert_eq!((picture[(0, 0, 0)], picture[(MAP_SIDE - 1, MAP_SIDE - 1, 2)]), (0, 255));
        assert!(picture[(0, MAP_SIDE - 1, 0)] < picture[(MAP_SIDE - 1, 0, 0)]);
    }
}
