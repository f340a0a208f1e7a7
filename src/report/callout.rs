//! Room for labels: beside what a picture shows, near what they name, never on each other.

use ndarray::Array2;

/// Distance of a label from what the picture shows and from other labels, px.
const MARGIN: i32 = 8;
/// Places are tried at this distance from each other, px.
const STEP: usize = 4;

/// The free places of a picture.
pub(super) struct Room {
    width: i32,
    height: i32,
    /// Occupied pixels above and to the left of each corner.
    sums: Array2<u32>,
    /// Left, top, right, bottom of the labels that stand already.
    taken: Vec<[i32; 4]>,
    /// What a px up or down costs, against one to the side.
    upright_cost: f64,
}

impl Room {
    /// Room beside the pixels for which `occupied` holds. Labels go to the side rather than above or below when a px up
    /// or down costs more than 1.
    pub(super) fn beside(size: (usize, usize), upright_cost: f64, occupied: impl Fn((usize, usize)) -> bool) -> Self {
        let (h, w) = size;
        let mut sums = Array2::zeros((h + 1, w + 1));
        for row in 0..h {
            let mut line = 0;
            for column in 0..w {
                line += u32::from(occupied((row, column)));
                sums[(row + 1, column + 1)] = sums[(row, column + 1)] + line;
            }
        }
        Self { width: w as i32, height: h as i32, sums, taken: Vec::new(), upright_cost }
    }

    /// Keeps labels off a rectangle: left, top, right, bottom.
    pub(super) fn keep_off(&mut self, place: [i32; 4]) {
        self.taken.push(place);
    }

    /// Left and top of a label of `size` px (width, height) near the pixel `at`, which it takes; where there is no free
    /// place it lies where it hides least. `None` when it does not fit into the picture.
    pub(super) fn place(&mut self, size: (i32, i32), at: (i32, i32)) -> Option<(i32, i32)> {
        let columns = (0..=self.width - size.0).step_by(STEP);
        let places = columns.flat_map(|x| (0..=self.height - size.1).step_by(STEP).map(move |y| (x, y)));
        let free = places.filter(|(x, y)| !self.is_taken([*x, *y, x + size.0, y + size.1]));
        let cost = |(x, y): (i32, i32)| {
            let off = |v: i32, low: i32, high: i32| f64::from((low - v).max(v - high).max(0));
            let far = off(at.0, x, x + size.0).hypot(self.upright_cost * off(at.1, y, y + size.1));
            let hidden = self.occupied([x - MARGIN, y - MARGIN, x + size.0 + MARGIN, y + size.1 + MARGIN]);
            (hidden, far)
        };
        let less = |a: &(u32, f64), b: &(u32, f64)| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1));
        let (x, y) = free.map(|p| (cost(p), p)).min_by(|a, b| less(&a.0, &b.0))?.1;
        self.taken.push([x, y, x + size.0, y + size.1]);
        Some((x, y))
    }

    fn is_taken(&self, [x0, y0, x1, y1]: [i32; 4]) -> bool {
        let near = |t: &[i32; 4]| x0 < t[2] + MARGIN && t[0] < x1 + MARGIN && y0 < t[3] + MARGIN && t[1] < y1 + MARGIN;
        self.taken.iter().any(near)
    }

    /// Occupied pixels of a rectangle, as far as it lies in the picture.
    fn occupied(&self, [x0, y0, x1, y1]: [i32; 4]) -> u32 {
        let corner = |x: i32, y: i32| (y.clamp(0, self.height) as usize, x.clamp(0, self.width) as usize);
        self.sums[corner(x1, y1)] + self.sums[corner(x0, y0)] - self.sums[corner(x0, y1)] - self.sums[corner(x1, y0)]
    }
}

/// The point of a label's edge that is nearest to `to`: where its line starts.
pub(super) fn edge_towards((x, y): (i32, i32), (w, h): (i32, i32), to: (i32, i32)) -> (i32, i32) {
    (to.0.clamp(x, x + w), to.1.clamp(y, y + h))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_stand_beside_what_is_shown_and_off_each_other() {
        // A block in the middle of a wide picture.
        let shown = |(r, c): (usize, usize)| (40..160).contains(&r) && (150..250).contains(&c);
        let mut room = Room::beside((200, 400), 3.0, shown);
        let size = (60, 30);
        let places: Vec<_> = (0..3).map(|_| room.place(size, (240, 100)).expect("there is room")).collect();
        for (i, (x, y)) in places.iter().enumerate() {
            let covers = |r: i32, c: i32| (*y..y + size.1).contains(&r) && (*x..x + size.0).contains(&c);
            let hidden = (0..200).flat_map(|r| (0..400).map(move |c| (r, c)));
            assert!(!hidden.into_iter().any(|(r, c)| covers(r, c) && shown((r as usize, c as usize))), "{places:?}");
            for (ox, oy) in &places[..i] {
                assert!((x - ox).abs() >= size.0 || (y - oy).abs() >= size.1, "{places:?}");
            }
        }
        assert!(places[0].0 >= 250 && places[0].1 < 130, "the first stands to the right of its place: {places:?}");
        assert_eq!(room.place((500, 10), (0, 0)), None);
        assert_eq!(edge_towards((100, 50), (60, 30), (240, 60)), (160, 60));
    }

    #[test]
    fn where_all_is_full_a_label_still_has_a_place() {
        let mut room = Room::beside((100, 100), 1.0, |_| true);
        room.keep_off([0, 0, 100, 50]);
        let (_, y) = room.place((40, 20), (50, 10)).expect("a place");
        assert!(y >= 50);
    }
}
