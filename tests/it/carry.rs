//! One state, carried from tongue to tongue.
