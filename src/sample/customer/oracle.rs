//! What somebody who knew the hidden tastes would foretell of a customer's next basket: no model can be expected to do better.
//!
//! Chances of known products are exact but for the number of draws; those of new ones leave out what new products in the basket do for
//! others.

use super::Customer;
use crate::sample::basket;
use crate::sample::catalogue::PRODUCTS;
use crate::sample::random::{Random, exp};
use crate::sample::shop::Shop;

/// Baskets that are drawn for the chances of known products.
const DRAWS: usize = 256;
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

    fn discoveries(&self, known: &[Foretold], expected: f64, foresight: &Foresight) -> Vec<Foretold> {
        let shares: f64 = self.shares.iter().sum();
        let mut together = vec![0.0_f64; PRODUCTS];
        let basket: f64 = known.iter().map(|one| one.chance).sum();
        for one in known {
            let partners = self.shop.tastes.partners_of(one.product);
            for partner in partners {
                together[usize::from(*partner)] += one.chance / basket.max(f64::MIN_POSITIVE) / partners.len() as f64;
            }
        }
        let mut candidates: Vec<(f64, u16)> = (0..PRODUCTS as u16)
            .filter(|product| !self.owned.contains(*product))
            .map(|product| {
                let at = usize::from(product);
                let [first, second, third, everyone] = self.shares;
                let own: f64 = [first, second, third]
                    .iter()
                    .zip(&self.tastes)
                    .map(|(share, taste)| share * f64::from(foresight.tastes[*taste][at]))
                    .sum();
                let alone = (own + everyone * f64::from(foresight.average[at])) / shares;
                (((1.0 - TOGETHER) * alone + TOGETHER * together[at]) * self.liking(product), product)
            })
            .collect();
        let all: f64 = candidates.iter().map(|(weight, _)| weight).sum();
        let most = NEW.min(candidates.len());
        candidates.select_nth_unstable_by(most - 1, |a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        candidates.truncate(most);
        let chance = |weight: f64| 1.0 - exp(-expected * weight / all);
        candidates
            .into_iter()
            .map(|(weight, product)| Foretold { product, chance: chance(weight), known: false })
            .collect()
    }
}
