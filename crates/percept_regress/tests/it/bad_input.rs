//! Every kind of unusable input is named.

use percept_regress::{Design, Leaks, Path, RegressError, Ridge, RidgeCv, RidgeParams};

use crate::data::{normal, targets};

fn cv() -> RidgeCv {
    RidgeCv::new(RidgeParams::default())
}

#[test]
fn rows_that_differ_are_named() {
    let (x, y) = (normal("x", 6, 2), normal("y", 5, 2));
    let error = cv().fit(x.view(), y.view(), &[0, 0, 1, 1, 2, 2]).expect_err("five rows");
    assert_eq!(error, RegressError::Rows { left: "x", left_rows: 6, right: "y", right_rows: 5 });
    let error = cv().fit(x.view(), normal("y", 6, 2).view(), &[0, 1]).expect_err("two labels");
    assert_eq!(error, RegressError::Rows { left: "x", left_rows: 6, right: "groups", right_rows: 2 });
}

#[test]
fn values_that_are_not_finite_are_counted_and_located() {
    let (mut x, mut y) = (normal("x", 6, 3), normal("y", 6, 2));
    let groups = [0, 0, 1, 1, 2, 2];
    y[(4, 1)] = f64::INFINITY;
    let error = cv().fit(x.view(), y.view(), &groups).expect_err("infinity in y");
    assert_eq!(error, RegressError::NonFinite { matrix: "y", count: 1, row: 4, column: 1 });
    x[(2, 1)] = f64::NAN;
    x[(5, 0)] = f64::NAN;
    let error = cv().fit(x.view(), y.view(), &groups).expect_err("NaN in x");
    assert_eq!(error, RegressError::NonFinite { matrix: "x", count: 2, row: 2, column: 1 });
    assert!(error.to_string().contains("row 2, column 1"));
}

#[test]
fn a_single_group_is_refused() {
    let (x, y) = (normal("x", 6, 3), normal("y", 6, 2));
    let error = cv().fit(x.view(), y.view(), &[3; 6]).expect_err("one group");
    assert_eq!(error, RegressError::SingleGroup { group: 3, rows: 6 });
}

#[test]
fn no_penalty_on_a_singular_design_is_refused() {
    let mut x = normal("x", 12, 4);
    let copy = x.column(0).to_owned();
    x.column_mut(3).assign(&copy);
    let y = targets("y", &x, 2);
    let params = RidgeParams { alphas: vec![0.0, 1.0], standardize: false, ..RidgeParams::default() };
    let groups: Vec<usize> = (0..12).map(|sample| sample / 3).collect();
    let error = RidgeCv::new(params.clone()).fit(x.view(), y.view(), &groups).expect_err("singular");
    assert_eq!(error, RegressError::SingularGram { rank: 3, needed: 4 });
    let error = Ridge::fit(x.view(), y.view(), 0.0, &params).expect_err("singular");
    assert_eq!(error, RegressError::SingularGram { rank: 3, needed: 4 });
    assert!(Ridge::fit(x.view(), y.view(), 1e-9, &params).is_ok());
}

#[test]
fn a_group_that_the_others_do_not_determine_is_named() {
    let mut x = normal("x", 12, 3);
    x.slice_mut(ndarray::s![.., 0]).fill(0.0);
    x[(7, 0)] = 1.0;
    let params =
        RidgeParams { alphas: vec![0.0], path: Path::Covariance, standardize: false, ..RidgeParams::default() };
    let groups: Vec<usize> = (0..12).map(|sample| 100 + sample).collect();
    let error = RidgeCv::new(params).fit(x.view(), targets("y", &x, 2).view(), &groups).expect_err("leverage 1");
    assert_eq!(error, RegressError::Leverage { group: 107, alpha: 0.0 });
}

#[test]
fn folds_that_part_repeats_are_refused_unless_the_user_insists() {
    let x = normal("x", 12, 3);
    let y = targets("y", &x, 2);
    let stimuli: Vec<usize> = (0..12).map(|sample| sample / 3).collect();
    let leaking: Vec<usize> = (0..12).map(|sample| sample % 4).collect();
    let error =
        cv().fit_folds(x.view(), y.view(), &leaking, &stimuli, Leaks::Refuse).expect_err("repeats straddle folds");
    assert_eq!(error, RegressError::Leak { n_straddling: 4, n_repeated: 4, first: 0 });
    let (_, report) = cv().fit_folds(x.view(), y.view(), &leaking, &stimuli, Leaks::Allow).expect("insists");
    assert_eq!(report.straddling, vec![0, 1, 2, 3]);
    let clean: Vec<usize> = stimuli.iter().map(|stimulus| stimulus % 2).collect();
    let (ridge, report) = cv().fit_folds(x.view(), y.view(), &clean, &stimuli, Leaks::Refuse).expect("no leak");
    assert!(report.straddling.is_empty());
    assert_eq!(ridge.report.n_groups, 2);
}

#[test]
fn a_model_refuses_other_features_and_a_design_other_lists() {
    let x = normal("x", 12, 3);
    let y = targets("y", &x, 2);
    let ridge = Ridge::fit(x.view(), y.view(), 1.0, &RidgeParams::default()).expect("fits");
    let error = ridge.predict(normal("new", 2, 4).view()).expect_err("four columns");
    assert_eq!(error, RegressError::Features { expected: 3, got: 4 });
    let design = Design::new(x.view(), &RidgeParams::default()).expect("prepares");
    assert_eq!(design.fit(y.view()).expect_err("no groups"), RegressError::Ungrouped);
    assert_eq!(
        design.fit_fixed(y.view(), &[1.0]).expect_err("one penalty"),
        RegressError::PerTarget { list: "alpha", expected: 2, got: 1 }
    );
    let empty = ndarray::Array2::<f64>::zeros((0, 3));
    let error = Design::new(empty.view(), &RidgeParams::default()).err().expect("no rows");
    assert_eq!(error, RegressError::Empty { matrix: "x", rows: 0, columns: 3 });
}
