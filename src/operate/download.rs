//! Files of a lake in S3, brought onto this machine.

use std::path::{Path, PathBuf};

use futures_util::{StreamExt, TryStreamExt, stream};
use tokio::io::AsyncWriteExt;

use super::Error;
use crate::deploy::Session;
use crate::deploy::error::{AwsError, told};

/// Objects that are on their way at a time.
const AT_ONCE: usize = 8;

/// Downloads the files of a table below `prefix`, with the folders that they are in, and gives how many bytes they are. As everywhere, names
/// that begin with `_` or `.` do not count.
///
/// # Errors
/// AWS does not answer, or the disk says no.
pub async fn table(session: &Session, bucket: &str, prefix: &str, to: &Path) -> Result<u64, Error> {
    let list = session.s3.list_objects_v2().bucket(bucket).prefix(prefix).expected_bucket_owner(&session.account);
    let mut pages = list.into_paginator().send();
    let mut wanted = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| told("s3:ListBucket", error))?;
        for object in page.contents.unwrap_or_default() {
            let Some(key) = object.key else { continue };
            if let Some(path) = below(&key, prefix) {
                wanted.push((key, to.join(path)));
            }
        }
    }
    let files = wanted.into_iter().map(|(key, path)| async move { object(session, bucket, &key, &path).await });
    stream::iter(files).buffer_unordered(AT_ONCE).try_fold(0, |sum, bytes| async move { Ok(sum + bytes) }).await
}

/// Where an object of a table lies below the table's folder; nothing for what is no data, or would lie elsewhere.
fn below(key: &str, prefix: &str) -> Option<PathBuf> {
    let path = key.strip_prefix(prefix)?;
    let plain = |part: &str| !part.is_empty() && !part.starts_with(['_', '.']) && !part.contains('\\');
    (!path.is_empty() && path.split('/').all(plain)).then(|| PathBuf::from(path))
}

/// Downloads one object and gives its size in bytes.
///
/// # Errors
/// As above.
pub async fn object(session: &Session, bucket: &str, key: &str, to: &Path) -> Result<u64, Error> {
    const OPERATION: &str = "s3:GetObject";
    let call = session.s3.get_object().bucket(bucket).key(key).expected_bucket_owner(&session.account);
    let answer = call.send().await.map_err(|error| told(OPERATION, error))?;
    let failed = |source: std::io::Error| Error::Download { path: to.to_owned(), source };
    if let Some(folder) = to.parent() {
        tokio::fs::create_dir_all(folder).await.map_err(failed)?;
    }
    let mut file = tokio::fs::File::create(to).await.map_err(failed)?;
    let mut body = answer.body;
    let mut bytes = 0;
    while let Some(part) = body.try_next().await.map_err(|error| AwsError::interrupted(OPERATION, &error))? {
        bytes += part.len() as u64;
        file.write_all(&part).await.map_err(failed)?;
    }
    file.flush().await.map_err(failed)?;
    Ok(bytes)
}

/// Bucket and key of an `s3://` address.
#[must_use]
pub fn parts(address: &str) -> Option<(&str, &str)> {
    let (bucket, key) = address.strip_prefix("s3://")?.split_once('/')?;
    (!bucket.is_empty() && !key.is_empty()).then_some((bucket, key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_stay_below_their_table() {
        let path = |key: &str| below(key, "test/").map(|path| path.display().to_string());
        assert_eq!(path("test/part-0.parquet").as_deref(), Some("part-0.parquet"));
        assert_eq!(path("test/day=1/part-0.parquet").as_deref(), Some("day=1/part-0.parquet"));
        for key in ["test/", "test/_SUCCESS", "test/_temporary/0", "test/../x", "test//x", "other/x", "test/.crc"] {
            assert_eq!(path(key), None, "{key}");
        }
    }

    #[test]
    fn an_address_has_two_parts() {
        assert_eq!(parts("s3://models/a/model.tar.gz"), Some(("models", "a/model.tar.gz")));
        for address in ["s3://none", "s3:///a", "https://a/b", "s3://a/"] {
            assert_eq!(parts(address), None, "{address}");
        }
    }
}
