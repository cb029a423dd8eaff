//! The fixed permutation of the published code: `numpy.random.seed(34); numpy.random.shuffle(x)`, bit for bit.
//!
//! MT19937 (Matsumoto & Nishimura 1998, doi 10.1145/272991.272995) seeded by `init_genrand`, Fisher–Yates from the end, each
//! index drawn by masking 32 bits until it fits.

/// The seed of the published code (github.com/UT-yakusaku/BrainDiffusion).
pub const SEED: u32 = 34;

const N: usize = 624;
const M: usize = 397;

struct Twister {
    state: [u32; N],
    at: usize,
}

impl Twister {
    fn new(seed: u32) -> Self {
        let mut state = [seed; N];
        for i in 1..N {
            let before = state[i - 1];
            state[i] = 1_812_433_253u32.wrapping_mul(before ^ (before >> 30)).wrapping_add(i as u32);
        }
        Self { state, at: N }
    }

    fn next(&mut self) -> u32 {
        if self.at == N {
            for i in 0..N {
                let y = (self.state[i] & 0x8000_0000) | (self.state[(i + 1) % N] & 0x7fff_ffff);
                let twist = if y & 1 == 1 { 0x9908_b0df } else { 0 };
                self.state[i] = self.state[(i + M) % N] ^ (y >> 1) ^ twist;
            }
            self.at = 0;
        }
        let mut y = self.state[self.at];
        self.at += 1;
        y ^= y >> 11;
        y ^= (y << 7) & 0x9d2c_5680;
        y ^= (y << 15) & 0xefc6_0000;
        y ^ (y >> 18)
    }

    /// A number of 0..=most.
    fn up_to(&mut self, most: u32) -> u32 {
        let mask = (most + 1).checked_next_power_of_two().map_or(u32::MAX, |power| power - 1);
        loop {
            let value = self.next() & mask;
            if value <= most {
                return value;
            }
        }
    }
}

/// Where each element comes from: `out[i] = in[p[i]]`.
pub fn permutation(n: usize, seed: u32) -> Vec<u32> {
    let mut twister = Twister::new(seed);
    let mut order: Vec<u32> = (0..n as u32).collect();
    for i in (1..n).rev() {
        order.swap(i, twister.up_to(i as u32) as usize);
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_numpys_for_a_latent_of_stable_diffusion() {
        let p = permutation(16_384, SEED);
        assert_eq!(p[..8], [12761, 6084, 13331, 2824, 6573, 12457, 8931, 3129]);
        assert_eq!(p[16_376..], [5667, 324, 3157, 12022, 5993, 10730, 5242, 11681]);
        let sum: u64 = p.iter().enumerate().map(|(i, p)| i as u64 * u64::from(*p)).sum();
        assert_eq!(sum, 1_099_374_120_053);
        assert_eq!(permutation(1, SEED), [0]);
        assert!(permutation(0, SEED).is_empty());
    }
}
