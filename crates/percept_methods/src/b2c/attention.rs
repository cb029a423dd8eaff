//! Where in the picture the U-Net looks at each group's tokens, as maps over the reconstructions.

use ndarray::{Array2, Array3, Array4, Axis, s};
use percept_core::figure::{Strip, StripCell, StripRow};
use percept_core::{Figure, Seed};
use percept_pipeline::packs::OnDemand;
use percept_pipeline::plan::Item;
use percept_pipeline::run::StageName;
use percept_pipeline::{Arm, PipelineError};

use super::applied::Applied;
use super::insight::Insight;

/// Items whose attention is drawn.
const SHOWN: usize = 8;
/// Side of a map's PNG; maps are as coarse as the latent and smoothed for the eye.
const MAP_SIDE: usize = 64;
/// Of the maps; see [`percept_pipeline::run`].
const REVISION: u32 = 1;

/// The figure of one patched variant; `None` when the model cannot tell where it looks.
pub(super) fn figure(insight: &Insight<'_>, variant: &Applied) -> Result<Option<Figure>, PipelineError> {
    let plan = insight.bench.plan;
    let items = &plan.items[..plan.items.len().min(SHOWN)];
    let Some(arm) = insight.arms.iter().find(|arm| arm.name.as_str() == variant.facts.name) else { return Ok(None) };
    let Some(maps) = maps(insight, variant, arm, items)? else { return Ok(None) };
    let of_groups = by_group(&maps, &variant.facts.tokens);
    write(insight, variant, items, &of_groups)?;
    let mut columns = vec!["stimulus".to_owned(), "reconstruction".to_owned()];
    columns.extend(insight.facts.groups.iter().map(|group| group.name.clone()));
    let rows = items
        .iter()
        .enumerate()
        .map(|(row, item)| {
            let plain = |picture: String| Some(StripCell { picture, map: None, note: String::new() });
            let picture = arm.picture(item, 0);
            let mut cells = vec![plain(insight.stimuli.paths[row].clone()), plain(picture.clone())];
            for group in 0..variant.facts.tokens.len() {
                let share = of_groups.slice(s![row, group, .., ..]).mean().unwrap_or(0.0);
                let map = Some(path_of(variant, item, group));
                cells.push(Some(StripCell { picture: picture.clone(), map, note: percent(f64::from(share)) }));
            }
            StripRow { label: item.id.clone(), cells }
        })
        .collect();
    let n_tokens = variant.facts.tokens.iter().sum::<usize>() as f64;
    let owners = insight.facts.groups.iter().zip(&variant.facts.tokens);
    let equal: Vec<String> =
        owners.map(|(group, &n)| format!("{} {}", group.name, percent(n as f64 / n_tokens))).collect();
    Ok(Some(Figure::Strip(Strip {
        title: format!("Where the U-Net of `{}` looks at each group", variant.facts.name),
        caption: format!(
            "Attention to a group's tokens, mean over layers, heads and three noise levels; bright is more than elsewhere \
             in the same picture. Below: the group's share of all attention. By tokens alone: {}.",
            equal.join(", ")
        ),
        columns,
        rows,
    })))
}

fn percent(share: f64) -> String {
    format!("{:.0} %", 100.0 * share)
}

fn path_of(variant: &Applied, item: &Item, group: usize) -> String {
    format!("images/attention/{}/{}-group{group}.png", variant.facts.name, item.id)
}

/// Attention of the variant's U-Net on its own reconstructions: (n, tokens, h, w).
fn maps(
    insight: &Insight<'_>,
    variant: &Applied,
    arm: &Arm,
    items: &[Item],
) -> Result<Option<Array4<f32>>, PipelineError> {
    let bench = insight.bench;
    let model = OnDemand::adapted(bench.model.clone(), variant.changes()).model()?;
    let size = model.image_size();
    let mut shown = Array4::<f32>::zeros((items.len(), size, size, 3));
    for (mut into, item) in shown.outer_iter_mut().zip(items) {
        let picture = percept_io::picture::read(bench.run.file(&arm.picture(item, 0)))?;
        into.assign(&picture.mapv(|level| f32::from(level) / 255.0));
    }
    let latents = model.encode(shown.view())?;
    let contexts = variant.items.slice(s![..items.len(), ..]).to_owned();
    let seed = Seed::new(bench.experiment.seed).named("attention");
    Ok(model.attention_maps(latents.view(), contexts.view(), seed)?)
}

/// Writes the map of every item and group.
fn write(
    insight: &Insight<'_>,
    variant: &Applied,
    items: &[Item],
    of_groups: &Array4<f32>,
) -> Result<(), PipelineError> {
    let run = insight.bench.run;
    let ids: Vec<&str> = items.iter().map(|item| item.id.as_str()).collect();
    let record = insight.bench.record.only(&["pack"]).input("encoder", &variant.content).setting("items", &ids);
    let name = format!("attention.{}", variant.facts.name);
    run.stage(StageName { name: &name, revision: REVISION }, record, || {
        let mut files = Vec::new();
        for (row, item) in items.iter().enumerate() {
            for group in 0..variant.facts.tokens.len() {
                let path = path_of(variant, item, group);
                let map = of_groups.slice(s![row, group, .., ..]).to_owned();
                run.write(&path, &percept_io::picture::encode_png(drawn(&map).view())?)?;
                files.push(path);
            }
        }
        Ok(files)
    })?;
    Ok(())
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
