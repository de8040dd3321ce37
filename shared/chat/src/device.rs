use crate::{ConnectionId, Timestamp};

/// A connection that a user has open: a tab, or an app on a phone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    pub connection: ConnectionId,
    pub connected_at: Timestamp,
}

/// Those of a user's devices that are too many once `newest` is there: all but it and the next newest, `most` together.
///
/// Closes the oldest, not the new one: after a network loss the dead connections are the oldest, so the user can always
/// get back in. Of two that open at once, each finds all that must close because of itself.
pub fn surplus(mut devices: Vec<Device>, newest: &Device, most: usize) -> Vec<Device> {
    devices.retain(|device| device.connection != newest.connection);
    let too_many = (devices.len() + 1).saturating_sub(most.max(1));
    devices.sort_unstable_by(|one, other| {
        (one.connected_at, one.connection.as_str()).cmp(&(other.connected_at, other.connection.as_str()))
    });
    devices.truncate(too_many);
    devices
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device(number: i64) -> Device {
        Device { connection: ConnectionId::new(format!("c{number}")), connected_at: Timestamp::from_millis(number) }
    }

    #[test]
    fn the_oldest_are_too_many() {
        let devices: Vec<_> = [3, 1, 4, 2].map(device).into();
        assert_eq!(surplus(devices.clone(), &device(4), 4), []);
        assert_eq!(surplus(devices.clone(), &device(4), 3), [device(1)]);
        assert_eq!(surplus(devices, &device(4), 1), [1, 2, 3].map(device));
    }

    #[test]
    fn whoever_comes_stays() {
        // Clocks differ: the one that comes may be said to be the oldest.
        assert_eq!(surplus([1, 2, 3].map(device).into(), &device(1), 2), [device(2)]);
        assert_eq!(surplus([2, 3].map(device).into(), &device(1), 3), [], "it counts though it is not listed");
        assert_eq!(surplus([1, 2].map(device).into(), &device(2), 0), [device(1)]);
    }
}
