//! A question to Athena: started, watched, its rows paged in.

use std::time::Duration;

use aws_sdk_athena::Client;
use aws_sdk_athena::types::{
    ColumnInfo, QueryExecution, QueryExecutionContext, QueryExecutionState, Row, StatementType,
};
use serde_json::Value;

use super::Error;
use crate::deploy::Session;
use crate::deploy::error::{AwsError, told};
use crate::local::interrupt::Interrupt;
use crate::rows::{Column, Rows};

/// How long to wait before looking for the first time, and at most between two looks.
const FIRST: Duration = Duration::from_millis(200);
const LONGEST: Duration = Duration::from_secs(2);
/// The most rows that Athena sends at once, the header among them.
const PAGE: usize = 1_000;

/// A question.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// The SQL, in Athena's dialect.
    pub sql: &'a str,
    /// The workgroup in which it runs, which says where results go and how much may be scanned.
    pub work_group: &'a str,
    /// The database of tables that are named without one.
    pub database: &'a str,
    /// How many rows are wanted at most.
    pub limit: usize,
}

/// An answer and what it took.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The rows.
    pub rows: Rows,
    /// How many bytes Athena read, which is what it charges for.
    pub scanned: u64,
    /// How long it took in Athena.
    pub took: Duration,
}

/// Asks. Ctrl-C stops the query in Athena too.
///
/// # Errors
/// The query fails, is interrupted, or AWS does not answer.
pub async fn ask(session: &Session, question: Question<'_>, interrupt: &mut Interrupt) -> Result<Answer, Error> {
    let client = Client::new(&session.config);
    let context = QueryExecutionContext::builder().database(question.database).build();
    let started = client
        .start_query_execution()
        .query_string(question.sql)
        .work_group(question.work_group)
        .query_execution_context(context)
        .send()
        .await
        .map_err(|error| told("athena:StartQueryExecution", error));
    let started = started.map_err(refused)?;
    let id = started.query_execution_id.ok_or_else(|| AwsError::malformed("athena:StartQueryExecution"))?;
    let execution = tokio::select! {
        ended = wait(&client, &id) => ended?,
        () = interrupt.received() => {
            // The query ends by itself if this fails; Ctrl-C does not wait for an explanation.
            let stopped = client.stop_query_execution().query_execution_id(&id).send().await.is_ok();
            let what = if stopped { "the query has been stopped" } else { "the query may still run" };
            return Err(Error::Interrupted { what: what.into(), help: None });
        }
    };
    let statistics = execution.statistics.as_ref();
    let scanned = statistics.and_then(|statistics| statistics.data_scanned_in_bytes);
    let took = statistics.and_then(|statistics| statistics.total_execution_time_in_millis);
    // Only what selects has a row of names before its rows. Source: "GetQueryResults" of the Athena API reference.
    let header = execution.statement_type == Some(StatementType::Dml);
    Ok(Answer {
        rows: rows(&client, &id, header, question.limit).await?,
        scanned: scanned.and_then(|bytes| u64::try_from(bytes).ok()).unwrap_or(0),
        took: Duration::from_millis(took.and_then(|took| u64::try_from(took).ok()).unwrap_or(0)),
    })
}

/// Watches the query until it has succeeded.
async fn wait(client: &Client, id: &str) -> Result<QueryExecution, Error> {
    let mut pause = FIRST;
    loop {
        let answer = client.get_query_execution().query_execution_id(id).send().await;
        let answer = answer.map_err(|error| told("athena:GetQueryExecution", error))?;
        let execution = answer.query_execution.ok_or_else(|| AwsError::malformed("athena:GetQueryExecution"))?;
        let status = execution.status.as_ref();
        let reason = || status.and_then(|status| status.state_change_reason.clone()).unwrap_or_default();
        match status.and_then(|status| status.state.clone()) {
            Some(QueryExecutionState::Succeeded) => return Ok(execution),
            Some(QueryExecutionState::Failed) => return Err(failed(reason())),
            Some(QueryExecutionState::Cancelled) => {
                let help = Some("somebody, or the workgroup's limit, stopped it".to_owned());
                let reason = Some(reason()).filter(|reason| !reason.is_empty());
                return Err(Error::Query { reason: reason.unwrap_or_else(|| "it was cancelled".into()), help });
            }
            _ => {}
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 3 / 2).min(LONGEST);
    }
}

/// The first `limit` rows.
async fn rows(client: &Client, id: &str, header: bool, limit: usize) -> Result<Rows, Error> {
    let mut columns: Vec<ColumnInfo> = Vec::new();
    let mut rows: Vec<Vec<Value>> = Vec::new();
    let mut token: Option<String> = None;
    let mut skip = usize::from(header);
    loop {
        // One more than wanted tells whether there are more.
        let wanted = (limit + 1 - rows.len() + skip).min(PAGE);
        let call = client.get_query_results().query_execution_id(id).set_next_token(token);
        let page = call.max_results(i32::try_from(wanted).unwrap_or(i32::MAX)).send().await;
        let page = page.map_err(|error| told("athena:GetQueryResults", error))?;
        let set = page.result_set.ok_or_else(|| AwsError::malformed("athena:GetQueryResults"))?;
        if let Some(infos) = set.result_set_metadata.and_then(|metadata| metadata.column_info) {
            columns = infos;
        }
        let found = set.rows.unwrap_or_default();
        let skipped = skip.min(found.len());
        skip -= skipped;
        rows.extend(found.into_iter().skip(skipped).map(|row| values(row, &columns)));
        token = page.next_token;
        if token.is_none() || rows.len() > limit {
            break;
        }
    }
    let truncated = rows.len() > limit;
    rows.truncate(limit);
    Ok(Rows { columns: columns.into_iter().map(|column| Column { name: column.name }).collect(), rows, truncated })
}

fn values(row: Row, columns: &[ColumnInfo]) -> Vec<Value> {
    let data = row.data.unwrap_or_default().into_iter();
    let types = columns.iter().map(|column| column.r#type.as_str()).chain(std::iter::repeat("varchar"));
    data.zip(types).map(|(datum, ty)| value(datum.var_char_value, ty)).collect()
}

/// What Athena writes as text, as JSON: what is no number or truth value there stays text, as in local answers.
fn value(text: Option<String>, ty: &str) -> Value {
    let Some(text) = text else { return Value::Null };
    let typed = match ty {
        "boolean" => text.parse::<bool>().ok().map(Value::from),
        "tinyint" | "smallint" | "integer" | "int" | "bigint" => text.parse::<i64>().ok().map(Value::from),
        "real" | "float" | "double" => text.parse::<f64>().ok().and_then(serde_json::Number::from_f64).map(Value::from),
        _ => None,
    };
    typed.unwrap_or(Value::String(text))
}

/// Athena refuses what it cannot parse before it runs anything.
fn refused(error: AwsError) -> Error {
    match error.code.as_str() {
        "InvalidRequestException" => failed(error.message),
        _ => error.into(),
    }
}

fn failed(reason: String) -> Error {
    let help = if reason.contains("TABLE_NOT_FOUND") {
        Some("`show tables` lists what there is".to_owned())
    } else if reason.contains("COLUMN_NOT_FOUND") {
        Some("`describe TABLE` lists its columns".to_owned())
    } else if reason.contains("exceeded") && reason.to_lowercase().contains("scanned") {
        Some("the workgroup limits how much one query scans: name partitions and fewer columns".to_owned())
    } else {
        None
    };
    let reason = if reason.is_empty() { "Athena gives no reason".to_owned() } else { reason };
    Error::Query { reason, help }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_have_the_types_that_local_answers_have() {
        let read = |text: &str, ty| value(Some(text.to_owned()), ty);
        assert_eq!(read("9223372036854775807", "bigint"), json!(9_223_372_036_854_775_807_i64));
        assert_eq!(read("1.5", "double"), json!(1.5));
        assert_eq!(read("NaN", "double"), json!("NaN"));
        assert_eq!(read("true", "boolean"), json!(true));
        assert_eq!(read("1.50", "decimal"), json!("1.50"));
        assert_eq!(read("2024-01-01", "date"), json!("2024-01-01"));
        assert_eq!(read("7", "varchar"), json!("7"));
        assert_eq!(value(None, "integer"), Value::Null);
    }
}
