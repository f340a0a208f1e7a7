//! Triangles a second of the rasteriser, beside VTK drawing the same off-screen.

use std::fmt::Write as _;
use std::hint::black_box;

use crumple::geom::rasterise;

use super::sheet::{camera, sheet};
use super::spread::{Spread, seconds};
use super::{Plan, numbers, python, with_threads};

pub(crate) fn table(plan: Plan) -> String {
    let mut text = String::from(
        "### Rasteriser, 640 × 480 px, million triangles a second\n\n\
         VTK draws off-screen by Mesa's llvmpipe on as many threads, and hands back colours and depths, as we hand \
         back triangle numbers and depths.\n\n\
         | triangles | threads | Crumple | VTK | ratio |\n|---:|---:|---:|---:|---:|\n",
    );
    let sides: &[usize] = if plan.small { &[20] } else { &[71, 224, 708] };
    for side in sides {
        let (skin, positions) = sheet(*side);
        let count = skin.triangles.len();
        let inner = (400_000 / count).max(1);
        for threads in [1, 2] {
            let own = with_threads(threads, || {
                seconds(plan.repeats, || {
                    for _ in 0..inner {
                        black_box(rasterise(&camera(), &skin, black_box(&positions)));
                    }
                })
            });
            let millions = count as f64 / 1e6;
            let own = own.times(1.0 / inner as f64).rate(millions);
            let arguments = [side.to_string(), plan.repeats.to_string(), inner.to_string()];
            let peer =
                python("draw_speed.py", &arguments, threads).map(|p| Spread::of(numbers(&p["seconds"])).rate(millions));
            let (peer, ratio) = peer.map_or(("not here".to_owned(), "–".to_owned()), |p| {
                (p.to_string(), format!("{:.2}", own.median / p.median))
            });
            writeln!(text, "| {count} | {threads} | {own} | {peer} | {ratio} |").expect("text");
        }
    }
    text
}
