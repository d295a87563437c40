//! A count of the work done, for tests that hold it against the size of the input.
//!
//! Outside of tests it counts nothing and costs nothing.

#[cfg(test)]
thread_local! {
    static DONE: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
}

/// Counts bytes that were read, or members of a list that were looked at.
#[inline]
pub(crate) fn count(steps: usize) {
    #[cfg(test)]
    DONE.with(|done| done.set(done.get() + steps as u64));
    #[cfg(not(test))]
    let _ = steps;
}

/// The work that this does, in steps of this thread.
#[cfg(test)]
pub(crate) fn of(work: impl FnOnce()) -> u64 {
    let before = DONE.with(std::cell::Cell::get);
    work();
    DONE.with(std::cell::Cell::get) - before
}

/// Does the work for inputs of one, two and four times a size. It may take 2.5 times as much from one
/// to the next.
#[cfg(test)]
#[track_caller]
pub(crate) fn grows_with_its_input(name: &str, size: usize, mut work: impl FnMut(usize)) {
    let [one, two, four] = [1, 2, 4].map(|times| of(|| work(size * times)));
    assert!(one > 0, "{name}: nothing was counted");
    let linear = |less: u64, more: u64| more * 2 <= less * 5;
    assert!(linear(one, two) && linear(two, four), "{name}: {one}, {two}, {four} steps");
}
