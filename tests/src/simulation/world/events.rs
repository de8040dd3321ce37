//! What happens to each event on its way to its function.

use super::judge::Event;
use super::{Directed, World, part_of};
use crate::chaos::{Direction, lock};
use crate::simulation::dice::Dice;
use chat_local::{AroundRest, Interference, Plan as Course};
use futures_util::FutureExt;
use serde_json::Value;
use std::fmt;
use std::sync::{Arc, Weak};
use tokio::time::sleep;

/// What happens to the events of a world.
pub struct Events(pub Weak<World>);

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Events")
    }
}

impl Interference for Events {
    fn plan(&self, function: &str, event: &Value) -> Course {
        let Some(world) = self.0.upgrade() else { return Course::default() };
        let label = world.name(function, event);
        let mut dice = Dice::of(world.plan.seed, &label);
        if let Some(director) = &world.director {
            let number = lock(&world.directed).len() as u64;
            let invocation = world.invocation(&part_of(function, event), label, &mut dice);
            // Before the director tells of it: whoever then waits for its end must find it.
            let directed = Directed { invocation: Arc::clone(&invocation), fault: None, struck: false };
            lock(&world.directed).insert(number, directed);
            let Direction { fault, lost, twice, start, .. } = director(function, event, number);
            lock(&world.directed).entry(number).and_modify(|directed| directed.fault = fault);
            if lost {
                invocation.ended.send_replace(true);
            }
            let event = event.clone();
            let course = Course::around(usize::from(!lost) + usize::from(twice), move |_, delivery| {
                let event = Event::read(&world, &event);
                let (world, invocation) = (Arc::clone(&world), Arc::clone(&invocation));
                async move { world.run(invocation, event, delivery).await }.boxed()
            });
            return Course { start: start.unwrap_or_else(|| async {}.boxed()), ..course };
        }
        let climate = &world.plan.climate;
        let hostile = world.is_hostile();
        let mut happens = |often: u32, what: &str| {
            let drawn = dice.chance(often);
            drawn && hostile && world.strikes(format!("{label} {what}"))
        };
        let deliveries = if function == "disconnect" && happens(climate.lost, "lost") {
            0
        } else if may_come_twice(function, event) && happens(climate.twice, "twice") {
            2
        } else {
            1
        };
        // A `$disconnect` may be late; a frame may overtake another one.
        let start = match function {
            "disconnect" if dice.chance(100) => dice.millis(100..2_000),
            "disconnect" => dice.millis(1..40),
            _ => dice.millis(0..climate.start + 1),
        };
        let again = start + dice.millis(0..500);
        let part = part_of(function, event);
        let (first, second) = (
            world.invocation(&part, label.clone(), &mut dice),
            world.invocation(&part, format!("{label} again"), &mut dice),
        );
        let event = event.clone();
        let (behind, left) = (Arc::downgrade(&world), [Arc::clone(&first), Arc::clone(&second)]);
        let after: AroundRest = Box::new(move |number, rest| {
            let invocation = Arc::clone(&left[number]);
            match behind.upgrade() {
                Some(world) => async move { world.run_rest(invocation, rest).await }.boxed(),
                None => rest,
            }
        });
        let course = Course::around(deliveries, move |number, delivery| {
            let event = Event::read(&world, &event);
            let world = Arc::clone(&world);
            let (invocation, wait) = if number == 0 { (&first, start) } else { (&second, again) };
            let invocation = Arc::clone(invocation);
            async move {
                sleep(wait).await;
                world.run(invocation, event, delivery).await
            }
            .boxed()
        });
        Course { after, ..course }
    }
}

/// Without a `clientMessageId` nothing tells that two events are one. API Gateway itself repeats none. What a moderator
/// orders has no name either: an older order that came again would undo a later one.
fn may_come_twice(function: &str, event: &Value) -> bool {
    if function == "moderate" {
        return false;
    }
    part_of(function, event) != "send-message"
        || event["body"].as_str().is_some_and(|body| body.contains("clientMessageId"))
}
