//! Rows in columns, and the Parquet files that hold them.
//!
//! A file's bytes follow from its rows alone: row groups are cut at a fixed number of rows, each column of a group is written
//! in one go, nothing is compressed, and no time or machine is named.

use parquet::basic::{ConvertedType, LogicalType, Repetition, Type as Physical};
use parquet::column::reader::ColumnReader;
use parquet::column::writer::ColumnWriter;
use parquet::data_type::ByteArray;
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::{KeyValue, SortingColumn};
use parquet::file::properties::WriterProperties;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::{Type, TypePtr};
use std::io::Write;
use std::sync::Arc;

/// Rows of a row group: what a reader skips or takes at once, and what a writer holds in memory.
pub const GROUP: usize = 1 << 16;

/// What a column holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// 64-bit integers; always there.
    Whole,
    /// 64-bit floating point; may be absent.
    Number,
    /// UTF-8; always there.
    Text,
}

/// A column's name and what it holds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Field {
    /// Its name.
    pub name: String,
    /// What it holds.
    pub kind: Kind,
}

/// One value of a row.
#[derive(Clone, PartialEq, Debug)]
pub enum Cell {
    /// Of a [`Kind::Whole`] column.
    Whole(i64),
    /// Of a [`Kind::Number`] column.
    Number(Option<f64>),
    /// Of a [`Kind::Text`] column.
    Text(String),
}

/// A column as Parquet wants it: of numbers one level for each row (1: there), and the values that there are.
#[derive(Clone, PartialEq, Debug)]
enum Column {
    Whole(Vec<i64>),
    Number(Vec<i16>, Vec<f64>),
    Text(Vec<ByteArray>),
}

/// Rows of one table, column by column.
#[derive(Clone, PartialEq, Debug)]
pub struct Rows {
    columns: Vec<Column>,
    len: usize,
}

impl Rows {
    /// No rows.
    pub fn new(fields: &[Field]) -> Rows {
        let empty = |field: &Field| match field.kind {
            Kind::Whole => Column::Whole(Vec::new()),
            Kind::Number => Column::Number(Vec::new(), Vec::new()),
            Kind::Text => Column::Text(Vec::new()),
        };
        Rows { columns: fields.iter().map(empty).collect(), len: 0 }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Adds a row, whose cells are of the kinds of the columns.
    pub fn push(&mut self, row: Vec<Cell>) {
        for (column, cell) in self.columns.iter_mut().zip(row) {
            match (column, cell) {
                (Column::Whole(values), Cell::Whole(value)) => values.push(value),
                (Column::Text(values), Cell::Text(text)) => values.push(ByteArray::from(text.into_bytes())),
                (Column::Number(levels, values), Cell::Number(value)) => {
                    levels.push(i16::from(value.is_some()));
                    values.extend(value);
                }
                _ => debug_assert!(false, "a cell of another kind than its column"),
            }
        }
        self.len += 1;
    }

    /// Adds the rows of another batch of the same table.
    pub fn append(&mut self, more: Rows) {
        self.len += more.len;
        for (column, more) in self.columns.iter_mut().zip(more.columns) {
            match (column, more) {
                (Column::Whole(values), Column::Whole(more)) => values.extend(more),
                (Column::Text(values), Column::Text(more)) => values.extend(more),
                (Column::Number(levels, values), Column::Number(more_levels, more)) => {
                    levels.extend(more_levels);
                    values.extend(more);
                }
                _ => debug_assert!(false, "rows of another table"),
            }
        }
    }

    /// Takes the first `n` rows out.
    pub fn take_first(&mut self, n: usize) -> Rows {
        let n = n.min(self.len);
        let front = |column: &mut Column| match column {
            Column::Whole(values) => Column::Whole(values.drain(..n).collect()),
            Column::Text(values) => Column::Text(values.drain(..n).collect()),
            Column::Number(levels, values) => {
                let levels: Vec<i16> = levels.drain(..n).collect();
                let present = levels.iter().filter(|level| **level == 1).count();
                Column::Number(levels, values.drain(..present).collect())
            }
        };
        let columns = self.columns.iter_mut().map(front).collect();
        self.len -= n;
        Rows { columns, len: n }
    }

    /// The integers of a column; none of a column of another kind.
    pub fn wholes(&self, column: usize) -> &[i64] {
        match self.columns.get(column) {
            Some(Column::Whole(values)) => values,
            _ => &[],
        }
    }

    /// The text in a row of a column; none of a column of another kind.
    pub fn text(&self, column: usize, row: usize) -> Option<&str> {
        match self.columns.get(column) {
            Some(Column::Text(values)) => values.get(row).and_then(|value| value.as_utf8().ok()),
            _ => None,
        }
    }

    /// The texts of a column that differ from the one before: of a column that says the same in each row, one.
    pub fn distinct(&self, column: usize) -> Vec<&str> {
        let mut all: Vec<&str> = (0..self.len).filter_map(|row| self.text(column, row)).collect();
        all.dedup();
        all
    }
}

/// The schema of a table.
fn schema(fields: &[Field]) -> Result<TypePtr> {
    let of = |field: &Field| {
        let (physical, repetition) = match field.kind {
            Kind::Whole => (Physical::INT64, Repetition::REQUIRED),
            Kind::Number => (Physical::DOUBLE, Repetition::OPTIONAL),
            Kind::Text => (Physical::BYTE_ARRAY, Repetition::REQUIRED),
        };
        let builder = Type::primitive_type_builder(&field.name, physical).with_repetition(repetition);
        let builder = match field.kind {
            Kind::Text => builder.with_logical_type(Some(LogicalType::String)).with_converted_type(ConvertedType::UTF8),
            _ => builder,
        };
        builder.build().map(Arc::new)
    };
    let fields = fields.iter().map(of).collect::<Result<_>>()?;
    Type::group_type_builder("runs").with_fields(fields).build().map(Arc::new)
}

/// A Parquet file under way.
pub struct Writer<W: Write + Send> {
    file: SerializedFileWriter<W>,
    waiting: Rows,
}

impl<W: Write + Send> Writer<W> {
    /// Begins a file; `about` is what its footer says of it.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn new(sink: W, fields: &[Field], about: &[(&str, String)]) -> Result<Writer<W>> {
        let by_number = SortingColumn { column_idx: 0, descending: false, nulls_first: false };
        let about = about.iter().map(|(key, value)| KeyValue::new((*key).to_string(), value.clone())).collect();
        let properties = WriterProperties::builder()
            .set_created_by(concat!("brownout ", env!("CARGO_PKG_VERSION")).into())
            .set_key_value_metadata(Some(about))
            .set_sorting_columns(Some(vec![by_number]))
            .set_max_row_group_row_count(Some(GROUP));
        let file = SerializedFileWriter::new(sink, schema(fields)?, Arc::new(properties.build()))?;
        Ok(Writer { file, waiting: Rows::new(fields) })
    }

    /// Adds rows.
    ///
    /// # Errors
    /// They cannot be written.
    pub fn append(&mut self, rows: Rows) -> Result<()> {
        self.waiting.append(rows);
        while self.waiting.len() >= GROUP {
            let group = self.waiting.take_first(GROUP);
            self.group(&group)?;
        }
        Ok(())
    }

    fn group(&mut self, rows: &Rows) -> Result<()> {
        let mut group = self.file.next_row_group()?;
        for column in &rows.columns {
            let Some(mut writer) = group.next_column()? else { break };
            match (writer.untyped(), column) {
                (ColumnWriter::Int64ColumnWriter(to), Column::Whole(values)) => to.write_batch(values, None, None)?,
                (ColumnWriter::DoubleColumnWriter(to), Column::Number(levels, values)) => {
                    to.write_batch(values, Some(levels), None)?
                }
                (ColumnWriter::ByteArrayColumnWriter(to), Column::Text(values)) => {
                    to.write_batch(values, None, None)?
                }
                _ => return Err(ParquetError::General("a column of another kind than its schema".into())),
            };
            writer.close()?;
        }
        group.close().map(drop)
    }

    /// Adds to what the footer says.
    pub fn say(&mut self, key: &str, value: String) {
        self.file.append_key_value_metadata(KeyValue::new(key.to_string(), value));
    }

    /// Writes what is left and the footer, and gives back where it was written.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn finish(mut self) -> Result<W> {
        if !self.waiting.is_empty() {
            let rest = self.waiting.take_first(GROUP);
            self.group(&rest)?;
        }
        self.file.into_inner()
    }
}

/// Reads a whole file: its rows, and what its footer says of it.
///
/// # Errors
/// It is no Parquet, or another table.
pub fn read(bytes: Vec<u8>, fields: &[Field]) -> Result<(Rows, Vec<(String, String)>)> {
    let file = SerializedFileReader::new(bytes::Bytes::from(bytes))?;
    let about = file.metadata().file_metadata();
    if *about.schema() != *schema(fields)? {
        return Err(ParquetError::General("it holds another table".into()));
    }
    let pairs = about.key_value_metadata().into_iter().flatten();
    let about = pairs.map(|pair| (pair.key.clone(), pair.value.clone().unwrap_or_default())).collect();
    let mut rows = Rows::new(fields);
    for number in 0..file.num_row_groups() {
        let group = file.get_row_group(number)?;
        let wanted = usize::try_from(group.metadata().num_rows()).unwrap_or(0);
        for (at, column) in rows.columns.iter_mut().enumerate() {
            let mut left = wanted;
            let mut reader = group.get_column_reader(at)?;
            while left > 0 {
                let (records, ..) = match (&mut reader, &mut *column) {
                    (ColumnReader::Int64ColumnReader(from), Column::Whole(values)) => {
                        from.read_records(left, None, None, values)?
                    }
                    (ColumnReader::DoubleColumnReader(from), Column::Number(levels, values)) => {
                        from.read_records(left, Some(levels), None, values)?
                    }
                    (ColumnReader::ByteArrayColumnReader(from), Column::Text(values)) => {
                        from.read_records(left, None, None, values)?
                    }
                    _ => return Err(ParquetError::General("it holds another table".into())),
                };
                if records == 0 {
                    return Err(ParquetError::General("a column is shorter than its table".into()));
                }
                left -= records;
            }
        }
        rows.len += wanted;
    }
    Ok((rows, about))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields() -> Vec<Field> {
        let of = |(name, kind): (&str, Kind)| Field { name: name.into(), kind };
        [("run", Kind::Whole), ("rate", Kind::Number), ("design", Kind::Text)].map(of).into()
    }

    fn batch(from: i64, to: i64) -> Rows {
        let mut rows = Rows::new(&fields());
        for n in from..to {
            let rate = (n % 3 != 0).then_some(n as f64 / 7.0);
            rows.push(vec![Cell::Whole(n), Cell::Number(rate), Cell::Text(format!("design {}", n / 1000))]);
        }
        rows
    }

    fn file(cuts: &[i64]) -> Vec<u8> {
        let mut writer = Writer::new(Vec::new(), &fields(), &[("plan", "p".into())]).expect("it begins");
        for pair in cuts.windows(2) {
            writer.append(batch(pair[0], pair[1])).expect("rows");
        }
        writer.finish().expect("it ends")
    }

    #[test]
    fn what_was_written_is_read_back() {
        let (rows, about) = read(file(&[0, 70_000]), &fields()).expect("it is whole");
        assert_eq!(rows, batch(0, 70_000));
        assert_eq!(about[0], ("plan".to_string(), "p".to_string()));
    }

    #[test]
    fn bytes_follow_from_the_rows_and_not_from_how_they_came() {
        let whole = file(&[0, 140_000]);
        assert_eq!(file(&[0, 1, 65_535, 65_536, 65_537, 131_071, 140_000]), whole);
        assert_ne!(file(&[0, 139_999]), whole);
    }

    #[test]
    fn another_table_and_half_a_file_are_refused() {
        let bytes = file(&[0, 100]);
        assert!(read(bytes.clone(), &fields()[..2]).is_err());
        assert!(read(bytes[..bytes.len() / 2].to_vec(), &fields()).is_err());
    }
}
