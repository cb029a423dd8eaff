//! One layer of a long short-term memory (Hochreiter & Schmidhuber 1997), over a whole sequence.

use super::{for_each_chunk, is_parallel, sum2, vectorised};

/// `gates` (L, B, 4 D): what the inputs and biases give to the gates i, f, g, o; `w` (4 D, D) from the state before → (L, B, D).
pub(crate) fn forward(gates: &[f32], w: &[f32], [batch, width]: [usize; 2]) -> Vec<f32> {
    let length = gates.len() / (4 * batch * width).max(1);
    let mut out = vec![0.0; length * batch * width];
    let mut cell = vec![0.0f32; batch * width];
    let mut own = vec![0.0f32; batch * 4 * width];
    // Weights are read once a step whatever the batch: that is all that a step costs.
    let rows = if is_parallel() { (4 * width).div_ceil(rayon::current_num_threads()) } else { 4 * width };
    let zeros = vec![0.0; batch * width];
    for t in 0..length {
        let (past, now) = out.split_at_mut(t * batch * width);
        let state = if t == 0 { &zeros[..] } else { &past[(t - 1) * batch * width..] };
        let inputs = &gates[t * batch * 4 * width..][..batch * 4 * width];
        for (sample, own) in own.chunks_exact_mut(4 * width).enumerate() {
            let state = &state[sample * width..][..width];
            for_each_chunk(own, rows, |part, own| {
                for (i, gate) in own.iter_mut().enumerate() {
                    let row = part * rows + i;
                    let w = &w[row * width..][..width];
                    *gate = inputs[sample * 4 * width + row] + vectorised!(sum2(w, state, |a, b| a * b));
                }
            });
            let cell = &mut cell[sample * width..][..width];
            for (i, (cell, to)) in cell.iter_mut().zip(&mut now[sample * width..][..width]).enumerate() {
                let sigmoid = |x: f32| 1.0 / (1.0 + (-x).exp());
                let [input, forget, new, output] = [0, 1, 2, 3].map(|gate| own[gate * width + i]);
                *cell = sigmoid(forget) * *cell + sigmoid(input) * new.tanh();
                *to = sigmoid(output) * cell.tanh();
            }
        }
    }
    out
}
