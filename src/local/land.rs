//! Raw tables get their files: found, looked through, and copied into the bucket.
use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use super::csv::{self, Fault, Scanner, Shape};
use super::files::{self, Doing, FileError, Fingerprint, Swap};
use super::ledger::TableRecord;
use crate::diagnostic::nearest;
use crate::text::counted;

/// What the files of a table must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// CSV of this shape.
    Csv(Shape),
    /// One JSON object a line.
    Json,
    /// Apache Parquet.
    Parquet,
    /// Apache ORC.
    Orc,
    /// Apache Avro.
    Avro,
}

impl Content {
    fn noun(&self) -> &'static str {
        match self {
            Self::Csv(_) => "a CSV",
            Self::Json => "a JSON Lines",
            Self::Parquet => "a Parquet",
            Self::Orc => "an ORC",
            Self::Avro => "an Avro",
        }
    }
}

/// A raw table, as far as its files are concerned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawTable {
    /// Its name.
    pub name: String,
    /// The name of its file in a folder of arriving data; a folder named after the table will do as well.
    pub file: String,
    /// What must be in it.
    pub content: Content,
    /// Its folder in the bucket.
    pub place: PathBuf,
}

/// The files of one table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrival {
    /// The table.
    pub table: RawTable,
    /// Where each file is, and its path in the table's folder.
    files: Vec<(PathBuf, PathBuf)>,
}

/// What is wrong with one file or table.
#[derive(Debug)]
pub enum Problem {
    /// There is neither the file nor the folder.
    Missing {
        /// The table.
        table: String,
        /// The file that was looked for.
        file: String,
        /// A file in the folder whose name is close.
        near: Option<String>,
    },
    /// The folder named after the table has no files.
    NoFiles(PathBuf),
    /// It is not a file.
    NotAFile(PathBuf),
    /// A CSV file is not as declared.
    Csv(PathBuf, Fault),
    /// It does not start as files of the declared format do.
    NotTheFormat(PathBuf, &'static str),
    /// It cannot be read, or not be copied.
    File(FileError),
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { table, file, near } => {
                write!(f, "`{file}`, the file of table `{table}`, is missing")?;
                near.iter().try_for_each(|near| write!(f, "; did you mean `{near}`?"))
            }
            Self::NoFiles(path) => write!(f, "`{}` has no files", path.display()),
            Self::NotAFile(path) => write!(f, "`{}` is not a file", path.display()),
            Self::Csv(path, fault) => write!(f, "`{}`: {fault}", path.display()),
            Self::NotTheFormat(path, format) => write!(f, "`{}` is not {format} file", path.display()),
            Self::File(error) => match std::error::Error::source(error) {
                Some(cause) => write!(f, "{error}: {cause}"),
                None => write!(f, "{error}"),
            },
        }
    }
}

impl Problem {
    fn help(&self) -> Option<String> {
        match self {
            Self::Missing { table, .. } => Some(format!(
                "a file of that name, or a folder `{table}/`; the table's `file` says otherwise where files have other names"
            )),
            Self::Csv(_, fault) => Some(fault.help().to_owned()),
            Self::NotTheFormat(..) => Some("the table's `format` says what its files are".to_owned()),
            Self::File(error) => error.help(),
            Self::NoFiles(_) | Self::NotAFile(_) => None,
        }
    }
}

/// The raw data cannot be taken as it is. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum LandError {
    /// The folder is not there, or is not a folder.
    #[error("there is no folder `{}`", .0.display())]
    NoFolder(PathBuf),
    /// Some files are missing, or are not as declared: all of them.
    #[error("{}", describe(dir, problems))]
    Problems {
        /// The folder.
        dir: PathBuf,
        /// In the order of the tables; at least one.
        problems: Vec<Problem>,
    },
    /// The disk said no.
    #[error(transparent)]
    File(#[from] FileError),
    /// The user wanted no more.
    #[error("interrupted")]
    Interrupted,
}

fn describe(dir: &Path, problems: &[Problem]) -> String {
    match problems {
        [one] => one.to_string(),
        many => many.iter().fold(
            format!("{} with the data in `{}`", counted(many.len(), "problem"), dir.display()),
            |text, problem| format!("{text}\n  {problem}"),
        ),
    }
}

impl LandError {
    /// What the user can do about it.
    pub fn help(&self) -> Option<String> {
        match self {
            Self::NoFolder(_) => Some("`--data` takes the folder that the files lie in".to_owned()),
            Self::Problems { problems, .. } => problems.iter().find_map(Problem::help),
            Self::File(error) => error.help(),
            Self::Interrupted => None,
        }
    }
}

/// Finds the files of every table in `dir`.
pub fn find(tables: Vec<RawTable>, dir: &Path) -> Result<Vec<Arrival>, LandError> {
    if !dir.is_dir() {
        return Err(LandError::NoFolder(dir.to_owned()));
    }
    let (mut arrivals, mut problems) = (Vec::new(), Vec::new());
    for table in tables {
        match find_one(&table, dir) {
            Ok(files) => arrivals.push(Arrival { table, files }),
            Err(problem) => problems.push(problem),
        }
    }
    refuse(dir, problems).map(|()| arrivals)
}

fn refuse(dir: &Path, problems: Vec<Problem>) -> Result<(), LandError> {
    if problems.is_empty() { Ok(()) } else { Err(LandError::Problems { dir: dir.to_owned(), problems }) }
}

fn find_one(table: &RawTable, dir: &Path) -> Result<Vec<(PathBuf, PathBuf)>, Problem> {
    let file = dir.join(&table.file);
    if file.exists() {
        return if file.is_file() {
            Ok(vec![(file, PathBuf::from(&table.file))])
        } else {
            Err(Problem::NotAFile(file))
        };
    }
    let folder = dir.join(&table.name);
    if folder.is_dir() {
        let entries = files::data_files(&folder).map_err(Problem::File)?;
        if entries.is_empty() {
            return Err(Problem::NoFiles(folder));
        }
        return Ok(entries.into_iter().map(|entry| (folder.join(&entry.relative), entry.relative)).collect());
    }
    let names = fs::read_dir(dir).doing("list", dir).map_err(Problem::File)?;
    let names: Vec<String> = names.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect();
    let near = nearest(&table.file, names.iter().map(String::as_str)).map(str::to_owned);
    Err(Problem::Missing { table: table.name.clone(), file: table.file.clone(), near })
}

/// What became of a table's files.
#[derive(Debug, Clone, PartialEq)]
pub struct Landed {
    /// The table.
    pub table: String,
    /// What it holds now.
    pub record: TableRecord,
    /// The bucket had the same files already.
    pub unchanged: bool,
    /// Things that are allowed and seldom meant.
    pub notes: Vec<String>,
}

/// A table whose bucket still holds what was copied there from `source`.
fn unchanged(
    table: &RawTable,
    known: &BTreeMap<String, TableRecord>,
    source: &Fingerprint,
) -> Result<Option<Landed>, FileError> {
    let Some(record) = known.get(&table.name).filter(|known| known.source.as_ref() == Some(source)) else {
        return Ok(None);
    };
    let same = record.stamp == files::stamp(&files::data_files(&table.place)?);
    let landed = || Landed { table: table.name.clone(), record: record.clone(), unchanged: true, notes: Vec::new() };
    Ok(same.then(landed))
}

/// All tables, if the bucket of each still holds what was copied there from `origin`.
pub fn all_unchanged(
    tables: &[RawTable],
    known: &BTreeMap<String, TableRecord>,
    origin: &Fingerprint,
) -> Result<Option<Vec<Landed>>, FileError> {
    tables.iter().map(|table| unchanged(table, known, origin)).collect()
}

/// Copies what has changed into the buckets, all of it or nothing. `known` are the tables on record. `origin` says where the
/// files come from when they were made for this only; otherwise their names, sizes and times say so. Runs for as long as
/// reading and writing the files takes; `stop` ends it early.
pub fn land(
    arrivals: &[Arrival],
    dir: &Path,
    known: &BTreeMap<String, TableRecord>,
    origin: Option<&Fingerprint>,
    staging: &Path,
    stop: &AtomicBool,
) -> Result<Vec<Landed>, LandError> {
    let (mut landed, mut swaps, mut problems) = (Vec::new(), Vec::new(), Vec::new());
    for arrival in arrivals {
        let Arrival { table, files } = arrival;
        let source = match origin.cloned().map_or_else(|| source_stamp(files), Ok) {
            Ok(source) => source,
            Err(error) => {
                problems.push(Problem::File(error));
                continue;
            }
        };
        if let Some(same) = unchanged(table, known, &source)? {
            landed.push(same);
            continue;
        }
        let staged = staging.join(&table.name);
        files::empty_dir(&staged)?;
        let (mut rows, mut notes) = (None, Vec::new());
        for (from, relative) in files {
            match copy(from, &staged.join(relative), &table.content, stop)? {
                Ok(Some(read)) => {
                    rows = Some(rows.unwrap_or(0) + read.rows);
                    notes.extend(remarks(relative, read));
                }
                Ok(None) => {}
                Err(problem) => problems.push(problem),
            }
        }
        let entries = files::data_files(&staged)?;
        let record = TableRecord {
            stamp: files::stamp(&entries),
            contents: files::table_contents(&staged, &entries)?,
            bytes: entries.iter().map(|entry| entry.bytes).sum(),
            rows,
            source: Some(source),
        };
        landed.push(Landed { table: table.name.clone(), record, unchanged: false, notes });
        swaps.push(Swap { staged, place: table.place.clone() });
    }
    refuse(dir, problems)?;
    files::swap(&swaps, &staging.join("attic"))?;
    Ok(landed)
}

fn source_stamp(files: &[(PathBuf, PathBuf)]) -> Result<Fingerprint, FileError> {
    let stamps = files.iter().map(|(from, _)| files::file_stamp(from)).collect::<Result<Vec<_>, _>>()?;
    let text: String = stamps.iter().map(|stamp| format!("{stamp}\n")).collect();
    Ok(Fingerprint::of(text.as_bytes()))
}

fn remarks(file: &Path, read: csv::Read) -> Vec<String> {
    let mut notes = Vec::new();
    if read.mark {
        notes.push(format!(
            "`{}` starts with a byte order mark; Athena passes over it, Spark takes it as a part of the first column's name",
            file.display()
        ));
    }
    if read.rows == 0 {
        notes.push(format!("`{}` has a header and no rows", file.display()));
    }
    notes
}

/// The outer error is about the place, the inner one about the file.
fn copy(
    from: &Path,
    to: &Path,
    content: &Content,
    stop: &AtomicBool,
) -> Result<Result<Option<csv::Read>, Problem>, LandError> {
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder).doing("create", folder)?;
    }
    let mut target = File::create(to).doing("write", to)?;
    let source = match File::open(from).and_then(|file| check_format(file, content)) {
        Ok(Some(file)) => file,
        Ok(None) => {
            return Ok(Err(Problem::NotTheFormat(from.to_owned(), content.noun())));
        }
        Err(error) => return Ok(Err(Problem::File(FileError::new("read", from, error)))),
    };
    let mut source = source;
    let mut scanner = match content {
        Content::Csv(shape) => Some(Scanner::new(shape.clone())),
        Content::Json | Content::Parquet | Content::Orc | Content::Avro => None,
    };
    let mut buffer = vec![0; 1 << 18];
    loop {
        if stop.load(Ordering::Relaxed) {
            return Err(LandError::Interrupted);
        }
        let piece = match source.read(&mut buffer) {
            Ok(0) => break,
            Ok(n) => buffer.get(..n).unwrap_or_default(),
            Err(error) => return Ok(Err(Problem::File(FileError::new("read", from, error)))),
        };
        if let Some(Err(fault)) = scanner.as_mut().map(|scanner| scanner.push(piece)) {
            return Ok(Err(Problem::Csv(from.to_owned(), fault)));
        }
        target.write_all(piece).doing("write", to)?;
    }
    match scanner.map(Scanner::finish) {
        Some(Err(fault)) => Ok(Err(Problem::Csv(from.to_owned(), fault))),
        Some(Ok(read)) => Ok(Ok(Some(read))),
        None => Ok(Ok(None)),
    }
}

/// The file again, if it starts (Parquet: and ends) as it must.
fn check_format(mut file: File, content: &Content) -> io::Result<Option<File>> {
    let mut start = [0; 4];
    let fits = match content {
        Content::Csv(_) => true,
        Content::Json => {
            let read = file.read(&mut start)?;
            start.get(..read).unwrap_or_default().trim_ascii_start().first().is_none_or(|byte| *byte == b'{')
        }
        Content::Parquet => {
            let mut end = [0; 4];
            file.metadata()?.len() >= 12 && {
                file.read_exact(&mut start)?;
                file.seek(SeekFrom::End(-4))?;
                file.read_exact(&mut end)?;
                start == *b"PAR1" && end == *b"PAR1"
            }
        }
        Content::Orc => file.read_exact(&mut start).is_ok() && start.starts_with(b"ORC"),
        Content::Avro => file.read_exact(&mut start).is_ok() && start == *b"Obj\x01",
    };
    file.rewind()?;
    Ok(fits.then_some(file))
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Place {
        dir: tempfile::TempDir,
        known: BTreeMap<String, TableRecord>,
    }

    impl Place {
        fn new(files: &[(&str, &str)]) -> Self {
            let place = Self { dir: tempfile::tempdir().unwrap(), known: BTreeMap::new() };
            fs::create_dir(place.at("data")).unwrap();
            files.iter().for_each(|(name, text)| place.write(name, text));
            place
        }

        fn at(&self, name: &str) -> PathBuf {
            self.dir.path().join(name)
        }

        fn write(&self, name: &str, text: &str) {
            let path = self.at("data").join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }

        fn tables(&self) -> Vec<RawTable> {
            let table = |name: &str, file: &str, content: Content| RawTable {
                name: name.to_owned(),
                file: file.to_owned(),
                content,
                place: self.at("bucket").join(name),
            };
            let shape = Shape { columns: vec!["id".to_owned(), "name".to_owned()], delimiter: b',', quote: None };
            vec![table("people", "people.csv", Content::Csv(shape)), table("events", "events.json", Content::Json)]
        }

        fn land(&mut self) -> Result<Vec<Landed>, LandError> {
            let data = self.at("data");
            let arrivals = find(self.tables(), &data)?;
            let landed = land(&arrivals, &data, &self.known, None, &self.at("staging"), &AtomicBool::new(false))?;
            self.known.extend(landed.iter().map(|one| (one.table.clone(), one.record.clone())));
            Ok(landed)
        }
    }

    #[test]
    fn only_what_has_changed_is_copied() {
        let mut place = Place::new(&[("people.csv", "id,name\n1,a\n2,b\n"), ("events/day=1/x.json", "{}\n")]);
        let first = place.land().unwrap();
        assert_eq!(
            first.iter().map(|one| (one.unchanged, one.record.rows)).collect::<Vec<_>>(),
            [(false, Some(2)), (false, None)]
        );
        assert_eq!(fs::read_to_string(place.at("bucket/events/day=1/x.json")).unwrap(), "{}\n");
        assert!(place.land().unwrap().iter().all(|one| one.unchanged));

        place.write("people.csv", "id,name\n1,a\n2,b\n3,c\n");
        let again = place.land().unwrap();
        assert_eq!(again.iter().map(|one| one.unchanged).collect::<Vec<_>>(), [false, true]);
        assert_ne!(again[0].record.contents, first[0].record.contents);

        fs::remove_file(place.at("bucket/people/people.csv")).unwrap();
        assert!(!place.land().unwrap()[0].unchanged, "a file that has gone from the bucket comes back");
        assert_eq!(fs::read_dir(place.at("staging")).unwrap().count(), 0);
    }

    #[test]
    fn every_problem_is_told_at_once_and_nothing_is_touched() {
        let mut place = Place::new(&[("people.csv", "id,name\n1,a\n"), ("events.json", "{}\n")]);
        place.land().unwrap();
        place.write("people.csv", "id,name\n1,a,b\n");
        place.write("events.json", "[1]");
        let error = place.land().unwrap_err().to_string();
        assert!(error.starts_with("2 problems with the data in `"), "{error}");
        assert!(error.contains("people.csv`: line 2 has 3 fields, the header has 2"), "{error}");
        assert!(error.contains("events.json` is not a JSON Lines file"), "{error}");
        assert_eq!(fs::read_to_string(place.at("bucket/people/people.csv")).unwrap(), "id,name\n1,a\n");
    }

    #[test]
    fn missing_files_are_told_with_near_misses() {
        let mut place = Place::new(&[("poeple.csv", "id,name\n")]);
        let error = place.land().unwrap_err();
        assert_eq!(
            error.to_string().lines().skip(1).collect::<Vec<_>>(),
            [
                "  `people.csv`, the file of table `people`, is missing; did you mean `poeple.csv`?",
                "  `events.json`, the file of table `events`, is missing",
            ]
        );
        assert!(error.help().unwrap().contains("people/"));
        fs::remove_dir_all(place.at("data")).unwrap();
        assert!(matches!(place.land(), Err(LandError::NoFolder(_))));
    }

    #[test]
    fn what_is_not_a_file_is_an_error() {
        let mut place = Place::new(&[("people.csv/x", ""), ("events.json", "")]);
        assert!(place.land().unwrap_err().to_string().ends_with("people.csv` is not a file"));
        let mut place = Place::new(&[("people.csv", "")]);
        fs::create_dir(place.at("data/events")).unwrap();
        assert!(place.land().unwrap_err().to_string().ends_with("events` has no files"));
        place.write("events.json", "");
        assert!(
            place.land().unwrap_err().to_string().ends_with("people.csv`: the file is empty: not even a header line")
        );
    }

    #[test]
    fn files_begin_as_their_format_does() {
        let place = Place::new(&[("a.orc", "ORC and so on"), ("a.avro", "Obj\u{1} and so on"), ("short", "OR")]);
        let fits = |name: &str, content: &Content| {
            check_format(File::open(place.at("data").join(name)).unwrap(), content).unwrap().is_some()
        };
        assert!(fits("a.orc", &Content::Orc) && fits("a.avro", &Content::Avro));
        for (name, content) in [("a.avro", Content::Orc), ("short", Content::Orc), ("a.orc", Content::Avro)] {
            assert!(!fits(name, &content), "{name}");
        }
        let problem = Problem::NotTheFormat("a.orc".into(), Content::Avro.noun());
        assert_eq!(problem.to_string(), "`a.orc` is not an Avro file");
    }

    #[test]
    fn a_full_disk_leaves_what_was_there() {
        let mut place = Place::new(&[("people.csv", "id,name\n1,a\n"), ("events.json", "{}\n")]);
        place.land().unwrap();
        place.write("people.csv", "id,name\n2,b\n9,z\n");
        let table = place.tables().remove(0);
        let to = Path::new("/dev/full");
        let Err(error) = copy(&place.at("data/people.csv"), to, &table.content, &AtomicBool::new(false)) else {
            panic!()
        };
        assert!(error.help().unwrap().contains("disk space"), "{error}");
        assert_eq!(fs::read_to_string(place.at("bucket/people/people.csv")).unwrap(), "id,name\n1,a\n");
    }

    #[test]
    fn an_interrupted_landing_changes_nothing() {
        let place = Place::new(&[("people.csv", "id,name\n1,a\n"), ("events.json", "{}\n")]);
        let data = place.at("data");
        let arrivals = find(place.tables(), &data).unwrap();
        let landed = land(&arrivals, &data, &BTreeMap::new(), None, &place.at("staging"), &AtomicBool::new(true));
        assert!(matches!(landed, Err(LandError::Interrupted)));
        assert!(!place.at("bucket").exists());
    }

    #[test]
    fn marks_and_missing_rows_are_remarked() {
        let mut place = Place::new(&[("people.csv", "\u{feff}id,name\n"), ("events.json", "{}\n")]);
        assert_eq!(place.land().unwrap()[0].notes.len(), 2);
    }
}
