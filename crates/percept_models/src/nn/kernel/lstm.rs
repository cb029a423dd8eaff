//! One layer of a long short-term memory (Hochreiter & Schmidhuber 1997), over a whole sequence.

use super::{
    for_each_chunk, is_parallel,
    pointwise::{sigmoid, tanh},
    sum2, vectorised,
};

/// Rows of a matrix whose products are summed side by side: one sum alone waits for itself.
const TOGETHER: usize = 4;
/// Lanes of a sum, as those of [`sum2`].
const LANES: usize = 16;

/// Adds `w · state` to `out`, row by row.
fn add_products(w: &[f32], state: &[f32], out: &mut [f32]) {
    let width = state.len();
    vectorised!({
        for (w, out) in w.chunks(TOGETHER * width).zip(out.chunks_mut(TOGETHER)) {
            if out.len() < TOGETHER || !width.is_multiple_of(LANES) {
                for (w, out) in w.chunks_exact(width).zip(out) {
                    *out += sum2(w, state, |a, b| a * b);
                }
                continue;
            }
            let chunks = |row: usize| w[row * width..][..width].chunks_exact(LANES);
            let rows = chunks(0).zip(chunks(1)).zip(chunks(2)).zip(chunks(3));
            let mut sums = [[0.0f32; LANES]; TOGETHER];
            for (state, (((a, b), c), d)) in state.chunks_exact(LANES).zip(rows) {
                for i in 0..LANES {
                    sums[0][i] += a[i] * state[i];
                    sums[1][i] += b[i] * state[i];
                    sums[2][i] += c[i] * state[i];
                    sums[3][i] += d[i] * state[i];
                }
            }
            for (out, sums) in out.iter_mut().zip(&sums) {
                *out += sums.iter().sum::<f32>();
            }
        }
    });
}

/// `gates` (L, B, 4 D): what the inputs and biases give to the gates i, f, g, o; `w` (4 D, D) from the state before → (L, B, D).
pub(crate) fn forward(gates: &[f32], w: &[f32], [batch, width]: [usize; 2]) -> Vec<f32> {
    let length = gates.len() / (4 * batch * width).max(1);
    let mut out = vec![0.0; length * batch * width];
    let mut cell = vec![0.0f32; batch * width];
    let mut own = vec![0.0f32; batch * 4 * width];
    // Weights are read once a step whatever the batch: that is all that a step costs.
    let rows = if is_parallel() { (4 * width).div_ceil(rayon::current_num_threads()) } else { 4 * width };
    let rows = rows.next_multiple_of(TOGETHER);
    let zeros = vec![0.0; batch * width];
    for t in 0..length {
        let (past, now) = out.split_at_mut(t * batch * width);
        let state = if t == 0 { &zeros[..] } else { &past[(t - 1) * batch * width..] };
        let inputs = &gates[t * batch * 4 * width..][..batch * 4 * width];
        for (sample, own) in own.chunks_exact_mut(4 * width).enumerate() {
            let state = &state[sample * width..][..width];
            for_each_chunk(own, rows, |part, own| {
                let from = part * rows;
                own.copy_from_slice(&inputs[sample * 4 * width + from..][..own.len()]);
                add_products(&w[from * width..], state, own);
            });
            let cell = &mut cell[sample * width..][..width];
            let to = &mut now[sample * width..][..width];
            let (input, rest) = own.split_at(width);
            let (forget, rest) = rest.split_at(width);
            let (new, output) = rest.split_at(width);
            vectorised!({
                for i in 0..width {
                    cell[i] = sigmoid(forget[i]) * cell[i] + sigmoid(input[i]) * tanh(new[i]);
                    to[i] = sigmoid(output[i]) * tanh(cell[i]);
                }
            });
        }
    }
    out
}
