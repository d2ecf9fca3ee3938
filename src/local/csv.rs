//! Looks through a CSV file on its way into the lake: its header against the declared columns, and every row for its number of fields.
use std::fmt;

use crate::diagnostic::nearest;
use crate::text::counted;

/// What a file must look like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shape {
    /// The columns in their order.
    pub columns: Vec<String>,
    /// Between two fields.
    pub delimiter: u8,
    /// Around a field; doubled inside of it. A backslash is an ordinary character.
    pub quote: Option<u8>,
}

/// Why a file is not what its table declares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// No bytes at all.
    Empty,
    /// A byte that UTF-8 does not know, in this line.
    NotUtf8 {
        /// From 1.
        line: u64,
    },
    /// The header has other columns.
    Columns {
        /// As in the file.
        found: Vec<String>,
        /// As declared.
        declared: Vec<String>,
    },
    /// A row has too many or too few fields.
    Fields {
        /// The line on which the row starts, from 1.
        line: u64,
        /// Fields of the row.
        found: usize,
        /// Fields of the header.
        expected: usize,
    },
    /// A row is longer than the engines read.
    LongRow {
        /// The line on which it starts, from 1.
        line: u64,
        /// Its length.
        bytes: u64,
    },
    /// A quote that nothing closes.
    OpenQuote {
        /// The line on which it stands, from 1.
        line: u64,
    },
}

/// Half of what DuckDB takes by default: a row beyond that is cut, or lost at the end of a file.
const MAX_ROW_BYTES: u64 = 1 << 20;

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("the file is empty: not even a header line"),
            Self::NotUtf8 { line } => write!(f, "line {line} is not UTF-8"),
            Self::Columns { found, declared } => write_columns(f, found, declared),
            Self::Fields { line, found, expected } => {
                write!(f, "line {line} has {}, the header has {expected}", counted(*found, "field"))
            }
            Self::LongRow { line, bytes } => {
                write!(f, "line {line} has {bytes} bytes, more than the {MAX_ROW_BYTES} that a row may have")
            }
            Self::OpenQuote { line } => write!(f, "the quote that line {line} opens is never closed"),
        }
    }
}

fn write_columns(f: &mut fmt::Formatter<'_>, found: &[String], declared: &[String]) -> fmt::Result {
    let missing: Vec<&String> = declared.iter().filter(|name| !found.contains(name)).collect();
    let mut extra: Vec<&String> = found.iter().filter(|name| !declared.contains(name)).collect();
    if missing.is_empty() && extra.is_empty() {
        let moved = found.iter().zip(declared).enumerate().find(|(_, (found, declared))| found != declared);
        return match moved {
            Some((i, (found, declared))) => {
                write!(
                    f,
                    "the header's columns are in another order: column {} is `{found}`, declared is `{declared}`",
                    i + 1
                )
            }
            None => write!(f, "the header has {}, declared are {}", counted(found.len(), "column"), declared.len()),
        };
    }
    f.write_str("the header ")?;
    let mut separator = "";
    for name in missing {
        match nearest(name, extra.iter().map(|name| name.as_str())).map(str::to_owned) {
            Some(near) => {
                write!(f, "{separator}has `{near}` where `{name}` is declared")?;
                extra.retain(|name| **name != near);
            }
            None => write!(f, "{separator}lacks `{name}`")?,
        }
        separator = ", ";
    }
    for name in extra {
        write!(f, "{separator}has `{name}`, which is not declared")?;
        separator = ", ";
    }
    Ok(())
}

impl Fault {
    /// What the user can do about it.
    pub fn help(&self) -> &'static str {
        match self {
            Self::Empty => "was it copied to the end?",
            Self::NotUtf8 { .. } => "convert it, for example with `iconv -f latin1 -t utf8`",
            Self::Columns { .. } => {
                "Athena and Glue read CSV by position, so declared columns and header must agree, order included"
            }
            Self::Fields { .. } => {
                "a delimiter inside a field must be quoted, and the table must declare the quote: `format: { csv: { quote: '\"' } }`"
            }
            Self::LongRow { .. } => "keep large texts in files of their own, and their paths in the table",
            Self::OpenQuote { .. } => "a quote inside a quoted field is written twice",
        }
    }
}

/// What there is to say about a file that is as declared.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Read {
    /// Rows under the header.
    pub rows: u64,
    /// It starts with a byte order mark.
    pub mark: bool,
}

/// Reads a file in pieces of any size.
#[derive(Debug)]
pub struct Scanner {
    shape: Shape,
    header: Option<Vec<u8>>,
    read: Read,
    line: u64,
    row_line: u64,
    quote_line: u64,
    fields: usize,
    row_bytes: u64,
    place: Place,
    /// The bytes of a character that the last piece ended in.
    torn: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    FieldStart,
    Plain,
    Quoted,
    /// Behind a quote in a quoted field: its end, or the first of two.
    Quote,
}

impl Scanner {
    /// At the start of a file.
    pub fn new(shape: Shape) -> Self {
        Self {
            shape,
            header: Some(Vec::new()),
            read: Read::default(),
            line: 1,
            row_line: 1,
            quote_line: 1,
            fields: 1,
            row_bytes: 0,
            place: Place::FieldStart,
            torn: Vec::new(),
        }
    }

    /// The next piece of the file.
    pub fn push(&mut self, piece: &[u8]) -> Result<(), Fault> {
        self.check_utf8(piece)?;
        piece.iter().try_for_each(|byte| self.byte(*byte))
    }

    /// The end of the file.
    pub fn finish(mut self) -> Result<Read, Fault> {
        if !self.torn.is_empty() {
            return Err(Fault::NotUtf8 { line: self.line });
        }
        if self.place == Place::Quoted {
            return Err(Fault::OpenQuote { line: self.quote_line });
        }
        if self.row_bytes > 0 {
            self.row()?;
        }
        match self.header {
            Some(_) => Err(Fault::Empty),
            None => Ok(self.read),
        }
    }

    fn check_utf8(&mut self, piece: &[u8]) -> Result<(), Fault> {
        let joined;
        let text = if self.torn.is_empty() {
            piece
        } else {
            joined = [self.torn.as_slice(), piece].concat();
            &joined
        };
        let torn = match std::str::from_utf8(text) {
            Ok(_) => Vec::new(),
            Err(error) if error.error_len().is_none() => text.get(error.valid_up_to()..).unwrap_or_default().to_vec(),
            Err(error) => {
                let before = text.get(..error.valid_up_to()).unwrap_or_default();
                let lines = before.iter().filter(|byte| **byte == b'\n').count();
                return Err(Fault::NotUtf8 { line: self.line + lines as u64 });
            }
        };
        self.torn = torn;
        Ok(())
    }

    fn byte(&mut self, byte: u8) -> Result<(), Fault> {
        let quote = self.shape.quote == Some(byte);
        let inside = self.place == Place::Quoted;
        if byte == b'\n' {
            self.line += 1;
            if !inside {
                return self.row();
            }
        }
        if let Some(header) = &mut self.header {
            header.push(byte);
        }
        self.row_bytes += u64::from(byte != b'\r');
        self.place = match (self.place, quote) {
            (Place::Quoted, true) => Place::Quote,
            (Place::Quoted, false) => Place::Quoted,
            (Place::FieldStart, true) => {
                self.quote_line = self.line;
                Place::Quoted
            }
            (Place::Quote, true) => Place::Quoted,
            _ if byte == self.shape.delimiter => {
                self.fields += 1;
                Place::FieldStart
            }
            _ => Place::Plain,
        };
        Ok(())
    }

    fn row(&mut self) -> Result<(), Fault> {
        let expected = self.shape.columns.len();
        if let Some(header) = self.header.take() {
            if self.row_bytes == 0 {
                return Err(Fault::Columns { found: Vec::new(), declared: self.shape.columns.clone() });
            }
            let (mark, found) = self.names(&header);
            self.read.mark = mark;
            if found != self.shape.columns {
                return Err(Fault::Columns { found, declared: self.shape.columns.clone() });
            }
        } else if self.row_bytes > 0 {
            if self.row_bytes > MAX_ROW_BYTES {
                return Err(Fault::LongRow { line: self.row_line, bytes: self.row_bytes });
            }
            if self.fields != expected {
                return Err(Fault::Fields { line: self.row_line, found: self.fields, expected });
            }
            self.read.rows += 1;
        }
        (self.fields, self.row_bytes, self.row_line, self.place) = (1, 0, self.line, Place::FieldStart);
        Ok(())
    }

    /// Whether the file starts with a byte order mark, and the names in its header.
    fn names(&self, header: &[u8]) -> (bool, Vec<String>) {
        let text = String::from_utf8_lossy(header);
        let text = text.strip_suffix('\r').unwrap_or(&text);
        let (mark, text) = text.strip_prefix('\u{feff}').map_or((false, text), |text| (true, text));
        let bare = |name: &str| match self.shape.quote.map(char::from) {
            Some(quote) => {
                name.strip_prefix(quote).and_then(|name| name.strip_suffix(quote)).unwrap_or(name).to_owned()
            }
            None => name.to_owned(),
        };
        (mark, text.split(char::from(self.shape.delimiter)).map(bare).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scan_in(pieces: usize, text: &[u8]) -> Result<Read, Fault> {
        let columns = ["id", "name", "aisle"].map(str::to_owned).to_vec();
        let mut scanner = Scanner::new(Shape { columns, delimiter: b',', quote: Some(b'"') });
        text.chunks(pieces).try_for_each(|piece| scanner.push(piece))?;
        scanner.finish()
    }

    /// The same answer, however the file is cut into pieces.
    fn scan(text: &[u8]) -> Result<Read, Fault> {
        let whole = scan_in(text.len().max(1), text);
        for pieces in 1..5 {
            assert_eq!(scan_in(pieces, text), whole);
        }
        whole
    }

    fn message(text: &[u8]) -> String {
        scan(text).unwrap_err().to_string()
    }

    #[test]
    fn good_files_are_counted() {
        let rows = |text: &str| scan(text.as_bytes()).unwrap().rows;
        assert_eq!(rows("id,name,aisle\n1,a,2\n2,b,3\n"), 2);
        assert_eq!(rows("id,name,aisle\r\n1,a,2\r\n\r\n2,b,3"), 2);
        assert_eq!(rows("id,\"name\",aisle\n"), 0);
        assert_eq!(rows("id,name,aisle\n1,\"a,\nb\",2\n2,,\n"), 2);
        assert_eq!(rows("id,name,aisle\n1,\"5\\\"\" tart, \\\"\"x\\\"\"\",2\n"), 1);
        assert_eq!(rows("id,name,aisle\n1,6\" tart,2\n"), 1);
        assert!(scan("\u{feff}id,name,aisle\n".as_bytes()).unwrap().mark);
    }

    #[test]
    fn headers_are_compared() {
        assert_eq!(
            message(b"id,aisle,name\n"),
            "the header's columns are in another order: column 2 is `aisle`, declared is `name`"
        );
        assert_eq!(message(b"id,nane,aisle\n"), "the header has `nane` where `name` is declared");
        assert_eq!(message(b"id,name\n"), "the header lacks `aisle`");
        assert_eq!(message(b"id,name,aisle,x"), "the header has `x`, which is not declared");
        assert_eq!(message(b"id,name,aisle,id\n"), "the header has 4 columns, declared are 3");
        assert_eq!(message(b"\nid,name,aisle\n"), "the header lacks `id`, lacks `name`, lacks `aisle`");
    }

    #[test]
    fn broken_files_are_told_with_their_line() {
        assert_eq!(message(b""), "the file is empty: not even a header line");
        assert_eq!(message(b"id,name,aisle\n1,a,2\n2,b,c,3\n"), "line 3 has 4 fields, the header has 3");
        assert_eq!(message(b"id,name,aisle\n1\n"), "line 2 has 1 field, the header has 3");
        let long = [b"id,name,aisle\n1,".as_slice(), &[b'x'; 1 << 20], b",2\n"].concat();
        assert_eq!(message(&long), "line 2 has 1048580 bytes, more than the 1048576 that a row may have");
        assert_eq!(
            message(b"id,name,aisle\n1,\"a\n\n\",2\n2,\"b,3\n4,c,5\n"),
            "the quote that line 5 opens is never closed"
        );
        assert_eq!(message(b"id,name,aisle\n1,caf\xe9,2\n"), "line 2 is not UTF-8");
        assert_eq!(message(b"id,name,aisle\n1,a,caf\xc3"), "line 2 is not UTF-8");
    }
}
