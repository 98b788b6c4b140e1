//! A run of the chaos command: a fleet, clients in processes of their own, faults, and the oracle over all that was written down.
