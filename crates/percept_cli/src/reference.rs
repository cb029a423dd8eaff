//! Keeps `docs/commands.md` complete: the page is written from the declarations of the command line.

use std::fmt::Write;

use clap::{Arg, ArgAction, Command, CommandFactory};

/// The page.
fn page() -> String {
    let mut out = String::from(
        "# Commands\n\nEvery command and option of `percept`, as `--help` says them. Data go to stdout with `--json`, everything else to \
         stderr. Exit codes: 0 ok, 1 your input, 2 our failure.\n",
    );
    let mut percept = crate::arguments::Arguments::command();
    percept.build();
    out.push_str("\n## Options of every command\n\n");
    table(&mut out, percept.get_arguments().filter(|argument| argument.is_global_set()));
    for command in percept.get_subcommands() {
        section(&mut out, "percept", command);
    }
    out
}

fn section(out: &mut String, parent: &str, command: &Command) {
    let name = format!("{parent} {}", command.get_name());
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    let _ = write!(out, "\n## {name}\n\n{about}.\n\n");
    table(out, command.get_arguments().filter(|argument| !argument.is_global_set()));
    for inner in command.get_subcommands() {
        section(out, &name, inner);
    }
}

fn table<'a>(out: &mut String, arguments: impl Iterator<Item = &'a Arg>) {
    let shown: Vec<&Arg> =
        arguments.filter(|argument| !argument.is_hide_set() && argument.get_id() != "help").collect();
    if shown.is_empty() {
        return;
    }
    out.push_str("| option | meaning |\n|---|---|\n");
    for argument in shown {
        let _ = writeln!(out, "| `{}` | {} |", written(argument), meaning(argument));
    }
}

/// `--out DIR`, or `EXPERIMENT` for an argument without a name.
fn written(argument: &Arg) -> String {
    let values: Vec<String> = argument.get_value_names().unwrap_or_default().iter().map(ToString::to_string).collect();
    let takes_value = matches!(argument.get_action(), ArgAction::Set | ArgAction::Append);
    match argument.get_long() {
        Some(long) if takes_value => format!("--{long} {}", values.join(" ")),
        Some(long) => format!("--{long}"),
        None => values.join(" "),
    }
}

fn meaning(argument: &Arg) -> String {
    let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
    let mut out = help.replace('|', "\\|").replace('\n', " ");
    let choices: Vec<String> =
        argument.get_possible_values().iter().map(|value| format!("`{}`", value.get_name())).collect();
    if !choices.is_empty() && matches!(argument.get_action(), ArgAction::Set | ArgAction::Append) {
        let _ = write!(out, " ({})", choices.join(", "));
    }
    let defaults: Vec<String> =
        argument.get_default_values().iter().map(|value| value.to_string_lossy().into_owned()).collect();
    if !defaults.is_empty() && matches!(argument.get_action(), ArgAction::Set | ArgAction::Append) {
        let _ = write!(out, " [default: {}]", defaults.join(" "));
    }
    out
}

#[test]
fn the_page_of_commands_is_that_of_the_declarations() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/commands.md");
    let page = page();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &page).expect("written");
    }
    let kept = std::fs::read_to_string(&path).expect("docs/commands.md is there");
    assert!(kept == page, "docs/commands.md is not what the options say (run the tests once with UPDATE_DOCS=1)");
}

#[test]
fn every_option_has_a_meaning() {
    let page = page();
    assert!(page.lines().all(|line| !line.ends_with("|  |")), "an option without help");
    for command in ["percept demo", "percept fit", "percept train b2c", "percept model pull"] {
        assert!(page.contains(&format!("\n## {command}\n")), "{command}");
    }
}
