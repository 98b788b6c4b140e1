//! What the locks protect in a run: sets that are read, and written a while later, with and without fencing tokens.
