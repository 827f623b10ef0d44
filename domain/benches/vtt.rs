//! How fast WebVTT is read: the cues alone, and a whole import. `cargo bench -p colloquy-domain --bench vtt`.

use std::fmt::Write;

use colloquy_domain::transcripts::{Limits, formats::webvtt::cues::Cues, parse};
use divan::{Bencher, black_box, counter::BytesCount};

fn main() {
    divan::main();
}

/// Two speakers in turn, a cue every three seconds, two lines in each third cue; about 16 MB.
fn talk(voices: bool) -> String {
    let said = [
        "And I think the interesting thing is that nobody makes the same choices, of course.",
        "Right. So what would you do first, if you had the whole week for it?",
        "We would write down what we know &amp; what we only believe,\nand then look at the <i>second</i> list.",
        "That makes sense to me",
        "because the first one looks after itself, more or less, and always has.",
    ];
    let mut text = "WEBVTT\n\n".to_owned();
    for at in 0..120_000_u64 {
        let (seconds, line) = (at * 3, said[at as usize % said.len()]);
        let time =
            |seconds: u64| format!("{:02}:{:02}:{:02}.000", seconds / 3600, seconds / 60 % 60, seconds % 60);
        let speaker = if at / 4 % 2 == 0 { "<v Anna Lee>" } else { "<v Ben Okafor>" };
        let speaker = if voices { speaker } else { "" };
        write!(text, "{at}\n{} --> {}\n{speaker}{line}\n\n", time(seconds), time(seconds + 3))
            .expect("a string");
    }
    text
}

#[divan::bench(args = [true, false])]
fn cues(bencher: Bencher<'_, '_>, voices: bool) {
    let text = talk(voices);
    bencher.counter(BytesCount::new(text.len())).bench_local(|| {
        Cues::new(black_box(&text))
            .into_iter()
            .flatten()
            .flatten()
            .map(|cue| cue.payload.len() as u64 + cue.end.0)
            .sum::<u64>()
    });
}

#[divan::bench(args = [true, false])]
fn import(bencher: Bencher<'_, '_>, voices: bool) {
    let text = talk(voices);
    bencher
        .counter(BytesCount::new(text.len()))
        .bench_local(|| parse(black_box(text.as_bytes()), None, &Limits::default()).expect("a transcript"));
}
