//! What becomes of a holder whose session ends.
