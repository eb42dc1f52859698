//! Reproducible random numbers: SplitMix64 (Steele, Lea & Flood, 2014).
//!
//! Input: the seed of an exam and a step. Output: numbers that depend on nothing else, so that a replay draws what
//! the exam drew. Must not know: what is drawn.

/// A sequence of random numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Random(u64);

impl Random {
    /// The sequence of one step of an exam.
    pub fn of(seed: u64, step: usize) -> Self {
        let mut random = Self(seed);
        let salt = random.next();
        Self(salt ^ (step as u64).wrapping_mul(0xd1b5_4a32_d192_ed03))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number from 0 to below 1.
    pub fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// A number from 0 to below `count`; 0 when there is none.
    pub fn below(&mut self, count: usize) -> usize {
        // The bias is below 2^-50 for any bank that fits in memory.
        ((u128::from(self.next()) * count as u128) >> 64) as usize
    }

    /// A number of the standard normal distribution (Box & Muller, 1958).
    pub fn normal(&mut self) -> f64 {
        let (radius, angle) = (1.0 - self.unit(), self.unit());
        libm::sqrt(-2.0 * libm::log(radius)) * libm::cos(2.0 * core::f64::consts::PI * angle)
    }

    /// An index drawn with probability proportional to its weight; `None` when no weight is above 0.
    pub fn weighted(&mut self, weights: &[f64]) -> Option<usize> {
        let total: f64 = weights.iter().sum();
        if !(total > 0.0 && total.is_finite()) {
            return None;
        }
        let mut left = self.unit() * total;
        for (index, weight) in weights.iter().enumerate() {
            if *weight > 0.0 {
                if left < *weight {
                    return Some(index);
                }
                left -= weight;
            }
        }
        weights.iter().rposition(|weight| *weight > 0.0)
    }
}
