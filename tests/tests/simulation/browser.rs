//! The client of browsers, `web/chat-client.js` itself, beside the other devices of a schedule. It needs Node: see
//! `node`. A seed that fails is run alone by `CHAT_SEEDS=61..62 cargo test --workspace --test simulation browser`.

#![allow(clippy::print_stdout, reason = "what was found, for whoever looks")]

use chat_aws::Vars;
use chat_tests::simulation::{Client, Hunt, Outcome, Schedule, shrink};
use std::io::Write;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Calm ones and hostile ones.
const SEEDS: Range<u64> = 0..20;

/// Within so many schedules each mistake is found.
const MISTAKEN: Range<u64> = 0..100;

/// A mistake that the client does not make.
struct Mistake {
    /// What a client does that makes it.
    name: &'static str,
    code: &'static str,
    /// What stands there then.
    instead: &'static str,
    /// A word of what is found.
    finds: &'static str,
}

const MISTAKES: [Mistake; 10] = [
    Mistake {
        name: "does not ask for what is missing",
        code: "if (this.#solid < this.#upTo && !this.#filling) void this.#fill(delayMs);",
        instead: "",
        finds: "misses",
    },
    Mistake {
        name: "does not look at what it missed when it comes back",
        code: "    this.#count(lastId);\n",
        instead: "",
        finds: "misses",
    },
    Mistake {
        name: "does not enter its rooms again",
        code: "    this.#wanted?.resolve();\n    for (const room of this.#rooms.values()) void room.enter(connection);\n",
        instead: "    this.#wanted?.resolve();\n",
        finds: "does not come to rest",
    },
    Mistake {
        name: "shows a message as soon as it comes",
        code: "if (id > this.#solid && this.#held.size < max) this.#held.set(id, message);",
        instead: "if (id <= this.#solid || this.#held.has(id)) return;
                  if (message && this.#start !== null) this.emit('message', message);
                  this.#held.set(id, this.#start === null ? message : null);",
        finds: "after",
    },
    Mistake {
        name: "sends a retry as a new message",
        code: "const { frame } = send;",
        instead: "const frame = { ...send.frame, clientMessageId: newId() };",
        finds: "several times",
    },
    Mistake {
        name: "takes any push of its user for its ack",
        code: "if (clientMessageId && clientMessageId === message.clientMessageId && chatroomId === roomId) resolve(message);",
        instead: "if (clientMessageId && chatroomId === roomId) resolve(message);",
        finds: "acked",
    },
    Mistake {
        name: "gives a first page that does not end where the events begin",
        code: "before = this.#start === null ? undefined : this.#start + 1",
        instead: "before",
        finds: "again",
    },
    Mistake {
        name: "does not wait for what was on its way when it entered",
        code: "if (this.#isOpenEnded(hasOlder ? messages : [{ id: 0 }, ...messages], before, askedAt)) {",
        instead: "if (false) {",
        finds: "misses",
    },
    Mistake {
        name: "forgets what waits when it disconnects",
        code: "this.forget(why);\n    this.#unsend(why);\n",
        instead: "this.forget(why);\n    this.#outbox.splice(0);\n",
        finds: "never settled",
    },
    Mistake {
        name: "does not notice that its connection is dead",
        code: "const timer = setTimeout(() => this.end(\"the server did not answer\"), timeoutMs);",
        instead: "const timer = setTimeout(noop, timeoutMs);",
        finds: "does not",
    },
];

#[test]
fn the_client_keeps_its_promises_in_a_browser() {
    let Some(node) = node() else { return };
    let client = Some(Arc::new(Client::shipped(&node).expect("the client")));
    let hunted = Hunt { client: client.clone(), enough: usize::MAX, ..Hunt::of(seeds(SEEDS)) }.run();
    println!("{hunted}");
    for outcome in &hunted.failed {
        let schedule = Schedule { client: client.clone(), ..Schedule::of(outcome.seed) };
        let (schedule, outcome) = shrink(schedule);
        println!("seed {}, without {:?}", outcome.seed, schedule.without);
        println!("{:#?}\n{:#?}", outcome.log, outcome.findings);
    }
    assert!(hunted.failed.is_empty());
}

#[test]
fn a_seed_with_browsers_is_the_same_each_time() {
    let Some(node) = node() else { return };
    let run = |seed, client: &Arc<Client>| -> Outcome {
        Schedule { client: Some(Arc::clone(client)), ..Schedule::of(seed) }.run()
    };
    // One process that has served other seeds, and one that has not.
    let client = || Arc::new(Client::shipped(&node).expect("the client"));
    let used = client();
    for seed in SEEDS.take(4) {
        let (one, other) = (run(seed, &used), run(seed, &client()));
        let differs = one.log.iter().zip(&other.log).find(|(one, other)| one != other);
        assert_eq!(differs, None, "seed {seed}");
        assert_eq!(one.hash(), other.hash(), "seed {seed}");
        assert!(
            one.log.iter().any(|line| line.contains("b0 -> {\"settles\"")),
            "seed {seed}: the browser did something"
        );
    }
}

#[test]
fn each_mistake_of_a_client_is_found() {
    let Some(node) = node() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let shipped = Client::code();
    let mut missed = Vec::new();
    for (number, Mistake { name, code, instead, finds }) in MISTAKES.iter().enumerate() {
        assert_eq!(shipped.matches(code).count(), 1, "what the client does not do wrong: {name}");
        let path = folder.path().join(format!("{number}.mjs"));
        std::fs::write(&path, shipped.replace(code, instead)).expect("a file");
        let client = Arc::new(Client::changed(&node, &path).expect("the client"));
        let hunted = Hunt { client: Some(client), ..Hunt::of(seeds(MISTAKEN)) }.run();
        let found = hunted.failed.iter().flat_map(|outcome| &outcome.findings).find(|found| found.contains(finds));
        println!("{name}: {} {found:?}", hunted.schedules);
        if found.is_none() {
            missed.push((name, hunted.failed));
        }
    }
    assert!(missed.is_empty(), "{missed:#?}");
}

/// The Node that runs the client: the one that `CHAT_NODE` names, or the one that is there. Everything else is tried
/// without one, so only where `CHAT_NODE` asks for it does it fail to be there.
fn node() -> Option<PathBuf> {
    let vars = Vars::from_env();
    let asked = vars.optional("CHAT_NODE");
    let node = Path::new(asked.unwrap_or("node"));
    match Client::shipped(node) {
        Ok(_) => Some(node.to_owned()),
        Err(why) if asked.is_none() => {
            // Past the test's own output, which nobody sees when it passes.
            let _ = writeln!(std::io::stderr(), "SKIPPED, the client in simulated browsers is not tried: {why}");
            None
        }
        Err(why) => panic!("{why}"),
    }
}

/// Those that `CHAT_SEEDS` names, such as `61..62`, or the usual ones.
fn seeds(usual: Range<u64>) -> Range<u64> {
    let vars = Vars::from_env();
    let Some(named) = vars.optional("CHAT_SEEDS") else { return usual };
    let ends = named.split_once("..").and_then(|(from, to)| Some(from.parse().ok()?..to.parse().ok()?));
    ends.unwrap_or_else(|| panic!("CHAT_SEEDS is {named:?}; it must be like 0..100"))
}
