//! The objects of a bucket: in memory, or each in a file of its own.

use super::answer::Refusal;
use super::signature::sha256;
use anyhow::{Context, Result};
use axum::body::Bytes;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What is said of an object when it is read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Object {
    pub key: String,
    pub content_type: String,
    pub content_disposition: String,
    pub cache_control: String,
    pub etag: String,
    /// In bytes.
    pub size: usize,
}

/// The objects of one bucket.
#[derive(Debug, Default)]
pub struct Objects {
    /// Without one they are in memory.
    folder: Option<PathBuf>,
    known: Mutex<BTreeMap<String, (Object, Bytes)>>,
}

impl Objects {
    /// Those of an earlier run, and what this one adds.
    pub fn in_folder(folder: &Path) -> Result<Self> {
        let failed = || format!("failed to keep files in {}", folder.display());
        fs::create_dir_all(folder).with_context(failed)?;
        let mut known = BTreeMap::new();
        for entry in fs::read_dir(folder).with_context(failed)? {
            // One that was being written when the run was killed is not there yet.
            if let Some((object, _)) = read(&entry.with_context(failed)?.path()) {
                known.insert(object.key.clone(), (object, Bytes::new()));
            }
        }
        Ok(Self { folder: Some(folder.to_owned()), known: Mutex::new(known) })
    }

    pub async fn put(&self, object: Object, body: Bytes) -> Result<(), Refusal> {
        let Some(path) = self.path(&object.key) else {
            self.known().insert(object.key.clone(), (object, body));
            return Ok(());
        };
        let mut file = serde_json::to_vec(&object).map_err(|error| Refusal::internal(&error.into()))?;
        file.push(b'\n');
        file.extend_from_slice(&body);
        // Whole or not at all, as in S3.
        in_the_background(move || {
            fs::write(path.with_extension("part"), file)?;
            fs::rename(path.with_extension("part"), path)
        })
        .await?;
        self.known().insert(object.key.clone(), (object, Bytes::new()));
        Ok(())
    }

    pub async fn get(&self, key: &str) -> Result<Option<(Object, Bytes)>, Refusal> {
        let Some(known) = self.known().get(key).cloned() else { return Ok(None) };
        let Some(path) = self.path(key) else { return Ok(Some(known)) };
        in_the_background(move || Ok(read(&path))).await
    }

    /// Deletes one, if it is there.
    pub async fn delete(&self, key: &str) -> Result<(), Refusal> {
        if self.known().remove(key).is_none() {
            return Ok(());
        }
        let Some(path) = self.path(key) else { return Ok(()) };
        in_the_background(move || fs::remove_file(path)).await
    }

    /// The keys that begin so, and how large each object is.
    pub fn keys(&self, prefix: &str) -> Vec<(String, usize)> {
        let known = self.known();
        let found = known.range(prefix.to_owned()..).take_while(|(key, _)| key.starts_with(prefix));
        found.map(|(key, (object, _))| (key.clone(), object.size)).collect()
    }

    /// A file whose name says nothing, so that no key can be a path.
    fn path(&self, key: &str) -> Option<PathBuf> {
        Some(self.folder.as_ref()?.join(format!("{}.object", sha256(key.as_bytes()))))
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<String, (Object, Bytes)>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A file: a line that describes the object, and its bytes.
fn read(path: &Path) -> Option<(Object, Bytes)> {
    if path.extension()? != "object" {
        return None;
    }
    let file = fs::read(path).ok()?;
    let end = file.iter().position(|byte| *byte == b'\n')?;
    let object = serde_json::from_slice(&file[..end]).ok()?;
    Some((object, Bytes::from(file).slice(end + 1..)))
}

async fn in_the_background<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, Refusal> {
    let done = tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| Err(io::Error::other(error)));
    done.map_err(|error| Refusal::internal(&error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn files_outlast_a_run_that_has_a_folder() {
        let folder = tempfile::tempdir().expect("a folder");
        let object = |key: &str| Object {
            key: key.into(),
            content_type: "image/png".into(),
            content_disposition: "inline".into(),
            cache_control: String::new(),
            etag: "\"1\"".into(),
            size: 3,
        };
        let first = Objects::in_folder(folder.path()).expect("a bucket");
        for key in ["rooms/a/../../b", "rooms/a/c"] {
            first.put(object(key), Bytes::from_static(b"\n{}")).await.expect("kept");
        }
        first.delete("rooms/a/c").await.expect("deleted");
        first.delete("rooms/a/c").await.expect("as before");
        std::fs::write(folder.path().join("x.part"), "{}").expect("written");
        let second = Objects::in_folder(folder.path()).expect("the same");
        assert_eq!(second.keys("rooms/"), [("rooms/a/../../b".to_owned(), 3)]);
        let found = second.get("rooms/a/../../b").await.expect("an answer").expect("it is there");
        assert_eq!((found.0, &found.1[..]), (object("rooms/a/../../b"), &b"\n{}"[..]));
        assert_eq!(second.get("rooms/a/c").await, Ok(None));
    }
}
