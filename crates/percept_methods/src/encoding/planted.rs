//! What was planted into a simulated subject, against what the run found: the best set of each unit, unique parts, and units that were
//! named although they follow nothing.
//!
//! Only units count whose true ceiling is above `statistics.least_ceiling`. There are two true unique parts. One is what endless data
//! would give while the planted sets are not correlated and the form of the response is known: the share of the variance of the
//! responses, as they are predicted (without what the filter of drifts takes), that a space makes. The other, of a series, is what the
//! fits to what was recorded are worth: their unique part against the responses without noise. A fit has not learned everything, so it
//! is a little less. The interval of an estimate over what was tested is one for the second.

use ndarray::Array2;
use percept_core::Section;
use percept_core::figure::{Axis, Estimate, Estimates, Figure, Level, Matrix, Positions, Series};
use percept_pipeline::PipelineError;
use percept_pipeline::encoding::Axes;
use percept_pipeline::encoding::features::Point;
use percept_pipeline::encoding::planted::{PlantedUnit, Truth, set_name};
use percept_pipeline::encoding::score::ALL;
use percept_stats::noise_ceiling::ceiling_mixed;

use super::models::{Bench, BestOfSpace, Joint, Model};
use super::rows::EncodingRow;

/// The share of units that should be found.
const WANTED: f64 = 0.9;

/// How much of what was planted was found.
pub(super) struct Recovered {
    sets: Vec<SetsFound>,
    parts: Vec<PartFound>,
    strays: Vec<Strays>,
    least: f64,
}

/// The best sets of a space in one region.
struct SetsFound {
    space: String,
    region: String,
    /// Units that follow a set of the space and have a best one.
    n: usize,
    /// How many of them have a planted set as their best.
    n_found: usize,
    /// The same for each axis alone.
    n_on_axis: Vec<(String, usize)>,
    /// Per planted set, its name and how many units have each set as their best.
    confusion: Vec<(String, Vec<usize>)>,
    columns: Vec<String>,
}

/// The unique part of a space in one region.
struct PartFound {
    space: String,
    region: String,
    axes: Axes,
    /// What endless data would give, the mean over units.
    truth: f64,
    /// What these fits are truly worth, where the responses without noise are known.
    of_fits: Option<f64>,
    found: Option<Estimate>,
    /// Units whose interval holds what their own fits are worth (of trials: what endless data would give), of how many.
    within: [usize; 2],
}

/// Units that a set of features was found in although they follow nothing.
struct Strays {
    words: String,
    n_found: usize,
    n_wrong: usize,
    n_nothing: usize,
}

/// Compares `truth`, by unit, with what was found.
pub(super) fn recovered(
    bench: &Bench<'_>,
    truth: &Truth,
    spaces: &[Vec<Point>],
    models: &[Vec<Model>],
    joint: &[Joint],
    best: &[BestOfSpace],
) -> Result<Recovered, PipelineError> {
    let repeats: Vec<usize> = bench.plan.items.iter().map(Vec::len).collect();
    let ceiling = |unit: &PlantedUnit| Ok(ceiling_mixed((unit.ceiling / (1.0 - unit.ceiling)).sqrt(), &repeats)?);
    let ceilings = truth.units.iter().map(ceiling).collect::<Result<Vec<f64>, PipelineError>>()?;
    let comparison = Comparison { bench, truth: &truth.units, ceilings, spaces };
    let sets = best.iter().flat_map(|best| comparison.sets(best)).collect();
    let mut parts = Vec::new();
    for joint in joint {
        parts.extend(comparison.parts(joint, truth.signal.as_ref())?);
    }
    let strays = models.iter().flatten().map(|model| comparison.strays(model)).collect();
    Ok(Recovered { sets, parts, strays, least: bench.experiment.statistics.least_ceiling })
}

struct Comparison<'a, 'b> {
    bench: &'a Bench<'b>,
    truth: &'a [PlantedUnit],
    /// Of the items that are scored.
    ceilings: Vec<f64>,
    spaces: &'a [Vec<Point>],
}

impl Comparison<'_, '_> {
    /// Regions in the order of the file with their units above the ceiling, all units last.
    fn regions(&self) -> Vec<(String, Vec<usize>)> {
        let least = self.bench.experiment.statistics.least_ceiling;
        let high = |unit: &usize| self.ceilings[*unit] > least;
        let units_of = |region: &str| -> Vec<usize> {
            (0..self.truth.len())
                .filter(|&unit| self.truth[unit].region.as_deref() == Some(region))
                .filter(high)
                .collect()
        };
        let mut regions: Vec<_> =
            self.bench.experiment.planted.iter().map(|(name, _)| (name.to_owned(), units_of(name))).collect();
        let all = regions.iter().flat_map(|(_, units)| units.clone()).collect();
        regions.push((ALL.to_owned(), all));
        regions
    }

    fn sets(&self, best: &BestOfSpace) -> Vec<SetsFound> {
        let points = &self.spaces[best.space];
        let names: Vec<String> = points.iter().map(set_name).collect();
        let planted_in = |unit: usize| -> Vec<usize> {
            let mixture = &self.truth[unit].mixture;
            mixture.iter().filter_map(|(set, _)| names.iter().position(|name| name == set)).collect()
        };
        let axes: Vec<&str> = points[0].axes.iter().map(|(axis, _)| axis).collect();
        let mut all = Vec::new();
        for (region, units) in self.regions() {
            let mut found = SetsFound {
                space: points[0].space.clone(),
                region,
                n: 0,
                n_found: 0,
                n_on_axis: axes.iter().map(|&axis| (axis.to_owned(), 0)).collect(),
                confusion: Vec::new(),
                columns: points.iter().map(|point| point.axes.to_string()).collect(),
            };
            for unit in units {
                let planted = planted_in(unit);
                let (false, Some(own)) = (planted.is_empty(), best.sets.units[unit]) else { continue };
                found.n += 1;
                found.n_found += usize::from(planted.contains(&own.candidate));
                for (axis, n) in &mut found.n_on_axis {
                    let at = |set: usize| points[set].axes.get(axis);
                    *n += usize::from(planted.iter().any(|&set| at(set) == at(own.candidate)));
                }
                if let [one] = planted.as_slice() {
                    found.count(&points[*one].axes.to_string(), own.candidate);
                }
            }
            if found.n > 0 {
                all.push(found);
            }
        }
        all
    }

    fn parts(&self, joint: &Joint, signal: Option<&Array2<f32>>) -> Result<Vec<PartFound>, PipelineError> {
        let set_of = |space: &str| -> Option<String> {
            let points = self.spaces.iter().find(|points| points.first().is_some_and(|point| point.space == space))?;
            let point = points.iter().find(|point| points.len() == 1 || point.axes == joint.axes)?;
            Some(set_name(point))
        };
        let sets: Vec<String> = joint.names.iter().filter_map(|name| set_of(name)).collect();
        let is_covered = |unit: &PlantedUnit| unit.mixture.iter().all(|(set, _)| sets.contains(set));
        let worth = match signal {
            Some(signal) => {
                let predicted = self.bench.all_predictions(&joint.keys)?;
                Some(self.bench.judge.true_unique(joint.names.len(), &predicted, signal.view())?)
            }
            None => None,
        };
        let mut all = Vec::new();
        for (region, high) in self.regions().into_iter().filter(|(region, _)| region != ALL) {
            let own: Vec<usize> =
                (0..self.truth.len()).filter(|&unit| self.truth[unit].region.as_deref() == Some(&region)).collect();
            if own.is_empty() || !own.iter().all(|&unit| is_covered(&self.truth[unit])) {
                continue;
            }
            for (space, set) in sets.iter().enumerate() {
                let of_fits = worth.as_ref().map(|worth| worth[space].as_slice());
                let truth = |unit: usize| self.endless(unit, set);
                all.extend(part_found(joint, space, &region, [&own, &high], &truth, of_fits));
            }
        }
        Ok(all)
    }

    /// The unique part of `set` in a unit that endless data would give.
    fn endless(&self, unit: usize, set: &str) -> f64 {
        let of = &self.truth[unit];
        let Some(term) = of.mixture.iter().position(|(name, _)| name == set) else { return 0.0 };
        let known = of.explained.get(term).copied();
        known.unwrap_or_else(|| f64::from(of.mixture[term].1) * self.ceilings[unit])
    }

    fn strays(&self, model: &Model) -> Strays {
        let rate = self.bench.experiment.statistics.rate;
        let is_found = |unit: usize| model.scores.adjusted[unit].is_some_and(|q| q <= rate);
        let nothing: Vec<usize> = (0..self.truth.len()).filter(|&unit| self.truth[unit].mixture.is_empty()).collect();
        Strays {
            words: model.point.words(),
            n_found: (0..self.truth.len()).filter(|&unit| is_found(unit)).count(),
            n_wrong: nothing.iter().filter(|&&unit| is_found(unit)).count(),
            n_nothing: nothing.len(),
        }
    }
}

/// The unique part of a space in a region: `own` all of its units, `high` those above the ceiling; `endless` and `of_fits` the truths of a unit.
fn part_found(
    joint: &Joint,
    space: usize,
    region: &str,
    [own, high]: [&[usize]; 2],
    endless: &dyn Fn(usize) -> f64,
    of_fits: Option<&[f64]>,
) -> Option<PartFound> {
    let space = &joint.names[space];
    let part = joint.parts.names.iter().position(|name| *name == format!("unique_r2:{space}"))?;
    let truth = |unit: usize| of_fits.map_or_else(|| endless(unit), |of_fits| of_fits[unit]);
    let mut within = [0, 0];
    for &unit in high {
        let Some(found) = joint.parts.units[part][unit] else { continue };
        within[0] += usize::from((found.low..=found.high).contains(&truth(unit)));
        within[1] += 1;
    }
    let of_region = joint.parts.regions[part].iter().find(|of| of.region == region);
    let found = of_region.and_then(|of| of.estimate.as_ref());
    let mean = |truth: &dyn Fn(usize) -> f64| own.iter().map(|&unit| truth(unit)).sum::<f64>() / own.len() as f64;
    Some(PartFound {
        space: space.clone(),
        region: region.to_owned(),
        axes: joint.axes.clone(),
        truth: mean(endless),
        of_fits: of_fits.map(|of_fits| mean(&|unit| of_fits[unit])),
        found: found.map(|found| Estimate { x: 0.0, value: found.value, interval: Some([found.low, found.high]) }),
        within,
    })
}

impl SetsFound {
    fn count(&mut self, planted: &str, found: usize) {
        let place = self.confusion.iter().position(|(name, _)| name == planted).unwrap_or_else(|| {
            self.confusion.push((planted.to_owned(), vec![0; self.columns.len()]));
            self.confusion.len() - 1
        });
        self.confusion[place].1[found] += 1;
    }

    fn share(&self) -> f64 {
        self.n_found as f64 / self.n as f64
    }
}

impl Recovered {
    /// `planted_found`: the share of units whose best set is a planted one, with `axis` the name of one axis where only it counts;
    /// `planted_unique_r2`: the true unique part that endless data would give, `planted_fits_unique_r2`: the one that these fits are worth;
    /// `planted_within`: the share of units whose interval of the unique part holds the truth (of the fits, where it is known).
    pub(super) fn rows(&self) -> Vec<EncodingRow> {
        let row = |region: &str, space: &str, axes: Axes, metric: &'static str, value: f64, n| EncodingRow {
            region: region.to_owned(),
            space: space.to_owned(),
            axes,
            metric: metric.into(),
            value,
            low: None,
            high: None,
            chance: None,
            ceiling: None,
            n,
        };
        let mut rows = Vec::new();
        for sets in &self.sets {
            let chance = Some(1.0 / sets.columns.len() as f64);
            let found = row(&sets.region, &sets.space, Axes::none(), "planted_found", sets.share(), sets.n);
            rows.push(EncodingRow { chance, ..found });
            for (axis, n) in sets.n_on_axis.iter().filter(|_| sets.n_on_axis.len() > 1) {
                let share = *n as f64 / sets.n as f64;
                let axes = Axes::one("axis", axis);
                rows.push(row(&sets.region, &sets.space, axes, "planted_found", share, sets.n));
            }
        }
        for part in &self.parts {
            let [within, n] = part.within;
            rows.push(row(&part.region, &part.space, part.axes.clone(), "planted_unique_r2", part.truth, n));
            if let Some(of_fits) = part.of_fits {
                rows.push(row(&part.region, &part.space, part.axes.clone(), "planted_fits_unique_r2", of_fits, n));
            }
            if n > 0 {
                let share = within as f64 / n as f64;
                rows.push(row(&part.region, &part.space, part.axes.clone(), "planted_within", share, n));
            }
        }
        rows
    }

    /// What the report shows.
    pub(super) fn section(&self) -> Section {
        let mut spaces: Vec<&str> = self.sets.iter().map(|sets| sets.space.as_str()).collect();
        spaces.dedup();
        let mut figures = Vec::new();
        for space in spaces {
            figures.push(self.shares(space));
            figures.extend(self.confusion(space));
        }
        if !self.parts.is_empty() {
            figures.push(self.truths());
        }
        Section { title: "What was planted, and what was found".to_owned(), text: self.text(), figures }
    }

    fn text(&self) -> String {
        let mut said = vec![format!(
            "Nobody was measured: what each unit follows is known. Units with a true ceiling above {} are counted.",
            self.least
        )];
        for sets in self.sets.iter().filter(|sets| sets.region == ALL) {
            let axes: Vec<String> = sets
                .n_on_axis
                .iter()
                .filter(|_| sets.n_on_axis.len() > 1)
                .map(|(axis, n)| format!("{axis} {:.1} %", 100.0 * *n as f64 / sets.n as f64))
                .collect();
            let axes = if axes.is_empty() { String::new() } else { format!(" ({})", axes.join(", ")) };
            said.push(format!(
                "`{}`: the planted set is the best one in {:.1} % of {} units{axes}.",
                sets.space,
                100.0 * sets.share(),
                sets.n
            ));
        }
        let within = self.parts.iter().fold([0, 0], |sum, part| [sum[0] + part.within[0], sum[1] + part.within[1]]);
        if within[1] > 0 {
            let is_of_fits = self.parts.iter().any(|part| part.of_fits.is_some());
            said.push(format!(
                "The 95 % interval of a unit's unique part holds {} in {:.1} % of {} cases.{}",
                if is_of_fits { "what its fits are truly worth" } else { "the truth" },
                100.0 * within[0] as f64 / within[1] as f64,
                within[1],
                if is_of_fits {
                    " What fits are worth is their unique part against the responses without noise. Endless data would give a little more: \
                     what a fit has not learned yet is in no interval."
                } else {
                    ""
                }
            ));
        }
        if let Some(most) = self
            .strays
            .iter()
            .filter(|of| of.n_found > 0 && of.n_nothing > 0)
            .max_by(|a, b| a.share().total_cmp(&b.share()))
        {
            let (n_found, n_wrong): (usize, usize) =
                self.strays.iter().fold((0, 0), |sum, of| (sum.0 + of.n_found, sum.1 + of.n_wrong));
            said.push(format!(
                "{} units follow nothing. Of all units that were named significant, over all sets of features, {:.1} % are of these (at most \
                 {:.1} %, for `{}`).",
                most.n_nothing,
                100.0 * n_wrong as f64 / n_found as f64,
                100.0 * most.share(),
                most.words
            ));
        }
        said.join(" ")
    }

    fn shares(&self, space: &str) -> Figure {
        let own: Vec<&SetsFound> = self.sets.iter().filter(|sets| sets.space == space).collect();
        let series = |name: &str, n_of: &dyn Fn(&SetsFound) -> usize| Series {
            name: name.to_owned(),
            points: own
                .iter()
                .enumerate()
                .map(|(x, sets)| Estimate { x: x as f64, value: n_of(sets) as f64 / sets.n as f64, interval: None })
                .collect(),
        };
        let mut all = vec![series("planted set", &|sets| sets.n_found)];
        if let Some(first) = own.first().filter(|first| first.n_on_axis.len() > 1) {
            for (place, (axis, _)) in first.n_on_axis.iter().enumerate() {
                all.push(series(&format!("{axis} alone"), &|sets| sets.n_on_axis[place].1));
            }
        }
        Figure::Estimates(Estimates {
            title: format!("Share of units whose best set of {space} is the planted one"),
            caption: "By the set that is best in most bootstrap draws.".to_owned(),
            x: Positions::Categories {
                label: "region".to_owned(),
                names: own.iter().map(|sets| format!("{} ({} units)", sets.region, sets.n)).collect(),
            },
            y: Axis::plain("share of units"),
            series: all,
            levels: vec![Level { name: "nine in ten".to_owned(), value: WANTED, interval: None }],
        })
    }

    fn confusion(&self, space: &str) -> Option<Figure> {
        let all = self.sets.iter().find(|sets| sets.space == space && sets.region == ALL)?;
        if all.confusion.is_empty() {
            return None;
        }
        let shares = |counts: &[usize]| {
            let n = counts.iter().sum::<usize>().max(1);
            counts.iter().map(|&count| count as f64 / n as f64).collect()
        };
        Some(Figure::Matrix(Matrix {
            title: format!("Planted and found sets of {space}"),
            caption: "Rows: what a unit follows; columns: its best set. Only units that follow one set of the space."
                .to_owned(),
            row_label: "planted".to_owned(),
            rows: all.confusion.iter().map(|(name, _)| name.clone()).collect(),
            column_label: "found".to_owned(),
            columns: all.columns.clone(),
            quantity: Axis::plain("share of units"),
            values: all.confusion.iter().map(|(_, counts)| shares(counts)).collect(),
        }))
    }

    fn truths(&self) -> Figure {
        let at = |(x, value): (usize, Option<f64>)| Some(Estimate { x: x as f64, value: value?, interval: None });
        let series = |name: &str, of: &dyn Fn(&PartFound) -> Option<f64>| Series {
            name: name.to_owned(),
            points: self.parts.iter().map(of).enumerate().filter_map(at).collect(),
        };
        let found = self
            .parts
            .iter()
            .enumerate()
            .filter_map(|(x, part)| part.found.as_ref().map(|found| Estimate { x: x as f64, ..*found }))
            .collect();
        let names = self.parts.iter().map(|part| {
            let axes = if part.axes.is_empty() { String::new() } else { format!(" ({})", part.axes) };
            format!("{}: {}{axes}", part.region, part.space)
        });
        Figure::Estimates(Estimates {
            title: "Unique parts: the truth and what was found".to_owned(),
            caption: "Means over the units of each region as a difference of R²; 95 % intervals of what was found."
                .to_owned(),
            x: Positions::Categories { label: "region and space".to_owned(), names: names.collect() },
            y: Axis::plain("difference of R²"),
            series: [
                series("endless data", &|part| Some(part.truth)),
                series("these fits, without noise", &|part| part.of_fits),
                Series { name: "found".to_owned(), points: found },
            ]
            .into_iter()
            .filter(|series| !series.points.is_empty())
            .collect(),
            levels: Vec::new(),
        })
    }
}

impl Strays {
    fn share(&self) -> f64 {
        self.n_wrong as f64 / self.n_found.max(1) as f64
    }
}
