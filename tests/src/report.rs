//! One HTML file that shows a history.
