//! Units by region and by group: which columns of the responses each decoder reads, and what becomes of those that are not
//! finite.

use ndarray::{Array2, Axis};
use percept_core::Responses;
use percept_core::outcome::RegionSummary;

use crate::error::PipelineError;
use crate::experiment::{NonFinite, Region};

/// The units of one region.
#[derive(Clone, Debug, PartialEq)]
pub struct RegionUnits {
    /// Which region.
    pub region: Region,
    /// How it was selected, in the words of the experiment.
    pub selector: String,
    /// Columns of the responses, ascending.
    pub units: Vec<usize>,
    /// Units left out because they were not finite.
    pub n_dropped: usize,
}

/// A named part of the units; no unit belongs to two.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnitGroup {
    /// Its name.
    pub name: String,
    /// How it was selected, in the words of the experiment.
    pub selector: String,
    /// Columns of the responses, ascending.
    pub units: Vec<usize>,
    /// Units left out because they were not finite.
    pub n_dropped: usize,
}

impl UnitGroup {
    /// What a report says of it.
    pub fn summary(&self) -> RegionSummary {
        RegionSummary {
            name: self.name.clone(),
            selector: self.selector.clone(),
            n_units: self.units.len(),
            n_dropped: self.n_dropped,
            ..RegionSummary::default()
        }
    }
}

/// Where units lie in the recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Places {
    /// Columns of a matrix.
    Columns(Vec<usize>),
    /// Voxels of a volume of this shape, by their coordinates from 0.
    Voxels {
        /// Lengths of the axes x, y, z.
        shape: [usize; 3],
        /// x, y, z of each unit.
        coordinates: Vec<[usize; 3]>,
    },
}

/// The columns that `region` reads.
///
/// # Errors
/// When the data have no such region.
pub(crate) fn units_of(regions: &[RegionUnits], region: Region) -> Result<Vec<usize>, PipelineError> {
    if region == Region::All {
        let mut all: Vec<usize> = regions.iter().flat_map(|found| found.units.iter().copied()).collect();
        all.sort_unstable();
        all.dedup();
        return Ok(all);
    }
    regions.iter().find(|found| found.region == region).map(|found| found.units.clone()).ok_or_else(|| {
        PipelineError::data(format!("the data have no region `{}`", region.name()), "name its units under `[data]`")
    })
}

/// Refuses regions without units.
pub(crate) fn expect_units(regions: &[RegionUnits]) -> Result<(), PipelineError> {
    match regions.iter().find(|region| region.units.is_empty()) {
        None => Ok(()),
        Some(empty) => {
            Err(PipelineError::EmptyRegion { region: empty.region.name(), selector: format!("`{}`", empty.selector) })
        }
    }
}

/// Refuses groups without units and groups that share some.
pub(crate) fn expect_partition(groups: &[UnitGroup]) -> Result<(), PipelineError> {
    for (i, group) in groups.iter().enumerate() {
        if group.units.is_empty() {
            return Err(PipelineError::EmptyGroup { group: group.name.clone(), selector: group.selector.clone() });
        }
        for earlier in &groups[..i] {
            let n_shared = group.units.iter().filter(|unit| earlier.units.binary_search(unit).is_ok()).count();
            if n_shared > 0 {
                return Err(PipelineError::GroupsOverlap {
                    first: earlier.name.clone(),
                    second: group.name.clone(),
                    n_shared,
                });
            }
        }
    }
    Ok(())
}

/// Finds units with values that are not finite; an error or, by `policy`, the data without them and a warning.
pub(crate) fn drop_non_finite(
    responses: Responses,
    regions: Vec<RegionUnits>,
    groups: Vec<UnitGroup>,
    policy: NonFinite,
) -> Result<Finite, PipelineError> {
    let n_bad = bad_samples_per_unit(&responses.data);
    let n_units = n_bad.iter().filter(|&&n| n > 0).count();
    let Some(first) = n_bad.iter().position(|&n| n > 0) else {
        let kept = (0..responses.n_units()).collect();
        return Ok(Finite { responses, regions, groups, kept, warning: None });
    };
    let total = responses.n_units();
    if policy == NonFinite::Error {
        return Err(PipelineError::NonFinite { n_units, total, first, n_samples: n_bad[first] });
    }
    let kept: Vec<usize> = (0..total).filter(|&unit| n_bad[unit] == 0).collect();
    let mut place = vec![None; total];
    for (position, &unit) in kept.iter().enumerate() {
        place[unit] = Some(position);
    }
    // The columns that are left, and how many are not.
    let moved = |units: &[usize]| {
        let left: Vec<usize> = units.iter().filter_map(|&unit| place[unit]).collect();
        let n_dropped = units.len() - left.len();
        (left, n_dropped)
    };
    let regions: Vec<RegionUnits> = regions
        .into_iter()
        .map(|region| {
            let (units, n_dropped) = moved(&region.units);
            RegionUnits { n_dropped: region.n_dropped + n_dropped, units, ..region }
        })
        .collect();
    let groups: Vec<UnitGroup> = groups
        .into_iter()
        .map(|group| {
            let (units, n_dropped) = moved(&group.units);
            UnitGroup { n_dropped: group.n_dropped + n_dropped, units, ..group }
        })
        .collect();
    expect_units(&regions)?;
    expect_partition(&groups)?;
    let warning = format!("{n_units} of {total} units hold values that are not finite and were left out");
    Ok(Finite { responses: responses.select_units(&kept), regions, groups, kept, warning: Some(warning) })
}

/// Responses whose values are all finite, and where their units went.
#[derive(Debug)]
pub(crate) struct Finite {
    pub(crate) responses: Responses,
    pub(crate) regions: Vec<RegionUnits>,
    pub(crate) groups: Vec<UnitGroup>,
    /// The units that are left, by their columns before.
    pub(crate) kept: Vec<usize>,
    /// What was left out, if anything was.
    pub(crate) warning: Option<String>,
}

fn bad_samples_per_unit(data: &Array2<f32>) -> Vec<usize> {
    let mut counts = vec![0; data.ncols()];
    for row in data.axis_iter(Axis(0)) {
        for (count, value) in counts.iter_mut().zip(row) {
            *count += usize::from(!value.is_finite());
        }
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    fn example() -> (Responses, Vec<RegionUnits>) {
        let data = array![[1.0, f32::NAN, 3.0], [4.0, f32::INFINITY, 6.0]];
        let region = |region, units| RegionUnits { region, selector: "mask".to_owned(), units, n_dropped: 0 };
        let responses = Responses::new(data, vec![0, 1], vec![0, 0]).expect("fits");
        (responses, vec![region(Region::Early, vec![0, 1]), region(Region::Ventral, vec![1, 2])])
    }

    fn group(name: &str, units: &[usize]) -> UnitGroup {
        UnitGroup { name: name.to_owned(), selector: "mask".to_owned(), units: units.to_vec(), n_dropped: 0 }
    }

    #[test]
    fn units_that_are_not_finite_are_named_and_counted() {
        let (responses, regions) = example();
        let error = drop_non_finite(responses, regions, Vec::new(), NonFinite::Error).expect_err("one unit");
        assert!(error.to_string().starts_with("1 of 3 units hold values that are not finite, first unit 1 in 2"));
    }

    #[test]
    fn masked_units_leave_the_others_in_their_regions() {
        let (responses, regions) = example();
        let groups = vec![group("front", &[0]), group("back", &[1, 2])];
        let found = drop_non_finite(responses, regions, groups, NonFinite::Mask).expect("masked");
        assert_eq!(found.responses.data, array![[1.0, 3.0], [4.0, 6.0]]);
        let regions = found.regions;
        assert_eq!((regions[0].units.clone(), regions[1].units.clone()), (vec![0], vec![1]));
        assert_eq!((regions[0].n_dropped, regions[1].n_dropped), (1, 1));
        let groups = found.groups;
        assert_eq!((groups[0].units.clone(), groups[1].units.clone()), (vec![0], vec![1]));
        assert_eq!((groups[0].n_dropped, groups[1].n_dropped), (0, 1));
        assert!(found.warning.expect("said").starts_with("1 of 3 units"));
    }

    #[test]
    fn groups_that_share_units_are_named_with_their_number() {
        let groups = [group("front", &[0, 1, 4]), group("middle", &[2]), group("back", &[1, 3, 4])];
        let error = expect_partition(&groups).expect_err("two units").to_string();
        assert_eq!(
            error,
            "the groups `front` and `back` share 2 units (take those of one out of the other, such as `b & !a`)"
        );
        expect_partition(&groups[..2]).expect("disjoint");
    }

    #[test]
    fn a_group_emptied_by_the_mask_is_an_error() {
        let (responses, regions) = example();
        let error = drop_non_finite(responses, regions, vec![group("v1", &[1])], NonFinite::Mask).expect_err("empty");
        assert!(matches!(&error, PipelineError::EmptyGroup { group, .. } if group == "v1"), "{error}");
    }

    #[test]
    fn a_region_emptied_by_the_mask_is_an_error() {
        let (responses, mut regions) = example();
        regions[0].units = vec![1];
        let error = drop_non_finite(responses, regions, Vec::new(), NonFinite::Mask).expect_err("nothing left");
        assert!(matches!(error, PipelineError::EmptyRegion { region: "early", .. }));
    }

    #[test]
    fn all_is_the_union_in_ascending_order() {
        let (_, regions) = example();
        assert_eq!(units_of(&regions, Region::All).expect("both"), vec![0, 1, 2]);
    }
}
