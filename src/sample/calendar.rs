//! When people shop: how many orders, and the gap, weekday and hour of each.
use super::random::{Random, cumulative, exp, ln, quantile};

/// The longest gap that is told from longer ones, in days.
pub(super) const LONGEST_GAP: usize = 30;
/// A customer's gaps sum to no more than this, in days.
pub(super) const YEAR: usize = 365;

const DAY_WEIGHTS: [f64; 7] = [0.170, 0.166, 0.138, 0.130, 0.127, 0.136, 0.133];
const HOUR_WEIGHTS: [f64; 24] = [
    0.0061, 0.0034, 0.0020, 0.0016, 0.0018, 0.0028, 0.0092, 0.0267, 0.0520, 0.0764, 0.0848, 0.0838, 0.0811, 0.0821,
    0.0821, 0.0815, 0.0792, 0.0668, 0.0535, 0.0409, 0.0298, 0.0226, 0.0180, 0.0115,
];
/// Relative frequency of each gap for a customer whom nothing hurries; [`Calendar`] tilts it towards each one's pace.
const GAP_WEIGHTS: [f64; LONGEST_GAP + 1] = [
    8.166, 22.33, 38.913, 51.697, 61.093, 67.316, 84.855, 90.812, 74.673, 53.134, 44.846, 38.363, 38.903, 39.033,
    34.709, 32.125, 17.961, 17.455, 16.858, 16.188, 15.462, 13.132, 8.105, 7.629, 7.149, 6.669, 6.195, 5.731, 4.263,
    4.152, 72.083,
];
/// Shares of customers with 4 to 10 orders; the other counts fall off with the square, but for a last one of 100.
const FEW_ORDERS: [f64; 7] = [0.117, 0.094, 0.081, 0.067, 0.057, 0.047, 0.047];
const MOST_ORDERS: (usize, f64) = (100, 0.008);
const WEEKLY_SHARE: f64 = 0.3;
const WEEKLY_PULL: f64 = 2.5;
const PACES: usize = 105;

/// Running shares of customers by number of orders, from 0.
pub(super) fn order_counts() -> Vec<f64> {
    let mut shares = vec![0.0; MOST_ORDERS.0 + 1];
    shares[4..11].copy_from_slice(&FEW_ORDERS);
    let rest = 1.0 - FEW_ORDERS.iter().sum::<f64>() - MOST_ORDERS.1;
    let falling = |count: usize| (1.0 - count as f64 / 700.0) / (count * count) as f64;
    let scale = rest / (11..MOST_ORDERS.0).map(falling).sum::<f64>();
    for (count, share) in shares.iter_mut().enumerate().take(MOST_ORDERS.0).skip(11) {
        *share = falling(count) * scale;
    }
    shares[MOST_ORDERS.0] = MOST_ORDERS.1;
    cumulative(&shares)
}

/// One visit to the shop.
#[derive(Clone, Copy)]
pub(super) struct Visit {
    pub weekday: u8,
    pub hour: u8,
    /// Days since the visit before, capped at [`LONGEST_GAP`]; nothing for the first.
    pub gap: Option<u8>,
}

/// Gap distributions for every pace, shared by all customers.
pub(super) struct Calendar {
    /// By mean gap in quarters of a day, without and with a pull towards whole weeks.
    paces: Vec<[[f64; LONGEST_GAP + 1]; 2]>,
    hours: Vec<f64>,
}

impl Calendar {
    pub fn new() -> Self {
        let mut weekly = GAP_WEIGHTS;
        for gap in (7..LONGEST_GAP).step_by(7) {
            weekly[gap] *= WEEKLY_PULL;
        }
        let paces = (0..PACES)
            .map(|step| {
                let mean = (step as f64 / 4.0).max(0.1);
                [tilt(&GAP_WEIGHTS, mean), tilt(&weekly, mean)]
            })
            .collect();
        Calendar { paces, hours: cumulative(&HOUR_WEIGHTS) }
    }

    /// All visits of one customer who makes `orders` of them.
    pub fn visits(&self, orders: usize, random: &mut Random) -> Vec<Visit> {
        let relaxed = 20.5 * exp(0.35 * random.normal());
        let hurried = (orders as f64 - 1.0) / (0.92 * YEAR as f64);
        let mut mean = (1.0 / (1.0 / (relaxed * relaxed) + hurried * hurried).sqrt()).min(26.0);
        let weekly = usize::from(random.chance(WEEKLY_SHARE));
        let favourite = random.weighted(&DAY_WEIGHTS);
        let pull = if random.chance(0.5) { 2.0 } else { 1.0 };
        let days: Vec<f64> = (0..7).map(|day| DAY_WEIGHTS[day] * if day == favourite { pull } else { 1.0 }).collect();
        let usual = random.unit();
        let strictness = 0.05 + 0.3 * random.unit();
        loop {
            let step = ((mean * 4.0 + 0.5) as usize).min(PACES - 1);
            let visits = self.attempt(orders, &self.paces[step][weekly], &days, (usual, strictness), random);
            if visits.iter().filter_map(|visit| visit.gap).map(usize::from).sum::<usize>() <= YEAR {
                return visits;
            }
            mean *= 0.95;
        }
    }

    fn attempt(
        &self,
        orders: usize,
        gaps: &[f64; LONGEST_GAP + 1],
        days: &[f64],
        (usual, strictness): (f64, f64),
        random: &mut Random,
    ) -> Vec<Visit> {
        let mut weekday = random.weighted(days);
        let average = days.iter().sum::<f64>() / 7.0;
        (0..orders)
            .map(|order| {
                // A circle of quantiles: whatever the habits, all customers together keep the shares of the hours.
                let at = usual + strictness * random.normal();
                let hour = quantile(&self.hours, at - at.floor()) as u8;
                let gap = (order > 0).then(|| {
                    let mut weights = *gaps;
                    for (gap, weight) in weights.iter_mut().enumerate() {
                        *weight *= if gap < LONGEST_GAP { days[(weekday + gap) % 7] } else { average };
                    }
                    let gap = random.weighted(&weights);
                    weekday = if gap < LONGEST_GAP { (weekday + gap) % 7 } else { random.weighted(days) };
                    gap as u8
                });
                Visit { weekday: weekday as u8, hour, gap }
            })
            .collect()
    }
}

/// `weights` multiplied by a power of the gap so that their mean becomes `mean`, scaled to sum to 1.
fn tilt(weights: &[f64; LONGEST_GAP + 1], mean: f64) -> [f64; LONGEST_GAP + 1] {
    let (mut low, mut high) = (ln(0.05), ln(4.0));
    let mut tilted = *weights;
    for _ in 0..40 {
        let middle = (low + high) / 2.0;
        let ratio = exp(middle);
        let mut power = 1.0;
        for (gap, weight) in weights.iter().enumerate() {
            tilted[gap] = weight * power;
            power *= ratio;
        }
        let total: f64 = tilted.iter().sum();
        tilted.iter_mut().for_each(|weight| *weight /= total);
        let reached: f64 = tilted.iter().enumerate().map(|(gap, weight)| gap as f64 * weight).sum();
        if reached < mean { low = middle } else { high = middle }
    }
    tilted
}
