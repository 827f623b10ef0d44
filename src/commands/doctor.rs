//! `colloquy doctor`: what is needed, what of it is well, and what to do about the rest.

use anyhow::Result;

use super::{Outcome, text};
use crate::{
    cli::Common,
    config::Config,
    output::{self, bad, faint, good, plain},
    roles::{self, Check},
};

pub(crate) async fn run(common: &Common, config: Config) -> Result<Outcome> {
    let checks = roles::doctor(config).await?;
    match common.json {
        true => output::json(&checks)?,
        false => output::line(show(&checks))?,
    }
    let well = checks.iter().all(|check| check.ok);
    Ok(if well { Outcome::Done } else { Outcome::Failed })
}

fn show(checks: &[Check]) -> String {
    let wide = checks.iter().map(|check| check.name.len()).max().unwrap_or(0);
    let mut shown = String::new();
    for Check { name, ok, detail, hint } in checks {
        let state = if *ok { good("ok    ") } else { bad("failed") };
        shown += &format!("{state}  {name:wide$}  {}\n", plain(detail));
        if let Some(hint) = hint {
            shown += &format!("{:8}{:wide$}  {}\n", "", "", faint(format_args!("what to do: {hint}")));
        }
    }
    let failed = checks.iter().filter(|check| !check.ok).count();
    shown += &match failed {
        0 => format!("all is well: {}", text::count(checks.len(), "check")),
        _ => format!("{failed} of {} failed", text::count(checks.len(), "check")),
    };
    shown
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;

    #[test]
    fn checks_are_shown_with_what_to_do() {
        let checks = [
            Check { name: "postgresql", ok: true, detail: "version 17.2".to_owned(), hint: None },
            Check {
                name: "redis",
                ok: false,
                detail: "connection refused".to_owned(),
                hint: Some("is the server up?".to_owned()),
            },
        ];
        assert_snapshot!(anstream::adapter::strip_str(&show(&checks)), @r"
        ok      postgresql  version 17.2
        failed  redis       connection refused
                            what to do: is the server up?
        1 of 2 checks failed
        ");
        assert!(show(&checks[..1]).ends_with("all is well: 1 check"));
    }
}
