//! A replay as a picture: bytes to an agent, commit by commit, on a logarithmic scale.
//!
//! Pure: figures in, SVG text out. Whatever names it is told are escaped.

use std::fmt::Write as _;

use super::{Figures, Replayed};

const WIDTH: f64 = 960.0;
const HEIGHT: f64 = 460.0;
const LEFT: f64 = 76.0;
const RIGHT: f64 = 24.0;
const TOP: f64 = 74.0;
const BOTTOM: f64 = 62.0;
/// Between the lowest decade and the line of commits that moved no bundle byte.
const GAP: f64 = 24.0;
const WHOLE: &str = "#6b7a90";
const FETCHED: &str = "#d1495b";

/// Draws `figures`.
pub(super) fn svg(figures: &Figures) -> String {
    let scale = Scale::of(&figures.commits);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" width=\"{WIDTH}\" height=\"{HEIGHT}\" \
         font-family=\"system-ui, sans-serif\" font-size=\"12\" fill=\"#222\">\n\
         <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"#fff\"/>\n"
    );
    heading(&mut svg, figures);
    scale.axes(&mut svg, figures.commits.len());
    series(&mut svg, WHOLE, &scale, figures.commits.iter().map(|commit| commit.whole_bytes));
    series(&mut svg, FETCHED, &scale, figures.commits.iter().map(|commit| commit.fetched_bytes));
    svg.push_str("</svg>\n");
    svg
}

fn heading(svg: &mut String, figures: &Figures) {
    let sums = &figures.sums;
    let title = format!("Bytes to an agent, commit by commit: {}", escaped(&figures.repository));
    text(svg, LEFT, 24.0, "start", "font-size=\"16\" font-weight=\"600\"", &title);
    let told = format!(
        "{} commits that changed what is distributed ({} did not): {} in all instead of {}, {:.2} %",
        sums.changed,
        sums.unchanged,
        in_words(sums.fetched_bytes as f64),
        in_words(sums.whole_bytes as f64),
        sums.share * 100.0
    );
    text(svg, LEFT, 43.0, "start", "fill=\"#555\"", &told);
    for (x, colour, name) in [(LEFT, WHOLE, "whole bundle"), (LEFT + 130.0, FETCHED, "what is fetched")] {
        write(svg, format_args!("<circle cx=\"{}\" cy=\"58\" r=\"4\" fill=\"{colour}\"/>", x + 4.0));
        text(svg, x + 14.0, 62.0, "start", "", name);
    }
}

fn series(svg: &mut String, colour: &str, scale: &Scale, bytes: impl Iterator<Item = u64>) {
    write(svg, format_args!("<g fill=\"{colour}\" fill-opacity=\"0.85\">"));
    for (at, bytes) in bytes.enumerate() {
        write(svg, format_args!("<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"2.2\"/>", scale.x(at), scale.y(bytes)));
    }
    svg.push_str("</g>\n");
}

/// From commits and bytes to places in the picture.
struct Scale {
    commits: usize,
    /// Decades of the axis, as powers of ten.
    low: i32,
    high: i32,
}

impl Scale {
    fn of(commits: &[Replayed]) -> Scale {
        let all =
            commits.iter().flat_map(|commit| [commit.whole_bytes, commit.fetched_bytes]).filter(|bytes| *bytes > 0);
        let (low, high) = all.fold((u64::MAX, 1), |(low, high), bytes| (low.min(bytes), high.max(bytes)));
        let low = (low.min(high) as f64).log10().floor() as i32;
        Scale { commits: commits.len(), low, high: ((high as f64).log10().ceil() as i32).max(low + 1) }
    }

    fn x(&self, at: usize) -> f64 {
        let step = (WIDTH - LEFT - RIGHT - 12.0) / (self.commits.max(2) - 1) as f64;
        LEFT + 6.0 + step * at as f64
    }

    /// No byte at all is on the lowest line.
    fn y(&self, bytes: u64) -> f64 {
        match bytes {
            0 => HEIGHT - BOTTOM,
            bytes => self.height((bytes as f64).log10()),
        }
    }

    fn height(&self, decade: f64) -> f64 {
        let share = (decade - f64::from(self.low)) / f64::from(self.high - self.low);
        let lowest = HEIGHT - BOTTOM - GAP;
        lowest - share * (lowest - TOP)
    }

    fn axes(&self, svg: &mut String, commits: usize) {
        let line = |svg: &mut String, y: f64, colour: &str| {
            let right = WIDTH - RIGHT;
            write(
                svg,
                format_args!("<line x1=\"{LEFT}\" x2=\"{right}\" y1=\"{y:.1}\" y2=\"{y:.1}\" stroke=\"{colour}\"/>"),
            );
        };
        for decade in self.low..=self.high {
            let y = self.height(f64::from(decade));
            line(svg, y, "#e4e7ec");
            text(svg, LEFT - 8.0, y + 4.0, "end", "fill=\"#555\"", &in_words(10_f64.powi(decade)));
        }
        let ground = HEIGHT - BOTTOM;
        line(svg, ground, "#98a2b3");
        text(svg, LEFT - 8.0, ground + 4.0, "end", "fill=\"#555\"", "none");
        let mut steps = [5, 10, 20, 50, 100, 200, 500, 1000, 5000, 10_000].into_iter();
        let step = steps.find(|step| commits / step <= 10).unwrap_or(50_000);
        for number in (step..=commits).step_by(step) {
            let x = self.x(number - 1);
            write(
                svg,
                format_args!(
                    "<line x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{ground}\" y2=\"{}\" stroke=\"#98a2b3\"/>",
                    ground + 5.0
                ),
            );
            text(svg, x, ground + 19.0, "middle", "fill=\"#555\"", &number.to_string());
        }
        let label = "commits that changed what is distributed, oldest first";
        text(svg, LEFT + (WIDTH - LEFT - RIGHT) / 2.0, HEIGHT - 18.0, "middle", "", label);
        let (x, y) = (18.0, TOP + (ground - TOP) / 2.0);
        let turned = format!("transform=\"rotate(-90 {x} {y})\"");
        text(svg, x, y, "middle", &turned, "bytes (logarithmic)");
    }
}

fn text(svg: &mut String, x: f64, y: f64, anchor: &str, attributes: &str, words: &str) {
    write(svg, format_args!("<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" {attributes}>{words}</text>"));
}

fn write(svg: &mut String, line: std::fmt::Arguments<'_>) {
    writeln!(svg, "{line}").expect("strings can be written to");
}

fn in_words(bytes: f64) -> String {
    let units = [(1e9, "GB"), (1e6, "MB"), (1e3, "kB")];
    match units.into_iter().find(|(size, _)| bytes >= *size) {
        Some((size, unit)) if (bytes / size).fract() == 0.0 || bytes / size >= 100.0 => {
            format!("{:.0} {unit}", bytes / size)
        }
        Some((size, unit)) => format!("{:.1} {unit}", bytes / size),
        None => format!("{bytes:.0} B"),
    }
}

fn escaped(words: &str) -> String {
    words.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_bytes_are_higher_and_none_is_on_the_ground() {
        let scale = Scale { commits: 3, low: 2, high: 6 };
        assert!(scale.y(100) > scale.y(1_000) && scale.y(1_000) > scale.y(1_000_000));
        assert_eq!((scale.y(0), scale.y(1_000_000)), (HEIGHT - BOTTOM, TOP));
        assert_eq!((scale.x(0), scale.x(2)), (LEFT + 6.0, WIDTH - RIGHT - 6.0));
    }

    #[test]
    fn names_are_escaped_and_numbers_are_short() {
        assert_eq!(escaped("<a> & b"), "&lt;a&gt; &amp; b");
        let words: Vec<String> = [999.0, 1000.0, 1500.0, 123_456.0, 1e6].into_iter().map(in_words).collect();
        assert_eq!(words, ["999 B", "1 kB", "1.5 kB", "123 kB", "1 MB"]);
    }
}
