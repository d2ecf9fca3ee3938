//! Randomness and the little mathematics it needs, the same bits on every platform: the platform's `exp` and `ln`
//! differ in the last place, so both are made here of additions, multiplications and divisions.

/// A SplitMix64 stream.
pub(super) struct Random(u64);

/// What a stream is for, so that streams of one seed are independent.
#[derive(Clone, Copy)]
pub(super) enum Stream {
    Catalogue,
    Topics,
    Partners,
    OrderCounts,
    LastOrders,
    OrderIds,
    User,
    Oracle,
}

impl Random {
    pub fn new(seed: u64, stream: Stream, id: u64) -> Self {
        Random(mix(mix(mix(seed) ^ (stream as u64 + 1)) ^ id))
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    /// Uniform in the open interval (0, 1).
    pub fn unit(&mut self) -> f64 {
        ((self.next() >> 12) as f64 + 0.5) / (1u64 << 52) as f64
    }

    /// Uniform in `0..n`; 0 for `n` = 0.
    pub fn below(&mut self, n: usize) -> usize {
        ((u128::from(self.next()) * n as u128) >> 64) as usize
    }

    pub fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// Exponential with mean 1.
    pub fn exponential(&mut self) -> f64 {
        -ln(self.unit())
    }

    /// Standard normal (Marsaglia's polar method).
    pub fn normal(&mut self) -> f64 {
        loop {
            let (x, y) = (2.0 * self.unit() - 1.0, 2.0 * self.unit() - 1.0);
            let square = x * x + y * y;
            if square < 1.0 {
                return x * (-2.0 * ln(square) / square).sqrt();
            }
        }
    }

    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }

    /// An index drawn with probability proportional to its weight; the last one when no weight is positive.
    pub fn weighted(&mut self, weights: &[f64]) -> usize {
        let mut rest = self.unit() * weights.iter().sum::<f64>();
        for (index, weight) in weights.iter().enumerate() {
            rest -= weight;
            if rest < 0.0 {
                return index;
            }
        }
        weights.len().saturating_sub(1)
    }
}

fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Natural logarithm of a positive normal number.
pub(super) fn ln(x: f64) -> f64 {
    let bits = x.to_bits();
    let mut exponent = ((bits >> 52) & 0x7ff) as i64 - 1023;
    let mut mantissa = f64::from_bits((bits & 0x000f_ffff_ffff_ffff) | 0x3ff0_0000_0000_0000);
    if mantissa > std::f64::consts::SQRT_2 {
        mantissa /= 2.0;
        exponent += 1;
    }
    let s = (mantissa - 1.0) / (mantissa + 1.0);
    let square = s * s;
    let series = [1.0 / 15.0, 1.0 / 13.0, 1.0 / 11.0, 1.0 / 9.0, 1.0 / 7.0, 1.0 / 5.0, 1.0 / 3.0, 1.0]
        .iter()
        .fold(0.0, |sum, term| sum * square + term);
    exponent as f64 * std::f64::consts::LN_2 + 2.0 * s * series
}

/// Exponential function; 0 below -700, and the value at 700 above it.
pub(super) fn exp(x: f64) -> f64 {
    if x < -700.0 {
        return 0.0;
    }
    let x = x.min(700.0);
    let power = (x / std::f64::consts::LN_2 + 0.5).floor();
    let rest = x - power * std::f64::consts::LN_2;
    let series = (1..=12).rev().fold(1.0, |sum, n| 1.0 + rest / f64::from(n) * sum);
    series * f64::from_bits(((power as i64 + 1023) as u64) << 52)
}

pub(super) fn logistic(x: f64) -> f64 {
    1.0 / (1.0 + exp(-x))
}

/// Distribution function of the standard normal (Abramowitz and Stegun 26.2.17, error below 1e-7).
pub(super) fn normal_distribution(x: f64) -> f64 {
    let t = 1.0 / (1.0 + 0.231_641_9 * x.abs());
    let series = [1.330_274_429, -1.821_255_978, 1.781_477_937, -0.356_563_782, 0.319_381_530]
        .iter()
        .fold(0.0, |sum, term| (sum + term) * t);
    let tail = 0.398_942_280_401 * exp(-x * x / 2.0) * series;
    if x < 0.0 { tail } else { 1.0 - tail }
}

/// The index of the first cumulative value that exceeds `at`; the last index when none does.
pub(super) fn quantile(cumulative: &[f64], at: f64) -> usize {
    cumulative.partition_point(|value| *value <= at).min(cumulative.len().saturating_sub(1))
}

/// Running sums of `weights`, scaled to end at 1.
pub(super) fn cumulative(weights: &[f64]) -> Vec<f64> {
    let total: f64 = weights.iter().sum();
    weights
        .iter()
        .scan(0.0, |sum, weight| {
            *sum += weight;
            Some(*sum / total)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_agree_with_the_platform() {
        for step in -2000..2000 {
            let x = f64::from(step) / 37.0;
            assert!((exp(x) / x.exp() - 1.0).abs() < 1e-12, "exp({x})");
            let y = x * x + 1e-6;
            assert!((ln(y) - y.ln()).abs() < 1e-9, "ln({y})");
        }
        assert!((normal_distribution(1.0) - 0.841_344_746).abs() < 1e-6);
        assert!((normal_distribution(-1.96) - 0.024_997_895).abs() < 1e-6);
    }

    #[test]
    fn draws_have_their_moments() {
        let mut random = Random::new(1, Stream::User, 1);
        let draws: Vec<f64> = (0..20_000).map(|_| random.normal()).collect();
        let mean = draws.iter().sum::<f64>() / 20_000.0;
        let variance = draws.iter().map(|x| x * x).sum::<f64>() / 20_000.0;
        assert!(mean.abs() < 0.03 && (variance - 1.0).abs() < 0.05, "{mean} {variance}");
        let exponential = (0..20_000).map(|_| random.exponential()).sum::<f64>() / 20_000.0;
        assert!((exponential - 1.0).abs() < 0.04, "{exponential}");
        assert_eq!(random.below(0), 0);
    }
}
