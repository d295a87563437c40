//! Parses JSON in one pass into keys and raw values. They are validated and never copied.
//!
//! Most keys of a record are known beforehand, so a caller can expect a key by its spelling before it is
//! read. Expected keys and values as slices make the parser several times as fast as serde here.

use super::error::{Error, Kind, Result};
use super::number::{PLAIN_BYTES_MAX, is_finite};
use super::work;
use std::borrow::Cow;

/// A position in a JSON text.
#[derive(Debug)]
pub(crate) struct Json<'a> {
    text: &'a str,
    at: usize,
    halves: bool,
    too_large: bool,
    too_deep: bool,
}

/// Deepest nesting of the value of a record's field. What is deeper is refused where it comes in: in an
/// answer of the API.
pub(crate) const DEPTH_MAX: u32 = 512;
/// The additional levels around such a value: its record, and the lists and objects of a file that contains
/// records. Code that reads records again allows these levels, because it could otherwise not read an
/// accepted record.
const LEVELS_AROUND: u32 = 8;

impl<'a> Json<'a> {
    /// Returns a reader at the beginning of a text.
    pub(crate) const fn new(text: &'a str) -> Self {
        Self { text, at: 0, halves: false, too_large: false, too_deep: false }
    }

    /// Returns the number of bytes that were read.
    #[inline]
    pub(crate) const fn at(&self) -> usize {
        self.at
    }

    /// Returns whether a string read since the last call contains an escaped surrogate (`\ud800` to
    /// `\udfff`), paired or not.
    pub(crate) const fn halves(&mut self) -> bool {
        std::mem::replace(&mut self.halves, false)
    }

    /// Returns whether a number read since the last call is beyond the range of a double.
    pub(crate) const fn too_large(&mut self) -> bool {
        std::mem::replace(&mut self.too_large, false)
    }

    /// Returns whether reading ended because the nesting is too deep.
    pub(crate) const fn is_too_deep(&self) -> bool {
        self.too_deep
    }

    /// Skips white space and returns the next byte. 0 at the end.
    #[inline]
    pub(crate) fn peek(&mut self) -> u8 {
        loop {
            match self.byte() {
                b' ' | b'\n' | b'\r' | b'\t' => self.at += 1,
                other => return other,
            }
        }
    }

    /// Returns the next eight bytes as a little-endian number. Bytes beyond the end are zero.
    #[inline]
    pub(crate) fn head(&self) -> u64 {
        let bytes = &self.text.as_bytes()[self.at..];
        match bytes.first_chunk::<8>() {
            Some(head) => u64::from_le_bytes(*head),
            None => bytes.iter().rev().fold(0, |head, byte| head << 8 | u64::from(*byte)),
        }
    }

    /// Reads the opening bracket of an object or a list. Returns whether it has a first member.
    #[inline]
    pub(crate) fn open(&mut self, open: u8) -> Result<bool> {
        if self.peek() != open {
            return Err(self.malformed());
        }
        self.at += 1;
        // The code of a closing bracket is that of the opening one plus two.
        if self.peek() == open + 2 {
            self.at += 1;
            return Ok(false);
        }
        Ok(true)
    }

    /// Reads the comma or closing bracket after a member. Returns whether another member follows.
    #[inline]
    pub(crate) fn more(&mut self, open: u8) -> Result<bool> {
        match self.peek() {
            b',' => {
                self.at += 1;
                self.peek();
                Ok(true)
            }
            close if close == open + 2 => {
                self.at += 1;
                Ok(false)
            }
            _ => Err(self.malformed()),
        }
    }

    /// Skips this text, if it comes next. Returns whether it did.
    #[inline]
    pub(crate) fn skip_literal(&mut self, literal: &str) -> bool {
        let found = self.text.as_bytes()[self.at..].starts_with(literal.as_bytes());
        if found {
            self.at += literal.len();
        }
        found
    }

    /// Reads a key and its colon, and returns the key.
    pub(crate) fn key(&mut self) -> Result<Cow<'a, str>> {
        if self.peek() != b'"' {
            return Err(self.malformed());
        }
        let start = self.at;
        let plain = self.string()?;
        let raw = &self.text[start..self.at];
        work::count(raw.len());
        if self.peek() != b':' {
            return Err(self.malformed());
        }
        self.at += 1;
        if plain {
            return Ok(Cow::Borrowed(&raw[1..raw.len() - 1]));
        }
        let key = serde_json::from_str(raw).map_err(|e| self.malformed().because(e))?;
        Ok(Cow::Owned(key))
    }

    /// Reads a string, and returns it with its quotes.
    #[inline]
    pub(crate) fn text(&mut self) -> Result<&'a str> {
        let start = self.at;
        self.string()?;
        work::count(self.at - start);
        Ok(&self.text[start..self.at])
    }

    /// Reads a value of any type.
    #[inline]
    pub(crate) fn value(&mut self) -> Result<&'a str> {
        self.nested(DEPTH_MAX + LEVELS_AROUND)
    }

    /// Reads the value of a record's field as the API sends it: nested no deeper than [`DEPTH_MAX`].
    #[inline]
    pub(crate) fn field(&mut self) -> Result<&'a str> {
        self.nested(DEPTH_MAX)
    }

    #[inline]
    fn nested(&mut self, depth: u32) -> Result<&'a str> {
        self.peek();
        let start = self.at;
        // Most values are null.
        if self.text.as_bytes().get(start..start + 4) == Some(b"null") {
            self.at += 4;
        } else {
            self.skip(depth)?;
        }
        work::count(self.at - start);
        Ok(&self.text[start..self.at])
    }

    /// Returns an error unless the text ends here.
    pub(crate) fn end(&mut self) -> Result<()> {
        if self.peek() == 0 && self.at == self.text.len() { Ok(()) } else { Err(self.malformed()) }
    }

    #[inline]
    fn byte(&self) -> u8 {
        self.text.as_bytes().get(self.at).copied().unwrap_or(0)
    }

    fn skip(&mut self, depth: u32) -> Result<()> {
        match self.peek() {
            b'"' => self.string().map(|_| ()),
            b'n' => self.word("null"),
            b't' => self.word("true"),
            b'f' => self.word("false"),
            open @ (b'{' | b'[') if depth > 0 => {
                let mut more = self.open(open)?;
                while more {
                    if open == b'{' {
                        if self.peek() != b'"' {
                            return Err(self.malformed());
                        }
                        self.string()?;
                        if self.peek() != b':' {
                            return Err(self.malformed());
                        }
                        self.at += 1;
                    }
                    self.skip(depth - 1)?;
                    more = self.more(open)?;
                }
                Ok(())
            }
            b'{' | b'[' => Err(self.deeper()),
            _ => self.number(),
        }
    }

    fn word(&mut self, word: &str) -> Result<()> {
        if self.skip_literal(word) { Ok(()) } else { Err(self.malformed()) }
    }

    fn number(&mut self) -> Result<()> {
        let start = self.at;
        self.at += usize::from(self.byte() == b'-');
        match self.byte() {
            b'0' => self.at += 1,
            _ => self.digits()?,
        }
        if self.byte() == b'.' {
            self.at += 1;
            self.digits()?;
        }
        let exponent = matches!(self.byte(), b'e' | b'E');
        if exponent {
            self.at += 1;
            self.at += usize::from(matches!(self.byte(), b'+' | b'-'));
            self.digits()?;
        }
        if exponent || self.at - start >= PLAIN_BYTES_MAX {
            self.too_large |= !is_finite(&self.text[start..self.at]);
        }
        Ok(())
    }

    #[inline]
    fn digits(&mut self) -> Result<()> {
        let start = self.at;
        while self.byte().is_ascii_digit() {
            self.at += 1;
        }
        if self.at > start { Ok(()) } else { Err(self.malformed()) }
    }

    /// Skips a string, from quote to quote. Returns whether it contains no escape.
    #[inline]
    fn string(&mut self) -> Result<bool> {
        let bytes = self.text.as_bytes();
        let mut at = self.at + 1;
        let mut plain = true;
        loop {
            at += ordinary(&bytes[at..]);
            match bytes.get(at) {
                Some(b'"') => {
                    self.at = at + 1;
                    return Ok(plain);
                }
                Some(b'\\') => {
                    plain = false;
                    at += match bytes.get(at + 1) {
                        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => 2,
                        Some(b'u')
                            if bytes
                                .get(at + 2..at + 6)
                                .is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit)) =>
                        {
                            // The range is d800 to dfff. Digits sort before letters.
                            self.halves |=
                                matches!(bytes[at + 2], b'd' | b'D') && bytes[at + 3] >= b'8';
                            6
                        }
                        _ => return Err(self.malformed_at(at)),
                    };
                }
                _ => return Err(self.malformed_at(at)),
            }
        }
    }

    #[cold]
    fn malformed_at(&mut self, at: usize) -> Error {
        self.at = at;
        self.malformed()
    }

    #[cold]
    fn deeper(&mut self) -> Error {
        self.too_deep = true;
        let message = format!("answer holds a value that is nested deeper than {DEPTH_MAX} levels");
        Error::new(Kind::Shape, message)
    }

    /// Returns whether the text is used up.
    pub(crate) fn is_at_end(&self) -> bool {
        self.at == self.text.len()
    }

    /// Returns the error of malformed JSON at this position.
    #[cold]
    pub(crate) fn malformed(&self) -> Error {
        Error::new(Kind::Shape, format!("stray byte at {} of the JSON", self.at))
    }
}

/// Returns the number of bytes before the next quote, backslash or control character. It reads eight bytes at
/// a time.
#[inline]
fn ordinary(bytes: &[u8]) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGHS: u64 = ONES << 7;
    let mut at = 0;
    while let Some((word, _)) = bytes[at..].split_first_chunk::<8>() {
        let word = u64::from_le_bytes(*word);
        // The subtraction sets the high bit of a byte that was zero (or, for the third test, below 0x20). A
        // borrow may set it in higher bytes too, but the lowest marked byte is always correct.
        let zero = |word: u64| word.wrapping_sub(ONES) & !word;
        let quote = zero(word ^ (ONES * u64::from(b'"')));
        let backslash = zero(word ^ (ONES * u64::from(b'\\')));
        let control = word.wrapping_sub(ONES * 0x20) & !word;
        let found = (quote | backslash | control) & HIGHS;
        if found != 0 {
            return at + found.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    let rest = bytes[at..].iter();
    at + rest.take_while(|byte| !matches!(byte, b'"' | b'\\' | 0..0x20)).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::value::RawValue;

    /// Checks that this reader accepts the same texts as `serde_json`.
    #[track_caller]
    fn check(text: &str) {
        let mut json = Json::new(text);
        let ours = json.value().and_then(|value| json.end().map(|()| value));
        let theirs = serde_json::from_str::<&RawValue>(text);
        assert_eq!(ours.ok(), theirs.ok().map(RawValue::get), "{text:?}");
    }

    #[test]
    fn well_formed_is_what_serde_takes() {
        let texts = [
            r#"{"a":[1,-0.5e+7,true,false,null,"x\u00e9\n\"",{}],"b" : [ ] }"#,
            " \t\n7 ",
            r#""é 東京 😀 and a longer text, \\ with \/ escapes \ud83d""#,
            r#"{"k":{"k":[[[[{"x":"}]"}]]]]}}"#,
            "-0",
            "1E400",
            "[\n1 ,\r2]",
        ];
        for text in texts {
            check(text);
            // Every prefix, and the text with one byte removed, changed or added.
            for place in (0..=text.len()).filter(|place| text.is_char_boundary(*place)) {
                let (before, after) = text.split_at(place);
                check(before);
                let rest = after.chars().next().map_or(after, |first| &after[first.len_utf8()..]);
                for other in [
                    "", "\"", "\\", ",", ":", "{", "}", "[", "]", "0", "-", ".", "e", "u", "n",
                    " ", "\u{1}", "\u{0}", "é",
                ] {
                    check(&format!("{before}{other}{rest}"));
                    check(&format!("{before}{other}{after}"));
                }
            }
        }
    }

    #[test]
    fn nesting_has_an_end() {
        let deep = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        let (field, around) = (DEPTH_MAX as usize, (DEPTH_MAX + LEVELS_AROUND) as usize);
        check(&deep(around));
        assert!(Json::new(&deep(around + 1)).value().is_err());
        assert!(Json::new(&deep(field)).field().is_ok());
        assert!(Json::new(&deep(field + 1)).field().is_err());
    }
}
