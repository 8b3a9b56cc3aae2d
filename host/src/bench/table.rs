//! The report for people.

use std::fmt::Write;

use super::meter::Cost;
use super::report::{Report, Sample, Statement, Throughput, Written};

/// Renders everything that was measured.
pub(super) fn render(report: &Report) -> String {
    let mut text = String::new();
    run(&mut text, report);
    sandbox(&mut text, report);
    throughput(&mut text, report);
    enqueued(&mut text, report);
    rate_limits(&mut text, report);
    sustained(&mut text, report);
    latency(&mut text, report);
    scaling(&mut text, report);
    rest(&mut text, report);
    text
}

fn run(text: &mut String, Report { run, .. }: &Report) {
    let load = run.load.map_or("unknown".into(), |load| format!("{load:.2}"));
    let profile = if run.optimised { "optimised" } else { "NOT OPTIMISED" };
    line(text, format!("currant {} ({profile}), {} cores, load {load} at the start", run.version, run.cores));
    let server = serde_json::to_value(&run.postgres).unwrap_or_default();
    let settings = server.as_object().into_iter().flatten().map(|(name, value)| match (name.as_str(), value.as_str()) {
        ("version", Some(version)) => format!("Postgres {version}"),
        (name, value) => format!("{name} {}", value.unwrap_or_default()),
    });
    line(text, settings.collect::<Vec<_>>().join(", "));
    line(
        text,
        format!(
            "medians of {} rounds of {} s; module {} ({} KiB)",
            run.rounds,
            run.seconds,
            &run.module[..12],
            run.module_bytes / 1024
        ),
    );
    if !run.postgres_is_local {
        line(
            text,
            "Postgres does not run on this machine, or not where it can be seen: its processor time is unknown, and so is the ideal",
        );
    }
    if !run.statements_are_counted {
        line(
            text,
            "statements are not counted: the server does not preload pg_stat_statements, or this account may not create it",
        );
    }
}

fn sandbox(text: &mut String, report: &Report) {
    let rows = report.sandbox.iter().map(|of| {
        [
            match of.name {
                "noop" => "a task".into(),
                name => format!("a workflow of 10 {name}"),
            },
            number(of.cpu_us, 1),
            number(Some(of.p50_us), 1),
            rate(of.one_at_a_time_per_second),
            rate(of.all_cores_per_second),
        ]
    });
    let header = ["", "CPU µs", "p50 µs", "one at a time /s", "all cores /s"];
    table(text, "the sandbox alone: instance, call, drop", &header, rows.collect());
    if let Some(loaded) = &report.loaded {
        line(
            text,
            format!(
                "its module is ready after {:.0} ms when it is compiled, {:.0} ms from the disk cache; {} of code",
                loaded.compiled_ms,
                loaded.cached_ms,
                megabytes(loaded.code_bytes as f64)
            ),
        );
    }
}

const COSTS: [&str; 10] = [
    "",
    "/s",
    "Postgres µs",
    "+ others µs",
    "worker µs",
    "client µs",
    "WAL B",
    "transactions",
    "statements",
    "cores of others",
];

fn throughput(text: &mut String, report: &Report) {
    for measured in &report.throughput {
        let mut rows = Vec::new();
        if let Some(floor) = &measured.floor {
            rows.push(costs("floor", floor));
        }
        rows.push(costs("system", &measured.system));
        let workers = if measured.workers == 1 { "1 worker".into() } else { format!("{} workers", measured.workers) };
        table(text, &format!("{}: {workers} of {} slots, per execution", measured.name, measured.slots), &COSTS, rows);
        line(text, verdict(measured, report));
        top_statements(text, "floor", measured.floor.as_ref().map_or(&[], |floor| &floor.statements_by_time));
        top_statements(text, "system", &measured.system.statements_by_time);
    }
}

fn costs(name: &str, sample: &Sample) -> [String; 10] {
    let Cost { postgres_us, postgres_background_us, worker_us, client_us, wal_bytes, transactions, statements } = sample.cost;
    [
        name.into(),
        rate(sample.per_second),
        number(postgres_us, 1),
        number(postgres_background_us, 1),
        number(worker_us, 1),
        number(client_us, 1),
        number(Some(wal_bytes), 0),
        number(Some(transactions), 3),
        number(statements, 3),
        number(sample.cores_of_others, 2),
    ]
}

fn verdict(measured: &Throughput, report: &Report) -> String {
    let mut parts = Vec::new();
    if let Some(ideal) = measured.ideal_per_second {
        let postgres = measured.floor.as_ref().and_then(|floor| floor.cost.postgres_us).unwrap_or_default();
        let whole = report.run.cores as f64 * 1e6 / ideal;
        parts.push(format!(
            "ideal {} /s = {} cores ÷ ({postgres:.1} µs of Postgres + {:.1} µs in the sandbox)",
            rate(ideal),
            report.run.cores,
            whole - postgres
        ));
    }
    let ratios = [
        ("of the ideal", measured.of_ideal),
        ("× the floor's Postgres", measured.postgres_of_floor),
        ("× the floor's WAL", measured.wal_of_floor),
    ];
    parts.extend(ratios.into_iter().filter_map(|(what, ratio)| Some(format!("{:.2} {what}", ratio?))));
    if let Some(bytes) = measured.system.worker_resident_bytes {
        parts.push(format!("worker {}", megabytes(bytes as f64)));
    }
    parts.join("; ")
}

fn top_statements(text: &mut String, of: &str, statements: &[Statement]) {
    if statements.is_empty() {
        return;
    }
    let whole: f64 = statements.iter().map(|statement| statement.total_ms).sum();
    let rows = statements.iter().map(|statement| {
        [
            format!("{:.0} %", 100.0 * statement.total_ms / whole),
            statement.calls.to_string(),
            format!("{:.3}", statement.mean_ms),
            format!("{:.1}", statement.rows as f64 / statement.calls.max(1) as f64),
            beginning(&statement.query),
        ]
    });
    table(
        text,
        &format!("statements of the {of}, by time"),
        &["share", "calls", "mean ms", "rows", "statement"],
        rows.collect(),
    );
}

/// What tells a statement from others in one line.
fn beginning(query: &str) -> String {
    let code = query.lines().filter(|line| !line.trim_start().starts_with("--")).collect::<Vec<_>>().join(" ");
    let words = code.split_whitespace().collect::<Vec<_>>().join(" ");
    words.chars().take(100).collect()
}

fn sustained(text: &mut String, report: &Report) {
    let rows = report.sustained.iter().map(|of| {
        [
            of.name.clone(),
            rate(of.sample.per_second),
            rate(of.first),
            rate(of.last),
            format!("{:.2}", of.last_of_first),
            number(of.sample.cost.postgres_us, 1),
            number(Some(of.sample.cost.wal_bytes), 0),
        ]
    });
    let header = ["", "/s", "first sixth /s", "last sixth /s", "last ÷ first", "Postgres µs", "WAL B"];
    table(text, "tasks, sustained", &header, rows.collect());
    if let [alone, .., beside] = &report.sustained[..] {
        let ratio = beside.sample.per_second / alone.sample.per_second;
        line(text, format!("with the open transaction {ratio:.2} of without"));
    }
}

fn latency(text: &mut String, report: &Report) {
    let rows = report.latency.iter().map(|of| {
        let milliseconds = |of: f64| format!("{of:.2}");
        [of.name.clone(), milliseconds(of.p50_ms), milliseconds(of.p99_ms), milliseconds(of.longest_ms), of.count.to_string()]
    });
    table(text, "one at a time", &["", "p50 ms", "p99 ms", "longest ms", "count"], rows.collect());
}

fn enqueued(text: &mut String, report: &Report) {
    for of in &report.enqueued {
        let row = |name: &str, written: &Written| {
            [name.into(), rate(written.per_second), number(written.postgres_us, 2), number(Some(written.wal_bytes), 0)]
        };
        let rows = vec![row("plain inserts", &of.plain), row("currant", &of.currant)];
        table(text, &format!("{}, per execution", of.name), &["", "/s", "Postgres µs", "WAL B"], rows);
        let postgres = of.postgres_of_plain.map(|ratio| format!("; {ratio:.2} × their Postgres")).unwrap_or_default();
        line(text, format!("{:.2} of plain inserts of the same rows{postgres}", of.rate_of_plain));
    }
}

fn rate_limits(text: &mut String, report: &Report) {
    let rows = report.rate_limits.iter().map(|of| {
        [
            of.workers.to_string(),
            rate(of.limit_per_second),
            number(Some(of.delivered_of_limit), 3),
            number(Some(of.most_of_burst), 2),
            number(of.raised_holds_after_s, 1),
            number(of.lowered_holds_after_s, 1),
        ]
    });
    let header = ["workers", "limit /s", "delivered ÷ limit", "most ÷ burst", "raised holds after s", "lowered holds after s"];
    table(text, "a rate limit", &header, rows.collect());
    if let Some(ratio) = report.loose_limit_of_none {
        line(text, format!("tasks with a limit that does not bind: {ratio:.2} of without"));
    }
}

fn scaling(text: &mut String, report: &Report) {
    let rows = report.scaling.iter().map(|of| {
        [
            of.name.into(),
            of.size.to_string(),
            number(Some(of.wall_us), 0),
            number(of.worker_us, 0),
            number(of.postgres_us, 0),
            number(Some(of.wal_bytes), 0),
        ]
    });
    let header = ["", "of one workflow", "µs each", "worker µs", "Postgres µs", "WAL B"];
    table(text, "what one of many costs", &header, rows.collect());
}

fn rest(text: &mut String, report: &Report) {
    if let Some(retention) = &report.retention {
        line(text, "");
        line(
            text,
            format!(
                "while {} executions are deleted, {:.0} a second: tasks at {:.2} of the rate without, start → result at {:.2} (p50) and {:.2} \
                 (p99) of it; somebody waited for a lock in {} of {} looks",
                retention.rows,
                retention.deleted_per_second,
                retention.throughput_of_quiet,
                retention.p50_of_quiet,
                retention.p99_of_quiet,
                retention.waits_for_locks,
                retention.looks
            ),
        );
    }
    if let Some(idle) = &report.idle {
        line(text, "");
        line(
            text,
            format!(
                "an idle worker: {}, {} % of a core, {} statements a second, {:.2} of them write ({:.0} s)",
                idle.resident_bytes.map_or("–".into(), |bytes| megabytes(bytes as f64)),
                number(idle.cpu_percent, 2),
                number(idle.statements_per_second, 2),
                idle.transactions_per_second,
                idle.seconds
            ),
        );
    }
    if let Some(waiting) = &report.waiting {
        line(text, "");
        line(
            text,
            format!(
                "{} waiting workflows in one worker: {} of its own, {} each; they waited after {:.1} s, and ended {:.1} s after the first signal",
                waiting.workflows,
                waiting.own_bytes.map_or("–".into(), |bytes| megabytes(bytes as f64)),
                waiting.own_bytes_each.map_or("–".into(), megabytes),
                waiting.seconds_to_wait,
                waiting.seconds_to_end
            ),
        );
    }
}

fn table<const N: usize>(text: &mut String, title: &str, header: &[&str; N], rows: Vec<[String; N]>) {
    if rows.is_empty() {
        return;
    }
    let widths = (0..N).map(|column| {
        let cells = rows.iter().map(|row| row[column].as_str()).chain([header[column]]);
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    });
    let widths: Vec<usize> = widths.collect();
    let of_words: Vec<bool> = (0..N).map(|column| rows.iter().any(|row| is_words(&row[column]))).collect();
    line(text, "");
    line(text, title);
    let header = header.map(str::to_string);
    for row in std::iter::once(&header).chain(&rows) {
        let cells = row.iter().enumerate().map(|(column, cell)| match (of_words[column], widths[column]) {
            (true, width) => format!("{cell:<width$}"),
            (false, width) => format!("{cell:>width$}"),
        });
        line(text, format!("  {}", cells.collect::<Vec<_>>().join("  ")).trim_end());
    }
}

/// Words begin at the left, numbers end at the right.
fn is_words(cell: &str) -> bool {
    cell != "–" && !cell.starts_with(|first: char| first.is_ascii_digit())
}

fn line(text: &mut String, of: impl AsRef<str>) {
    writeln!(text, "{}", of.as_ref()).expect("a string takes everything");
}

fn number(of: Option<f64>, places: usize) -> String {
    of.map_or("–".into(), |of| format!("{of:.places$}"))
}

fn rate(of: f64) -> String {
    format!("{of:.0}")
}

fn megabytes(bytes: f64) -> String {
    let places = if bytes < 1e7 { 2 } else { 0 };
    format!("{:.places$} MB", bytes / 1e6)
}
