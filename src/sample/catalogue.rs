//! The shop: the same for every seed, which chooses only its customers.
use std::collections::HashSet;

use super::aisles::{BEST_SELLERS, DEPARTMENTS, Occasion};
use super::names::{self, Name};
use super::random::{Random, Stream, exp, ln};

pub(super) const PRODUCTS: usize = 49_688;
pub(super) const AISLES: usize = 134;
const COMMAS: usize = 3_330;
const QUOTES: usize = 120;
/// The seed of everything about the shop.
pub(super) const SHOP: u64 = 2017;

/// Share of all purchases at some ranks of popularity; between them, straight lines on logarithmic scales.
const POPULARITY: [(f64, f64); 7] = [
    (1.0, 0.0400),
    (3.0, 0.0165),
    (10.0, 0.0062),
    (100.0, 0.00115),
    (1000.0, 0.000170),
    (10_000.0, 0.0000125),
    (49_688.0, 0.0000009),
];

pub(super) struct Product {
    pub name: String,
    /// Counted from 0 over all departments.
    pub aisle: usize,
    pub department: usize,
    pub occasion: Occasion,
    pub brand: Option<usize>,
    pub organic: bool,
    /// Days that a household takes to use it up.
    pub days: f32,
    /// How likely it is to become a staple, around 1.
    pub loyalty: f32,
    /// Share of all first purchases, unscaled.
    pub appeal: f64,
}

/// All products, aisles and departments; a product's id is its index plus 1, likewise for the others.
pub(super) struct Catalogue {
    pub products: Vec<Product>,
    /// Name of each aisle by id.
    pub aisles: Vec<&'static str>,
    pub departments: Vec<&'static str>,
}

struct Shelf {
    aisle: usize,
    department: usize,
    names: Vec<Name>,
    /// Share of purchases that its products have still to earn.
    due: f64,
}

impl Catalogue {
    pub fn new() -> Self {
        let mut random = Random::new(SHOP, Stream::Catalogue, 0);
        let mut shelves = stock(&mut random);
        let total: f64 = (1..=PRODUCTS).map(popularity).sum();
        let mut ranked: Vec<(Name, usize, usize)> = Vec::with_capacity(PRODUCTS);
        for (name, aisle) in BEST_SELLERS {
            if let Some(shelf) =
                shelves.iter_mut().find(|shelf| find_aisle(shelf.department, shelf.aisle).name == *aisle)
            {
                shelf.due -= popularity(ranked.len() + 1) / total;
                ranked.push((Name::fixed(name), shelf.department, shelf.aisle));
            }
        }
        while ranked.len() < PRODUCTS {
            let weights: Vec<f64> = shelves
                .iter()
                .map(|shelf| {
                    let due = shelf.due.max(1e-9);
                    if shelf.names.is_empty() { 0.0 } else { due * due / shelf.names.len() as f64 }
                })
                .collect();
            let shelf = &mut shelves[random.weighted(&weights)];
            let Some(name) = shelf.names.pop() else {
                continue;
            };
            shelf.due -= popularity(ranked.len() + 1) / total;
            ranked.push((name, shelf.department, shelf.aisle));
        }
        label(ranked, &mut random)
    }
}

fn find_aisle(department: usize, aisle: usize) -> &'static super::aisles::Aisle {
    &DEPARTMENTS[department].aisles[aisle]
}

/// Every shelf filled with named products in random order, less the best sellers' places.
fn stock(random: &mut Random) -> Vec<Shelf> {
    let mut taken: HashSet<String> = BEST_SELLERS.iter().map(|(name, _)| (*name).to_owned()).collect();
    let mut shelves = Vec::with_capacity(AISLES);
    let shares: f64 = DEPARTMENTS.iter().flat_map(|department| department.aisles).map(|aisle| aisle.share).sum();
    for (d, department) in DEPARTMENTS.iter().enumerate() {
        let makers = names::brands(department.aisles[0].occasion, 36, random);
        for (a, aisle) in department.aisles.iter().enumerate() {
            let mut brands = makers.clone();
            random.shuffle(&mut brands);
            brands.truncate(18);
            let stars = BEST_SELLERS.iter().filter(|(_, of)| *of == aisle.name).count();
            let names = names::compose(aisle, &brands, aisle.products - stars, &mut taken, random);
            shelves.push(Shelf { aisle: a, department: d, names, due: aisle.share / shares });
        }
    }
    shelves
}

/// Ids, loyalties and the odd comma or quotation mark for products in order of popularity.
fn label(ranked: Vec<(Name, usize, usize)>, random: &mut Random) -> Catalogue {
    let mut department_ids: Vec<usize> = (0..DEPARTMENTS.len()).collect();
    random.shuffle(&mut department_ids);
    let mut aisle_ids: Vec<usize> = (0..AISLES).collect();
    random.shuffle(&mut aisle_ids);
    let mut departments = vec![""; DEPARTMENTS.len()];
    let mut aisles = vec![""; AISLES];
    let mut first = Vec::with_capacity(DEPARTMENTS.len());
    let mut next = 0;
    for (d, department) in DEPARTMENTS.iter().enumerate() {
        departments[department_ids[d]] = department.name;
        first.push(next);
        for aisle in department.aisles {
            aisles[aisle_ids[next]] = aisle.name;
            next += 1;
        }
    }

    let mut marked: Vec<usize> = (BEST_SELLERS.len()..PRODUCTS).collect();
    random.shuffle(&mut marked);
    let mut marks = vec![Mark::None; PRODUCTS];
    for (place, rank) in marked.into_iter().take(COMMAS + QUOTES).enumerate() {
        marks[rank] = if place < COMMAS { Mark::Comma } else { Mark::Quotes };
    }

    let mut products: Vec<Product> = ranked
        .into_iter()
        .zip(marks)
        .enumerate()
        .map(|(rank, ((name, d, a), mark))| {
            let aisle = find_aisle(d, a);
            let spread = exp(0.35 * random.normal());
            let loyalty = DEPARTMENTS[d].loyalty * fame(rank + 1) * spread;
            Product {
                name: match mark {
                    Mark::None => name.plain(),
                    Mark::Comma => name.sized(random),
                    Mark::Quotes => name.quoted(random),
                },
                aisle: aisle_ids[first[d] + a],
                department: department_ids[d],
                occasion: aisle.occasion,
                brand: name.brand,
                organic: name.organic,
                days: aisle.days as f32,
                loyalty: loyalty as f32,
                appeal: popularity(rank + 1) / exp(0.6 * ln(loyalty)),
            }
        })
        .collect();
    random.shuffle(&mut products);
    Catalogue { products, aisles, departments }
}

#[derive(Clone, Copy)]
enum Mark {
    None,
    Comma,
    Quotes,
}

fn popularity(rank: usize) -> f64 {
    interpolate(&POPULARITY, rank as f64)
}

/// How much a product's rank adds to its loyalty.
fn fame(rank: usize) -> f64 {
    interpolate(
        &[(1.0, 2.4), (10.0, 2.0), (100.0, 1.5), (1000.0, 1.15), (10_000.0, 0.85), (49_688.0, 0.6)],
        rank as f64,
    )
}

fn interpolate(knots: &[(f64, f64)], x: f64) -> f64 {
    let upper = knots.partition_point(|knot| knot.0 < x).clamp(1, knots.len() - 1);
    let ((x0, y0), (x1, y1)) = (knots[upper - 1], knots[upper]);
    exp(ln(y0) + (ln(y1) - ln(y0)) * (ln(x) - ln(x0)) / (ln(x1) - ln(x0)))
}
