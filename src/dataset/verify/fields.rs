//! The custom fields and options that the field files of a backup define.

use crate::dataset::snapshot::BackupReader;
use crate::model::{Definition, Definitions, FieldOption, Key, Keys, Resource, Result, items};
use std::collections::HashSet;

/// The custom fields of one dictionary.
#[derive(Debug)]
pub(super) struct Fields {
    codes: Keys,
    known: Vec<Field>,
    /// The dictionary, with its unreadable entries.
    unread: Option<Definitions>,
}

#[derive(Debug)]
struct Field {
    name: String,
    /// The ids of the options as the API writes them. `None` for fields without options.
    options: Option<HashSet<String>>,
    /// Whether several options may be selected.
    set: bool,
}

/// An unknown part of a custom field.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Stranger {
    /// A field that is not in the dictionary.
    Field(String),
    /// An option that a known field does not have.
    Option {
        /// The option's id.
        id: String,
        /// The field's name.
        field: String,
    },
}

impl Fields {
    /// Reads a dictionary of a backup. `None` if the backup has no readable one.
    pub(super) async fn read(
        snapshot: &BackupReader,
        dictionary: &'static Resource,
    ) -> Result<Option<Self>> {
        if !snapshot.holds(dictionary.file) {
            return Ok(None);
        }
        let mut definitions = Definitions::default();
        let mut rows = snapshot.rows(dictionary.file, false).await?;
        // Defects of the file itself are reported by its check.
        while let Ok(Some(row)) = rows.next().await {
            definitions.add_page(row.json.as_bytes());
        }
        if definitions.known.is_empty() && !definitions.odd().is_empty() {
            return Ok(None);
        }
        let fields = Self::of(&definitions.known);
        Ok(Some(Self { unread: Some(definitions), ..fields }))
    }

    pub(super) fn of(definitions: &[Definition]) -> Self {
        let custom = || definitions.iter().filter(|definition| definition.custom);
        let fields = custom().map(|definition| Field {
            name: definition.name.clone(),
            options: definition.chosen().then(|| {
                let options = definition.options.iter().flatten();
                options.map(FieldOption::key).collect()
            }),
            set: definition.ty == "set",
        });
        Self {
            codes: Keys::new(custom().map(|definition| definition.code.as_str())),
            known: fields.collect(),
            unread: None,
        }
    }

    /// Returns whether an unreadable definition may be that of this field.
    fn excuses(unread: Option<&Definitions>, code: &str) -> bool {
        unread.is_some_and(|unread| unread.may_hold(code))
    }

    /// Checks an object that is keyed by hashes.
    pub(super) fn strangers(&mut self, object: &str, found: &mut Vec<Stranger>) -> Result<()> {
        let mut json = crate::model::Json::new(object);
        let mut more = json.open(b'{')?;
        self.codes.begin();
        while more {
            let place = match self.codes.next(&mut json)? {
                Key::Known(place) => Some(place),
                Key::Unknown(code) => {
                    if !Self::excuses(self.unread.as_ref(), &code) {
                        found.push(Stranger::Field(code.into_owned()));
                    }
                    None
                }
            };
            let value = json.value()?;
            if let Some(place) = place {
                self.known[place].strangers(value, found);
            }
            more = json.more(b'{')?;
        }
        Ok(())
    }

    /// Checks a key of a row with flat custom fields: a hash, or a hash with a suffix.
    pub(super) fn stranger(&self, key: &str, value: &str, found: &mut Vec<Stranger>) {
        let (code, part) = key.split_at_checked(40).unwrap_or((key, ""));
        match self.codes.place(code) {
            None if Self::excuses(self.unread.as_ref(), code) => {}
            None => found.push(Stranger::Field(code.to_owned())),
            Some(place) if part.is_empty() => self.known[place].strangers(value, found),
            Some(_) => {}
        }
    }
}

impl Field {
    fn strangers(&self, value: &str, found: &mut Vec<Stranger>) {
        let Some(options) = &self.options else { return };
        let mut look = |id: &str| {
            if !id.is_empty() && !options.contains(id) {
                found.push(Stranger::Option { id: id.to_owned(), field: self.name.clone() });
            }
        };
        match value.as_bytes().first() {
            None | Some(b'n' | b'{') => {}
            Some(b'[') => {
                // An invalid list is reported with its row.
                let _ = items(value, |id| look(unquoted(id)));
            }
            Some(_) if self.set => unquoted(value).split(',').for_each(|id| look(id.trim())),
            Some(_) => look(unquoted(value)),
        }
    }
}

/// Returns an id without quotes. Ids contain no escapes.
fn unquoted(value: &str) -> &str {
    value.trim().trim_matches('"')
}
