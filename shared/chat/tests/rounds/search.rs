//! Breadth first, so the first trace that breaks a property is a shortest one.

use std::collections::{HashSet, VecDeque};
use std::fmt;
use std::hash::{Hash, Hasher};

/// A step that the model can take.
pub struct Step<S> {
    pub name: &'static str,
    /// Whether it comes by itself, sooner or later. Faults do not: a state at which only they are left is at rest.
    pub comes: bool,
    pub to: S,
}

pub trait Model {
    type State: Clone + Hash;
    fn first(&self) -> Self::State;
    fn steps(&self, from: &Self::State) -> Vec<Step<Self::State>>;
    /// What holds in every state.
    fn always(&self, state: &Self::State) -> Result<(), &'static str>;
    /// What holds where nothing comes by itself any more.
    fn at_rest(&self, state: &Self::State) -> Result<(), &'static str>;
}

/// How a search ended.
#[derive(Debug)]
pub struct Searched {
    pub states: usize,
    pub rests: usize,
    /// Whether there are states that were not looked at.
    pub cut_off: bool,
    pub broken: Option<Broken>,
}

/// A property that does not hold, and how it came to that.
#[derive(Debug)]
pub struct Broken {
    pub why: &'static str,
    pub trace: Vec<&'static str>,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.why, self.trace.join(" > "))
    }
}

/// Goes through all states of a model, or through so many.
pub fn search<M: Model>(model: &M, at_most: usize) -> Searched {
    let first = model.first();
    let mut searched = Searched { states: 1, rests: 0, cut_off: false, broken: None };
    let mut known = HashSet::from([fingerprint(&first)]);
    let mut came_from = vec![(0, "")];
    let mut queue = VecDeque::from([(0, first)]);
    while let Some((index, state)) = queue.pop_front() {
        let steps = model.steps(&state);
        let mut held = model.always(&state);
        if held.is_ok() && !steps.iter().any(|step| step.comes) {
            searched.rests += 1;
            held = model.at_rest(&state);
        }
        if let Err(why) = held {
            searched.broken = Some(Broken { why, trace: trace(&came_from, index) });
            return searched;
        }
        for Step { name, to, .. } in steps {
            if searched.cut_off || !known.insert(fingerprint(&to)) {
                continue;
            }
            came_from.push((index, name));
            queue.push_back((searched.states, to));
            searched.states += 1;
            searched.cut_off = searched.states >= at_most;
        }
    }
    searched
}

/// Goes so many ways at random, each from the first state to one at rest. The same ways each time.
pub fn wander<M: Model>(model: &M, ways: usize) -> Option<Broken> {
    for way in 0..ways {
        let (mut state, mut trace) = (model.first(), Vec::new());
        loop {
            let mut steps = model.steps(&state);
            let mut held = model.always(&state);
            let is_at_rest = !steps.iter().any(|step| step.comes);
            if held.is_ok() && is_at_rest {
                held = model.at_rest(&state);
            }
            if let Err(why) = held {
                return Some(Broken { why, trace });
            }
            if is_at_rest || trace.len() > LONGEST {
                break;
            }
            let step = steps.swap_remove(fingerprint(&(way, trace.len())) as usize % steps.len());
            trace.push(step.name);
            state = step.to;
        }
    }
    None
}

/// A way that goes on and on, as where somebody is refused again and again, is left.
const LONGEST: usize = 2_000;

fn trace(came_from: &[(usize, &'static str)], mut index: usize) -> Vec<&'static str> {
    let mut names = Vec::new();
    while index > 0 {
        names.push(came_from[index].1);
        index = came_from[index].0;
    }
    names.reverse();
    names
}

/// Two of ten million states have the same one once in three hundred thousand searches; a state that is taken for
/// another is not looked at.
fn fingerprint(state: &impl Hash) -> u64 {
    let mut mix = Mix(0);
    state.hash(&mut mix);
    mix.finish()
}

/// Fast where nothing is optimized: most of a search is this.
struct Mix(u64);

impl Hasher for Mix {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    fn write_u8(&mut self, value: u8) {
        self.write_u64(u64::from(value));
    }

    fn write_u64(&mut self, value: u64) {
        let mixed = (self.0.rotate_left(23) ^ value).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        self.0 = mixed ^ (mixed >> 29);
    }

    fn write_i64(&mut self, value: i64) {
        self.write_u64(value.cast_unsigned());
    }

    fn write_usize(&mut self, value: usize) {
        self.write_u64(value as u64);
    }

    fn write_isize(&mut self, value: isize) {
        self.write_u64(value.cast_unsigned() as u64);
    }

    fn finish(&self) -> u64 {
        let mixed = (self.0 ^ (self.0 >> 32)).wrapping_mul(0xD6E8_FEB8_6659_FD93);
        mixed ^ (mixed >> 32)
    }
}
