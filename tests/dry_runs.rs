//! What the shell shows of an import that only looks.

use std::fs;

use serde_json::json;

use crate::support::{LINES, VTT, world};

#[tokio::test]
async fn a_dry_run_shows_how_each_file_would_begin_and_what_is_there_already() {
    let world = world!();
    let _server = world.standalone().await;
    let write = |name: &str, text: &str| fs::write(world.folder().join(name), text).expect("a file");
    write("walk.vtt", VTT);
    write("numbers.txt", &format!("{LINES}Elif: Good.\nSam: I think so too.\nElif: Then that is it.\n"));
    let dry = world.run(&["import", "--dry-run", "walk.vtt"]).await.well();
    assert_eq!(
        dry,
        "would import   walk.vtt
               WebVTT, 0:15, en: 4 cues read, 0 merged, 1 dropped, 3 segments
               2 speakers: Mara, Tobias
               line 9: dropped: the cue has no text
               “walk” would begin:
               0:01–0:04  Mara: How was the harbour walk?
               0:05–0:09  Tobias: Windy, and the lighthouse was closed.
               0:13–0:15  Mara: Then we go again on Sunday.
1 would be imported
"
    );
    let dry = world.run(&["import", "--dry-run", "numbers.txt"]).await.well();
    let (_, shown) = dry.split_once("“numbers” would begin:\n").expect("a preview");
    assert_eq!(
        shown,
        "               Elif: What would you rather do?
               Sam: I would like to work with numbers.
               Elif: Since when?
               Sam: Since the spreadsheet about the falls.
               Elif: Good.
               and 2 further segments
1 would be imported
"
    );
    let whole = world.run(&["import", "--dry-run", "--verbose", "numbers.txt"]).await.well();
    assert!(whole.contains("Elif: Then that is it.\n1 would be imported\n"), "{whole}");
    let lines = world.run(&["import", "--dry-run", "--json", "walk.vtt"]).await.json();
    let second = json!({ "speaker": "Tobias", "text": "Windy, and the lighthouse was closed.",
        "startMs": 5_000, "endMs": 9_500 });
    assert_eq!(lines[0]["outcome"], "would-import");
    assert_eq!((&lines[0]["preview"]["title"], &lines[0]["preview"]["turns"][1]), (&json!("walk"), &second));
    assert_eq!(world.number("SELECT count(*) FROM conversations").await, 0);

    let real = world.run(&["import", "--json", "--wait", "--title", "Harbour", "walk.vtt"]).await.json();
    let jobs = world.number("SELECT count(*) FROM jobs").await;
    let dry = world.run(&["import", "--dry-run", "walk.vtt", "numbers.txt"]).await.well();
    assert!(dry.contains("already there  walk.vtt\n               as “Harbour”\n"), "{dry}");
    assert!(dry.ends_with("\n1 there already, 1 would be imported\n"), "{dry}");
    let lines = world.run(&["import", "--dry-run", "--json", "walk.vtt"]).await.json();
    assert_eq!(lines[0]["outcome"], "already-there");
    assert_eq!(lines[0]["conversation"]["id"], real[0]["conversation"]["id"]);
    assert!(lines[0]["preview"].is_null(), "{lines:#?}");
    assert_eq!(world.number("SELECT count(*) FROM jobs").await, jobs);
    assert_eq!(world.number("SELECT count(*) FROM conversations").await, 1);
}
