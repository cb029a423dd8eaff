//! Every operation composed on the CPU against its kernel: results, and gradients of all arguments that need one.

use candle_core::{Device, Result, Tensor, Var};
use percept_core::Seed;

use super::super::{elementwise::Elementwise, kernel::pointwise::Activation, maps, ops, recompute::backward};
use crate::device::composed;

/// Both round; sums run in another order.
const OUTPUT: f32 = 1e-5;
const GRADIENT: f32 = 1e-4;

fn draw(name: &str, shape: &[usize]) -> Tensor {
    let values = Seed::new(11).named(name).normal(shape.iter().product());
    Tensor::from_vec(values, shape, &Device::Cpu).expect("as many numbers as the shape has")
}

/// max |ours − truth| / max |truth|.
fn error(ours: &Tensor, truth: &Tensor) -> f32 {
    assert_eq!(ours.dims(), truth.dims());
    let flat = |x: &Tensor| x.flatten_all().and_then(|x| x.to_vec1::<f32>()).expect("numbers");
    let (ours, truth) = (flat(ours), flat(truth));
    assert!(ours.iter().all(|v| v.is_finite()), "a value is not finite");
    let largest = truth.iter().fold(f32::MIN_POSITIVE, |max, v| max.max(v.abs()));
    ours.iter().zip(&truth).fold(0.0, |max: f32, (a, b)| max.max((a - b).abs())) / largest
}

/// Runs `op` on `inputs` both ways, with these of them in need of a gradient.
fn check_needs(what: &str, inputs: &[Tensor], needs: &[bool], op: &dyn Fn(&[Tensor]) -> Result<Tensor>) {
    let run = || -> Result<(Tensor, Vec<Option<Tensor>>)> {
        let given = inputs
            .iter()
            .zip(needs)
            .map(|(x, &needed)| if needed { Ok(Var::from_tensor(x)?.into_inner()) } else { Ok(x.clone()) })
            .collect::<Result<Vec<_>>>()?;
        let out = op(&given)?;
        if !out.track_op() {
            return Ok((out, vec![None; given.len()]));
        }
        let loss = (&out * draw("loss", out.dims()))?.sum_all()?;
        let store = backward(&loss)?;
        Ok((out.detach(), given.iter().map(|x| store.get(x).cloned()).collect()))
    };
    let (truth, truths) = run().expect("the kernel runs");
    let (ours, gradients) = composed(run).expect("the composition runs");
    let off = error(&ours, &truth);
    assert!(off <= OUTPUT, "{what}: result is off by {off:.1e}");
    for (i, ((ours, truth), &needed)) in gradients.iter().zip(&truths).zip(needs).enumerate() {
        // The kernel of a norm makes that of its input in any case.
        assert_eq!(ours.is_some(), needed, "{what} {needs:?}: whether argument {i} has a gradient");
        if let (Some(ours), Some(truth)) = (ours, truth) {
            let off = error(ours, truth);
            assert!(off <= GRADIENT, "{what} {needs:?}: gradient of argument {i} is off by {off:.1e}");
        }
    }
}

/// [`check_needs`] with all inputs, each alone and none in need of a gradient.
fn check(what: &str, inputs: &[Tensor], op: impl Fn(&[Tensor]) -> Result<Tensor>) {
    let n = inputs.len();
    check_needs(what, inputs, &vec![true; n], &op);
    check_needs(what, inputs, &vec![false; n], &op);
    for alone in 0..n {
        check_needs(what, inputs, &(0..n).map(|i| i == alone).collect::<Vec<_>>(), &op);
    }
}

#[test]
fn convolutions() {
    for (size, kernel, stride, pad) in [
        ([9, 7], [3, 3], 1, [1; 4]),
        ([9, 8], [3, 3], 2, [1; 4]),
        ([8, 8], [3, 3], 2, [0, 0, 1, 1]),
        ([9, 7], [3, 3], 2, [0, 0, 1, 1]),
        ([6, 5], [1, 1], 1, [0; 4]),
        ([7, 6], [1, 1], 2, [0; 4]),
        ([12, 11], [5, 5], 1, [0; 4]),
        ([9, 14], [4, 4], 4, [0; 4]),
        ([8, 6], [3, 5], 1, [2, 0, 1, 3]),
        ([10, 9], [3, 2], 3, [1, 1, 0, 2]),
    ] {
        let inputs =
            [draw("x", &[3, 4, size[0], size[1]]), draw("w", &[6, 4, kernel[0], kernel[1]]), draw("bias", &[6])];
        let what = format!("convolution {kernel:?}/{stride} of {size:?} with {pad:?}");
        check(&what, &inputs, |x| ops::conv2d(&x[0], &x[1], &x[2], stride, pad));
    }
}

#[test]
fn linear_layers() {
    let (x, w, bias) = (draw("x", &[2, 5, 7]), draw("w", &[9, 7]), draw("bias", &[9]));
    check("linear", &[x.clone(), w.clone(), bias.clone()], |x| ops::linear(&x[0], &x[1], Some(&x[2])));
    check("linear without bias", &[x.clone(), w], |x| ops::linear(&x[0], &x[1], None));
    let by_columns = draw("w", &[7, 9]).t().expect("a matrix");
    for needs in [[true, false, false], [true, false, true], [true, true, true]] {
        let inputs = [x.clone(), by_columns.clone(), bias.clone()];
        check_needs("linear by columns", &inputs, &needs, &|x| ops::linear(&x[0], &x[1], Some(&x[2])));
    }
}

#[test]
fn norms() {
    for silu in [false, true] {
        for shape in [&[2, 6, 5, 4][..], &[3, 6, 7]] {
            let inputs = [(draw("x", shape) + 3.0).expect("shifted"), draw("weight", &[6]), draw("bias", &[6])];
            check("group norm", &inputs, |x| ops::group_norm(&x[0], &x[1], &x[2], 3, 1e-5, silu));
        }
    }
    let inputs = [draw("x", &[2, 5, 8]), draw("weight", &[8]), draw("bias", &[8])];
    check("layer norm", &inputs, |x| ops::layer_norm(&x[0], &x[1], &x[2], 1e-5));
}

#[test]
fn attention_in_several_blocks() {
    for (queries, keys, causal) in [(70, 70, true), (5, 33, false), (61, 16, false)] {
        let inputs = [draw("q", &[2, queries, 16]), draw("k", &[2, keys, 16]), draw("v", &[2, keys, 16])];
        let shape = super::AttentionShape { heads: 2, dim: 8, queries, keys, causal };
        assert_eq!(super::blocks(2, &shape).count() > 1, queries * keys * 4 > super::LARGEST);
        let what = format!("attention of {queries} to {keys}");
        check(&what, &inputs, |x| ops::attend(&x[0], &x[1], &x[2], 2, causal));
    }
}

#[test]
fn activations() {
    let wide = (draw("x", &[4, 50]) * 30.0).expect("scaled");
    for x in [draw("x", &[3, 40]), wide] {
        for activation in [
            Elementwise::Kernel(Activation::Silu),
            Elementwise::Kernel(Activation::Gelu),
            Elementwise::Kernel(Activation::QuickGelu),
            Elementwise::GeluTanh,
            Elementwise::Relu,
        ] {
            let apply = |x: &[Tensor]| activation.apply(&x[0]).map_err(candle_core::Error::wrap);
            check(&format!("{activation:?}"), std::slice::from_ref(&x), apply);
        }
        check("GEGLU", &[x], |x| ops::geglu(&x[0]));
    }
}

#[test]
fn upsampling_of_a_map_that_is_used_twice() {
    check("upsampling", &[draw("x", &[2, 3, 4, 5])], |x| {
        ops::upsample2(&x[0])?.sqr()?.flatten_from(1)?.sum(1)? + x[0].flatten_from(1)?.sum(1)?
    });
}

#[test]
fn steps_between_maps_and_tokens() {
    let (x, tokens) = (draw("x", &[2, 5, 3, 4]), draw("x", &[2, 12, 5]));
    let (w, bias) = (draw("w", &[7, 5]), draw("bias", &[7]));
    let by_columns = draw("w", &[5, 7]).t().expect("a matrix");
    check("to tokens", &[x.clone(), w.clone(), bias.clone()], |x| maps::map_to_tokens(&x[0], &x[1], &x[2]));
    check("to a map", &[tokens.clone(), w, bias.clone()], |x| maps::tokens_to_map(&x[0], &x[1], &x[2], [3, 4]));
    let needs = [true, false, true];
    check_needs("to tokens by columns", &[x, by_columns.clone(), bias.clone()], &needs, &|x| {
        maps::map_to_tokens(&x[0], &x[1], &x[2])
    });
    check_needs("to a map by columns", &[tokens, by_columns, bias], &needs, &|x| {
        maps::tokens_to_map(&x[0], &x[1], &x[2], [3, 4])
    });
}

#[test]
fn sums_of_maps() {
    let x = draw("x", &[2, 3, 4, 5]);
    for (what, inputs, op) in [
        ("sum", [x.clone(), draw("y", &[2, 3, 4, 5])], maps::add as fn(&Tensor, &Tensor) -> Result<Tensor>),
        ("sum by channels", [x, draw("y", &[2, 3])], maps::add_channels),
    ] {
        // What a library's sum would do for a frozen argument costs little and is never kept: only those that train count.
        check_needs(what, &inputs, &[true, true], &|x| op(&x[0], &x[1]));
        check_needs(what, &inputs, &[false, false], &|x| op(&x[0], &x[1]));
    }
}
