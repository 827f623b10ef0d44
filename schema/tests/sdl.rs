//! `schema.graphql` is reviewed in diffs, so it must be what the code says; and the console's welcome text must
//! be something that the schema can answer.

use std::{fs, path::Path};

use async_graphql::{Request, parser::parse_query};
use futures::StreamExt;

fn file(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn the_sdl_file_is_in_step_with_the_code() {
    let written = file("schema.graphql");
    assert!(
        written == colloquy_schema::sdl(),
        "schema.graphql is behind: run `just schema` and review the diff"
    );
}

#[tokio::test]
async fn the_welcome_text_of_the_console_fits_the_schema() {
    let text = file("../web/graphiql/src/welcome.graphql");
    let document = parse_query(&text).unwrap();
    let names: Vec<String> =
        document.operations.iter().filter_map(|(name, _)| name.map(ToString::to_string)).collect();
    assert!(names.len() >= 3, "{names:?}");
    for name in names {
        let request = Request::new(&text).operation_name(&name);
        let answer = colloquy_schema::unwired().execute_stream(request).boxed().next().await;
        // What does not fit is refused before anything runs, and such an error has no path.
        let errors = answer.map(|answer| answer.errors).unwrap_or_default();
        let misfits: Vec<_> = errors.iter().filter(|error| error.path.is_empty()).collect();
        assert!(misfits.is_empty(), "{name}: {misfits:?}");
    }
}
