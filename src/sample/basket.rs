//! One basket: how many items, how many of them known, in what order.
use super::catalogue::Catalogue;
use super::random::{Random, cumulative, exp, ln, logistic, normal_distribution, quantile};

/// One line of an order.
#[derive(Clone, Copy)]
pub(super) struct Item {
    pub product: u16,
    pub reordered: bool,
}

/// The distribution of basket sizes.
pub(super) struct Sizes(Vec<f64>);

impl Sizes {
    pub fn new() -> Self {
        let mut weights: Vec<f64> = (1..=100).map(f64::from).map(|size| exp(0.85 * ln(size) - size / 5.5)).collect();
        let rest: f64 = weights.iter().skip(1).sum();
        weights[0] = rest * 0.047 / 0.953;
        Sizes(cumulative(&weights))
    }

    /// The size that lies `z` standard deviations from the middle.
    pub fn draw(&self, z: f64) -> usize {
        quantile(&self.0, normal_distribution(z)) + 1
    }
}

/// Logit of the share of known products by order number; between these, straight lines, after the last, level.
const REPEATS: [(f64, f64); 9] = [
    (2.0, -0.95),
    (3.0, -0.17),
    (4.0, 0.17),
    (5.0, 0.31),
    (6.0, 0.41),
    (8.0, 0.77),
    (10.0, 0.97),
    (20.0, 1.21),
    (50.0, 1.45),
];

/// How many of `size` items in order number `order` have been bought before.
pub(super) fn repeats(order: usize, size: usize, habit: f64, random: &mut Random) -> usize {
    let x = order as f64;
    let upper = REPEATS.partition_point(|knot| knot.0 < x).clamp(1, REPEATS.len() - 1);
    let ((x0, y0), (x1, y1)) = (REPEATS[upper - 1], REPEATS[upper]);
    let base = y0 + (y1 - y0) * ((x.min(x1) - x0) / (x1 - x0));
    let full = 0.5 * (2.0 - ln(size as f64));
    let share = logistic(base + habit + full + 0.6 * random.normal());
    (0..size).filter(|_| random.chance(share)).count()
}

/// Brings a basket into the order in which it is filled: known products rather early, departments together.
pub(super) fn arrange(basket: &mut [Item], catalogue: &Catalogue, random: &mut Random) {
    let walk: Vec<f64> = catalogue.departments.iter().map(|_| random.unit()).collect();
    let mut keyed: Vec<(f64, Item)> = basket
        .iter()
        .map(|item| {
            let department = walk[catalogue.products[usize::from(item.product)].department];
            let place = 0.45 * department + 0.55 * random.unit();
            // New products are met on the way as often as known ones at first, and more often towards the end.
            (if item.reordered { place } else { place * (1.0 + 0.2 * place) }, *item)
        })
        .collect();
    keyed.sort_by(|a, b| a.0.total_cmp(&b.0));
    for (place, (_, item)) in basket.iter_mut().zip(keyed) {
        *place = item;
    }
}
