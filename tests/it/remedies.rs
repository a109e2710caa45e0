//! Every command that the program prints as a remedy or as an example is one that it understands.

use std::fs;
use std::path::{Path, PathBuf};

use clap::error::ErrorKind;
use clap::{CommandFactory as _, Parser as _};
use nivella_wallet::cli::Cli;

/// What the program's sources say in literals: their lines without comments, broken lines joined.
fn said() -> Vec<(PathBuf, String)> {
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    let mut said = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = fs::read_to_string(&path).unwrap();
            // A test's own words are nobody's remedy.
            let text = text.split("#[cfg(test)]\nmod tests").next().unwrap();
            let lines = text.lines().filter(|line| !line.trim_start().starts_with("//"));
            said.push((path, joined(&lines.collect::<Vec<_>>().join("\n"))));
        }
    }
    said
}

/// A literal that goes on in the next line is one text; a shell's line that goes on is one command.
fn joined(text: &str) -> String {
    let mut joined = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("\\\n") {
        let is_shell = rest[..at].ends_with('\\');
        let part = rest[..at].trim_end_matches('\\');
        joined.push_str(if is_shell { part.trim_end() } else { part });
        // The first line of a help text is broken only to begin at the margin.
        let next = &rest[at + 2..];
        rest = if rest[..at].ends_with('"') { next } else { next.trim_start() };
        if is_shell {
            joined.push(' ');
        }
        if rest.len() == next.len() && joined.ends_with('"') {
            joined.push('\n');
        }
    }
    joined.push_str(rest);
    joined
}

/// The commands in `text`: between backticks, and on lines of their own.
fn commands(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for line in text.lines() {
        let quoted = line.split('`').enumerate().filter(|(part, _)| part % 2 == 1).map(|(_, text)| text);
        found.extend(quoted.filter(|text| text.starts_with("nivella-wallet ")).map(str::to_owned));
        if let Some(example) = line.strip_prefix("  ").filter(|line| line.starts_with("nivella-wallet ")) {
            // After two spaces it is said what it does; `")]` ends the text; a file takes what it answers.
            let command = example.split("  ").next().unwrap().split(" > ").next().unwrap();
            let end = ["\")]", "\";", "\"\n"].iter().filter_map(|end| command.find(end)).min();
            found.push(command[..end.unwrap_or(command.len())].to_owned());
        }
    }
    found
}

/// What may stand for a placeholder.
const VALUES: [&str; 13] = [
    "shop",
    "17",
    "site:shop",
    "lab:customer:1",
    "acc_00000000000000000000000000000000",
    "gr_00000000000000000000000000000000",
    "key_00000000000000000000000000000000",
    "hd_00000000000000000000000000000000",
    "dl_00000000000000000000000000000000",
    "https://shop.example",
    "product:17",
    "month",
    "17 18",
];

/// The words of a command, each with what it may stand for.
fn words(command: &str) -> Vec<Vec<String>> {
    let command = command.replace(['[', ']'], "").replace("\\\"", "\"");
    let mut words = Vec::new();
    for (part, text) in command.split('"').enumerate() {
        if part % 2 == 1 {
            words.push(vec!["words".to_owned()]);
            continue;
        }
        for word in text.split_whitespace() {
            words.push(meanings(word));
        }
    }
    words
}

/// What a word may stand for: itself, or each value in the place of its placeholder.
fn meanings(word: &str) -> Vec<String> {
    if let (Some(open), Some(close)) = (word.find('{'), word.rfind('}')) {
        let (before, after) = (&word[..open], &word[close + 1..]);
        // Also nothing: an option that is not always there.
        let mut meanings = vec![format!("{before}{after}")];
        meanings.extend(VALUES.iter().map(|value| format!("{before}{value}{after}")));
        return meanings;
    }
    match word {
        "…" | "N" | "ACC" | "SITE" | "STORE" | "ORDER" | "NAME" | "ID" | "URL" | "FILE" | "SLUG"
        | "TOKEN" | "WALLET" | "W" | "key_…" | "hd_…" | "dl_…" => VALUES.map(str::to_owned).to_vec(),
        _ => vec![word.replace('…', "0")],
    }
}

/// Whether the program understands a command, with some value for each placeholder.
fn is_understood(words: &[Vec<String>]) -> Result<(), clap::Error> {
    let places: usize = words.iter().map(Vec::len).product();
    assert!(places < 100_000, "too many ways to read {words:?}");
    let mut last = None;
    for mut number in 0..places {
        let mut args = Vec::new();
        for meanings in words {
            args.extend(meanings[number % meanings.len()].split_whitespace().map(str::to_owned));
            number /= meanings.len();
        }
        match Cli::try_parse_from(&args) {
            Ok(_) => return Ok(()),
            // A command that is only named, like `nivella-wallet key create`, shows how it goes on.
            Err(error) if names_only(&args, error.kind()) => return Ok(()),
            Err(error) => last = Some(error),
        }
    }
    Err(last.unwrap())
}

fn names_only(args: &[String], kind: ErrorKind) -> bool {
    let incomplete =
        [ErrorKind::MissingRequiredArgument, ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand];
    incomplete.contains(&kind) && args.len() <= 4 && args.iter().all(|arg| !arg.starts_with('-'))
}

#[test]
fn every_command_that_is_printed_is_understood() {
    let (mut number, mut wrong) = (0, Vec::new());
    for (path, text) in said() {
        for command in commands(&text) {
            number += 1;
            if let Err(error) = is_understood(&words(&command)) {
                let why = error.to_string();
                wrong.push(format!("{}: {command}\n    {}", path.display(), why.lines().next().unwrap()));
            }
        }
    }
    assert!(number > 100, "only {number} commands were found");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_command_that_is_printed_begins_with_the_programs_name() {
    let program = Cli::command();
    let mut wrong = Vec::new();
    for (path, text) in said() {
        for line in text.lines() {
            for quoted in line.split('`').skip(1).step_by(2) {
                let mut words = quoted.split_whitespace();
                let noun = words.next().and_then(|noun| program.find_subcommand(noun));
                let verb = words.next().and_then(|verb| noun?.find_subcommand(verb));
                if verb.is_some() {
                    wrong.push(format!("{}: `{quoted}`", path.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "without the program's name:\n{}", wrong.join("\n"));
}

#[test]
fn a_command_that_is_not_one_is_found() {
    for wrong in [
        "nivella-wallet wallet lst site:shop",
        "nivella-wallet site transfer {site} --into ACC",
        "nivella-wallet plan set {name} --credits N --per fortnight",
        "nivella-wallet hold release",
    ] {
        let is_named_only = wrong.ends_with("release");
        assert_eq!(is_understood(&words(wrong)).is_ok(), is_named_only, "{wrong}");
    }
    let help =
        "x = \"\\\nExamples:\n  nivella-wallet a b   does it\n  nivella-wallet c \\\\\n      --d\")]\n";
    assert_eq!(commands(&joined(help)), ["nivella-wallet a b", "nivella-wallet c --d"]);
}
