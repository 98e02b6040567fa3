//! The bytes of TensorBoard's event files: messages in protobuf's wire format, framed as records of TensorFlow.
//!
//! Field numbers are those of TensorFlow's `event.proto` and `summary.proto`; what we do not write is left out.

/// One entry of an event file.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Event {
    /// Seconds since 1970.
    pub wall_time: f64,
    pub step: i64,
    pub what: What,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum What {
    /// The first entry of every file.
    FileVersion,
    /// What older files say of this step and later ones no longer holds.
    Restart,
    Summary(Vec<Value>),
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Value {
    pub tag: String,
    pub shown: Shown,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Shown {
    Scalar(f32),
    Image { height: u32, width: u32, png: Vec<u8> },
}

const FILE_VERSION: &str = "brain.Event:2";
/// `Summary.Image.colorspace` of RGB.
const RGB: u64 = 3;
/// `SessionLog.status` of a start.
const START: u64 = 1;

impl Event {
    /// The event as a record: length, checksum of it, message, checksum of that.
    pub fn to_record(&self) -> Vec<u8> {
        let message = self.message().0;
        let length = (message.len() as u64).to_le_bytes();
        let mut record = Vec::with_capacity(message.len() + 16);
        record.extend(length);
        record.extend(masked_crc(&length).to_le_bytes());
        record.extend(&message);
        record.extend(masked_crc(&message).to_le_bytes());
        record
    }

    fn message(&self) -> Message {
        let event = Message::default().double(1, self.wall_time).varint(2, self.step as u64);
        match &self.what {
            What::FileVersion => event.bytes(3, FILE_VERSION.as_bytes()),
            What::Summary(values) => {
                let summary = values.iter().fold(Message::default(), |summary, value| summary.part(1, value.message()));
                event.part(5, summary)
            }
            What::Restart => event.part(7, Message::default().varint(1, START)),
        }
    }
}

impl Value {
    fn message(&self) -> Message {
        let value = Message::default().bytes(1, self.tag.as_bytes());
        match &self.shown {
            Shown::Scalar(number) => value.float(2, *number),
            Shown::Image { height, width, png } => {
                let image = Message::default().varint(1, u64::from(*height)).varint(2, u64::from(*width));
                value.part(4, image.varint(3, RGB).bytes(4, png))
            }
        }
    }
}

/// A message in protobuf's wire format; each method adds a field.
#[derive(Default)]
struct Message(Vec<u8>);

impl Message {
    fn varint(self, field: u8, value: u64) -> Self {
        self.key(field, 0).number(value)
    }

    fn double(mut self, field: u8, value: f64) -> Self {
        self = self.key(field, 1);
        self.0.extend(value.to_le_bytes());
        self
    }

    fn float(mut self, field: u8, value: f32) -> Self {
        self = self.key(field, 5);
        self.0.extend(value.to_le_bytes());
        self
    }

    fn bytes(mut self, field: u8, value: &[u8]) -> Self {
        self = self.key(field, 2).number(value.len() as u64);
        self.0.extend(value);
        self
    }

    fn part(self, field: u8, part: Self) -> Self {
        self.bytes(field, &part.0)
    }

    /// Field numbers here are below 16, so that a key is one byte.
    fn key(mut self, field: u8, wire_type: u8) -> Self {
        self.0.push(field << 3 | wire_type);
        self
    }

    /// Seven bits to a byte, the lowest first; all bytes but the last have the top bit set.
    fn number(mut self, mut value: u64) -> Self {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
        self
    }
}

/// CRC-32C as TensorFlow stores it, so that the checksum of data that holds checksums stays good.
fn masked_crc(bytes: &[u8]) -> u32 {
    crc32c::crc32c(bytes).rotate_right(15).wrapping_add(0xa282_ead8)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 3720, B.4: 32 bytes of zero have the checksum 0x8a9136aa. Masked with the formula of TensorFlow's
    /// `crc32c.h` in Python: `((c >> 15 | c << 17) + 0xa282ead8) & 0xffffffff`.
    #[test]
    fn checksums_are_tensorflows() {
        assert_eq!(crc32c::crc32c(&[0; 32]), 0x8a91_36aa);
        assert_eq!(masked_crc(&[0; 32]), 0x0fd7_fffa);
    }

    /// Bytes of `SerializeToString` of `tensorboard.compat.proto.event_pb2.Event` in `tensorboard` 2.21.0, but that it
    /// leaves a `step` of 0 out.
    #[test]
    fn messages_are_protobufs() {
        let event = |step, what| Event { wall_time: 1.5, step, what }.message().0;
        let start = b"\x09\0\0\0\0\0\0\xf8\x3f".as_slice();
        assert_eq!(event(0, What::FileVersion), [start, b"\x10\0", b"\x1a\x0dbrain.Event:2"].concat());
        let value = Value { tag: "a/b".into(), shown: Shown::Scalar(0.5) };
        let summary = b"\x2a\x0c\x0a\x0a\x0a\x03a/b\x15\0\0\0\x3f";
        assert_eq!(event(300, What::Summary(vec![value])), [start, b"\x10\xac\x02", summary].concat());
        assert_eq!(event(300, What::Restart), [start, b"\x10\xac\x02", b"\x3a\x02\x08\x01"].concat());
    }

    /// Takes a record apart again as a reader does.
    #[test]
    fn records_can_be_read_back() {
        let png = vec![7; 200];
        let value = Value { tag: "results".into(), shown: Shown::Image { height: 300, width: 2, png: png.clone() } };
        let event = Event { wall_time: 0.0, step: 1, what: What::Summary(vec![value]) };
        let record = event.to_record();
        let (head, rest) = record.split_at(12);
        let length = u64::from_le_bytes(head[..8].try_into().unwrap()) as usize;
        assert_eq!(head[8..], masked_crc(&head[..8]).to_le_bytes());
        let (message, crc) = rest.split_at(length);
        assert_eq!(crc, masked_crc(message).to_le_bytes());
        assert_eq!(message, event.message().0);
        assert!(message.ends_with(&png));
    }
}
