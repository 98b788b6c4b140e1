//! A client in a process of its own, which writes down what it does.
