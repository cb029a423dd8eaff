//! Units by region: which columns of the responses each decoder reads, and what becomes of those that are not finite.

use ndarray::{Array2, Axis};
use percept_core::Responses;

use crate::error::MethodError;
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

/// The columns that `region` reads.
///
/// # Errors
/// When the data have no such region.
pub(crate) fn units_of(regions: &[RegionUnits], region: Region) -> Result<Vec<usize>, MethodError> {
    if region == Region::All {
        let mut all: Vec<usize> = regions.iter().flat_map(|found| found.units.iter().copied()).collect();
        all.sort_unstable();
        all.dedup();
        return Ok(all);
    }
    regions.iter().find(|found| found.region == region).map(|found| found.units.clone()).ok_or_else(|| {
        MethodError::data(format!("the data have no region `{}`", region.name()), "name its units under `[data]`")
    })
}

/// Refuses regions without units.
pub(crate) fn expect_units(regions: &[RegionUnits]) -> Result<(), MethodError> {
    match regions.iter().find(|region| region.units.is_empty()) {
        None => Ok(()),
        Some(empty) => {
            Err(MethodError::EmptyRegion { region: empty.region.name(), selector: format!("`{}`", empty.selector) })
        }
    }
}

/// Finds units with values that are not finite; an error or, by `policy`, the data without them and a warning.
pub(crate) fn drop_non_finite(
    responses: Responses,
    regions: Vec<RegionUnits>,
    policy: NonFinite,
) -> Result<(Responses, Vec<RegionUnits>, Option<String>), MethodError> {
    let n_bad = bad_samples_per_unit(&responses.data);
    let n_units = n_bad.iter().filter(|&&n| n > 0).count();
    let Some(first) = n_bad.iter().position(|&n| n > 0) else { return Ok((responses, regions, None)) };
    let total = responses.n_units();
    if policy == NonFinite::Error {
        return Err(MethodError::NonFinite { n_units, total, first, n_samples: n_bad[first] });
    }
    let kept: Vec<usize> = (0..total).filter(|&unit| n_bad[unit] == 0).collect();
    let mut place = vec![None; total];
    for (position, &unit) in kept.iter().enumerate() {
        place[unit] = Some(position);
    }
    let regions: Vec<RegionUnits> = regions
        .into_iter()
        .map(|region| {
            let before = region.units.len();
            let units: Vec<usize> = region.units.iter().filter_map(|&unit| place[unit]).collect();
            RegionUnits { n_dropped: region.n_dropped + before - units.len(), units, ..region }
        })
        .collect();
    expect_units(&regions)?;
    let warning = format!("{n_units} of {total} units hold values that are not finite and were left out");
    Ok((responses.select_units(&kept), regions, Some(warning)))
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

    #[test]
    fn units_that_are_not_finite_are_named_and_counted() {
        let (responses, regions) = example();
        let error = drop_non_finite(responses, regions, NonFinite::Error).expect_err("one unit");
        assert!(error.to_string().starts_with("1 of 3 units hold values that are not finite, first unit 1 in 2"));
    }

    #[test]
    fn masked_units_leave_the_others_in_their_regions() {
        let (responses, regions) = example();
        let (responses, regions, warning) = drop_non_finite(responses, regions, NonFinite::Mask).expect("masked");
        assert_eq!(responses.data, array![[1.0, 3.0], [4.0, 6.0]]);
        assert_eq!((regions[0].units.clone(), regions[1].units.clone()), (vec![0], vec![1]));
        assert_eq!((regions[0].n_dropped, regions[1].n_dropped), (1, 1));
        assert!(warning.expect("said").starts_with("1 of 3 units"));
    }

    #[test]
    fn a_region_emptied_by_the_mask_is_an_error() {
        let (responses, mut regions) = example();
        regions[0].units = vec![1];
        let error = drop_non_finite(responses, regions, NonFinite::Mask).expect_err("nothing left");
        assert!(matches!(error, MethodError::EmptyRegion { region: "early", .. }));
    }

    #[test]
    fn all_is_the_union_in_ascending_order() {
        let (_, regions) = example();
        assert_eq!(units_of(&regions, Region::All).expect("both"), vec![0, 1, 2]);
    }
}
