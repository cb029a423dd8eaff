//! Integration tests of the ridge estimators: against refitting by hand, against scikit-learn and himalaya, against themselves.
//!
//! What every such engine must do, and the test that shows it (modules of this binary unless a crate is named):
//!
//! | check | test |
//! |---|---|
//! | 1 weights equal a direct solve, predictions scikit-learn's | `behaviour::coefficients_equal_a_direct_solve`, `checks::predictions_are_those_of_scikit_learn` |
//! | 2 an offset of X and Y changes the intercept only | `behaviour::an_offset_of_features_and_targets_changes_the_intercept_only` |
//! | 3 batches of targets and of penalties do not matter | `behaviour::targets_fitted_in_tiles_from_outside_give_the_same_model`, `checks::penalties_scored_in_parts_score_alike` |
//! | 4 covariance and kernel agree, 80 × (100 + 200) | `behaviour::covariance_and_kernel_give_the_same_model`, `checks::kernels_of_two_feature_spaces_add_up` |
//! | 5 leave-one-out and leave-three-out in closed form equal refitting | `brute_force::leaving_one_sample_out_equals_refitting`, `brute_force::leaving_one_image_of_three_repeats_out_equals_refitting` |
//! | 6 a shared penalty is shared, one per target is that of separate fits | `brute_force::a_shared_penalty_maximises_the_mean_score_and_one_per_target_is_that_of_separate_fits` |
//! | 7 limits of the penalty | `behaviour::a_vanishing_penalty_gives_least_squares_or_the_smallest_exact_fit`, `behaviour::an_infinite_penalty_predicts_the_mean` |
//! | 8 singular designs share the weight | `behaviour::doubled_features_share_the_weight` |
//! | 9 whole sample weights repeat samples | `selection::whole_weights_repeat_samples` |
//! | 10 the table of banded scores is that of refitting | `banded::the_table_of_scores_is_that_of_refitting_with_scaled_features` |
//! | 11 split scores add up to the joint score | `banded::planted_bands_are_found_and_split_scores_add_up` |
//! | 12 delays never cross runs | `percept_signal`: `delays::tests::a_mark_at_the_end_of_a_run_never_shows_in_another_run`, `delays::tests::delays_of_a_recording_are_those_of_its_runs_one_by_one` |
//! | 13 thresholds of the false discovery rate | `percept_stats`: `significance::tests::ten_small_p_values_among_uniform_ones_set_the_threshold` |
//! | 14 p-values are uniform under the null | `checks::p_values_of_an_encoder_of_noise_are_uniform`; `percept_stats`: `properties::p_of_a_correlation_is_uniform_when_there_is_none`, `properties::permutation_and_sign_flip_p_are_uniform_under_the_null` |
//! | 15 planted weights, penalties and unique contributions are recovered | `behaviour::planted_weights_are_recovered_and_noise_is_given_the_largest_penalty`, `checks::planted_penalties_are_recovered`, `checks::planted_unique_contributions_are_recovered` |

mod bad_input;
mod banded;
mod banded_himalaya;
mod behaviour;
mod beyond;
mod brute_force;
mod checks;
mod data;
mod fastl2lir;
mod himalaya;
mod large_folds;
mod precision;
mod presets;
mod recipes;
mod repeated;
mod scoring;
mod selection;
mod sklearn;
mod threads;
mod together;
