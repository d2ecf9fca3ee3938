//! A grammar of product names: brand, quality, kind, noun.
use std::collections::HashSet;

use super::aisles::{Aisle, Branding, Occasion};
use super::random::Random;

const FOOD_FIRST: [&str; 24] = [
    "Maple", "Blue", "Golden", "Silver", "Happy", "Green", "Stone", "River", "Sunny", "Old", "North", "Red", "Wild",
    "Harbor", "Meadow", "Cedar", "Honest", "Little", "Grand", "Bright", "Copper", "Willow", "Clover", "Juniper",
];
const FOOD_LAST: [&str; 20] = [
    "Farms", "Hollow", "Valley", "Kitchen", "Harvest", "Creek", "Table", "Mill", "Orchard", "Ridge", "Pantry", "Acres",
    "Brothers", "Garden", "Field", "Hearth", "Coast", "& Sons", "Market", "Spoon",
];
const HOME_FIRST: [&str; 16] = [
    "Clear", "Pure", "Bright", "Fresh", "Gentle", "True", "Daily", "Nova", "Alba", "Simple", "Aqua", "Verde", "Lumen",
    "Prima", "Terra", "Vita",
];
const HOME_LAST: [&str; 10] =
    ["Works", "Essentials", "Botanics", "Home", "Labs", "Basics", "Care", "Choice", "Naturals", "Line"];
const QUALITIES: [&str; 8] = ["Organic", "Natural", "Classic", "Premium", "Simply", "Homestyle", "Select", "Lite"];
const SIZES: [&str; 14] = [
    "8 oz",
    "12 oz",
    "16 oz",
    "24 oz",
    "32 oz",
    "1 lb",
    "2 lb",
    "6 Pack",
    "12 Pack",
    "Family Size",
    "Value Size",
    "Travel Size",
    "Twin Pack",
    "4 ct",
];
const QUOTED: [&str; 6] = ["Lite", "Grab & Go", "Old World", "Farmhouse", "No Salt", "Big Batch"];

/// Brands that are sold in food departments, then those of household and care.
pub(super) const FOOD_BRANDS: usize = FOOD_FIRST.len() * FOOD_LAST.len();
pub(super) const HOME_BRANDS: usize = HOME_FIRST.len() * HOME_LAST.len();

/// A name in parts; the brand may be empty.
pub(super) struct Name {
    pub brand: Option<usize>,
    pub organic: bool,
    rest: String,
}

impl Name {
    pub fn fixed(text: &str) -> Self {
        Name { brand: None, organic: text.contains("Organic"), rest: text.to_owned() }
    }

    pub fn plain(&self) -> String {
        match self.brand {
            Some(brand) => format!("{} {}", brand_name(brand), self.rest),
            None => self.rest.clone(),
        }
    }

    /// With a size after a comma.
    pub fn sized(&self, random: &mut Random) -> String {
        format!("{}, {}", self.plain(), SIZES[random.below(SIZES.len())])
    }

    /// With a word in double quotes.
    pub fn quoted(&self, random: &mut Random) -> String {
        let word = QUOTED[random.below(QUOTED.len())];
        match self.brand {
            Some(brand) => format!("{} \"{word}\" {}", brand_name(brand), self.rest),
            None => format!("\"{word}\" {}", self.rest),
        }
    }
}

fn brand_name(brand: usize) -> String {
    if brand < FOOD_BRANDS {
        format!("{} {}", FOOD_FIRST[brand / FOOD_LAST.len()], FOOD_LAST[brand % FOOD_LAST.len()])
    } else {
        let brand = brand - FOOD_BRANDS;
        format!("{} {}", HOME_FIRST[brand / HOME_LAST.len()], HOME_LAST[brand % HOME_LAST.len()])
    }
}

/// The brands of one department: `count` of them, out of those that make such things.
pub(super) fn brands(occasion: Occasion, count: usize, random: &mut Random) -> Vec<usize> {
    let (first, all) =
        if matches!(occasion, Occasion::Home | Occasion::Care) { (FOOD_BRANDS, HOME_BRANDS) } else { (0, FOOD_BRANDS) };
    let mut brands: Vec<usize> = (first..first + all).collect();
    random.shuffle(&mut brands);
    brands.truncate(count);
    brands
}

/// `count` different names for products of `aisle`, none of them in `taken`, to which they are added.
pub(super) fn compose(
    aisle: &Aisle,
    brands: &[usize],
    count: usize,
    taken: &mut HashSet<String>,
    random: &mut Random,
) -> Vec<Name> {
    let nouns: Vec<&str> = aisle.nouns.split('|').collect();
    let kinds: Vec<&str> = aisle.kinds.split('|').collect();
    let mut names = Vec::with_capacity(count);
    let mut attempts = 0usize;
    while names.len() < count {
        attempts += 1;
        let branded = match aisle.branding {
            Branding::Always => 0.93,
            Branding::Sometimes => 0.45,
            Branding::Never => 0.0,
        };
        let brand = random.chance(branded).then(|| brands[random.below(brands.len())]);
        let quality = match random.unit() {
            x if x < 0.17 => Some(QUALITIES[0]),
            x if x < 0.27 => Some(QUALITIES[1 + random.below(QUALITIES.len() - 1)]),
            _ => None,
        };
        let quality = if matches!(aisle.occasion, Occasion::Home | Occasion::Care) {
            quality.filter(|word| !matches!(*word, "Organic" | "Homestyle"))
        } else {
            quality
        };
        let kind = random.chance(0.88).then(|| kinds[random.below(kinds.len())]);
        let noun = nouns[random.below(nouns.len())];
        let kind = kind.filter(|kind| !repeats(kind, noun));
        let mut words: Vec<&str> = quality.into_iter().chain(kind).chain([noun]).collect();
        // An aisle whose words are used up tells its products apart by size.
        if attempts > 6 * count {
            words.push(SIZES[random.below(SIZES.len())]);
        }
        let name = Name { brand, organic: quality == Some("Organic"), rest: words.join(" ") };
        if taken.insert(name.plain()) {
            names.push(name);
        }
    }
    names
}

fn repeats(kind: &str, noun: &str) -> bool {
    kind.split(' ').any(|word| noun.split(' ').any(|other| other.trim_end_matches('s') == word.trim_end_matches('s')))
}
