//! Where things stand: a layered drawing from left to right.
//!
//! Blocks are put into columns so that wires lead to the right, ordered within each column to cross little, and moved up and
//! down until wires are nearly straight. Wires with one beginning share a trunk that passes between the blocks of the columns
//! on its way. Everything is linear in blocks and wires, times a fixed number of sweeps.

use std::collections::{BTreeMap, VecDeque};

/// A rectangle to place; sizes in pixels.
#[derive(Debug, Clone, Copy)]
pub(super) struct Block {
    pub width: f64,
    pub height: f64,
}

/// One end of a wire.
#[derive(Debug, Clone, Copy)]
pub(super) struct End {
    pub block: usize,
    /// Pixels below the block's top.
    pub y: f64,
}

/// A wire from the right side of a block to the left side of another.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wire {
    pub from: End,
    pub to: End,
    /// How far apart wires that end at `to` may be spread, in pixels; 0 lets them meet in a point.
    pub spread: f64,
    /// Wires of different styles share no trunk.
    pub style: usize,
}

/// A drawing: where blocks stand, and how wires run.
#[derive(Debug, Clone, Default)]
pub(super) struct Placed {
    /// Left, top and width of each block; blocks of a column are equally wide.
    pub blocks: Vec<(f64, f64, f64)>,
    pub trunks: Vec<Trunk>,
    pub width: f64,
    pub height: f64,
}

/// All wires with one beginning and one style.
#[derive(Debug, Clone)]
pub(super) struct Trunk {
    pub from: End,
    pub style: usize,
    pub pieces: Vec<Piece>,
    /// Where wires end.
    pub ends: Vec<(f64, f64)>,
}

/// A piece of a trunk.
#[derive(Debug, Clone, Copy)]
pub(super) enum Piece {
    /// From a point to a point, level at both.
    Curve((f64, f64), (f64, f64)),
    /// Level, across a column.
    Level((f64, f64), f64),
    /// From the right side of a block back to its own right side.
    Loop((f64, f64), (f64, f64)),
}

/// More bends than this would be neither readable nor quick; the longest wires run straight then.
const MAX_BENDS: usize = 20_000;
const SWEEPS: usize = 24;
const GAP: f64 = 34.0;
const WIDEST_GAP: f64 = 80.0;

/// Places blocks; the drawing begins at 0, 0.
pub(super) fn layout(blocks: &[Block], wires: &[Wire]) -> Placed {
    let mut forward: Vec<usize> = Vec::new();
    let mut others: Vec<usize> = Vec::new();
    let backward = backward(blocks.len(), wires);
    for (at, wire) in wires.iter().enumerate() {
        if backward[at] || wire.from.block == wire.to.block { others.push(at) } else { forward.push(at) }
    }
    let mut wired = vec![false; blocks.len()];
    for wire in wires {
        wired[wire.from.block] = true;
        wired[wire.to.block] = true;
    }
    let columns = columns(blocks.len(), wires, &forward);
    let mut plan = Plan::new(blocks, wires, &forward, &columns, &wired);
    plan.order();
    plan.straighten();
    let mut placed = plan.draw(&others);
    place_alone(blocks, &wired, &mut placed);
    placed
}

/// Which wires close a cycle, found depth first.
fn backward(blocks: usize, wires: &[Wire]) -> Vec<bool> {
    let mut out: Vec<Vec<usize>> = vec![Vec::new(); blocks];
    for (at, wire) in wires.iter().enumerate() {
        out[wire.from.block].push(at);
    }
    let mut backward = vec![false; wires.len()];
    let (mut open, mut done) = (vec![false; blocks], vec![false; blocks]);
    for start in 0..blocks {
        let mut stack = vec![(start, 0)];
        while let Some((block, next)) = stack.pop() {
            if done[block] {
                continue;
            }
            open[block] = true;
            let Some(&wire) = out[block].get(next) else {
                open[block] = false;
                done[block] = true;
                continue;
            };
            stack.push((block, next + 1));
            let to = wires[wire].to.block;
            if open[to] {
                backward[wire] = true;
            } else if !done[to] {
                stack.push((to, 0));
            }
        }
    }
    backward
}

/// The column of each block: behind everything that leads to it, and beginnings close to what they lead to.
fn columns(blocks: usize, wires: &[Wire], forward: &[usize]) -> Vec<usize> {
    let mut out: Vec<Vec<usize>> = vec![Vec::new(); blocks];
    let mut open = vec![0_usize; blocks];
    for wire in forward.iter().map(|at| wires[*at]) {
        out[wire.from.block].push(wire.to.block);
        open[wire.to.block] += 1;
    }
    let begins: Vec<bool> = open.iter().map(|count| *count == 0).collect();
    let mut column = vec![0_usize; blocks];
    let mut queue: VecDeque<usize> = (0..blocks).filter(|block| begins[*block]).collect();
    while let Some(block) = queue.pop_front() {
        for to in &out[block] {
            column[*to] = column[*to].max(column[block] + 1);
            open[*to] -= 1;
            if open[*to] == 0 {
                queue.push_back(*to);
            }
        }
    }
    for block in (0..blocks).filter(|block| begins[*block]) {
        if let Some(nearest) = out[block].iter().map(|to| column[*to]).min() {
            column[block] = nearest.saturating_sub(1);
        }
    }
    column
}

/// Something in a column: a block, or a trunk on its way.
#[derive(Debug, Clone, Copy)]
struct Item {
    block: Option<usize>,
    height: f64,
    column: usize,
}

/// A wire, or a part of one, from a column to the next.
#[derive(Debug, Clone, Copy)]
struct Hop {
    from: usize,
    from_y: f64,
    to: usize,
    to_y: f64,
    /// The wire that ends here; none for a trunk that goes on.
    wire: Option<usize>,
    trunk: usize,
    weight: f64,
}

struct Plan<'a> {
    blocks: &'a [Block],
    wires: &'a [Wire],
    items: Vec<Item>,
    item_of: Vec<Option<usize>>,
    /// Items from top to bottom.
    columns: Vec<Vec<usize>>,
    hops: Vec<Hop>,
    /// Hops by the item where they begin, and by the item where they end.
    out: Vec<Vec<usize>>,
    into: Vec<Vec<usize>>,
    trunks: Vec<(End, usize)>,
    /// Wires without bends, with their trunks.
    loose: Vec<(usize, usize)>,
    y: Vec<f64>,
}

impl<'a> Plan<'a> {
    fn new(blocks: &'a [Block], wires: &'a [Wire], forward: &[usize], column: &[usize], wired: &[bool]) -> Self {
        let mut items = Vec::with_capacity(blocks.len());
        let mut item_of = vec![None; blocks.len()];
        for (at, block) in blocks.iter().enumerate().filter(|(at, _)| wired[*at]) {
            item_of[at] = Some(items.len());
            items.push(Item { block: Some(at), height: block.height, column: column[at] });
        }
        let mut plan = Self {
            blocks,
            wires,
            items,
            item_of,
            columns: Vec::new(),
            hops: Vec::new(),
            out: Vec::new(),
            into: Vec::new(),
            trunks: Vec::new(),
            loose: Vec::new(),
            y: Vec::new(),
        };
        plan.route(forward, column);
        let count = plan.items.iter().map(|item| item.column + 1).max().unwrap_or(0);
        plan.columns = vec![Vec::new(); count];
        for (at, item) in plan.items.iter().enumerate() {
            plan.columns[item.column].push(at);
        }
        plan.out = vec![Vec::new(); plan.items.len()];
        plan.into = vec![Vec::new(); plan.items.len()];
        for (at, hop) in plan.hops.iter().enumerate() {
            plan.out[hop.from].push(at);
            plan.into[hop.to].push(at);
        }
        plan
    }

    /// Gives every trunk its bends, short trunks first.
    fn route(&mut self, forward: &[usize], column: &[usize]) {
        let mut trunks: BTreeMap<(usize, u64, usize), Vec<usize>> = BTreeMap::new();
        for at in forward {
            let Wire { from, style, .. } = self.wires[*at];
            trunks.entry((from.block, from.y.to_bits(), style)).or_default().push(*at);
        }
        let span = |wire: usize| column[self.wires[wire].to.block] - column[self.wires[wire].from.block];
        let mut trunks: Vec<(usize, Vec<usize>)> = trunks
            .into_values()
            .map(|wires| (wires.iter().map(|wire| span(*wire)).max().unwrap_or(0), wires))
            .collect();
        trunks.sort_by_key(|(longest, _)| *longest);
        let mut bends = 0;
        for (longest, mut ends) in trunks {
            let Some(first) = ends.first().map(|wire| self.wires[*wire]) else { continue };
            let Some(mut at) = self.item_of[first.from.block] else { continue };
            let trunk = self.trunks.len();
            self.trunks.push((first.from, first.style));
            ends.sort_by_key(|wire| column[self.wires[*wire].to.block]);
            let limit = if bends + longest > MAX_BENDS { column[first.from.block] + 1 } else { usize::MAX };
            bends += if limit == usize::MAX { longest } else { 0 };
            let mut from_y = first.from.y;
            for wire in ends {
                let to = self.wires[wire].to;
                if column[to.block] > limit {
                    self.loose.push((wire, trunk));
                    continue;
                }
                while self.items[at].column + 1 < column[to.block] {
                    let bend = self.items.len();
                    let straight = self.items[at].block.is_none();
                    self.items.push(Item { block: None, height: 0.0, column: self.items[at].column + 1 });
                    let weight = if straight { 8.0 } else { 2.0 };
                    self.hops.push(Hop { from: at, from_y, to: bend, to_y: 0.0, wire: None, trunk, weight });
                    (at, from_y) = (bend, 0.0);
                }
                let Some(end) = self.item_of[to.block] else { continue };
                let level = self.wires[wire].spread == 0.0 || self.items[at].block.is_none();
                let weight = if level { 2.0 } else { 1.0 };
                self.hops.push(Hop { from: at, from_y, to: end, to_y: to.y, wire: Some(wire), trunk, weight });
            }
        }
    }

    /// Orders each column so that wires cross little.
    fn order(&mut self) {
        let mut best = (self.crossings(), self.columns.clone());
        for sweep in 0..SWEEPS {
            let mut position = self.positions();
            let count = self.columns.len();
            for step in 1..count {
                let column = if sweep % 2 == 0 { step } else { count - 1 - step };
                let mut wanted: Vec<(f64, usize)> = self.columns[column]
                    .iter()
                    .enumerate()
                    .map(|(at, item)| (self.mean(*item, sweep % 2 == 0, &position).unwrap_or(at as f64), *item))
                    .collect();
                wanted.sort_by(|a, b| a.0.total_cmp(&b.0));
                self.columns[column] = wanted.into_iter().map(|(_, item)| item).collect();
                for (at, item) in self.columns[column].iter().enumerate() {
                    position[*item] = at as f64;
                }
            }
            let crossings = self.crossings();
            if crossings < best.0 {
                best = (crossings, self.columns.clone());
            }
        }
        self.columns = best.1;
        if self.items.len() <= 600 {
            self.swap();
        }
    }

    fn positions(&self) -> Vec<f64> {
        let mut position = vec![0.0; self.items.len()];
        for column in &self.columns {
            for (at, item) in column.iter().enumerate() {
                position[*item] = at as f64;
            }
        }
        position
    }

    /// How far down a hop ends, with the place within a block as a fraction.
    fn key(&self, item: usize, y: f64, position: &[f64]) -> f64 {
        position[item] + if self.items[item].height > 0.0 { 0.9 * y / self.items[item].height } else { 0.45 }
    }

    fn mean(&self, item: usize, left: bool, position: &[f64]) -> Option<f64> {
        let hops = if left { &self.into[item] } else { &self.out[item] };
        let keys = hops.iter().map(|hop| {
            let hop = &self.hops[*hop];
            if left { self.key(hop.from, hop.from_y, position) } else { self.key(hop.to, hop.to_y, position) }
        });
        (!hops.is_empty()).then(|| keys.sum::<f64>() / hops.len() as f64)
    }

    /// How often hops cross.
    fn crossings(&self) -> usize {
        let position = self.positions();
        let mut total = 0;
        for column in &self.columns {
            let mut keys: Vec<(f64, f64)> = column
                .iter()
                .flat_map(|item| &self.out[*item])
                .map(|hop| &self.hops[*hop])
                .map(|hop| (self.key(hop.from, hop.from_y, &position), self.key(hop.to, hop.to_y, &position)))
                .collect();
            keys.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
            total += inversions(keys.into_iter().map(|(_, to)| to).collect()).0;
        }
        total
    }

    /// Swaps neighbours as long as that removes crossings.
    fn swap(&mut self) {
        let mut position = self.positions();
        for _ in 0..SWEEPS {
            let mut better = false;
            for column in 0..self.columns.len() {
                for at in 1..self.columns[column].len() {
                    let (upper, lower) = (self.columns[column][at - 1], self.columns[column][at]);
                    let (now, then) = self.pair(upper, lower, &position);
                    if then < now {
                        self.columns[column].swap(at - 1, at);
                        (position[upper], position[lower]) = (position[lower], position[upper]);
                        better = true;
                    }
                }
            }
            if !better {
                break;
            }
        }
    }

    /// How often the hops of two neighbours cross, and how often they would the other way round.
    fn pair(&self, upper: usize, lower: usize, position: &[f64]) -> (usize, usize) {
        let (mut now, mut then) = (0, 0);
        for left in [true, false] {
            let keys = |item: usize| -> Vec<f64> {
                let hops = if left { &self.into[item] } else { &self.out[item] };
                let key = |hop: &Hop| {
                    if left { self.key(hop.from, hop.from_y, position) } else { self.key(hop.to, hop.to_y, position) }
                };
                hops.iter().map(|hop| key(&self.hops[*hop])).collect()
            };
            let below = keys(lower);
            for a in keys(upper) {
                now += below.iter().filter(|b| **b < a).count();
                then += below.iter().filter(|b| **b > a).count();
            }
        }
        (now, then)
    }

    /// Moves items up and down until hops are nearly level, and never past each other.
    fn straighten(&mut self) {
        self.y = vec![0.0; self.items.len()];
        for column in 0..self.columns.len() {
            let mut top = 0.0;
            let mut above = None;
            for item in &self.columns[column] {
                top += above.map_or(0.0, |above| self.distance(above, *item));
                self.y[*item] = top;
                above = Some(*item);
            }
        }
        for sweep in 0..SWEEPS {
            let both = sweep + 8 >= SWEEPS;
            let rightward = sweep % 2 == 0;
            for step in 0..self.columns.len() {
                let column = if rightward { step } else { self.columns.len() - 1 - step };
                self.settle(column, both || rightward, both || !rightward);
            }
        }
        let top = self.y.iter().copied().fold(f64::INFINITY, f64::min);
        for y in &mut self.y {
            *y = (*y - top).round();
        }
    }

    /// From the top of an item to the top of the one below.
    fn distance(&self, upper: usize, lower: usize) -> f64 {
        let gap = match (self.items[upper].block, self.items[lower].block) {
            (Some(_), Some(_)) => 22.0,
            (None, None) => 9.0,
            _ => 14.0,
        };
        self.items[upper].height + gap
    }

    /// Moves a column's items to where their neighbours want them: isotonic regression by pooling adjacent violators.
    fn settle(&mut self, column: usize, left: bool, right: bool) {
        struct Pool {
            sum: f64,
            weight: f64,
            count: usize,
        }
        let mut pools: Vec<Pool> = Vec::new();
        let mut offset = 0.0;
        let mut above = None;
        for item in &self.columns[column] {
            offset += above.map_or(0.0, |above| self.distance(above, *item));
            above = Some(*item);
            let (mut sum, mut weight) = (0.01 * self.y[*item], 0.01);
            for hop in self.into[*item].iter().filter(|_| left).map(|hop| &self.hops[*hop]) {
                sum += hop.weight * (self.y[hop.from] + hop.from_y - hop.to_y);
                weight += hop.weight;
            }
            for hop in self.out[*item].iter().filter(|_| right).map(|hop| &self.hops[*hop]) {
                sum += hop.weight * (self.y[hop.to] + hop.to_y - hop.from_y);
                weight += hop.weight;
            }
            let mut pool = Pool { sum: sum - offset * weight, weight, count: 1 };
            while let Some(last) = pools.pop_if(|last| last.sum / last.weight >= pool.sum / pool.weight) {
                pool = Pool {
                    sum: pool.sum + last.sum,
                    weight: pool.weight + last.weight,
                    count: pool.count + last.count,
                };
            }
            pools.push(pool);
        }
        let mut tops = pools.iter().flat_map(|pool| std::iter::repeat_n(pool.sum / pool.weight, pool.count));
        let mut offset = 0.0;
        let mut above = None;
        for at in 0..self.columns[column].len() {
            let item = self.columns[column][at];
            offset += above.map_or(0.0, |above| self.distance(above, item));
            above = Some(item);
            self.y[item] = tops.next().unwrap_or_default() + offset;
        }
    }

    fn draw(&mut self, others: &[usize]) -> Placed {
        self.spread();
        let mut busy = vec![0_usize; self.columns.len()];
        for hop in &self.hops {
            busy[self.items[hop.from].column] += 1;
        }
        let (mut lefts, mut widths) = (Vec::new(), Vec::new());
        let mut x = 0.0;
        for (at, column) in self.columns.iter().enumerate() {
            let blocks = column.iter().filter_map(|item| self.items[*item].block);
            let width = blocks.map(|block| self.blocks[block].width).fold(0.0, f64::max);
            lefts.push(x);
            widths.push(width);
            x += width;
            if at + 1 < self.columns.len() {
                x += (GAP + busy[at] as f64).min(WIDEST_GAP);
            }
        }
        let mut placed = Placed { blocks: vec![(0.0, 0.0, 0.0); self.blocks.len()], width: x, ..Placed::default() };
        for (at, item) in self.items.iter().enumerate() {
            placed.height = placed.height.max(self.y[at] + item.height);
            if let Some(block) = item.block {
                placed.blocks[block] = (lefts[item.column], self.y[at], widths[item.column]);
            }
        }
        placed.trunks = self
            .trunks
            .iter()
            .map(|(from, style)| Trunk { from: *from, style: *style, pieces: Vec::new(), ends: Vec::new() })
            .collect();
        for hop in &self.hops {
            let (from, to) = (self.items[hop.from], self.items[hop.to]);
            let right = lefts[from.column] + widths[from.column];
            let begin = (right, self.y[hop.from] + hop.from_y);
            let end = (lefts[to.column], self.y[hop.to] + hop.to_y);
            let trunk = &mut placed.trunks[hop.trunk];
            trunk.pieces.push(Piece::Curve(begin, end));
            if hop.wire.is_some() {
                trunk.ends.push(end);
            } else {
                trunk.pieces.push(Piece::Level(end, lefts[to.column] + widths[to.column]));
            }
        }
        let place = |end: End, right: bool| {
            let (left, top, width) = placed.blocks[end.block];
            (if right { left + width } else { left }, top + end.y)
        };
        for (wire, trunk) in &self.loose {
            let Wire { from, to, .. } = self.wires[*wire];
            let (begin, end) = (place(from, true), place(to, false));
            placed.trunks[*trunk].pieces.push(Piece::Curve(begin, end));
            placed.trunks[*trunk].ends.push(end);
        }
        for Wire { from, to, style, .. } in others.iter().map(|wire| self.wires[*wire]) {
            let piece = if from.block == to.block {
                Piece::Loop(place(from, true), place(to, true))
            } else {
                Piece::Curve(place(from, false), place(to, true))
            };
            placed.trunks.push(Trunk { from, style, pieces: vec![piece], ends: Vec::new() });
        }
        placed
    }

    /// Lets wires that end at one point end beside each other, in the order in which they come.
    fn spread(&mut self) {
        for item in 0..self.items.len() {
            let mut groups: BTreeMap<u64, Vec<usize>> = BTreeMap::new();
            for hop in &self.into[item] {
                if self.hops[*hop].wire.is_some_and(|wire| self.wires[wire].spread > 0.0) {
                    groups.entry(self.hops[*hop].to_y.to_bits()).or_default().push(*hop);
                }
            }
            for mut hops in groups.into_values() {
                let come = |hop: &usize| self.y[self.hops[*hop].from] + self.hops[*hop].from_y;
                hops.sort_by(|a, b| come(a).total_cmp(&come(b)));
                let room = hops.iter().filter_map(|hop| self.hops[*hop].wire).map(|wire| self.wires[wire].spread);
                let room = room.fold(0.0, f64::max);
                let step = if hops.len() > 1 { (room / (hops.len() - 1) as f64).min(7.0) } else { 0.0 };
                let middle = (hops.len() - 1) as f64 / 2.0;
                for (at, hop) in hops.into_iter().enumerate() {
                    // Whole halves of pixels: short numbers in the picture.
                    self.hops[hop].to_y += ((at as f64 - middle) * step * 2.0).round() / 2.0;
                }
            }
        }
    }
}

/// How many pairs stand in the wrong order, and the list in the right one.
fn inversions(mut keys: Vec<f64>) -> (usize, Vec<f64>) {
    if keys.len() < 2 {
        return (0, keys);
    }
    let (right, right_sorted) = inversions(keys.split_off(keys.len() / 2));
    let (left, left_sorted) = inversions(keys);
    let mut merged = Vec::with_capacity(left_sorted.len() + right_sorted.len());
    let mut count = left + right;
    let (mut left, mut right) = (left_sorted.into_iter().peekable(), right_sorted.into_iter().peekable());
    while let (Some(a), Some(b)) = (left.peek(), right.peek()) {
        if a <= b {
            merged.extend(left.next());
        } else {
            count += left.len();
            merged.extend(right.next());
        }
    }
    merged.extend(left);
    merged.extend(right);
    (count, merged)
}

/// Blocks without wires stand in rows below the others.
fn place_alone(blocks: &[Block], wired: &[bool], placed: &mut Placed) {
    let alone: Vec<usize> = (0..blocks.len()).filter(|block| !wired[*block]).collect();
    let area: f64 = alone.iter().map(|block| (blocks[*block].width + 22.0) * (blocks[*block].height + 22.0)).sum();
    let limit = placed.width.max((area * 2.0).sqrt());
    let mut top = if placed.height > 0.0 { placed.height + 36.0 } else { 0.0 };
    let (mut x, mut lowest) = (0.0, top);
    for block in alone {
        let Block { width, height } = blocks[block];
        if x > 0.0 && x + width > limit {
            (x, top) = (0.0, lowest + 22.0);
        }
        placed.blocks[block] = (x, top, width);
        x += width + 22.0;
        lowest = lowest.max(top + height);
        placed.width = placed.width.max(x - 22.0);
        placed.height = placed.height.max(lowest);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn drawing() -> impl Strategy<Value = (Vec<Block>, Vec<Wire>)> {
        let blocks = prop::collection::vec((40_u32..200, 42_u32..300), 1..40);
        let blocks = blocks.prop_map(|sizes| -> Vec<Block> {
            sizes.into_iter().map(|(width, height)| Block { width: width.into(), height: height.into() }).collect()
        });
        blocks.prop_flat_map(|blocks| {
            let end = 0..blocks.len();
            let wires = prop::collection::vec((end.clone(), 0_u32..3, end, 0_usize..2), 0..80);
            let wires = wires.prop_map(|ends| -> Vec<Wire> {
                let end = |block, row: u32| End { block, y: 10.0 + 10.0 * f64::from(row) };
                ends.into_iter()
                    .map(|(from, row, to, style)| Wire { from: end(from, row), to: end(to, 1), spread: 20.0, style })
                    .collect()
            });
            (Just(blocks), wires)
        })
    }

    fn overlap(a: (f64, f64, f64), a_height: f64, b: (f64, f64, f64), b_height: f64) -> bool {
        a.0 < b.0 + b.2 && b.0 < a.0 + a.2 && a.1 < b.1 + b_height && b.1 < a.1 + a_height
    }

    proptest! {
        #[test]
        fn blocks_stand_apart_and_inside((blocks, wires) in drawing()) {
            let placed = layout(&blocks, &wires);
            for (at, block) in blocks.iter().enumerate() {
                let (left, top, width) = placed.blocks[at];
                prop_assert!(width >= block.width);
                prop_assert!(left >= 0.0 && top >= 0.0);
                prop_assert!(left + width <= placed.width && top + block.height <= placed.height);
                for (other, earlier) in blocks.iter().enumerate().take(at) {
                    prop_assert!(!overlap(placed.blocks[at], block.height, placed.blocks[other], earlier.height));
                }
            }
        }

        #[test]
        fn every_wire_is_drawn_once((blocks, wires) in drawing()) {
            let placed = layout(&blocks, &wires);
            let ends: usize = placed.trunks.iter().map(|trunk| trunk.ends.len()).sum();
            let others = placed.trunks.iter().filter(|trunk| trunk.ends.is_empty()).map(|trunk| trunk.pieces.len());
            prop_assert_eq!(ends + others.sum::<usize>(), wires.len());
        }

        #[test]
        fn trunks_pass_between_blocks((blocks, wires) in drawing()) {
            let placed = layout(&blocks, &wires);
            let levels = placed.trunks.iter().flat_map(|trunk| &trunk.pieces).filter_map(|piece| match piece {
                Piece::Level((x, y), to) => Some((*x, *y, *to)),
                Piece::Curve(..) | Piece::Loop(..) => None,
            });
            for (x, y, to) in levels {
                for (block, place) in blocks.iter().zip(&placed.blocks) {
                    prop_assert!(!overlap((x, y, to - x), 0.0, *place, block.height));
                }
            }
        }
    }

    #[test]
    fn inversions_are_counted() {
        assert_eq!(inversions(vec![3.0, 1.0, 2.0, 2.0]), (3, vec![1.0, 2.0, 2.0, 3.0]));
    }

    #[test]
    fn a_long_chain_with_a_hub_has_few_bends() {
        let blocks = vec![Block { width: 100.0, height: 64.0 }; 2_000];
        let end = |block| End { block, y: 20.0 };
        let wire = |from, to| Wire { from: end(from), to: end(to), spread: 0.0, style: 0 };
        let chain = (1..2_000).map(|at| wire(at - 1, at));
        let far = (0..1_999).map(|at| wire(at, 1_999));
        let placed = layout(&blocks, &chain.chain(far).collect::<Vec<_>>());
        let pieces: usize = placed.trunks.iter().map(|trunk| trunk.pieces.len()).sum();
        assert!(pieces < 2 * MAX_BENDS + 4 * blocks.len(), "{pieces}");
    }
}
