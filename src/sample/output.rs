//! The CSV files: their bytes, and their way onto the disk.
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::Error;
use super::basket::Item;
use super::calendar::Visit;
use super::catalogue::Catalogue;

pub(super) const ORDERS: &str =
    "order_id,user_id,eval_set,order_number,order_dow,order_hour_of_day,days_since_prior_order\n";
pub(super) const ORDER_PRODUCTS: &str = "order_id,product_id,add_to_cart_order,reordered\n";

pub(super) const ORACLE: &str = "user_id,order_number,product_id,known,probability\n";

/// A file that gets its name only when it is complete, and leaves nothing behind otherwise.
pub(super) struct Output {
    path: PathBuf,
    partial: PathBuf,
    file: File,
}

impl Output {
    pub fn create(folder: &Path, name: &str, header: &str) -> Result<Self, Error> {
        let path = folder.join(name);
        let partial = folder.join(format!(".{name}.part"));
        let file = File::create(&partial).map_err(|source| Error::Write { path: partial.clone(), source })?;
        let mut output = Output { path, partial, file };
        output.write(header.as_bytes())?;
        Ok(output)
    }

    pub fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.file.write_all(bytes).map_err(|source| self.error(source))
    }

    pub fn finish(self) -> Result<(), Error> {
        fs::rename(&self.partial, &self.path).map_err(|source| self.error(source))
    }

    fn error(&self, source: io::Error) -> Error {
        Error::Write { path: self.path.clone(), source }
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        // After a successful rename there is nothing to remove; after a failure, the failure is what is reported.
        let _ = fs::remove_file(&self.partial);
    }
}

/// The line of `orders.csv` for the `number`th order of `user`.
pub(super) fn order(line: &mut Vec<u8>, id: u32, user: u32, set: &str, number: usize, visit: &Visit) {
    decimal(line, id);
    line.push(b',');
    decimal(line, user);
    line.push(b',');
    line.extend_from_slice(set.as_bytes());
    line.push(b',');
    decimal(line, number as u32);
    line.extend_from_slice(&[b',', b'0' + visit.weekday, b',', b'0' + visit.hour / 10, b'0' + visit.hour % 10, b',']);
    if let Some(gap) = visit.gap {
        decimal(line, u32::from(gap));
        line.extend_from_slice(b".0");
    }
    line.push(b'\n');
}

/// The line of `oracle.csv` for a product that may be in the `number`th order of `user`.
pub(super) fn foretold(line: &mut Vec<u8>, user: u32, number: usize, product: u16, known: bool, chance: f64) {
    for number in [user, number as u32, u32::from(product) + 1] {
        decimal(line, number);
        line.push(b',');
    }
    line.push(if known { b'1' } else { b'0' });
    line.extend_from_slice(format!(",{chance:.6}\n").as_bytes());
}

/// The lines of `order_products__*.csv` for one order.
pub(super) fn order_products(lines: &mut Vec<u8>, id: u32, items: impl Iterator<Item = Item>) {
    let mut prefix = Vec::with_capacity(8);
    decimal(&mut prefix, id);
    prefix.push(b',');
    for (position, item) in items.enumerate() {
        lines.extend_from_slice(&prefix);
        decimal(lines, u32::from(item.product) + 1);
        lines.push(b',');
        decimal(lines, position as u32 + 1);
        lines.extend_from_slice(if item.reordered { b",1\n" } else { b",0\n" });
    }
}

/// The rows of `products.csv`, `aisles.csv` and `departments.csv`.
pub(super) fn shop(catalogue: &Catalogue) -> [String; 3] {
    let products = catalogue
        .products
        .iter()
        .enumerate()
        .map(|(index, product)| {
            let name = quote(&product.name);
            format!("{},{name},{},{}\n", index + 1, product.aisle + 1, product.department + 1)
        })
        .collect();
    let list =
        |names: &[&str]| names.iter().enumerate().map(|(index, name)| format!("{},{name}\n", index + 1)).collect();
    [products, list(&catalogue.aisles), list(&catalogue.departments)]
}

/// The data set doubles a quotation mark inside quotes, as CSV does, and puts a backslash before it all the same.
fn quote(name: &str) -> String {
    if name.contains([',', '"']) { format!("\"{}\"", name.replace('"', "\\\"\"")) } else { name.to_owned() }
}

fn decimal(bytes: &mut Vec<u8>, mut number: u32) {
    let mut digits = [0u8; 10];
    let mut start = digits.len();
    loop {
        start -= 1;
        digits[start] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    bytes.extend_from_slice(&digits[start..]);
}
