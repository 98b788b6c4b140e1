//! The protocol as a model whose every state is visited.
