//! `docs/config.md`, from the table of settings.

use std::fmt::Write as _;

use crate::config::{LIMIT_PREFIX, settings};

pub(super) fn page() -> String {
    let mut text = String::from(
        "# Settings\n\n\
         Written by `punctual render` from `service/src/config/settings.rs` and \
         `service/contract/src/limit.rs`.\n\n\
         A setting comes, each above the one before it, from its default, a TOML file (`--config \
         FILE` or `PUNCTUAL_CONFIG`; the keys are the names below), the environment (the name in \
         capitals after `PUNCTUAL_`) and flags (the name with dashes). An empty variable counts as \
         not set. A secret has no flag of its own; it can be kept in a file that is named instead: \
         `PUNCTUAL_ADMIN_KEY_FILE`, `admin_key_file` or `--admin-key-file`. All mistakes are told \
         at once, each in a line, and the exit status is 2. `punctual config` prints what holds \
         and where it was set, with secrets masked.\n\n\
         What is logged is set by `RUST_LOG` (without it `info` of the service and `error` of \
         other commands; `info,punctual::request=debug` shows every request).\n",
    );
    let (limits, rest): (Vec<_>, Vec<_>) =
        settings().into_iter().partition(|setting| setting.name.starts_with(LIMIT_PREFIX));
    for (title, rows) in [("General", rest), ("Limits", limits)] {
        write!(
            text,
            "\n## {title}\n\n| Name | Default | Must be | What it is |\n|---|---|---|---|\n"
        )
        .expect("a string takes all");
        for setting in rows {
            let default = match &*setting.default {
                "" => "none".to_owned(),
                default => format!("`{default}` {}", setting.unit).trim_end().to_owned(),
            };
            let mut form = setting.must_be();
            if setting.is_secret {
                form.push_str(" (secret)");
            }
            let help = setting.help.split_whitespace().collect::<Vec<_>>().join(" ");
            writeln!(text, "| `{}` | {default} | {form} | {help} |", setting.name)
                .expect("a string takes all");
        }
    }
    text
}
