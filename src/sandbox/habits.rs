//! Peculiarities of rows and lists in real accounts that the documentation does not describe.

/// A difference between real accounts and the documentation (pipedrive-api.md 11).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Habit {
    /// Rows refer to persons, organizations, products and users that no longer exist.
    GoneReferences,
    /// Some persons without an address have one entry with an empty value instead of an empty list.
    EmptyContacts,
    /// Times that were never set are `0000-00-00 00:00:00`: `last_login` of users, `first_won_time` of deals.
    ZeroDates,
    /// Lists are sorted by whole seconds. Times with milliseconds have no order within a second.
    SecondOrder,
    /// Relationships of organizations and note fields have pages, although they are documented as unpaged.
    PagedPlain,
    /// A search for goals without a match returns `null` for the list, or for all of `data`.
    NullGoals,
    /// Yes/no fields have options with `true` and `false` as ids. Options contain `alt_id` and `color`.
    YesNoOptions,
}

impl Habit {
    /// All habits.
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

/// The habits of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Habits(u8);

impl Habits {
    /// Returns no habits: an account as documented.
    pub const fn none() -> Self {
        Self(0)
    }

    /// Returns all habits.
    pub const fn all() -> Self {
        let mut habits = Self::none();
        let mut place = 0;
        while place < Habit::ALL.len() {
            habits = habits.with(Habit::ALL[place]);
            place += 1;
        }
        habits
    }

    /// Returns these habits and one more.
    #[must_use]
    pub const fn with(self, habit: Habit) -> Self {
        Self(self.0 | 1 << habit as u8)
    }

    /// Returns these habits without one.
    #[must_use]
    pub const fn without(self, habit: Habit) -> Self {
        Self(self.0 & !(1 << habit as u8))
    }

    /// Returns whether the account has the habit.
    pub const fn has(self, habit: Habit) -> bool {
        self.0 & 1 << habit as u8 != 0
    }
}
