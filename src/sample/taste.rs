//! What people try first: tastes over products, and products that go together.
use super::aisles::Occasion;
use super::catalogue::{Catalogue, PRODUCTS, Product, SHOP};
use super::names::{FOOD_BRANDS, HOME_BRANDS};
use super::random::{Random, Stream, exp, ln};

/// How many tastes there are; every customer has a few of them.
pub(super) const TASTES: usize = 40;
/// Products that go well with each product.
const PARTNERS: usize = 5;

/// How far tastes differ over occasions, aisles, brands, organic or not, and single products.
const SPREAD_OCCASION: f64 = 1.1;
const SPREAD_AISLE: f64 = 1.6;
const SPREAD_BRAND: f64 = 1.1;
const SPREAD_ORGANIC: f64 = 1.0;
const SPREAD_PRODUCT: f64 = 1.5;

/// The tastes of the shop's public.
pub(super) struct Tastes {
    /// Distribution over products by taste.
    pub products: Vec<Alias>,
    /// Share of each taste in all first purchases.
    pub shares: Vec<f64>,
    /// Distribution over products of all first purchases.
    pub average: Alias,
    partners: Vec<[u16; PARTNERS]>,
}

impl Tastes {
    pub fn new(catalogue: &Catalogue) -> Self {
        let products = &catalogue.products;
        let total: f64 = products.iter().map(|product| product.appeal).sum();
        let mut weights = vec![vec![0.0; PRODUCTS]; TASTES];
        let likings: Vec<Liking> = (0..TASTES).map(Liking::new).collect();
        let mut scores = [0.0; TASTES];
        let mut own = Random::new(SHOP, Stream::Topics, u64::MAX);
        for (p, product) in products.iter().enumerate() {
            for (score, liking) in scores.iter_mut().zip(&likings) {
                *score = exp(liking.of(product) + SPREAD_PRODUCT * own.normal());
            }
            // Tastes divide each product's appeal among them, so that together they leave it as it is.
            let sum: f64 = scores.iter().sum();
            for (weights, score) in weights.iter_mut().zip(&scores) {
                weights[p] = product.appeal / total * score / sum;
            }
        }
        let appeals: Vec<f64> = products.iter().map(|product| product.appeal).collect();
        Tastes {
            shares: weights.iter().map(|weights| weights.iter().sum()).collect(),
            products: weights.iter().map(|weights| Alias::new(weights)).collect(),
            average: Alias::new(&appeals),
            partners: partners(products),
        }
    }

    /// The products that go well with `product`, each as well as the others.
    pub fn partners_of(&self, product: u16) -> &[u16] {
        &self.partners[usize::from(product)]
    }

    /// A product that goes well with `product`.
    pub fn partner(&self, product: u16, random: &mut Random) -> u16 {
        self.partners[usize::from(product)][random.below(PARTNERS)]
    }
}

struct Liking {
    occasions: Vec<f64>,
    aisles: Vec<f64>,
    brands: Vec<f64>,
    organic: f64,
}

impl Liking {
    fn new(taste: usize) -> Self {
        let mut random = Random::new(SHOP, Stream::Topics, taste as u64);
        let mut normals = |count: usize, spread: f64| (0..count).map(|_| spread * random.normal()).collect();
        Liking {
            occasions: normals(Occasion::COUNT, SPREAD_OCCASION),
            aisles: normals(super::catalogue::AISLES, SPREAD_AISLE),
            brands: normals(FOOD_BRANDS + HOME_BRANDS, SPREAD_BRAND),
            organic: SPREAD_ORGANIC * random.normal(),
        }
    }

    fn of(&self, product: &Product) -> f64 {
        self.occasions[product.occasion as usize]
            + self.aisles[product.aisle]
            + product.brand.map_or(0.0, |brand| self.brands[brand])
            + if product.organic { self.organic } else { 0.0 }
    }
}

/// For every product a few of its own aisle and more of its occasion, the appealing ones first and foremost.
fn partners(products: &[Product]) -> Vec<[u16; PARTNERS]> {
    let damped = |product: &Product| exp(0.7 * ln(product.appeal));
    let pools = |key: &dyn Fn(&Product) -> usize, count: usize| -> Vec<(Vec<u16>, Alias)> {
        (0..count)
            .map(|value| {
                let members: Vec<u16> =
                    (0..PRODUCTS).filter(|p| key(&products[*p]) == value).map(|p| p as u16).collect();
                let weights: Vec<f64> = members.iter().map(|p| damped(&products[usize::from(*p)])).collect();
                (members, Alias::new(&weights))
            })
            .collect()
    };
    let aisles = pools(&|product| product.aisle, super::catalogue::AISLES);
    let occasions = pools(&|product| product.occasion as usize, Occasion::COUNT);
    let mut random = Random::new(SHOP, Stream::Partners, 0);
    products
        .iter()
        .map(|product| {
            std::array::from_fn(|place| {
                let (members, alias) =
                    if place % 3 == 0 { &aisles[product.aisle] } else { &occasions[product.occasion as usize] };
                members[usize::from(alias.draw(&mut random))]
            })
        })
        .collect()
}

/// Draws from a fixed distribution in constant time (Vose's alias method).
pub(super) struct Alias {
    keep: Vec<f32>,
    other: Vec<u16>,
}

impl Alias {
    /// Over the indices of `weights`, fewer than 65,536 and not all zero.
    pub fn new(weights: &[f64]) -> Self {
        let scale = weights.len() as f64 / weights.iter().sum::<f64>();
        let mut scaled: Vec<f64> = weights.iter().map(|weight| weight * scale).collect();
        let mut keep = vec![1.0f32; weights.len()];
        let mut other: Vec<u16> = (0..weights.len()).map(|index| index as u16).collect();
        let (mut small, mut large): (Vec<usize>, Vec<usize>) =
            (0..weights.len()).partition(|index| scaled[*index] < 1.0);
        while let (Some(&poor), Some(&rich)) = (small.last(), large.last()) {
            small.pop();
            keep[poor] = scaled[poor] as f32;
            other[poor] = rich as u16;
            scaled[rich] -= 1.0 - scaled[poor];
            if scaled[rich] < 1.0 {
                large.pop();
                small.push(rich);
            }
        }
        Alias { keep, other }
    }

    /// The chance of each index.
    pub fn chances(&self) -> Vec<f32> {
        let each = 1.0 / self.keep.len() as f32;
        let mut chances: Vec<f32> = self.keep.iter().map(|keep| keep * each).collect();
        for (keep, other) in self.keep.iter().zip(&self.other) {
            chances[usize::from(*other)] += (1.0 - keep) * each;
        }
        chances
    }

    pub fn draw(&self, random: &mut Random) -> u16 {
        let index = random.below(self.keep.len());
        if random.unit() < f64::from(self.keep[index]) { index as u16 } else { self.other[index] }
    }
}
