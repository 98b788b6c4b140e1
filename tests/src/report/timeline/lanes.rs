//! Lanes within a row, so that what overlaps in time does not in the picture.

/// Lanes that spans are put into, in the order of their beginnings.
#[derive(Default)]
pub(super) struct Lanes {
    ends: Vec<u64>,
}

impl Lanes {
    /// More lanes than this are no picture any more: what comes then shares the last one.
    const MOST: usize = 12;

    /// The first lane that is free from here, taken until there.
    pub(super) fn put(&mut self, from: u64, to: u64) -> usize {
        let free = self.ends.iter().position(|&end| end <= from);
        let lane = free.unwrap_or(self.ends.len()).min(Self::MOST - 1);
        if lane == self.ends.len() {
            self.ends.push(0);
        }
        self.ends[lane] = self.ends[lane].max(to);
        lane
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }
}
