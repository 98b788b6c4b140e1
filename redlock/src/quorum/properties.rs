//! What holds of the pure core for every order, number and repetition of answers.

mod claims;
