//! The text values of a column.

use super::cells::{ScalarText, offset, taken};
use super::exact;
use crate::model::{To, converted};
use arrow_array::StringArray;
use arrow_buffer::{NullBuffer, OffsetBuffer, ScalarBuffer};
use std::borrow::Cow;
use std::mem;

/// The values that a text column accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Text,
    /// Texts, and objects by their label.
    Label,
    /// Texts, whole numbers as their digits, and Booleans.
    OptionId,
    /// Any value as JSON.
    Json,
}

/// Texts in one buffer.
#[derive(Debug)]
pub(super) struct Texts {
    bytes: Vec<u8>,
    ends: Vec<i32>,
}

impl Default for Texts {
    fn default() -> Self {
        Self { bytes: Vec::new(), ends: vec![0] }
    }
}

impl Texts {
    /// Adds a value. If the value does not fit, an empty text is added.
    pub(super) fn push(&mut self, raw: &str, form: Form) -> ScalarText {
        let to = match form {
            Form::Text => Some(To::Text),
            Form::Label => Some(To::Label),
            Form::OptionId | Form::Json => None,
        };
        let said = if self.add(raw, form) {
            ScalarText::Whole
        } else {
            match to.and_then(|to| converted(raw, to)) {
                Some(same) if self.add(&same, form) => ScalarText::Converted,
                _ => ScalarText::Less,
            }
        };
        self.end();
        said
    }

    fn add(&mut self, raw: &str, form: Form) -> bool {
        match (form, exact::quoted(raw)) {
            (Form::Json, _) => {
                self.bytes.extend_from_slice(one_line(raw).as_bytes());
                true
            }
            (_, Some(text)) => exact::unescape(text, &mut self.bytes),
            (Form::OptionId, None) if exact::is_whole(raw) || matches!(raw, "true" | "false") => {
                self.bytes.extend_from_slice(raw.as_bytes());
                true
            }
            _ => false,
        }
    }

    /// Adds a text that this program generates.
    pub(super) fn push_text(&mut self, text: &str) {
        self.bytes.extend_from_slice(text.as_bytes());
        self.end();
    }

    /// Adds empty texts up to `rows` values.
    pub(super) fn reach(&mut self, rows: usize) {
        self.ends.resize(rows + 1, offset(self.bytes.len()));
    }

    /// Returns the memory in bytes.
    pub(super) fn capacity(&self) -> usize {
        self.bytes.capacity() + 4 * self.ends.capacity()
    }

    fn end(&mut self) {
        self.ends.push(offset(self.bytes.len()));
    }

    /// Removes the values from `len` on.
    pub(super) fn truncate(&mut self, len: usize) {
        self.ends.truncate(len + 1);
        self.bytes.truncate(usize::try_from(self.ends[len]).unwrap_or_default());
    }

    /// Returns the values, and empties the buffer.
    pub(super) fn finish(&mut self, nulls: Option<NullBuffer>) -> StringArray {
        let mut ends = Vec::with_capacity(self.ends.len());
        ends.push(0);
        let ends = OffsetBuffer::new(ScalarBuffer::from(mem::replace(&mut self.ends, ends)));
        StringArray::new(ends, taken(&mut self.bytes).into(), nulls)
    }
}

/// Removes line breaks from JSON, which contains them only between tokens.
pub(super) fn one_line(raw: &str) -> Cow<'_, str> {
    match memchr::memchr2(b'\n', b'\r', raw.as_bytes()) {
        None => Cow::Borrowed(raw),
        Some(_) => Cow::Owned(raw.replace(['\n', '\r'], "")),
    }
}
