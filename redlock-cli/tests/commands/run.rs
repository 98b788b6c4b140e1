//! `redlock run` as people run it: the real binary, real processes, real servers.

mod codes;
mod elect;
mod leftovers;
mod loss;
mod signals;
mod stage;
mod terminal;
mod unconfigured;
