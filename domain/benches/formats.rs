//! How fast each format is read, and in how much memory: the whole of an import but the object store and the
//! database. `just bench-formats` prints it for BENCHMARKS.md. Memory is the highest resident size of a process of
//! its own that reads one file.

#![expect(clippy::print_stdout, reason = "what it measures is what it prints")]
#![expect(clippy::expect_used, reason = "a benchmark may fail")]

use std::{env, fmt::Write, fs, process::Command, time::Instant};

use colloquy_domain::{
    conversations::ContentHash,
    transcripts::{Limits, Transcript, parse, report::Format},
};

const MB: usize = 1_000_000;
/// Of the files whose reading is timed.
const TIMED: usize = 16 * MB;
const RUNS: usize = 5;
/// Of the files whose memory is looked at.
const LARGE: usize = 200 * MB;
const FILES: usize = 1_000;

/// An operator who takes anything.
const LIMITS: Limits = Limits { max_bytes: usize::MAX, max_line_bytes: usize::MAX, max_cues: usize::MAX };

fn main() {
    let mut arguments = env::args().skip(1).filter(|argument| argument != "--bench");
    match (arguments.next().as_deref(), arguments.next()) {
        (Some("--memory"), Some(file)) => println!("{}", read_alone(&file)),
        (None, _) => report(),
        (Some(name), _) => {
            speed(&MADE.iter().filter(|made| made.format.as_str() == name).collect::<Vec<_>>())
        }
    }
}

fn report() {
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    println!("{} cores, load {}\n", std::thread::available_parallelism().map_or(0, usize::from), load.trim());
    speed(&MADE.iter().collect::<Vec<_>>());
    println!();
    memory();
    println!();
    many();
}

fn import(bytes: &[u8]) -> Transcript {
    let transcript = parse(bytes, None, &LIMITS).expect("a transcript");
    std::hint::black_box(ContentHash::of(bytes));
    transcript
}

/// Detection, reading, joining, language and the hash of the bytes, of made-up talks of two speakers.
fn speed(made: &[&Made]) {
    println!("{:<24} {:>8} {:>9} {:>10}", "format", "MB", "MB/s", "segments");
    for made in made {
        let text = made.of_size(TIMED);
        let mut times = Vec::new();
        let mut segments = 0;
        for _ in 0..RUNS {
            let begun = Instant::now();
            let transcript = import(text.as_bytes());
            times.push(begun.elapsed().as_secs_f64());
            assert_eq!(transcript.report.format, made.format);
            segments = transcript.turns.len();
        }
        times.sort_by(f64::total_cmp);
        let speed = text.len() as f64 / MB as f64 / times[RUNS / 2];
        println!(
            "{:<24} {:>8.1} {speed:>9.0} {segments:>10}",
            made.format.as_str(),
            text.len() as f64 / MB as f64
        );
    }
}

fn memory() {
    println!("{:<24} {:>8} {:>12} {:>7}", "format", "MB", "peak in MB", "ratio");
    let program = env::current_exe().expect("this program");
    for format in [Format::WebVtt, Format::Srt, Format::NamedLines, Format::WhisperJson, Format::ColloquyJson]
    {
        let made = MADE.iter().find(|made| made.format == format).expect("a format");
        let file = env::temp_dir().join(format!("colloquy-bench-{}-{}", std::process::id(), format.as_str()));
        let size = {
            let text = made.of_size(LARGE);
            fs::write(&file, &text).expect("room for a large file");
            text.len()
        };
        let ended = Command::new(&program).arg("--memory").arg(&file).output().expect("a process");
        fs::remove_file(&file).expect("the file is there");
        assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
        let peak: usize = String::from_utf8_lossy(&ended.stdout).trim().parse().expect("a number");
        let ratio = peak as f64 / size as f64;
        println!(
            "{:<24} {:>8.0} {:>12.0} {ratio:>7.2}",
            format.as_str(),
            size as f64 / 1e6,
            peak as f64 / 1e6
        );
    }
}

/// The highest resident size of this process in bytes, once it has read `file`.
fn read_alone(file: &str) -> usize {
    let bytes = fs::read(file).expect("the file");
    let transcript = import(&bytes);
    assert!(!transcript.turns.is_empty());
    let status = fs::read_to_string("/proc/self/status").expect("Linux");
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("the highest size");
    1024 * peak.trim().trim_end_matches("kB").trim().parse::<usize>().expect("a number")
}

/// Files of an hour each, one after another.
fn many() {
    let made = &MADE[0];
    let files: Vec<String> = (0..FILES).map(|file| made.from(file * 7, 60_000)).collect();
    let size: usize = files.iter().map(String::len).sum();
    let begun = Instant::now();
    let segments: usize = files.iter().map(|text| import(text.as_bytes()).turns.len()).sum();
    let took = begun.elapsed().as_secs_f64();
    println!(
        "{FILES} files of WebVTT, {:.0} MB, {segments} segments: {took:.2} s, {:.0} files a second on one core",
        size as f64 / 1e6,
        FILES as f64 / took
    );
}

/// How a talk is written in one format.
struct Made {
    format: Format,
    head: &'static str,
    turn: fn(&mut String, &Turn),
    between: &'static str,
    foot: &'static str,
}

struct Turn {
    number: u64,
    name: &'static str,
    text: &'static str,
    start: u64,
    end: u64,
}

const SAID: [&str; 5] = [
    "And I think the interesting thing is that nobody makes the same choices, of course.",
    "Right. So what would you do first, if you had the whole week for it?",
    "We would write down what we know and what we only believe, and then look at the second list.",
    "That makes sense to me",
    "because the first one looks after itself, more or less, and always has.",
];

impl Made {
    fn of_size(&self, size: usize) -> String {
        self.from(0, size)
    }

    fn from(&self, first: usize, size: usize) -> String {
        let mut text = String::with_capacity(size + 4096);
        text.push_str(self.head);
        let mut number = 0;
        while text.len() < size {
            if number > 0 {
                text.push_str(self.between);
            }
            let turn = Turn {
                number: number + 1,
                name: ["Anna Lee", "Ben Okafor"][(number / 4 % 2) as usize],
                text: SAID[(first as u64 + number) as usize % SAID.len()],
                start: number * 3_000,
                end: number * 3_000 + 2_900,
            };
            (self.turn)(&mut text, &turn);
            number += 1;
        }
        text.push_str(self.foot);
        text
    }
}

fn stamp(ms: u64, point: char) -> String {
    format!("{:02}:{:02}:{:02}{point}{:03}", ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60, ms % 1000)
}

fn seconds(ms: u64) -> String {
    format!("{}.{:03}", ms / 1000, ms % 1000)
}

/// Words of a turn with their times.
fn words(turn: &Turn, word: impl Fn(&str, u64, u64) -> String) -> String {
    let count = turn.text.split(' ').count() as u64;
    let length = (turn.end - turn.start) / count;
    let words = (0..).zip(turn.text.split(' '));
    words
        .map(|(at, text)| word(text, turn.start + at * length, turn.start + (at + 1) * length))
        .collect::<Vec<_>>()
        .join(",")
}

macro_rules! put {
    ($text:expr, $($rest:tt)*) => { write!($text, $($rest)*).expect("a string") };
}

const MADE: [Made; 18] = [
    Made {
        format: Format::WebVtt,
        head: "WEBVTT\n\n",
        turn: |text, turn| {
            let Turn { number, name, text: said, .. } = turn;
            put!(
                text,
                "{number}\n{} --> {}\n<v {name}>{said}</v>\n",
                stamp(turn.start, '.'),
                stamp(turn.end, '.')
            );
        },
        between: "\n",
        foot: "",
    },
    Made {
        format: Format::Srt,
        head: "",
        turn: |text, turn| {
            let Turn { number, name, text: said, .. } = turn;
            put!(text, "{number}\n{} --> {}\n{name}: {said}\n", stamp(turn.start, ','), stamp(turn.end, ','));
        },
        between: "\n",
        foot: "",
    },
    Made {
        format: Format::TeamsVtt,
        head: "WEBVTT\n\n",
        turn: |text, turn| {
            let Turn { number, name, text: said, .. } = turn;
            let times = format!("{} --> {}", stamp(turn.start, '.'), stamp(turn.end, '.'));
            put!(text, "1f0c6a52-88de-4b3e-9a07-5d2f10c4b7aa/{number}-0\n{times}\n<v {name}>{said}</v>\n");
        },
        between: "\n",
        foot: "",
    },
    Made {
        format: Format::ZoomVtt,
        head: "WEBVTT\n\n",
        turn: |text, turn| {
            let Turn { number, name, text: said, .. } = turn;
            put!(text, "{number}\n{} --> {}\n{name}: {said}\n", stamp(turn.start, '.'), stamp(turn.end, '.'));
        },
        between: "\n",
        foot: "",
    },
    Made {
        format: Format::NamedLines,
        head: "",
        turn: |text, turn| put!(text, "**{}:** {}\n", turn.name, turn.text),
        between: "\n",
        foot: "",
    },
    Made {
        format: Format::OtterText,
        head: "",
        turn: |text, turn| {
            let at = turn.start / 1000;
            put!(text, "{}  {}:{:02}:{:02}  \n{}\n", turn.name, at / 3600, at / 60 % 60, at % 60, turn.text);
        },
        between: "\n",
        foot: "\nTranscribed by https://otter.ai\n",
    },
    Made {
        format: Format::RevText,
        head: "",
        turn: |text, turn| put!(text, "{} ({}):\n{}\n", turn.name, &stamp(turn.start, '.')[..8], turn.text),
        between: "\n",
        foot: "",
    },
    Made {
        format: Format::TextGrid,
        head: "File type = \"ooTextFile\"\nObject class = \"TextGrid\"\n\nxmin = 0\nxmax = 9999999\ntiers? <exists>\nsize = 1\n\
               item []:\n    item [1]:\n        class = \"IntervalTier\"\n        name = \"Anna\"\n        xmin = 0\n        \
               xmax = 9999999\n        intervals: size = 1\n",
        turn: |text, turn| {
            let (start, end) = (seconds(turn.start), seconds(turn.end));
            put!(
                text,
                "        intervals [{}]:\n            xmin = {start}\n            xmax = {end}\n            text = \"{}\"\n",
                turn.number,
                turn.text
            );
        },
        between: "",
        foot: "",
    },
    Made {
        format: Format::Table,
        head: "start,end,speaker,text\n",
        turn: |text, turn| {
            put!(text, "{},{},{},\"{}\"\n", seconds(turn.start), seconds(turn.end), turn.name, turn.text);
        },
        between: "",
        foot: "",
    },
    Made {
        format: Format::WhisperTsv,
        head: "start\tend\ttext\n",
        turn: |text, turn| put!(text, "{}\t{}\t{}\n", turn.start, turn.end, turn.text),
        between: "",
        foot: "",
    },
    Made {
        format: Format::WhisperJson,
        head: "{\"text\": \"\", \"segments\": [",
        turn: |text, turn| {
            let (start, end) = (seconds(turn.start), seconds(turn.end));
            put!(
                text,
                "{{\"id\": {}, \"seek\": 0, \"start\": {start}, \"end\": {end}, \"text\": \" {}\", \"tokens\": [50364, 407, 286], \"temperature\": 0.0, \"avg_logprob\": -0.2, \"compression_ratio\": 1.4, \"no_speech_prob\": 0.01}}",
                turn.number,
                turn.text
            );
        },
        between: ",\n",
        foot: "], \"language\": \"en\"}",
    },
    Made {
        format: Format::WhisperCppJson,
        head: "{\"result\": {\"language\": \"en\"}, \"transcription\": [",
        turn: |text, turn| {
            let (from, to) = (stamp(turn.start, ','), stamp(turn.end, ','));
            put!(
                text,
                "{{\"timestamps\": {{\"from\": \"{from}\", \"to\": \"{to}\"}}, \"offsets\": {{\"from\": {}, \"to\": {}}}, \"text\": \" {}\"}}",
                turn.start,
                turn.end,
                turn.text
            );
        },
        between: ",\n",
        foot: "]}",
    },
    Made {
        format: Format::WhisperXJson,
        head: "{\"segments\": [",
        turn: |text, turn| {
            let words = words(turn, |word, start, end| {
                format!(
                    "{{\"word\": \"{word}\", \"start\": {}, \"end\": {}, \"score\": 0.9, \"speaker\": \"{}\"}}",
                    seconds(start),
                    seconds(end),
                    turn.name
                )
            });
            put!(
                text,
                "{{\"start\": {}, \"end\": {}, \"text\": \" {}\", \"speaker\": \"{}\", \"words\": [{words}]}}",
                seconds(turn.start),
                seconds(turn.end),
                turn.text,
                turn.name
            );
        },
        between: ",\n",
        foot: "], \"word_segments\": []}",
    },
    Made {
        format: Format::FirefliesJson,
        head: "{\"data\": {\"transcript\": {\"title\": \"x\", \"sentences\": [",
        turn: |text, turn| {
            put!(
                text,
                "{{\"index\": {}, \"speaker_name\": \"{}\", \"speaker_id\": 0, \"text\": \"{}\", \"start_time\": {}, \"end_time\": {}}}",
                turn.number,
                turn.name,
                turn.text,
                seconds(turn.start),
                seconds(turn.end)
            );
        },
        between: ",\n",
        foot: "]}}}",
    },
    Made {
        format: Format::AssemblyAiJson,
        head: "{\"id\": \"x\", \"status\": \"completed\", \"text\": \"\", \"utterances\": [",
        turn: |text, turn| {
            let words = words(turn, |word, start, end| {
                format!(
                    "{{\"text\": \"{word}\", \"start\": {start}, \"end\": {end}, \"confidence\": 0.9, \"speaker\": \"A\"}}"
                )
            });
            put!(
                text,
                "{{\"speaker\": \"A\", \"text\": \"{}\", \"start\": {}, \"end\": {}, \"confidence\": 0.9, \"words\": [{words}]}}",
                turn.text,
                turn.start,
                turn.end
            );
        },
        between: ",\n",
        foot: "]}",
    },
    Made {
        format: Format::AmazonTranscribeJson,
        head: "{\"jobName\": \"x\", \"status\": \"COMPLETED\", \"results\": {\"transcripts\": [{\"transcript\": \"\"}], \"items\": [",
        turn: |text, turn| {
            let label = if turn.name == "Anna Lee" { "spk_0" } else { "spk_1" };
            text.push_str(&words(turn, |word, start, end| {
                format!("{{\"type\": \"pronunciation\", \"start_time\": \"{}\", \"end_time\": \"{}\", \"speaker_label\": \"{label}\", \"alternatives\": [{{\"confidence\": \"0.9\", \"content\": \"{word}\"}}]}}", seconds(start), seconds(end))
            }));
        },
        between: ",\n",
        foot: "]}}",
    },
    Made {
        format: Format::DeepgramJson,
        head: "{\"metadata\": {\"request_id\": \"x\", \"channels\": 1}, \"results\": {\"channels\": [], \"utterances\": [",
        turn: |text, turn| {
            put!(
                text,
                "{{\"start\": {}, \"end\": {}, \"confidence\": 0.9, \"channel\": 0, \"transcript\": \"{}\", \"words\": [], \"speaker\": 0, \"id\": \"{}\"}}",
                seconds(turn.start),
                seconds(turn.end),
                turn.text,
                turn.number
            );
        },
        between: ",\n",
        foot: "]}}",
    },
    Made {
        format: Format::ColloquyJson,
        head: "{\"format\": \"colloquy-transcript\", \"version\": 1, \"title\": \"x\", \"segments\": [",
        turn: |text, turn| {
            put!(
                text,
                "{{\"speaker\": \"{}\", \"text\": \"{}\", \"start_ms\": {}, \"end_ms\": {}}}",
                turn.name,
                turn.text,
                turn.start,
                turn.end
            );
        },
        between: ",\n",
        foot: "]}",
    },
];
