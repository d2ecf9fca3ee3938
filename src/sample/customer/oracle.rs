//! What somebody who knew the hidden tastes would foretell of a customer's next basket: no model can be expected to do better.
//!
//! Chances of known products are exact but for the number of draws; those of new ones take the rest of the basket for its expectation.

use super::Customer;
use crate::sample::basket;
use crate::sample::catalogue::PRODUCTS;
use crate::sample::random::{Random, exp};
use crate::sample::shop::Shop;

/// Baskets that are drawn for the chances of known products.
const DRAWS: usize = 128;
/// New products that are foretold.
const NEW: usize = 100;
/// Part of new products that come to mind because of another one in the basket.
const TOGETHER: f64 = 0.35;

/// The tastes as chances, which drawing does without.
pub(in crate::sample) struct Foresight {
    tastes: Vec<Vec<f32>>,
    average: Vec<f32>,
}

/// A product that may be in the next basket.
pub(in crate::sample) struct Foretold {
    pub product: u16,
    pub chance: f64,
    /// Whether it was bought before.
    pub known: bool,
}

impl Foresight {
    pub fn new(shop: &Shop) -> Self {
        Self {
            tastes: shop.tastes.products.iter().map(super::super::taste::Alias::chances).collect(),
            average: shop.tastes.average.chances(),
        }
    }
}

impl Customer<'_> {
    /// The chances of products in the basket of the order after `order` others, on `day`: of every known one, and of those new ones
    /// that are likeliest.
    pub fn foretell(&self, order: usize, day: u16, foresight: &Foresight, random: &mut Random) -> Vec<Foretold> {
        let mut chances = vec![0.0; self.known.len()];
        let mut new = 0.0;
        for _ in 0..DRAWS {
            let size = self.size(random);
            let repeats = basket::repeats(order + 1, size, self.habit, random).min(self.known.len());
            new += (size - repeats) as f64 / DRAWS as f64;
            self.draw(repeats, day, &mut chances, random);
        }
        let mut out: Vec<Foretold> = self
            .known
            .iter()
            .zip(&chances)
            .map(|(known, chance)| Foretold { product: known.product, chance: chance / DRAWS as f64, known: true })
            .collect();
        out.extend(self.discoveries(&out, new, foresight));
        out
    }

    /// Adds to the chance of each known product that of being among `count` in one draw. The other products' keys are taken as drawn, and
    /// the chance that the product's own key is low enough is exact: that needs far fewer draws than counting.
    fn draw(&self, count: usize, day: u16, chances: &mut [f64], random: &mut Random) {
        if count == 0 {
            return;
        }
        if count == self.known.len() {
            chances.iter_mut().for_each(|chance| *chance += 1.0);
            return;
        }
        let occasion = self.occasion(random);
        let weights: Vec<f32> = self.known.iter().map(|known| self.weight(known, occasion, day)).collect();
        let keys: Vec<f32> = weights.iter().map(|weight| random.exponential() as f32 / weight).collect();
        let mut sorted = keys.clone();
        sorted.sort_unstable_by(f32::total_cmp);
        let (last, next) = (sorted[count - 1], sorted[count]);
        for ((chance, weight), key) in chances.iter_mut().zip(&weights).zip(&keys) {
            let bar = if *key <= last { next } else { last };
            *chance += 1.0 - exp(-f64::from(weight * bar));
        }
    }

    /// The likeliest new products, when so many are expected beside the known ones.
    fn discoveries(&self, known: &[Foretold], expected: f64, foresight: &Foresight) -> Vec<Foretold> {
        let alone = self.alone(foresight);
        let mut basket: Vec<(u16, f64)> = known.iter().map(|one| (one.product, one.chance)).collect();
        let mut new = self.spread(&alone, &basket, expected);
        // New products bring to mind others in their turn.
        basket.extend(new.iter().copied());
        new = self.spread(&alone, &basket, expected);
        let most = NEW.min(new.len());
        new.select_nth_unstable_by(most - 1, |a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        new.truncate(most);
        let chance = |expected: f64| 1.0 - exp(-expected);
        new.into_iter()
            .map(|(product, expected)| Foretold { product, chance: chance(expected), known: false })
            .collect()
    }

    /// The chance of each product to come to mind by itself.
    fn alone(&self, foresight: &Foresight) -> Vec<f64> {
        let shares: f64 = self.shares.iter().sum();
        let [first, second, third, everyone] = self.shares.map(|share| share / shares);
        let own = |at: usize| -> f64 {
            let tastes = [first, second, third].into_iter().zip(self.tastes);
            tastes.map(|(share, taste)| share * f64::from(foresight.tastes[taste][at])).sum()
        };
        (0..PRODUCTS).map(|at| own(at) + everyone * f64::from(foresight.average[at])).collect()
    }

    /// How often each product that was never bought is expected among `expected` new ones, in a basket of which these are the chances.
    fn spread(&self, alone: &[f64], basket: &[(u16, f64)], expected: f64) -> Vec<(u16, f64)> {
        let mut together = vec![0.0_f64; PRODUCTS];
        let size: f64 = basket.iter().map(|(_, chance)| chance).sum();
        for (product, chance) in basket {
            let partners = self.shop.tastes.partners_of(*product);
            for partner in partners {
                together[usize::from(*partner)] += chance / size.max(f64::MIN_POSITIVE) / partners.len() as f64;
            }
        }
        let mut weights: Vec<(u16, f64)> = (0..PRODUCTS as u16)
            .filter(|product| !self.owned.contains(*product))
            .map(|product| {
                let at = usize::from(product);
                (product, ((1.0 - TOGETHER) * alone[at] + TOGETHER * together[at]) * self.liking(product))
            })
            .collect();
        let all: f64 = weights.iter().map(|(_, weight)| weight).sum();
        for (_, weight) in &mut weights {
            *weight *= expected / all;
        }
        weights
    }
}
