//! A set of locks for the whole process, as users of the Go framework due have it.
