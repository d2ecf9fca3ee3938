//! All orders of all customers: who makes how many, under which ids, and what is in them.
use super::Spec;
use super::basket::Item;
use super::calendar::order_counts;
use super::customer::{Customer, Foresight, Foretold};
use super::output;
use super::random::{Random, Stream, quantile};
use super::shop::Shop;

/// Customers of the full data set whose last order is for training, and all of them.
const TRAIN: (u64, u64) = (131_209, 206_209);
/// Customers generated at a time.
const BLOCK: usize = 256;
const REORDERED: u32 = 1 << 16;

/// What is fixed before anybody goes shopping. A *slot* is an order's place when sorted by customer and number.
pub(super) struct Plan {
    seed: u64,
    users: usize,
    /// First slot of each customer, and the number of all slots.
    slots: Vec<u32>,
    /// Whether each customer's last order is for training; else it is for testing.
    train: Vec<bool>,
    /// Order id of each slot.
    ids: Vec<u32>,
}

/// The orders of consecutive customers.
pub(super) struct Block {
    first_slot: u32,
    /// End of each slot's items, and whether it is for training.
    ends: Vec<(u32, bool)>,
    items: Vec<u32>,
}

impl Plan {
    pub fn new(spec: &Spec) -> Self {
        let users = spec.users as usize;
        let ranks = |stream| {
            let mut ranks: Vec<u32> = (0..spec.users).collect();
            Random::new(spec.seed, stream, 0).shuffle(&mut ranks);
            ranks
        };
        // Customers share out the distribution of counts evenly, so that small samples have it, too.
        let counts = order_counts();
        let mut slots = vec![0];
        let mut next = 0;
        for rank in ranks(Stream::OrderCounts) {
            next += quantile(&counts, (f64::from(rank) + 0.5) / f64::from(spec.users)) as u32;
            slots.push(next);
        }
        let trained = u64::from(spec.users) * TRAIN.0 / TRAIN.1;
        let train = ranks(Stream::LastOrders).into_iter().map(|rank| u64::from(rank) < trained).collect();
        let mut ids: Vec<u32> = (1..=next).collect();
        Random::new(spec.seed, Stream::OrderIds, 0).shuffle(&mut ids);
        Plan { seed: spec.seed, users, slots, train, ids }
    }

    pub fn orders(&self) -> usize {
        self.ids.len()
    }

    pub fn blocks(&self) -> usize {
        self.users.div_ceil(BLOCK)
    }

    /// How many customers the blocks up to and including `block` hold.
    pub fn users_through(&self, block: usize) -> usize {
        ((block + 1) * BLOCK).min(self.users)
    }

    /// Slot of each order id, from 1.
    pub fn slots_by_id(&self) -> Vec<u32> {
        let mut slots = vec![0; self.ids.len()];
        for (slot, id) in self.ids.iter().enumerate() {
            slots[*id as usize - 1] = slot as u32;
        }
        slots
    }

    /// Sends the customers of one block shopping; also their lines of `orders.csv`.
    pub fn generate(&self, shop: &Shop, block: usize) -> (Block, Vec<u8>) {
        let mut lines = Vec::new();
        let users = block * BLOCK..self.users_through(block);
        let mut made = Block { first_slot: self.slots[users.start], ends: Vec::new(), items: Vec::new() };
        for user in users {
            let first = self.slots[user] as usize;
            let orders = self.slots[user + 1] as usize - first;
            let mut random = Random::new(self.seed, Stream::User, user as u64);
            let visits = shop.calendar.visits(orders, &mut random);
            for (order, visit) in visits.iter().enumerate() {
                let set = match (order + 1 == orders, self.train[user]) {
                    (false, _) => "prior",
                    (true, true) => "train",
                    (true, false) => "test",
                };
                output::order(&mut lines, self.ids[first + order], user as u32 + 1, set, order + 1, visit);
            }
            // What is in a test order stays unknown.
            let shown = if self.train[user] { orders } else { orders - 1 };
            Customer::new(shop, user as u64, orders, &mut random).shop(&visits[..shown], &mut random, |basket| {
                made.items.extend(basket.iter().map(pack));
                made.ends.push((made.items.len() as u32, false));
            });
            if self.train[user] {
                if let Some(last) = made.ends.last_mut() {
                    last.1 = true;
                }
            } else {
                made.ends.push((made.items.len() as u32, false));
            }
        }
        made.items.shrink_to_fit();
        (made, lines)
    }
}

impl Plan {
    /// Lines of `oracle.csv` for the customers of one block: what is likely to be in the last order whose products are known.
    pub fn foretell(&self, shop: &Shop, foresight: &Foresight, block: usize) -> Vec<u8> {
        let mut lines = Vec::new();
        for user in block * BLOCK..self.users_through(block) {
            let orders = (self.slots[user + 1] - self.slots[user]) as usize;
            let mut random = Random::new(self.seed, Stream::User, user as u64);
            let visits = shop.calendar.visits(orders, &mut random);
            let shown = if self.train[user] { orders } else { orders - 1 };
            let Some((_, before)) = visits[..shown].split_last() else { continue };
            let mut customer = Customer::new(shop, user as u64, orders, &mut random);
            customer.shop(before, &mut random, |_| {});
            let day = visits[..shown].iter().map(|visit| u16::from(visit.gap.unwrap_or(0))).sum();
            let mut own = Random::new(self.seed, Stream::Oracle, user as u64);
            for Foretold { product, chance, known } in customer.foretell(before.len(), day, foresight, &mut own) {
                output::foretold(&mut lines, user as u32 + 1, shown, product, known, chance);
            }
        }
        lines
    }
}

impl Block {
    /// Items of an order and whether it is for training; the slot must be of this block.
    fn order(&self, slot: u32) -> (impl Iterator<Item = Item> + '_, bool) {
        let index = (slot - self.first_slot) as usize;
        let start = if index == 0 { 0 } else { self.ends[index - 1].0 as usize };
        let (end, train) = self.ends[index];
        (self.items[start..end as usize].iter().map(unpack), train)
    }
}

/// Lines of `order_products__prior.csv` and `order_products__train.csv`, with their numbers.
#[derive(Default)]
pub(super) struct Lines {
    pub prior: Vec<u8>,
    pub train: Vec<u8>,
    pub prior_rows: u64,
    pub train_rows: u64,
}

/// The lines of consecutive order ids, from `first`, whose slots are given.
pub(super) fn lines(blocks: &[Block], first: u32, slots: &[u32]) -> Lines {
    let mut lines = Lines::default();
    for (id, slot) in (first..).zip(slots) {
        let block = blocks.partition_point(|block| block.first_slot <= *slot) - 1;
        let (items, train) = blocks[block].order(*slot);
        let (text, rows) =
            if train { (&mut lines.train, &mut lines.train_rows) } else { (&mut lines.prior, &mut lines.prior_rows) };
        output::order_products(text, id, items.inspect(|_| *rows += 1));
    }
    lines
}

fn pack(item: &Item) -> u32 {
    u32::from(item.product) | if item.reordered { REORDERED } else { 0 }
}

fn unpack(packed: &u32) -> Item {
    Item { product: (packed & 0xffff) as u16, reordered: packed & REORDERED != 0 }
}
