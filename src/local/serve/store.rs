//! A key-value table on disk: DynamoDB's export format, one line per write, and a compact index beside it.
//!
//! `items.jsonl` only grows: a line `{"Item":{…}}` per item written, `{"Keys":{…}}` per item deleted, the last one of a
//! key wins. `items.index` says where each line is, so that opening reads a few bytes per item. It is only a hint: what it
//! does not cover is read from the lines, and a line that a crash cut short is dropped.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use super::attribute::{Attribute, Item, canonical_number};
use crate::local::platform::read_at;

const ITEM: &str = "{\"Item\":";
const KEYS: &str = "{\"Keys\":";
const END: &str = "}\n";

/// The partition key of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// The attribute's name.
    pub name: String,
    /// Its type.
    pub kind: KeyKind,
}

/// The types a key can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKind {
    /// `S`
    String,
    /// `N`
    Number,
    /// `B`
    Binary,
}

impl KeyKind {
    /// DynamoDB's descriptor: `S`, `N` or `B`.
    pub fn descriptor(self) -> &'static str {
        match self {
            Self::String => "S",
            Self::Number => "N",
            Self::Binary => "B",
        }
    }
}

impl Key {
    /// The bytes that identify an item; `None` when the value is of another type, empty, or longer than 2048 bytes.
    pub fn bytes(&self, value: &Attribute) -> Option<Vec<u8>> {
        let bytes = match (self.kind, value) {
            (KeyKind::String, Attribute::S(text)) => text.clone().into_bytes(),
            (KeyKind::Number, Attribute::N(text)) => canonical_number(text).ok()?.into_bytes(),
            (KeyKind::Binary, Attribute::B(text)) => STANDARD.decode(text).ok()?,
            _ => return None,
        };
        (!bytes.is_empty() && bytes.len() <= 2048).then_some(bytes)
    }
}

/// One change to a table.
#[derive(Clone, Debug)]
pub enum Change {
    /// The item replaces what has its key.
    Put(Item),
    /// The item with this key (a map of the key attribute alone) goes.
    Delete(Item),
}

#[derive(Clone, Copy)]
struct Line {
    start: u64,
    length: u32,
}

/// A key-value table in a folder of its own. Shared between threads; one process writes it at a time.
pub struct DynamoStore {
    key: Key,
    items: File,
    writer: Mutex<Writer>,
    lines: RwLock<HashMap<Box<[u8]>, Line>>,
}

struct Writer {
    /// Where the last whole line ends.
    end: u64,
    /// Whether the file may go on behind that.
    torn: bool,
    index: File,
}

/// Where the items of the table in `dir` lie.
pub(super) fn items_file(dir: &Path) -> PathBuf {
    dir.join("items.jsonl")
}

impl DynamoStore {
    /// An empty table in `dir`, which is made if need be and emptied of an earlier table.
    ///
    /// # Errors
    /// When the folder or its files cannot be written.
    pub fn create(dir: &Path, key: Key) -> io::Result<Self> {
        std::fs::create_dir_all(dir)?;
        File::create(items_file(dir))?;
        File::create(dir.join("items.index"))?;
        Self::open(dir, key)
    }

    /// The table in `dir`; an empty one when there is none yet.
    ///
    /// # Errors
    /// When the folder or its files cannot be read and written, or a whole line is not an item of this table.
    pub fn open(dir: &Path, key: Key) -> io::Result<Self> {
        std::fs::create_dir_all(dir)?;
        let options = OpenOptions::new().read(true).append(true).create(true).clone();
        let items = options.open(items_file(dir))?;
        let mut index = options.open(dir.join("items.index"))?;
        let size = items.metadata()?.len();
        let mut lines = HashMap::new();
        let covered = read_index(&mut index, size, &mut lines)?;
        if covered.is_none() {
            index.set_len(0)?;
            lines.clear();
        }
        let mut records = Vec::new();
        let end = scan(&items, covered.unwrap_or(0), &key, |bytes, line, deleted| {
            remember(&mut lines, bytes, line, deleted);
            write_record(&mut records, bytes, line, deleted)
        })?;
        index.write_all(&records)?;
        let writer = Writer { end, torn: end < size, index };
        Ok(Self { key, items, writer: Mutex::new(writer), lines: RwLock::new(lines) })
    }

    /// The table's key.
    pub fn key(&self) -> &Key {
        &self.key
    }

    /// How many items the table has.
    pub fn len(&self) -> usize {
        self.lines.read().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// The keys of all items, as [`Key::bytes`] gives them, sorted.
    pub fn keys(&self) -> Vec<Box<[u8]>> {
        let lines = self.lines.read().unwrap_or_else(PoisonError::into_inner);
        let mut keys: Vec<Box<[u8]>> = lines.keys().cloned().collect();
        keys.sort_unstable();
        keys
    }

    /// Whether the table has no item.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The size of the table's file in bytes, earlier versions of items included.
    pub fn bytes(&self) -> u64 {
        self.lock().end
    }

    /// The item with this key as DynamoDB's JSON, `{"name":{"S":"value"},…}`; `None` when there is none.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn get(&self, key: &[u8]) -> io::Result<Option<Vec<u8>>> {
        let line = self.lines.read().unwrap_or_else(PoisonError::into_inner).get(key).copied();
        let Some(line) = line else { return Ok(None) };
        let head = ITEM.len() as u64;
        let length = (line.length as usize).saturating_sub(ITEM.len() + END.len());
        let mut item = vec![0; length];
        ReadAt { file: &self.items, position: line.start + head }.read_exact(&mut item)?;
        Ok(Some(item))
    }

    /// Writes items, all of them or none.
    ///
    /// # Errors
    /// `InvalidInput` when an item lacks the key or has it in another type; otherwise when the file cannot be written,
    /// in which case the table is as it was.
    pub fn put(&self, writes: &[Change]) -> io::Result<()> {
        let mut buffer = Vec::new();
        let mut pieces = Vec::with_capacity(writes.len());
        for write in writes {
            let (item, head, deleted) = match write {
                Change::Put(item) => (item, ITEM, false),
                Change::Delete(keys) => (keys, KEYS, true),
            };
            let bytes = item.get(&self.key.name).and_then(|value| self.key.bytes(value));
            let bytes = bytes.ok_or_else(|| self.no_key())?;
            let before = buffer.len();
            buffer.extend_from_slice(head.as_bytes());
            serde_json::to_writer(&mut buffer, item)?;
            buffer.extend_from_slice(END.as_bytes());
            pieces.push((bytes, before, buffer.len() - before, deleted));
        }
        let mut writer = self.lock();
        let end = writer.end;
        if writer.torn {
            self.items.set_len(end)?;
        }
        writer.torn = true;
        (&self.items).write_all(&buffer)?;
        writer.torn = false;
        writer.end = end + buffer.len() as u64;
        let mut records = Vec::new();
        let mut lines = self.lines.write().unwrap_or_else(PoisonError::into_inner);
        for (key, before, length, deleted) in pieces {
            let line = Line { start: end + before as u64, length: u32::try_from(length).map_err(io::Error::other)? };
            write_record(&mut records, &key, line, deleted)?;
            remember(&mut lines, &key, line, deleted);
        }
        drop(lines);
        // The items are safe by now: an index that lacks some of them only makes the next `open` slower.
        let _ = writer.index.write_all(&records);
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Writer> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn no_key(&self) -> io::Error {
        let Key { name, kind } = &self.key;
        let message = format!("an item has no key `{name}` of type {}", kind.descriptor());
        io::Error::new(io::ErrorKind::InvalidInput, message)
    }
}

fn remember(lines: &mut HashMap<Box<[u8]>, Line>, key: &[u8], line: Line, deleted: bool) {
    if deleted {
        lines.remove(key);
    } else if let Some(known) = lines.get_mut(key) {
        *known = line;
    } else {
        lines.insert(key.into(), line);
    }
}

/// A record: length of the key (its top bit set when the item was deleted), key, start and length of the line; little endian.
fn write_record(records: &mut Vec<u8>, key: &[u8], line: Line, deleted: bool) -> io::Result<()> {
    let length = u16::try_from(key.len()).map_err(io::Error::other)?;
    records.extend_from_slice(&(length | u16::from(deleted) << 15).to_le_bytes());
    records.extend_from_slice(key);
    records.extend_from_slice(&line.start.to_le_bytes());
    records.extend_from_slice(&line.length.to_le_bytes());
    Ok(())
}

/// Reads the records and gives the position up to which they cover the items without a gap; `None` when they cannot be those of
/// a file of `size` bytes.
fn read_index(index: &mut File, size: u64, lines: &mut HashMap<Box<[u8]>, Line>) -> io::Result<Option<u64>> {
    let mut bytes = Vec::new();
    index.read_to_end(&mut bytes)?;
    lines.reserve(bytes.len() / 32);
    let mut rest = bytes.as_slice();
    let mut covered = 0;
    let mut whole = 0;
    while let Some((record, after)) = read_record(rest) {
        let (key, line, deleted) = record;
        let end = line.start.checked_add(u64::from(line.length));
        let (true, Some(end)) = (line.start == covered, end) else {
            return Ok(None);
        };
        if end > size {
            return Ok(None);
        }
        covered = end;
        remember(lines, key, line, deleted);
        whole += rest.len() - after.len();
        rest = after;
    }
    if whole < bytes.len() {
        index.set_len(whole as u64)?;
    }
    Ok(Some(covered))
}

/// Key, line, and whether the item was deleted.
type Record<'a> = (&'a [u8], Line, bool);

fn read_record(bytes: &[u8]) -> Option<(Record<'_>, &[u8])> {
    let (length, rest) = bytes.split_first_chunk()?;
    let length = u16::from_le_bytes(*length);
    let (key, rest) = rest.split_at_checked(usize::from(length & 0x7fff))?;
    let (start, rest) = rest.split_first_chunk()?;
    let (line, rest) = rest.split_first_chunk()?;
    let line = Line { start: u64::from_le_bytes(*start), length: u32::from_le_bytes(*line) };
    Some(((key, line, length >> 15 == 1), rest))
}

/// Reads the lines from `start` on and gives the end of the last whole one.
fn scan(
    items: &File,
    start: u64,
    key: &Key,
    mut found: impl FnMut(&[u8], Line, bool) -> io::Result<()>,
) -> io::Result<u64> {
    let mut reader = BufReader::with_capacity(1 << 18, ReadAt { file: items, position: start });
    let mut end = start;
    let mut text = Vec::new();
    loop {
        text.clear();
        reader.read_until(b'\n', &mut text)?;
        if text.last() != Some(&b'\n') {
            return Ok(end);
        }
        let wrong = || {
            let message = format!("the line at byte {end} of items.jsonl is no item with the key `{}`", key.name);
            io::Error::new(io::ErrorKind::InvalidData, message)
        };
        let entry: Entry = serde_json::from_slice(&text).map_err(|_| wrong())?;
        let (item, deleted) = match &entry {
            Entry::Item(item) => (item, false),
            Entry::Keys(keys) => (keys, true),
        };
        let bytes = item.get(&key.name).and_then(|value| key.bytes(value)).ok_or_else(wrong)?;
        let line = Line { start: end, length: u32::try_from(text.len()).map_err(io::Error::other)? };
        found(&bytes, line, deleted)?;
        end += text.len() as u64;
    }
}

#[derive(Deserialize)]
enum Entry {
    Item(Item),
    Keys(Item),
}

struct ReadAt<'a> {
    file: &'a File,
    position: u64,
}

impl Read for ReadAt<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = read_at(self.file, buffer, self.position)?;
        self.position += count as u64;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> Key {
        Key { name: "user_id".into(), kind: KeyKind::Number }
    }

    fn item(user: &str, text: &str) -> Item {
        Item::from([("user_id".to_owned(), Attribute::N(user.into())), ("text".to_owned(), Attribute::S(text.into()))])
    }

    fn text(store: &DynamoStore, user: &str) -> Option<String> {
        let bytes = store.get(user.as_bytes()).unwrap()?;
        let item: Item = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(store.key().bytes(&item["user_id"]).unwrap(), user.as_bytes());
        match item.get("text") {
            Some(Attribute::S(text)) => Some(text.clone()),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_last_write_wins_and_survives() {
        let dir = tempfile::tempdir().unwrap();
        let store = DynamoStore::create(dir.path(), key()).unwrap();
        store.put(&[Change::Put(item("1", "one\n\"ä\"")), Change::Put(item("2", "two"))]).unwrap();
        store.put(&[Change::Put(item("2", "zwei")), Change::Put(item("3", "three"))]).unwrap();
        store.put(&[Change::Delete(Item::from([("user_id".to_owned(), Attribute::N("3.0".into()))]))]).unwrap();
        let check = |store: &DynamoStore| {
            assert_eq!(text(store, "1").as_deref(), Some("one\n\"ä\""));
            assert_eq!(text(store, "2").as_deref(), Some("zwei"));
            assert_eq!(text(store, "3"), None);
            assert_eq!(store.len(), 2);
        };
        check(&store);
        drop(store);
        check(&DynamoStore::open(dir.path(), key()).unwrap());
        std::fs::remove_file(dir.path().join("items.index")).unwrap();
        check(&DynamoStore::open(dir.path(), key()).unwrap());
        check(&DynamoStore::open(dir.path(), key()).unwrap());
    }

    #[test]
    fn a_torn_line_and_a_torn_index_are_dropped() {
        let dir = tempfile::tempdir().unwrap();
        let store = DynamoStore::create(dir.path(), key()).unwrap();
        store.put(&[Change::Put(item("1", "one")), Change::Put(item("2", "two"))]).unwrap();
        drop(store);
        let cut = |name: &str, bytes: u64| {
            let file = OpenOptions::new().write(true).open(dir.path().join(name)).unwrap();
            file.set_len(file.metadata().unwrap().len() - bytes).unwrap();
        };
        cut("items.index", 3);
        let store = DynamoStore::open(dir.path(), key()).unwrap();
        assert_eq!((text(&store, "1").as_deref(), text(&store, "2").as_deref()), (Some("one"), Some("two")));
        drop(store);
        cut("items.jsonl", 5);
        let store = DynamoStore::open(dir.path(), key()).unwrap();
        assert_eq!((text(&store, "1").as_deref(), text(&store, "2")), (Some("one"), None));
        store.put(&[Change::Put(item("3", "three"))]).unwrap();
        drop(store);
        let store = DynamoStore::open(dir.path(), key()).unwrap();
        assert_eq!((store.len(), text(&store, "3").as_deref()), (2, Some("three")));
    }

    #[test]
    fn many_threads_write_and_read() {
        let dir = tempfile::tempdir().unwrap();
        let store = DynamoStore::create(dir.path(), key()).unwrap();
        let write = &|thread: u32| {
            for batch in 0..20 {
                let users = (0..25).map(|n| (thread * 500 + batch * 25 + n).to_string());
                let changes: Vec<Change> = users.map(|user| Change::Put(item(&user, &format!("of {user}")))).collect();
                store.put(&changes).unwrap();
                assert!(text(&store, &(thread * 500 + batch * 25).to_string()).is_some());
            }
        };
        std::thread::scope(|scope| (0..8).for_each(|thread| drop(scope.spawn(move || write(thread)))));
        drop(store);
        let store = DynamoStore::open(dir.path(), key()).unwrap();
        assert_eq!(store.len(), 4000);
        (0..4000).for_each(|user| assert_eq!(text(&store, &user.to_string()), Some(format!("of {user}"))));
    }

    #[test]
    fn an_index_of_other_items_is_rebuilt() {
        let dir = tempfile::tempdir().unwrap();
        let store = DynamoStore::create(dir.path(), key()).unwrap();
        store.put(&[Change::Put(item("1", "a longer text")), Change::Put(item("2", "two"))]).unwrap();
        drop(store);
        let other = "{\"Item\":{\"user_id\":{\"N\":\"7\"},\"text\":{\"S\":\"seven\"}}}\n";
        std::fs::write(items_file(dir.path()), other).unwrap();
        let store = DynamoStore::open(dir.path(), key()).unwrap();
        assert_eq!((store.len(), text(&store, "7").as_deref()), (1, Some("seven")));
    }

    #[test]
    fn items_without_the_key_are_refused_and_write_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let store = DynamoStore::create(dir.path(), key()).unwrap();
        let nameless = Item::from([("text".to_owned(), Attribute::S("x".into()))]);
        let error = store.put(&[Change::Put(item("1", "one")), Change::Put(nameless)]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        assert_eq!((store.len(), store.bytes()), (0, 0));
        std::fs::write(items_file(dir.path()), "{\"Item\":{}}\n").unwrap();
        assert!(DynamoStore::open(dir.path(), key()).is_err());
    }
}
