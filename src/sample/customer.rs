//! One customer: tastes, staples that run out, favourites that fade.
mod oracle;

use super::aisles::Occasion;
use super::basket::{self, Item};
use super::calendar::Visit;
use super::catalogue::{PRODUCTS, Product};
use super::random::{Random, exp, ln};
use super::shop::Shop;
use super::taste::TASTES;

pub(super) use oracle::{Foresight, Foretold};

/// A product that the customer has bought.
struct Known {
    product: u16,
    /// How much it is wanted when it has run out.
    want: f32,
    /// Days that it lasts.
    lasts: f32,
    bought: u16,
    /// The day from which it is no longer a favourite.
    fades: u16,
}

/// Which products the customer has bought, or has in the basket.
struct Owned(Vec<u64>);

impl Owned {
    fn contains(&self, product: u16) -> bool {
        self.0[usize::from(product) / 64] >> (product % 64) & 1 == 1
    }

    fn insert(&mut self, product: u16) {
        self.0[usize::from(product) / 64] |= 1 << (product % 64);
    }
}

pub(super) struct Customer<'a> {
    shop: &'a Shop,
    id: u64,
    tastes: [usize; 3],
    shares: [f64; 4],
    organic: f64,
    /// Households use things up at different speeds.
    pace: f64,
    /// Above 0 for those who stick to what they know.
    habit: f64,
    /// Where this customer's baskets lie among all, in standard deviations.
    appetite: f64,
    known: Vec<Known>,
    owned: Owned,
    keys: Vec<(f32, u32)>,
}

/// Part of the variation of basket sizes that lies between customers.
const APPETITE: f64 = 0.72;

impl<'a> Customer<'a> {
    pub fn new(shop: &'a Shop, id: u64, orders: usize, random: &mut Random) -> Self {
        let tastes = std::array::from_fn(|_| random.weighted(&shop.tastes.shares));
        let shares = [0.55, 0.25, 0.12, 0.08].map(|share| share * (0.5 + random.unit()));
        debug_assert!(tastes.iter().all(|taste| *taste < TASTES));
        Customer {
            shop,
            id,
            tastes,
            shares,
            organic: random.unit(),
            pace: exp(0.35 * random.normal()),
            habit: 0.75 * random.normal() + 0.30 * (ln(orders as f64) - 2.5),
            appetite: random.normal() - 0.045 * (orders as f64).sqrt() + 0.24,
            known: Vec::new(),
            owned: Owned(vec![0; PRODUCTS.div_ceil(64)]),
            keys: Vec::new(),
        }
    }

    /// Fills the baskets of `visits`, calling `put` once for each visit.
    pub fn shop(&mut self, visits: &[Visit], random: &mut Random, mut put: impl FnMut(&[Item])) {
        let mut day = 0u16;
        let mut basket = Vec::new();
        for (order, visit) in visits.iter().enumerate() {
            day += u16::from(visit.gap.unwrap_or(0));
            basket.clear();
            let size = self.size(random);
            let repeats = if order == 0 { 0 } else { basket::repeats(order + 1, size, self.habit, random) };
            self.rebuy(repeats, day, &mut basket, random);
            while basket.len() < size {
                let product = self.discover(&basket, random);
                self.owned.insert(product);
                basket.push(Item { product, reordered: false });
            }
            for item in basket.iter().filter(|item| !item.reordered) {
                let product = &self.shop.catalogue.products[usize::from(item.product)];
                self.known.push(acquaint(item.product, product, self.pace, day, random));
            }
            basket::arrange(&mut basket, &self.shop.catalogue, random);
            put(&basket);
        }
    }

    /// How many items the next basket has.
    fn size(&self, random: &mut Random) -> usize {
        self.shop.sizes.draw(APPETITE * self.appetite + (1.0 - APPETITE * APPETITE).sqrt() * random.normal())
    }

    /// What the next basket is for: as some known product is. There must be one.
    fn occasion(&self, random: &mut Random) -> Occasion {
        let known = self.known[random.below(self.known.len())].product;
        self.shop.catalogue.products[usize::from(known)].occasion
    }

    /// How much a known product is wanted on a day.
    fn weight(&self, known: &Known, occasion: Occasion, day: u16) -> f32 {
        let since = f32::from(day - known.bought) / known.lasts;
        let ready = if since < 1.0 { 0.22 + 0.78 * since * since } else { 1.0 / (0.8 + 0.2 * since) };
        let favour = if day >= known.fades { 0.25 } else { 1.0 };
        let fits = self.shop.catalogue.products[usize::from(known.product)].occasion == occasion;
        known.want * ready * favour * if fits { 2.5 } else { 1.0 }
    }

    /// Puts up to `count` known products into the basket, those first that are wanted and have run out.
    fn rebuy(&mut self, count: usize, day: u16, basket: &mut Vec<Item>, random: &mut Random) {
        let count = count.min(self.known.len());
        if count == 0 {
            return;
        }
        let occasion = self.occasion(random);
        let mut keys = std::mem::take(&mut self.keys);
        keys.clear();
        for (index, known) in self.known.iter().enumerate() {
            keys.push((random.exponential() as f32 / self.weight(known, occasion, day), index as u32));
        }
        self.keys = keys;
        if count < self.keys.len() {
            self.keys.select_nth_unstable_by(count - 1, |a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        }
        self.keys[..count].sort_unstable_by_key(|key| key.1);
        for (_, index) in &self.keys[..count] {
            let known = &mut self.known[*index as usize];
            known.bought = day;
            basket.push(Item { product: known.product, reordered: true });
        }
    }

    /// A product never bought before.
    fn discover(&self, basket: &[Item], random: &mut Random) -> u16 {
        for _ in 0..40 {
            let product = if !basket.is_empty() && random.chance(0.35) {
                self.shop.tastes.partner(basket[random.below(basket.len())].product, random)
            } else {
                match random.weighted(&self.shares) {
                    taste @ 0..3 => self.shop.tastes.products[self.tastes[taste]].draw(random),
                    _ => self.shop.tastes.average.draw(random),
                }
            };
            if !self.owned.contains(product) && random.chance(self.liking(product)) {
                return product;
            }
        }
        loop {
            let product = random.below(PRODUCTS) as u16;
            if !self.owned.contains(product) {
                return product;
            }
        }
    }

    /// Chance that the customer takes a product into the basket on seeing its label.
    fn liking(&self, product: u16) -> f64 {
        let product = &self.shop.catalogue.products[usize::from(product)];
        let organic = if product.organic { self.organic } else { 1.0 - self.organic };
        let brand = match product.brand {
            // A brand is liked by a third of the customers.
            Some(brand) if (self.id * 769 + brand as u64 * 7919) % 1009 < 336 => 1.0,
            Some(_) => 0.6,
            None => 0.8,
        };
        (0.35 + 0.65 * organic) * brand
    }
}

fn acquaint(id: u16, product: &Product, pace: f64, day: u16, random: &mut Random) -> Known {
    let loyalty = f64::from(product.loyalty);
    let staple = random.chance(0.55 * loyalty / (0.35 + loyalty));
    let want = exp(0.6 * random.normal() + 1.4 * ln(loyalty)) * if staple { 1.0 } else { 0.16 };
    Known {
        product: id,
        want: want as f32,
        lasts: (f64::from(product.days) * pace * exp(0.35 * random.normal())).clamp(1.0, 120.0) as f32,
        bought: day,
        fades: day.saturating_add((420.0 * random.exponential()).min(1000.0) as u16),
    }
}
