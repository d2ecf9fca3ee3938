//! A generated grocery data set with the shapes, statistics and habits of Instacart's of 2017, which may not be shipped.
//!
//! The same [`Spec`] gives the same bytes on every platform and any number of cores.
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

mod aisles;
mod basket;
mod calendar;
mod catalogue;
mod customer;
mod history;
mod names;
mod output;
mod parallel;
mod random;
mod shop;
mod taste;

use history::{Block, Plan};
use output::Output;
use shop::Shop;

/// Changes whenever the same [`Spec`] gives other bytes; part of every key under which samples are kept.
pub const GENERATOR_VERSION: u32 = 2;

/// Customers of the whole data set.
pub const MOST_USERS: u32 = 206_209;

/// Order ids rendered at a time.
const STRIDE: usize = 4096;

/// Which sample to generate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Spec {
    /// Number of customers, 1 to [`MOST_USERS`]; statistics are close to the real ones from about 2,000.
    pub users: u32,
    /// Chooses the customers; the shop and its products are always the same.
    pub seed: u64,
}

/// How far a generation has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// What is being done.
    pub stage: Stage,
    /// Customers or orders done.
    pub done: u64,
    /// Customers or orders in all.
    pub total: u64,
}

/// The passes of a generation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Customers go shopping; `orders.csv` is written.
    Customers,
    /// Their baskets are written, by order id.
    Baskets,
    /// What could be known of their last baskets is reckoned.
    Oracle,
}

/// Rows per file, without headers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Counts {
    /// Rows of `orders.csv`.
    pub orders: u64,
    /// Rows of `order_products__prior.csv`.
    pub order_products_prior: u64,
    /// Rows of `order_products__train.csv`.
    pub order_products_train: u64,
    /// Rows of `products.csv`.
    pub products: u64,
    /// Rows of `aisles.csv`.
    pub aisles: u64,
    /// Rows of `departments.csv`.
    pub departments: u64,
}

/// Why a sample was not generated.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The number of users is 0 or above [`MOST_USERS`].
    #[error("cannot generate {users} users: a sample has 1 to {MOST_USERS}")]
    Users {
        /// The number asked for.
        users: u32,
    },
    /// A folder or file could not be written, say for want of space or permission.
    #[error("cannot write `{}`", path.display())]
    Write {
        /// The folder or file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Writes the six CSV files into the folder `out`, which is made if need be; files of those names are replaced.
///
/// No file appears under its name before all are complete. `progress` is called under a thousand times per pass,
/// on the calling thread.
///
/// # Errors
/// [`Error::Users`] before anything is written; [`Error::Write`] with the path that the system refused.
pub fn generate(spec: &Spec, out: &Path, progress: &mut dyn FnMut(Progress)) -> Result<Counts, Error> {
    if spec.users == 0 || spec.users > MOST_USERS {
        return Err(Error::Users { users: spec.users });
    }
    fs::create_dir_all(out).map_err(|source| Error::Write { path: out.to_owned(), source })?;
    let shop = Shop::new();
    let plan = Plan::new(spec);

    let mut orders = Output::create(out, "orders.csv", output::ORDERS)?;
    let blocks = customers(&plan, &shop, &mut orders, progress)?;
    let mut prior = Output::create(out, "order_products__prior.csv", output::ORDER_PRODUCTS)?;
    let mut train = Output::create(out, "order_products__train.csv", output::ORDER_PRODUCTS)?;
    let (order_products_prior, order_products_train) = baskets(&plan, &blocks, &mut prior, &mut train, progress)?;

    let texts = output::shop(&shop.catalogue);
    let mut files = vec![orders, prior, train];
    let lists = [
        ("products.csv", "product_id,product_name,aisle_id,department_id\n"),
        ("aisles.csv", "aisle_id,aisle\n"),
        ("departments.csv", "department_id,department\n"),
    ];
    for ((name, header), text) in lists.into_iter().zip(texts) {
        let mut file = Output::create(out, name, header)?;
        file.write(text.as_bytes())?;
        files.push(file);
    }
    files.into_iter().try_for_each(Output::finish)?;
    Ok(Counts {
        orders: plan.orders() as u64,
        order_products_prior,
        order_products_train,
        products: shop.catalogue.products.len() as u64,
        aisles: shop.catalogue.aisles.len() as u64,
        departments: shop.catalogue.departments.len() as u64,
    })
}

/// Writes `oracle.csv` into the folder `out`: for the last order of each customer whose products are known, the chances of products as
/// only the generator knows them, of all that the customer had bought and of the hundred likeliest others. A model is as good as it
/// can be when it ranks like that.
///
/// # Errors
/// As for [`generate`].
pub fn foretell(spec: &Spec, out: &Path, progress: &mut dyn FnMut(Progress)) -> Result<(), Error> {
    if spec.users == 0 || spec.users > MOST_USERS {
        return Err(Error::Users { users: spec.users });
    }
    fs::create_dir_all(out).map_err(|source| Error::Write { path: out.to_owned(), source })?;
    let shop = Shop::new();
    let plan = Plan::new(spec);
    let foresight = customer::Foresight::new(&shop);
    let mut file = Output::create(out, "oracle.csv", output::ORACLE)?;
    let total = u64::from(spec.users);
    parallel::ordered(
        plan.blocks(),
        |block| plan.foretell(&shop, &foresight, block),
        |index, lines| {
            progress(Progress { stage: Stage::Oracle, done: plan.users_through(index) as u64, total });
            file.write(&lines)
        },
    )?;
    file.finish()
}

fn customers(
    plan: &Plan,
    shop: &Shop,
    orders: &mut Output,
    progress: &mut dyn FnMut(Progress),
) -> Result<Vec<Block>, Error> {
    let mut blocks = Vec::with_capacity(plan.blocks());
    let total = plan.users_through(plan.blocks()) as u64;
    parallel::ordered(
        plan.blocks(),
        |block| plan.generate(shop, block),
        |index, (block, lines)| {
            blocks.push(block);
            orders.write(&lines)?;
            progress(Progress { stage: Stage::Customers, done: plan.users_through(index) as u64, total });
            Ok(())
        },
    )?;
    Ok(blocks)
}

fn baskets(
    plan: &Plan,
    blocks: &[Block],
    prior: &mut Output,
    train: &mut Output,
    progress: &mut dyn FnMut(Progress),
) -> Result<(u64, u64), Error> {
    let slots = plan.slots_by_id();
    let strides: Vec<&[u32]> = slots.chunks(STRIDE).collect();
    let (mut prior_rows, mut train_rows) = (0, 0);
    parallel::ordered(
        strides.len(),
        |stride| history::lines(blocks, (stride * STRIDE) as u32 + 1, strides[stride]),
        |index, lines| {
            prior.write(&lines.prior)?;
            train.write(&lines.train)?;
            prior_rows += lines.prior_rows;
            train_rows += lines.train_rows;
            let done = ((index + 1) * STRIDE).min(slots.len()) as u64;
            progress(Progress { stage: Stage::Baskets, done, total: slots.len() as u64 });
            Ok(())
        },
    )?;
    Ok((prior_rows, train_rows))
}
