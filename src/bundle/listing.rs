//! Reads the rows of a CRM's response: a list, or the first list of an object.

use crate::dataset::{JsonStream, ReadError};
use crate::model::{Error, Json, Kind, Result};
use std::path::Path;

/// A streaming reader of the rows in a file that holds a response. The memory use does not depend on the
/// file size.
pub struct Listing {
    window: JsonStream,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Before,
    /// Between two keys. The value is `true` until the first key is read.
    Top(bool),
    /// In the list. The value is `true` until the first row is read.
    In(bool),
}

enum Step {
    Object,
    List,
    Passed,
    Row(usize),
    End,
}

impl Listing {
    /// Opens a response file.
    pub fn open(path: &Path) -> Result<Self> {
        Ok(Self { window: JsonStream::open(path, 0, false)?, state: State::Before })
    }

    /// Returns the next row. Returns `None` after the last row, or if there is no list. Malformed JSON is a
    /// [`Kind::Shape`] error.
    pub async fn next(&mut self) -> Result<Option<&str>> {
        loop {
            let state = self.state;
            match self.window.take(|json| step(state, json).map(Some)).await {
                Ok(None | Some(Step::End)) => return Ok(None),
                Ok(Some(Step::Object)) => self.state = State::Top(true),
                Ok(Some(Step::Passed)) => self.state = State::Top(false),
                Ok(Some(Step::List)) => self.state = State::In(true),
                Ok(Some(Step::Row(length))) => {
                    self.state = State::In(false);
                    return Ok(Some(self.window.passed(length)));
                }
                Err(ReadError::Failed(error)) => return Err(error),
                Err(ReadError::Stray { byte, error, .. }) => {
                    let message = format!("the CRM's answer is not well-formed at byte {byte}");
                    return Err(Error::new(Kind::Shape, message).because(error));
                }
            }
        }
    }
}

fn step(state: State, json: &mut Json<'_>) -> Result<Step> {
    match state {
        State::Before => match json.peek() {
            b'[' => {
                json.skip_literal("[");
                Ok(Step::List)
            }
            b'{' => {
                json.skip_literal("{");
                Ok(Step::Object)
            }
            _ => Err(json.malformed()),
        },
        State::Top(first) => {
            if first && json.peek() == b'}' || !first && !json.more(b'{')? {
                return Ok(Step::End);
            }
            json.key()?;
            if json.peek() == b'[' {
                json.skip_literal("[");
                return Ok(Step::List);
            }
            json.value()?;
            // A number may continue in bytes that are not yet read.
            if json.is_at_end() { Err(json.malformed()) } else { Ok(Step::Passed) }
        }
        State::In(first) => {
            if first && json.peek() == b']' || !first && !json.more(b'[')? {
                return Ok(Step::End);
            }
            let row = json.value()?.len();
            if json.is_at_end() { Err(json.malformed()) } else { Ok(Step::Row(row)) }
        }
    }
}
