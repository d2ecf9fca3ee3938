//! Any bytes as the SQL of a query in a sound blueprint.

#![no_main]

const LAKE: &str = r#"name: shop
environments: { dev: { region: eu-west-1 } }
zones: { raw: }
tables:
  sales: { zone: raw, format: parquet, columns: { id: int, price: "decimal(10,2)", at: timestamp, tags: "array<string>", who: string } }
  customers: { zone: raw, format: parquet, columns: { id: int, name: string } }
  totals: { zone: raw, format: parquet, columns: { id: int, total: "decimal(38,2)" } }
crawlers: { raw: { reads: [sales, customers] } }
queries:
  totals:
    writes: totals
    sql: |
"#;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Ok(sql) = std::str::from_utf8(bytes) {
        let lines = sql.lines().map(|line| format!("      {line}\n"));
        lakegen_fuzz::hold(&format!("{LAKE}{}", lines.collect::<String>()));
    }
});
