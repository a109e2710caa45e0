//! The figures and the one table of them.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::load::Load;

/// What one measurement showed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sample {
    /// The figure itself: requests a second, or what its unit says.
    pub(crate) value: f64,
    /// Milliseconds that half, 99 % and 99.9 % of the answers took at most.
    pub(crate) times: Option<[f64; 3]>,
    /// Microseconds of the server's processor time for each request.
    pub(crate) cpu_us: Option<f64>,
    /// Bytes it made the kernel write for each request.
    pub(crate) written: Option<f64>,
}

impl Sample {
    pub(crate) fn of(load: &Load) -> Self {
        let times = [500, 990, 999].map(|per_mille| load.latencies.at(per_mille));
        Self { value: load.per_second(), times: Some(times), cpu_us: None, written: None }
    }

    pub(crate) fn only(value: f64) -> Self {
        Self { value, ..Self::default() }
    }
}

/// What is said of a figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    PerSecond,
    Millis,
    Seconds,
    MegaBytes,
    Bytes,
}

impl Unit {
    fn write(self, value: f64) -> String {
        match self {
            Self::PerSecond => format!("{}/s", thousands(value)),
            Self::Millis => format!("{value:.2} ms"),
            Self::Seconds => format!("{value:.1} s"),
            Self::MegaBytes => format!("{value:.1} MB"),
            Self::Bytes => format!("{} B", thousands(value)),
        }
    }
}

/// Which way is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Better {
    More,
    Less,
}

/// What a ratio, or a figure, is to reach.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target {
    pub(crate) better: Better,
    pub(crate) must: f64,
    pub(crate) stretch: Option<f64>,
}

impl Target {
    pub(crate) const fn more(must: f64, stretch: f64) -> Self {
        Self { better: Better::More, must, stretch: Some(stretch) }
    }

    pub(crate) const fn less(must: f64, stretch: Option<f64>) -> Self {
        Self { better: Better::Less, must, stretch }
    }

    fn verdict(&self, value: f64) -> &'static str {
        let reaches = |bound: f64| match self.better {
            Better::More => value >= bound,
            Better::Less => value <= bound,
        };
        match self.stretch {
            Some(stretch) if reaches(stretch) => "met, stretch too",
            _ if reaches(self.must) => "met",
            _ => "MISSED",
        }
    }

    fn words(&self) -> String {
        let sign = if self.better == Better::More { "≥" } else { "≤" };
        let stretch = self.stretch.map(|stretch| format!(" · {}", short(stretch))).unwrap_or_default();
        format!("{sign} {}{stretch}", short(self.must))
    }
}

/// A figure that is shown as it was measured.
struct Figure {
    name: &'static str,
    unit: Unit,
    target: Option<Target>,
}

/// A figure by another; the median of what the rounds gave.
struct Ratio {
    name: String,
    values: Vec<f64>,
    target: Target,
    why_not: Option<String>,
}

/// All that was measured.
#[derive(Default)]
pub(crate) struct Book {
    samples: BTreeMap<&'static str, Vec<Sample>>,
    figures: Vec<Figure>,
    ratios: Vec<Ratio>,
    missing: BTreeMap<&'static str, String>,
    notes: Vec<String>,
}

impl Book {
    /// Notes a sample of a figure, which is shown in the order of first mention.
    pub(crate) fn note(&mut self, name: &'static str, unit: Unit, sample: Sample) {
        self.note_to(name, unit, None, sample);
    }

    /// [`Book::note`] of a figure that has a target of its own.
    pub(crate) fn note_with(&mut self, name: &'static str, unit: Unit, target: Target, sample: Sample) {
        self.note_to(name, unit, Some(target), sample);
    }

    fn note_to(&mut self, name: &'static str, unit: Unit, target: Option<Target>, sample: Sample) {
        if !self.figures.iter().any(|figure| figure.name == name) {
            self.figures.push(Figure { name, unit, target });
        }
        self.samples.entry(name).or_default().push(sample);
    }

    /// Says why a figure is not measured.
    pub(crate) fn miss(&mut self, name: &'static str, why: String) {
        self.missing.insert(name, why);
    }

    /// A line below the table.
    pub(crate) fn remark(&mut self, line: String) {
        self.notes.push(line);
    }

    /// The newest value of a figure.
    pub(crate) fn last(&self, name: &str) -> Option<f64> {
        self.samples.get(name)?.last().map(|sample| sample.value)
    }

    /// One figure by another.
    pub(crate) fn ratio(&mut self, over: &'static str, under: &'static str, target: Target) {
        self.ratio_of(format!("{over} ÷ {under}"), (over, under), |sample| Some(sample.value), target);
    }

    /// What `value` takes of one figure, by the same of another.
    pub(crate) fn ratio_of(
        &mut self,
        name: String,
        (over, under): (&'static str, &'static str),
        value: impl Fn(&Sample) -> Option<f64>,
        target: Target,
    ) {
        let of = |name: &str| -> Vec<Option<f64>> {
            self.samples.get(name).map(|samples| samples.iter().map(&value).collect()).unwrap_or_default()
        };
        let pairs = of(over).into_iter().zip(of(under));
        let values: Vec<f64> = pairs.filter_map(|(over, under)| Some(over? / under?)).collect();
        let why_not = [over, under].iter().find_map(|name| self.missing.get(name)).cloned();
        if !values.is_empty() || why_not.is_some() {
            self.ratios.push(Ratio { name, values, target, why_not });
        }
    }

    /// Whether nothing that was measured missed its target.
    pub(crate) fn is_met(&self) -> bool {
        self.rows().iter().all(|row| row.cells[9] != "MISSED")
    }

    fn rows(&self) -> Vec<Row> {
        let mut rows = Vec::new();
        for Figure { name, unit, target } in &self.figures {
            let samples = &self.samples[name];
            let values: Vec<f64> = samples.iter().map(|sample| sample.value).collect();
            let middle = |of: &dyn Fn(&Sample) -> Option<f64>| {
                let values: Vec<f64> = samples.iter().filter_map(of).collect();
                (!values.is_empty()).then(|| median(&values))
            };
            let time = |index: usize| {
                middle(&|sample| sample.times.map(|times| times[index]))
                    .map_or_else(String::new, |ms| format!("{ms:.2}"))
            };
            let plain = |value: Option<f64>| value.map_or_else(String::new, |value| format!("{value:.0}"));
            rows.push(Row::new([
                (*name).to_owned(),
                unit.write(median(&values)),
                range(&values, |value| unit.write(value)),
                time(0),
                time(1),
                time(2),
                plain(middle(&|sample| sample.cpu_us)),
                plain(middle(&|sample| sample.written)),
                target.as_ref().map(Target::words).unwrap_or_default(),
                target.as_ref().map_or("", |target| target.verdict(median(&values))).to_owned(),
            ]));
        }
        for name in self.missing.keys() {
            rows.push(Row::text(name, "not measured".to_owned()));
        }
        for Ratio { name, values, target, why_not } in &self.ratios {
            let words = target.words();
            let row = match why_not {
                Some(_) => Row::text(name, "not measured".to_owned()).with(8, words),
                None => Row::text(name, format!("{:.2}", median(values)))
                    .with(2, range(values, |value| format!("{value:.2}")))
                    .with(8, words)
                    .with(9, target.verdict(median(values)).to_owned()),
            };
            rows.push(row);
        }
        rows
    }

    /// The table, for a terminal or as Markdown.
    pub(crate) fn print(&self, markdown: bool) {
        let mut rows = vec![Row::new(HEAD.map(str::to_owned))];
        rows.extend(self.rows());
        let width =
            |column: usize| rows.iter().map(|row| row.cells[column].chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..HEAD.len()).map(width).collect();
        for (index, row) in rows.iter().enumerate() {
            let cells = row.cells.iter().zip(&widths).enumerate();
            let line: Vec<String> = cells
                .map(|(column, (cell, width))| {
                    let pad = " ".repeat(width - cell.chars().count());
                    if column == 0 || column >= 8 { format!("{cell}{pad}") } else { format!("{pad}{cell}") }
                })
                .collect();
            if markdown {
                println!("| {} |", line.join(" | "));
                if index == 0 {
                    println!("|---|{}|---|---|", ["---:"; 7].join("|"));
                }
            } else {
                println!("{}", line.join("  ").trim_end());
            }
        }
        println!();
        for (name, why) in &self.missing {
            println!("{name} was not measured: {why}");
        }
        for note in &self.notes {
            println!("{note}");
        }
    }

    /// Everything, for programs.
    pub(crate) fn json(&self) -> Value {
        let figures = self.figures.iter().map(|Figure { name, .. }| {
            let samples = &self.samples[name];
            let list = samples.iter().map(|sample| {
                json!({ "value": sample.value, "p50_p99_p999_ms": sample.times, "cpu_us": sample.cpu_us,
                        "written_bytes": sample.written })
            });
            json!({ "name": name, "rounds": list.collect::<Vec<_>>() })
        });
        let ratios = self.ratios.iter().map(|Ratio { name, values, target, .. }| {
            let verdict = (!values.is_empty()).then(|| target.verdict(median(values)));
            json!({ "name": name, "rounds": values, "must": target.must, "stretch": target.stretch, "verdict": verdict })
        });
        json!({ "figures": figures.collect::<Vec<_>>(), "ratios": ratios.collect::<Vec<_>>(),
                "not_measured": self.missing, "notes": self.notes })
    }
}

const HEAD: [&str; 10] = [
    "figure",
    "median",
    "min–max",
    "p50 ms",
    "p99 ms",
    "p99.9 ms",
    "CPU µs",
    "disk B",
    "must · stretch",
    "verdict",
];

struct Row {
    cells: [String; 10],
}

impl Row {
    fn new(cells: [String; 10]) -> Self {
        Self { cells }
    }

    fn text(name: &str, value: String) -> Self {
        let mut cells: [String; 10] = Default::default();
        (cells[0], cells[1]) = (name.to_owned(), value);
        Self { cells }
    }

    fn with(mut self, column: usize, text: String) -> Self {
        self.cells[column] = text;
        self
    }
}

fn median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

fn range(values: &[f64], write: impl Fn(f64) -> String) -> String {
    let least = values.iter().copied().fold(f64::INFINITY, f64::min);
    let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if values.len() < 2 { String::new() } else { format!("{}–{}", write(least), write(most)) }
}

fn thousands(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn short(value: f64) -> String {
    let text = format!("{value:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
