//! The generated sample: its bytes, its invariants, and its statistics beside the published ones of the real data.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::Path;
use std::sync::OnceLock;

use lakegen::sample::{Counts, Error, MOST_USERS, Spec, Stage, foretell, generate};
use sha2::{Digest, Sha256};

const FILES: [&str; 6] = [
    "aisles.csv",
    "departments.csv",
    "order_products__prior.csv",
    "order_products__train.csv",
    "orders.csv",
    "products.csv",
];

struct Order {
    id: u32,
    user: u32,
    set: String,
    number: usize,
    weekday: u32,
    hour: usize,
    gap: Option<u32>,
}

#[derive(Clone, Copy)]
struct Item {
    order: u32,
    product: u32,
    position: usize,
    reordered: bool,
}

struct Sample {
    counts: Counts,
    orders: Vec<Order>,
    prior: Vec<Item>,
    train: Vec<Item>,
    products: Vec<Vec<String>>,
    aisles: Vec<Vec<String>>,
    departments: Vec<Vec<String>>,
}

/// One sample of 4,000 customers for all tests of what is in it.
fn sample() -> &'static Sample {
    static SAMPLE: OnceLock<Sample> = OnceLock::new();
    SAMPLE.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let counts = generate(&Spec { users: 4_000, seed: 2017 }, folder.path(), &mut |_| ()).unwrap();
        Sample {
            counts,
            orders: rows(folder.path(), "orders.csv").into_iter().map(order).collect(),
            prior: rows(folder.path(), "order_products__prior.csv").into_iter().map(item).collect(),
            train: rows(folder.path(), "order_products__train.csv").into_iter().map(item).collect(),
            products: rows(folder.path(), "products.csv"),
            aisles: rows(folder.path(), "aisles.csv"),
            departments: rows(folder.path(), "departments.csv"),
        }
    })
}

impl Sample {
    fn items(&self) -> impl Iterator<Item = &Item> {
        self.prior.iter().chain(&self.train)
    }

    fn orders_by_id(&self) -> HashMap<u32, &Order> {
        self.orders.iter().map(|order| (order.id, order)).collect()
    }
}

fn rows(folder: &Path, file: &str) -> Vec<Vec<String>> {
    let header = match file {
        "orders.csv" => "order_id,user_id,eval_set,order_number,order_dow,order_hour_of_day,days_since_prior_order",
        "products.csv" => "product_id,product_name,aisle_id,department_id",
        "aisles.csv" => "aisle_id,aisle",
        "departments.csv" => "department_id,department",
        "oracle.csv" => "user_id,order_number,product_id,known,probability",
        _ => "order_id,product_id,add_to_cart_order,reordered",
    };
    let text = fs::read_to_string(folder.join(file)).unwrap();
    assert!(!text.contains('\r'), "{file} ends its lines with LF");
    let body = text.strip_prefix(header).and_then(|rest| rest.strip_prefix('\n')).expect(file);
    let rows = records(body);
    assert!(rows.iter().all(|row| row.len() == header.split(',').count()), "{file} has shifted columns");
    rows
}

/// Reads CSV strictly by RFC 4180, to which a backslash is a character like any other.
fn records(text: &str) -> Vec<Vec<String>> {
    let mut records = vec![];
    let mut record = vec![];
    let mut chars = text.chars().peekable();
    while chars.peek().is_some() {
        let mut field = String::new();
        if chars.next_if_eq(&'"').is_some() {
            loop {
                match chars.next().expect("an open quote is closed") {
                    '"' if chars.next_if_eq(&'"').is_some() => field.push('"'),
                    '"' => break,
                    other => field.push(other),
                }
            }
        } else {
            while let Some(other) = chars.next_if(|next| !matches!(next, ',' | '\n')) {
                assert_ne!(other, '"', "a quote inside a bare field");
                field.push(other);
            }
        }
        record.push(field);
        match chars.next().expect("the last line ends with LF") {
            ',' => {}
            '\n' => records.push(std::mem::take(&mut record)),
            other => panic!("`{other}` after a closing quote"),
        }
    }
    records
}

fn order(row: Vec<String>) -> Order {
    assert_eq!(row[5].len(), 2, "hours are padded: {row:?}");
    let gap = (!row[6].is_empty()).then(|| row[6].strip_suffix(".0").expect("gaps are floats").parse().unwrap());
    Order {
        id: row[0].parse().unwrap(),
        user: row[1].parse().unwrap(),
        set: row[2].clone(),
        number: row[3].parse().unwrap(),
        weekday: row[4].parse().unwrap(),
        hour: row[5].parse().unwrap(),
        gap,
    }
}

fn item(row: Vec<String>) -> Item {
    assert!(matches!(row[3].as_str(), "0" | "1"));
    Item {
        order: row[0].parse().unwrap(),
        product: row[1].parse().unwrap(),
        position: row[2].parse().unwrap(),
        reordered: row[3] == "1",
    }
}

fn digests(spec: &Spec) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    generate(spec, folder.path(), &mut |_| ()).unwrap();
    let mut found: Vec<String> =
        fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    found.sort();
    assert_eq!(found, FILES, "six files and nothing else");
    FILES
        .iter()
        .map(|file| {
            Sha256::digest(fs::read(folder.path().join(file)).unwrap()).iter().map(|b| format!("{b:02x}")).collect()
        })
        .collect()
}

#[track_caller]
fn near(what: &str, found: f64, published: f64, tolerance: f64) {
    assert!(
        (found - published).abs() <= tolerance,
        "{what}: {found:.4}, published {published:.4}, tolerance {tolerance:.4}"
    );
}

fn mean(values: impl IntoIterator<Item = f64>) -> f64 {
    let (sum, count) = values.into_iter().fold((0.0, 0.0), |(sum, count), value| (sum + value, count + 1.0));
    sum / count
}

fn share<T>(values: impl IntoIterator<Item = T>, holds: impl Fn(&T) -> bool) -> f64 {
    mean(values.into_iter().map(|value| f64::from(u8::from(holds(&value)))))
}

fn median(mut values: Vec<usize>) -> usize {
    values.sort_unstable();
    values[values.len() / 2]
}

fn tally<K: std::hash::Hash + Eq>(keys: impl IntoIterator<Item = K>) -> HashMap<K, usize> {
    let mut tally = HashMap::new();
    for key in keys {
        *tally.entry(key).or_insert(0) += 1;
    }
    tally
}

#[test]
fn the_same_spec_gives_the_same_bytes() {
    let first = digests(&Spec { users: 300, seed: 7 });
    assert_eq!(first, digests(&Spec { users: 300, seed: 7 }));
    let other = digests(&Spec { users: 300, seed: 8 });
    for (file, (one, two)) in FILES.iter().zip(first.iter().zip(&other)) {
        let of_the_shop = matches!(*file, "products.csv" | "aisles.csv" | "departments.csv");
        assert_eq!(one == two, of_the_shop, "{file}: a seed chooses customers, not products");
    }
}

/// Platforms and versions must agree; whoever changes these bytes raises `GENERATOR_VERSION`.
#[test]
fn the_bytes_are_known() {
    assert_eq!(lakegen::sample::GENERATOR_VERSION, 2);
    let all = digests(&Spec { users: 200, seed: 2017 }).join("\n");
    let digest: String = Sha256::digest(all).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(digest, "82c6553ce760581d24cf44a8d17431a70ae5d843c24d95b076137cac1c532b9a");
}

#[test]
fn the_shop_reads_right() {
    let sample = sample();
    assert_eq!((sample.products.len(), sample.aisles.len(), sample.departments.len()), (49_688, 134, 21));
    for list in [&sample.products, &sample.aisles, &sample.departments] {
        assert!(list.iter().enumerate().all(|(index, row)| row[0] == (index + 1).to_string()));
        let names: HashSet<&String> = list.iter().map(|row| &row[1]).collect();
        assert_eq!(names.len(), list.len(), "names differ");
    }
    let mut departments = HashMap::new();
    for row in &sample.products {
        let (aisle, department): (usize, usize) = (row[2].parse().unwrap(), row[3].parse().unwrap());
        assert!((1..=134).contains(&aisle) && (1..=21).contains(&department));
        assert_eq!(*departments.entry(aisle).or_insert(department), department, "aisle {aisle} has one department");
    }
    assert_eq!(departments.len(), 134);
    let names = || sample.products.iter().map(|row| row[1].as_str());
    assert_eq!(names().filter(|name| name.contains(',')).count(), 3_330);
    assert_eq!(names().filter(|name| name.contains('"')).count(), 120);
    assert!(
        names().filter(|name| name.contains('"')).all(|name| name.matches("\\\"").count() == 2),
        "written as \\\"\""
    );
    assert!(names().all(|name| name.is_ascii() && name == name.trim() && !name.contains("  ")));
}

#[test]
fn orders_keep_the_calendar() {
    let sample = sample();
    assert_eq!(sample.counts.orders as usize, sample.orders.len());
    let mut ids: Vec<u32> = sample.orders.iter().map(|order| order.id).collect();
    assert!(!ids.is_sorted(), "ids are shuffled over customers");
    ids.sort_unstable();
    assert!(ids.iter().zip(1..).all(|(id, expected)| *id == expected));

    let users: Vec<&[Order]> = sample.orders.chunk_by(|a, b| a.user == b.user).collect();
    assert_eq!(users.len(), 4_000);
    for (orders, user) in users.iter().zip(1..) {
        assert!(orders.iter().all(|order| order.user == user), "customers are numbered in order");
        assert!((4..=100).contains(&orders.len()));
        let (last, before) = orders.split_last().unwrap();
        assert!(matches!(last.set.as_str(), "train" | "test"));
        assert!(before.iter().all(|order| order.set == "prior"));
        assert!(orders.iter().zip(1..).all(|(order, number)| order.number == number));
        assert!(orders.iter().all(|order| order.weekday < 7 && order.hour < 24));
        assert_eq!(orders[0].gap, None);
        for pair in orders.windows(2) {
            let gap = pair[1].gap.expect("only the first order has no gap");
            assert!(gap <= 30);
            if gap < 30 {
                assert_eq!((pair[0].weekday + gap) % 7, pair[1].weekday, "order {}", pair[1].id);
            }
        }
        assert!(orders.iter().filter_map(|order| order.gap).sum::<u32>() <= 365);
    }
}

#[test]
fn baskets_keep_their_books() {
    let sample = sample();
    assert_eq!(sample.counts.order_products_prior as usize, sample.prior.len());
    assert_eq!(sample.counts.order_products_train as usize, sample.train.len());
    let orders = sample.orders_by_id();
    let mut baskets: HashMap<u32, &[Item]> = HashMap::new();
    for (set, items) in [("prior", &sample.prior), ("train", &sample.train)] {
        assert!(items.is_sorted_by_key(|item| (item.order, item.position)));
        for basket in items.chunk_by(|a, b| a.order == b.order) {
            assert_eq!(orders[&basket[0].order].set, set);
            assert!(basket.iter().zip(1..).all(|(item, position)| item.position == position));
            assert!(basket.iter().all(|item| (1..=49_688).contains(&item.product)));
            baskets.insert(basket[0].order, basket);
        }
    }
    for user in sample.orders.chunk_by(|a, b| a.user == b.user) {
        let mut bought = HashSet::new();
        for order in user {
            let basket = baskets.get(&order.id).copied().unwrap_or_default();
            assert_eq!(basket.is_empty(), order.set == "test", "order {}", order.id);
            let products: HashSet<u32> = basket.iter().map(|item| item.product).collect();
            assert_eq!(products.len(), basket.len(), "no product twice in order {}", order.id);
            assert!(basket.iter().all(|item| item.reordered == bought.contains(&item.product)), "order {}", order.id);
            bought.extend(products);
        }
    }
}

#[test]
fn customers_order_as_often_as_published() {
    let counts: Vec<usize> = sample().orders.chunk_by(|a, b| a.user == b.user).map(<[Order]>::len).collect();
    near("mean", mean(counts.iter().map(|count| *count as f64)), 16.6, 0.15);
    assert_eq!(median(counts.clone()), 10);
    for (count, published) in
        [(4, 0.117), (5, 0.094), (6, 0.081), (7, 0.067), (8, 0.057), (9, 0.047), (10, 0.047), (100, 0.008)]
    {
        near(&format!("{count} orders"), share(&counts, |found| **found == count), published, 0.001);
    }
    let last = sample().orders.iter().filter(|order| order.set != "prior");
    near("train", share(last, |order| order.set == "train"), 0.636, 0.001);
}

#[test]
fn customers_come_when_published() {
    let orders = &sample().orders;
    for (day, published) in [0.173, 0.169, 0.137, 0.129, 0.125, 0.135, 0.132].into_iter().enumerate() {
        near(&format!("day {day}"), share(orders, |order| order.weekday as usize == day), published, 0.008);
    }
    let hours = [
        0.0061, 0.0034, 0.0020, 0.0016, 0.0018, 0.0028, 0.0092, 0.0267, 0.0520, 0.0764, 0.0848, 0.0838, 0.0811, 0.0821,
        0.0821, 0.0815, 0.0792, 0.0668, 0.0535, 0.0409, 0.0298, 0.0226, 0.0180, 0.0115,
    ];
    for (hour, published) in hours.into_iter().enumerate() {
        let tolerance = 0.002 + 0.05 * published;
        near(&format!("hour {hour}"), share(orders, |order| order.hour == hour), published, tolerance);
    }
    let gaps: Vec<usize> = orders.iter().filter_map(|order| order.gap).map(|gap| gap as usize).collect();
    near("mean gap", mean(gaps.iter().map(|gap| *gap as f64)), 11.1, 0.3);
    assert_eq!(median(gaps.clone()), 7);
    let published = [
        (0, 0, 0.021),
        (1, 1, 0.045),
        (2, 2, 0.063),
        (3, 4, 0.069),
        (5, 5, 0.066),
        (6, 6, 0.074),
        (7, 7, 0.100),
        (8, 8, 0.055),
        (9, 9, 0.037),
        (10, 10, 0.030),
        (11, 13, 0.025),
        (14, 14, 0.031),
        (15, 15, 0.021),
        (16, 20, 0.012),
        (21, 21, 0.015),
        (22, 27, 0.007),
        (28, 28, 0.008),
        (29, 29, 0.006),
        (30, 30, 0.114),
    ];
    for (first, last, published) in published {
        let found = share(&gaps, |gap| (first..=last).contains(*gap)) / (last - first + 1) as f64;
        near(&format!("gaps {first} to {last}"), found, published, 0.001 + 0.07 * published);
    }
}

#[test]
fn baskets_are_as_large_as_published() {
    let sizes =
        |items: &[Item]| -> Vec<usize> { items.chunk_by(|a, b| a.order == b.order).map(<[Item]>::len).collect() };
    let mut prior = sizes(&sample().prior);
    near("mean of prior", mean(prior.iter().map(|size| *size as f64)), 10.1, 0.35);
    near("mean of train", mean(sizes(&sample().train).into_iter().map(|size| size as f64)), 10.6, 0.5);
    near("one item", share(&prior, |size| **size == 1), 0.045, 0.008);
    near("median", median(prior.clone()) as f64, 9.0, 1.0);
    prior.sort_unstable();
    near("ninth decile", prior[prior.len() * 9 / 10] as f64, 20.0, 1.0);
}

#[test]
fn customers_come_back_to_products_as_published() {
    let sample = sample();
    let orders = sample.orders_by_id();
    let reordered =
        |holds: &dyn Fn(&Item) -> bool| share(sample.items().filter(|item| holds(item)), |item| item.reordered);
    near("prior", share(&sample.prior, |item| item.reordered), 0.59, 0.02);
    near("train", share(&sample.train, |item| item.reordered), 0.60, 0.03);
    for (number, published) in [(1, 0.0), (2, 0.25), (3, 0.39), (4, 0.47), (5, 0.51), (6, 0.53), (8, 0.62), (10, 0.67)]
    {
        let found = reordered(&|item| orders[&item.order].number == number);
        near(&format!("order {number}"), found, published, 0.03);
    }
    near("orders from 20", reordered(&|item| orders[&item.order].number >= 20), 0.78, 0.03);
    for (position, published) in [(1, 0.65), (5, 0.62), (10, 0.53)] {
        near(&format!("position {position}"), reordered(&|item| item.position == position), published, 0.05);
    }
    near("positions from 20", reordered(&|item| item.position >= 20), 0.42, 0.05);

    let pairs = tally(sample.prior.iter().map(|item| (orders[&item.order].user, item.product)));
    near("pairs bought once", share(pairs.values(), |count| **count == 1), 0.605, 0.03);
    let distinct: Vec<usize> = tally(pairs.keys().map(|(user, _)| user)).into_values().collect();
    near("mean distinct products", mean(distinct.iter().map(|count| *count as f64)), 63.5, 4.0);
    near("median distinct products", median(distinct) as f64, 48.0, 4.0);
}

#[test]
fn products_sell_as_published() {
    let sample = sample();
    let total = sample.items().count() as f64;
    let sold = tally(sample.items().map(|item| item.product));
    let mut ranked: Vec<usize> = sold.values().copied().collect();
    ranked.sort_unstable_by(|a, b| b.cmp(a));
    for (top, published, tolerance) in [(1, 0.015, 0.004), (10, 0.072, 0.015), (100, 0.23, 0.025), (1000, 0.54, 0.03)] {
        let found = ranked[..top].iter().sum::<usize>() as f64 / total;
        near(&format!("top {top}"), found, published, tolerance);
    }
    let best = sold.iter().max_by_key(|(_, count)| **count).map(|(product, _)| *product as usize).unwrap();
    assert!(sample.products[best - 1][1].contains("Banana"), "{:?}", sample.products[best - 1]);

    let by_department = tally(sample.items().map(|item| sample.products[item.product as usize - 1][3].clone()));
    let published = [
        ("produce", 0.295),
        ("dairy eggs", 0.157),
        ("snacks", 0.086),
        ("beverages", 0.082),
        ("frozen", 0.073),
        ("pantry", 0.059),
        ("bakery", 0.035),
        ("canned goods", 0.034),
        ("deli", 0.032),
        ("dry goods pasta", 0.028),
    ];
    for (name, published) in published {
        let id = &sample.departments.iter().find(|row| row[1] == name).unwrap()[0];
        near(name, by_department[id] as f64 / total, published, 0.003 + 0.05 * published);
    }
}

/// The difficulty of the tasks: what one needs to know about a customer to foresee the next basket.
#[test]
fn what_was_bought_foretells_what_will_be() {
    let sample = sample();
    let orders = sample.orders_by_id();
    let mut target: HashMap<u32, HashSet<u32>> = HashMap::new();
    for item in &sample.train {
        target.entry(orders[&item.order].user).or_default().insert(item.product);
    }
    let last: HashMap<u32, usize> = sample.orders.iter().map(|order| (order.user, order.number)).collect();
    let popular = tally(sample.prior.iter().map(|item| item.product));
    let mut best: Vec<u32> = popular.keys().copied().collect();
    best.sort_unstable_by_key(|product| (std::cmp::Reverse(popular[product]), *product));

    let mut bought: HashMap<u32, HashMap<u32, (f64, f64)>> = HashMap::new();
    for item in &sample.prior {
        let order = orders[&item.order];
        let known = bought.entry(order.user).or_default().entry(item.product).or_insert((0.0, 0.0));
        let ago = (last[&order.user] - order.number) as i32;
        *known = (known.0 + 1.0, known.1 + 0.85_f64.powi(ago));
    }
    let ranking = |user: &u32, value: &dyn Fn(&(f64, f64)) -> f64| -> Vec<u32> {
        let mut products: Vec<(&u32, &(f64, f64))> = bought[user].iter().collect();
        products
            .sort_by(|a, b| value(b.1).total_cmp(&value(a.1)).then(popular[b.0].cmp(&popular[a.0])).then(a.0.cmp(b.0)));
        products.into_iter().map(|(product, _)| *product).take(10).collect()
    };
    let scores = |rank: &dyn Fn(&u32) -> Vec<u32>| -> (f64, f64) {
        let each: Vec<(f64, f64)> = target.iter().map(|(user, basket)| score(&rank(user), basket)).collect();
        (mean(each.iter().map(|score| score.0)), mean(each.iter().map(|score| score.1)))
    };
    let (popularity, popularity_recall) = scores(&|_| best[..10].to_vec());
    let (frequency, frequency_recall) = scores(&|user| ranking(user, &|known| known.0));
    let (recency, _) = scores(&|user| ranking(user, &|known| known.1));
    near("popularity nDCG@10", popularity, 0.099, 0.02);
    near("popularity Recall@10", popularity_recall, 0.071, 0.015);
    near("most frequent nDCG@10", frequency, 0.397, 0.025);
    near("most frequent Recall@10", frequency_recall, 0.330, 0.025);
    assert!(recency > frequency + 0.01, "favourites fade: {recency:.4} with recency, {frequency:.4} without");

    // Each customer is offered the best sellers not bought so far.
    let explored: Vec<(Vec<u32>, HashSet<u32>)> = target
        .iter()
        .map(|(user, basket)| {
            let new: HashSet<u32> = basket.iter().filter(|p| !bought[user].contains_key(p)).copied().collect();
            (best.iter().filter(|product| !bought[user].contains_key(product)).take(10).copied().collect(), new)
        })
        .filter(|(_, new): &(Vec<u32>, HashSet<u32>)| !new.is_empty())
        .collect();
    let found = mean(explored.iter().map(|(ranked, new)| score(ranked, new).1));
    near("first-time popularity Recall@10", found, 0.041, 0.015);
}

/// nDCG@10 and Recall@10.
fn score(ranked: &[u32], target: &HashSet<u32>) -> (f64, f64) {
    let discount = |place: usize| 1.0 / ((place + 2) as f64).log2();
    let hits = || ranked.iter().enumerate().filter(|(_, product)| target.contains(product));
    let ideal: f64 = (0..target.len().min(10)).map(discount).sum();
    (hits().map(|(place, _)| discount(place)).sum::<f64>() / ideal, hits().count() as f64 / target.len() as f64)
}

#[test]
fn small_samples_work_and_large_ones_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    for users in [1, 200] {
        let mut steps = vec![];
        let counts = generate(&Spec { users, seed: 1 }, folder.path(), &mut |step| steps.push(step)).unwrap();
        assert_eq!(rows(folder.path(), "orders.csv").len() as u64, counts.orders);
        assert_eq!(rows(folder.path(), "order_products__prior.csv").len() as u64, counts.order_products_prior);
        assert_eq!(rows(folder.path(), "order_products__train.csv").len() as u64, counts.order_products_train);
        let end = |stage| steps.iter().rfind(|step| step.stage == stage).map(|step| (step.done, step.total));
        assert_eq!(end(Stage::Customers), Some((u64::from(users), u64::from(users))));
        assert_eq!(end(Stage::Baskets), Some((counts.orders, counts.orders)));
    }
    for users in [0, MOST_USERS + 1] {
        let out = folder.path().join("refused");
        let error = generate(&Spec { users, seed: 1 }, &out, &mut |_| ()).unwrap_err();
        assert!(matches!(error, Error::Users { users: named } if named == users));
        assert!(!out.exists());
    }
}

#[test]
fn a_file_in_the_way_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let occupied = folder.path().join("occupied");
    fs::write(&occupied, "").unwrap();
    let error = generate(&Spec { users: 200, seed: 1 }, &occupied, &mut |_| ()).unwrap_err();
    assert!(error.to_string().contains("occupied"), "{error}");

    fs::create_dir(folder.path().join("products.csv")).unwrap();
    let error = generate(&Spec { users: 200, seed: 1 }, folder.path(), &mut |_| ()).unwrap_err();
    assert!(matches!(&error, Error::Write { path, .. } if path.ends_with("products.csv")), "{error:?}");
    let left: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(left.iter().all(|name| !name.to_string_lossy().ends_with(".part")), "{left:?}");
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_is_named_and_nothing_is_left() {
    let folder = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink("/dev/full", folder.path().join(".order_products__prior.csv.part")).unwrap();
    let error = generate(&Spec { users: 200, seed: 1 }, folder.path(), &mut |_| ()).unwrap_err();
    let Error::Write { path, source } = error else { panic!("{error:?}") };
    assert!(path.ends_with("order_products__prior.csv"));
    assert_eq!(source.kind(), std::io::ErrorKind::StorageFull);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

/// What the generator would foretell of each customer's last order comes true as often as it says.
#[test]
fn the_oracle_knows_what_comes_true() {
    let folder = tempfile::tempdir().unwrap();
    let spec = Spec { users: 120, seed: 7 };
    generate(&spec, folder.path(), &mut |_| ()).unwrap();
    foretell(&spec, folder.path(), &mut |_| ()).unwrap();
    let orders: Vec<Order> = rows(folder.path(), "orders.csv").into_iter().map(order).collect();
    let last: HashMap<u32, u32> = orders.iter().filter(|o| o.set == "train").map(|o| (o.user, o.id)).collect();
    let bought: HashSet<(u32, u32)> = rows(folder.path(), "order_products__train.csv")
        .into_iter()
        .map(item)
        .map(|item| (item.order, item.product))
        .collect();
    // By "bought before", and by tenths of the chance: how much was foretold, its variance, and how much came true.
    let mut sums: HashMap<(bool, u32), (f64, f64, f64)> = HashMap::new();
    let mut users = HashSet::new();
    for row in rows(folder.path(), "oracle.csv") {
        let number = |at: usize| row[at].parse::<u32>().unwrap();
        let (user, product, known, chance) = (number(0), number(2), number(3) == 1, row[4].parse::<f64>().unwrap());
        users.insert(user);
        assert!((0.0..=1.0).contains(&chance), "{row:?}");
        let Some(order) = last.get(&user) else { continue };
        let sum = sums.entry((known, (chance * 10.0) as u32)).or_default();
        sum.0 += chance;
        sum.1 += chance * (1.0 - chance);
        sum.2 += f64::from(u8::from(bought.contains(&(*order, product))));
    }
    assert_eq!(users.len(), 120);
    for ((known, tenth), (foretold, variance, came_true)) in sums {
        // New ones are foretold for a basket as it is expected, which is a little less exact.
        let slack = if known { 0.0 } else { 0.3 * foretold };
        let limit = 4.0 * variance.sqrt() + slack + 2.0;
        assert!((foretold - came_true).abs() < limit, "{known} {tenth}: {foretold} foretold, {came_true} came true");
    }
}
