//! With the real embedding model: what is found by its meaning.

use crate::support::{World, cache, left_out, test_data, workspace};

/// A podcast of the sample data, words of its middle, and other words for them.
const TITLE: &str = "brain-science-2";
const PHRASE: &str = "skin-to-skin contact with mother and infant";
const PARAPHRASE: &str = "holding a newborn close right after birth";

/// A world with the model; `None` where it is missing, which is said.
async fn world(here: &str) -> Option<World> {
    let name = here.trim_end_matches("::here").replace("::{{closure}}", "");
    let model = cache().join("models/all-MiniLM-L6-v2/model.safetensors");
    let runtime =
        ["libonnxruntime.so", "libonnxruntime.dylib"].map(|name| cache().join("onnxruntime").join(name));
    if !model.is_file() || !runtime.iter().any(|library| library.is_file()) {
        left_out(&name, "the embedding model was not found; `./run` installs it");
        return None;
    }
    let mut world = World::new(here).await?;
    world.unset("COLLOQUY_EMBEDDING_MODEL");
    Some(world)
}

#[tokio::test]
async fn a_paraphrase_that_shares_no_word_finds_the_place_in_the_samples() {
    fn here() {}
    let Some(world) = world(std::any::type_name_of_val(&here)).await else { return };
    let server = world.standalone().await;
    let client = server.owner();
    let names = ["coaching-session.vtt", "backend-interview.srt", "career-advice.txt", "product-meeting.vtt"];
    let samples = names.map(|name| workspace().join("samples").join(name).display().to_string());
    let files: Vec<&str> = samples.iter().map(String::as_str).collect();
    let imported = world.run(&[&["import", "--wait"], &files[..]].concat()).await;
    assert_eq!(imported.code, Some(0), "{imported:#?}");
    for (title, phrase, paraphrase) in [
        ("coaching-session", "over a delivery van", "relatives who stopped talking after a quarrel"),
        ("backend-interview", "base salary of ninety-six thousand", "how much pay the candidate wants"),
        ("career-advice", "seven thousand four hundred put by", "household budget"),
        (
            "product-meeting",
            "is it one bill or five",
            "combined billing for companies with multiple branches",
        ),
    ] {
        for mode in ["TEXT", "HYBRID"] {
            let found = client.titles(&format!("query: \"\\\"{phrase}\\\"\", mode: {mode}")).await;
            assert_eq!(found, [title], "{mode} {phrase}");
        }
        for mode in ["SEMANTIC", "HYBRID"] {
            let hits = client.search(&format!("query: \"{paraphrase}\", mode: {mode}, first: 5")).await;
            let place = hits.iter().position(|hit| {
                let text = hit["passage"]["text"].as_str().expect("a text").replace('\n', " ");
                hit["conversation"]["title"] == title && text.contains(phrase)
            });
            assert!(place.is_some(), "{mode} {paraphrase}: {hits:#?}");
        }
    }
}

#[tokio::test]
async fn a_podcast_is_found_by_a_phrase_of_its_middle_and_by_a_paraphrase() {
    fn here() {}
    let Some(world) = world(std::any::type_name_of_val(&here)).await else { return };
    let Some(folder) = test_data("changelog") else {
        left_out(std::any::type_name_of_val(&here), "there is no sample data");
        return;
    };
    let server = world.standalone().await;
    let client = server.owner();
    // Two more of the shorter ones, so that there is something else to be found.
    for name in [TITLE, "practical-ai-6", "practical-ai-12"] {
        let file = folder.join(format!("{name}.md"));
        let imported =
            world.run(&["import", "--kind", "interview", "--wait", &file.display().to_string()]).await;
        assert_eq!(imported.code, Some(0), "{imported:#?}");
    }
    let by_word = client.titles(&format!("query: \"\\\"{PHRASE}\\\"\", mode: TEXT")).await;
    assert_eq!(by_word, [TITLE]);
    for mode in ["SEMANTIC", "HYBRID"] {
        let hits = client.search(&format!("query: \"{PARAPHRASE}\", mode: {mode}, first: 5")).await;
        let found =
            hits.iter().any(|hit| hit["passage"]["text"].as_str().is_some_and(|text| text.contains(PHRASE)));
        assert!(found, "{mode}: {hits:#?}");
    }
}
