//! Peculiarities of rows and lists in real accounts that the documentation does not describe.

/// A way in which accounts in use differ from the picture the documentation gives
/// (pipedrive-api.md 11).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Habit {
    /// Rows name persons, organizations, products and users that no longer exist.
    GoneReferences,
    /// Some persons without an address have one entry with an empty value instead of an empty list.
    EmptyContacts,
    /// Times that were never set are `0000-00-00 00:00:00`: `last_login` of users, `first_won_time`
    /// of deals.
    ZeroDates,
    /// Lists sort by whole seconds: within a second, times with milliseconds are in no order.
    SecondOrder,
    /// Relationships of organizations and note fields come in pages, though they are documented as
    /// lists that come whole.
    PagedPlain,
    /// A search for goals that finds none answers with `null` for the list, or for all of `data`.
    NullGoals,
    /// Yes/no fields have options with `true` and `false` as ids; options carry `alt_id` and
    /// `color`.
    YesNoOptions,
}

impl Habit {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::GoneReferences,
        Self::EmptyContacts,
        Self::ZeroDates,
        Self::SecondOrder,
        Self::PagedPlain,
        Self::NullGoals,
        Self::YesNoOptions,
    ];
}

/// Which of them an account has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Habits(u8);

impl Habits {
    /// None: an account as the documentation has it.
    pub const fn none() -> Self {
        Self(0)
    }

    /// All of them.
    pub const fn all() -> Self {
        let mut habits = Self::none();
        let mut place = 0;
        while place < Habit::ALL.len() {
            habits = habits.with(Habit::ALL[place]);
            place += 1;
        }
        habits
    }

    /// These and one more.
    #[must_use]
    pub const fn with(self, habit: Habit) -> Self {
        Self(self.0 | 1 << habit as u8)
    }

    /// These without one.
    #[must_use]
    pub const fn without(self, habit: Habit) -> Self {
        Self(self.0 & !(1 << habit as u8))
    }

    /// Whether the account has it.
    pub const fn has(self, habit: Habit) -> bool {
        self.0 & 1 << habit as u8 != 0
    }
}
