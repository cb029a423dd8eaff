//! How far raters who saw the same items agree beyond chance.

use serde::{Deserialize, Serialize};

use crate::error::{StatsError, at_least, same_shape};

/// Agreement of raters.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Agreement {
    /// The mean share of pairs of raters that chose the same, 0 to 1.
    pub observed: f64,
    /// What is expected of raters who choose at random, each category as often as it was chosen.
    pub expected: f64,
    /// (observed − expected) ÷ (1 − expected); `None` where everybody always chose the same category.
    pub kappa: Option<f64>,
    /// Items that every rater rated.
    pub n_items: usize,
    /// Raters.
    pub n_raters: usize,
}

/// Cohen's kappa of two raters: chance by each rater's own frequencies.
///
/// # Errors
/// Lists that differ in length, no items.
///
/// # Numerics
/// Agrees with statsmodels' `cohens_kappa` to 1e-15.
///
/// # References
/// Cohen 1960, doi:10.1177/001316446002000104.
pub fn cohen(first: &[usize], second: &[usize]) -> Result<Agreement, StatsError> {
    same_shape(("first", &[first.len()]), ("second", &[second.len()]))?;
    at_least("items", 1, first.len())?;
    let n = first.len() as f64;
    let share =
        |ratings: &[usize], category: usize| ratings.iter().filter(|&&found| found == category).count() as f64 / n;
    let observed = first.iter().zip(second).filter(|(a, b)| a == b).count() as f64 / n;
    let expected = (0..=most(first)).map(|category| share(first, category) * share(second, category)).sum();
    Ok(agreement(observed, expected, first.len(), 2))
}

/// Fleiss' kappa of two or more raters: chance by the frequencies of all together.
///
/// # Shapes
/// One list of categories for each rater, all of the same items.
///
/// # Errors
/// Fewer than two raters, lists that differ in length, no items.
///
/// # Numerics
/// Agrees with statsmodels' `fleiss_kappa` to 1e-15.
///
/// # References
/// Fleiss 1971, doi:10.1037/h0031619.
pub fn fleiss(ratings: &[Vec<usize>]) -> Result<Agreement, StatsError> {
    at_least("raters", 2, ratings.len())?;
    let n_items = ratings[0].len();
    ratings.iter().try_for_each(|rater| same_shape(("first", &[n_items]), ("another", &[rater.len()])))?;
    at_least("items", 1, n_items)?;
    let n_raters = ratings.len() as f64;
    let n_categories = ratings.iter().map(|rater| most(rater)).max().unwrap_or(0) + 1;
    let counts = |item: usize| {
        let mut counts = vec![0.0f64; n_categories];
        for rater in ratings {
            counts[rater[item]] += 1.0;
        }
        counts
    };
    let mut totals = vec![0.0; n_categories];
    let mut observed = 0.0;
    for item in 0..n_items {
        let counts = counts(item);
        observed += counts.iter().map(|count| count * (count - 1.0)).sum::<f64>() / (n_raters * (n_raters - 1.0));
        totals.iter_mut().zip(&counts).for_each(|(total, count)| *total += count);
    }
    let all = n_raters * n_items as f64;
    let expected = totals.iter().map(|total| (total / all).powi(2)).sum();
    Ok(agreement(observed / n_items as f64, expected, n_items, ratings.len()))
}

fn most(ratings: &[usize]) -> usize {
    ratings.iter().copied().max().unwrap_or(0)
}

fn agreement(observed: f64, expected: f64, n_items: usize, n_raters: usize) -> Agreement {
    let kappa = (expected < 1.0).then(|| (observed - expected) / (1.0 - expected));
    Agreement { observed, expected, kappa, n_items, n_raters }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: [usize; 10] = [0, 0, 1, 1, 0, 1, 2, 0, 1, 1];
    const B: [usize; 10] = [0, 1, 1, 1, 0, 1, 2, 0, 0, 1];
    const C: [usize; 10] = [0, 0, 1, 0, 0, 1, 1, 0, 1, 1];

    /// Values of statsmodels.
    #[test]
    fn kappas_are_those_of_statsmodels() {
        let found = cohen(&A, &B).expect("ratings").kappa.expect("defined");
        assert!((found - 0.655_172_413_793_103_5).abs() < 1e-14, "{found}");
        let found = fleiss(&[A.to_vec(), B.to_vec(), C.to_vec()]).expect("ratings").kappa.expect("defined");
        assert!((found - 0.521_912_350_597_609_5).abs() < 1e-14, "{found}");
    }

    #[test]
    fn without_choice_kappa_is_not_defined() {
        let found = cohen(&[1, 1], &[1, 1]).expect("ratings");
        assert_eq!((found.observed, found.kappa), (1.0, None));
        assert!(fleiss(&[vec![0]]).is_err() && cohen(&[], &[]).is_err());
    }
}
